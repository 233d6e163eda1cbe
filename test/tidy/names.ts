/** One word, one meaning; and words that do not belong in the project at all. */
import { placeOf, typescript } from "./project.ts";
import type { Project, ProjectFile, Rule } from "./project.ts";

const FILE_NAMES = /(^|[-./])(utils?|commons?|helpers?|managers?|services?|misc)(?=[-./])/;

const fileNames: Rule = {
  name: "a file is named after what is in it",
  check: ({ files }) =>
    files
      .filter(({ path }) => path.startsWith("src/") || path.startsWith("test/support/"))
      .flatMap(({ path }) => {
        const word = FILE_NAMES.exec(path)?.[2];
        if (word !== undefined) return [`${path}:1: "${word}" says nothing; name it after its noun`];
        return /^[a-z0-9./-]+$/.test(path) ? [] : [`${path}:1: file names are kebab-case`];
      }),
  examples: [
    {
      files: { "src/table/text-utils.ts": "", "src/watch/manager/a.ts": "", "src/table/flowText.ts": "" },
      says: [
        'src/table/text-utils.ts:1: "utils" says nothing; name it after its noun',
        'src/watch/manager/a.ts:1: "manager" says nothing; name it after its noun',
        "src/table/flowText.ts:1: file names are kebab-case",
      ],
    },
    {
      files: { "src/table/utility-bill.ts": "", "src/census/top-services.ts": "" },
      says: ['src/census/top-services.ts:1: "services" says nothing; name it after its noun'],
    },
    { files: { "src/table/utility-bill.ts": "", "src/census/tally.ts": "" }, says: [] },
  ],
};

/** Words of the glossary's "not" column that mean nothing else here: parts of identifiers, and whole ones. */
const GLOSSARY: ReadonlyMap<string, string> = new Map([
  ["tunable", "setting"],
  ["tunables", "setting"],
  ["backend", "source"],
  ["backends", "source"],
  ["provider", "source"],
  ["providers", "source"],
  ["conn", "flow"],
  ["conns", "flow"],
  ["fivetuple", "tuple"],
  ["sessioncount", "flows"],
  ["connectioncount", "flows"],
  ["entrycount", "flows"],
  ["maxentries", "capacityFlows"],
  ["maxconnections", "capacityFlows"],
  ["usedentries", "occupancyFlows"],
]);

const glossary: Rule = {
  name: "identifiers use the words of the glossary",
  check: (project) =>
    typescript(project).flatMap((file) =>
      [...file.code.matchAll(/[A-Za-z_$][\w$]*/g)].flatMap((match) => {
        const words = [match[0], ...partsOf(match[0])].map((word) => GLOSSARY.get(word.toLowerCase()));
        const right = words.find((word) => word !== undefined);
        if (right === undefined) return [];
        return [`${placeOf(file, match.index)}: ${match[0]}; the glossary says ${right}`];
      }),
    ),
  examples: [
    {
      files: { "src/table/a.ts": "const tunableName = 1;\nconst n = sessionCount + host.conn;" },
      says: [
        "src/table/a.ts:1: tunableName; the glossary says setting",
        "src/table/a.ts:2: sessionCount; the glossary says flows",
        "src/table/a.ts:2: conn; the glossary says flow",
      ],
    },
    { files: { "src/table/a.ts": "const connmark = 1; // a tunable\nconst text = 'provider';" }, says: [] },
  ],
};

/** `maxEntries` and `MAX_ENTRIES` have the parts max and entries. */
function partsOf(identifier: string): readonly string[] {
  return identifier.split(/_|(?<=[a-z0-9])(?=[A-Z])/);
}

const RULES = "test/tidy/names.ts";

/**
 * Places that documents and comments may point to: specifications, manuals, and names kept free for examples.
 */
const HOSTS = new Set([
  "apache.org",
  "datatracker.ietf.org",
  "debian.org",
  "docs.kernel.org",
  "force-color.org",
  "git.kernel.org",
  "github.com",
  "iana.org",
  "json-schema.org",
  "keepachangelog.com",
  "kernel.org",
  "man7.org",
  "monitoring-plugins.org",
  "netfilter.org",
  "no-color.org",
  "nodejs.org",
  "prometheus.io",
  "rfc-editor.org",
  "semver.org",
  "tcpdump.org",
  "w3.org",
  "wireshark.org",
  "example.com",
  "example.net",
  "example.org",
  "localhost",
]);

const hosts: Rule = {
  name: "links go to specifications and manuals",
  check: (project) =>
    texts(project).flatMap((file) =>
      [...file.text.matchAll(/\bhttps?:\/\/(\[[^\]]*\]|[^\s/:,;"'`<>)\]}$\\]+)/g)].flatMap((match) => {
        const host = match[1] ?? "";
        if (/^[\d.]+$|^\[/.test(host) || HOSTS.has(host.replace(/^www\./, ""))) return [];
        return [
          `${placeOf(file, match.index)}: link to ${host}; if it will last, add it to HOSTS in ${RULES}`,
        ];
      }),
    ),
  examples: [
    {
      files: { "docs/a.md": "see https://mirror.invalid/a" },
      says: ["docs/a.md:1: link to mirror.invalid; if it will last, add it to HOSTS in test/tidy/names.ts"],
    },
    { files: { "docs/a.md": "see https://www.kernel.org/doc and http://127.0.0.1:9090/" }, says: [] },
  ],
};

/** Directories that exist on the machine of whoever wrote the line, and notes on how it was written. */
const NOT_OURS: readonly (readonly [RegExp, string])[] = [
  [
    /(?<![\w$~.}])\/(?:work|workspace|Users|home\/(?!\.\.|USER|user\b))[/][\w.-]+/g,
    "a path of one machine; make it relative",
  ],
  [
    /\b(?:co-authored-by|generated (?:by|with) (?:an? )?(?:ai|llm|model))\b/gi,
    "say what it is, not how it came about",
  ],
  [
    /\b(?:language model|chatbot|prompt engineering|(?:helper|coding|sub) ?-?agents?)\b/gi,
    "say what it is, not how it came about",
  ],
];

const notOurs: Rule = {
  name: "files speak of Headroom alone",
  check: (project) =>
    texts(project).flatMap((file) =>
      NOT_OURS.flatMap(([pattern, instead]) =>
        [...file.text.matchAll(pattern)].map(
          (match) => `${placeOf(file, match.index)}: "${match[0]}"; ${instead}`,
        ),
      ),
    ),
  examples: [
    {
      files: { "docs/a.md": "see /Users/me/notes.md\nGenerated by AI" },
      says: [
        'docs/a.md:1: "/Users/me"; a path of one machine; make it relative',
        'docs/a.md:2: "Generated by AI"; say what it is, not how it came about',
      ],
    },
    { files: { "docs/a.md": "/proc/sys/net, bench/work/a, written by hand" }, says: [] },
  ],
};

/** Everything that is read by people, without the rules themselves and without what others wrote. */
function texts(project: Project): readonly ProjectFile[] {
  const others = /^(test\/tidy\/|test\/fixtures\/|package-lock\.json$|LICENSE$)/;
  return project.files.filter(({ path }) => !others.test(path));
}

export const nameRules: readonly Rule[] = [fileNames, glossary, hosts, notOurs];

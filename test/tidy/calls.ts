/**
 * What code must not say, each with what to say instead. Looked for in code alone: comments and strings are
 * blank.
 */
import { folderOf, placeOf, sources, typescript } from "./project.ts";
import type { Project, ProjectFile, Rule } from "./project.ts";

interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  readonly instead: string;
  /** Files in which it is allowed all the same. */
  readonly allowedIn?: RegExp;
  /** Tests and benches as well as what ships. */
  readonly alsoInTests?: true;
  /** A line that breaks the ban in src/plan/bad.ts. */
  readonly bad: string;
  /** A line that looks like it and does not. */
  readonly good: string;
}

const SHELL = /^src\/(cli\/|base\/(clock|random)\.ts$)/;

const BANS: readonly Ban[] = [
  {
    name: "the wall clock",
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.hrtime\b/g,
    instead: "take an instant or a Clock of base/clock.ts as an argument",
    allowedIn: SHELL,
    bad: "const now = Date.now();",
    good: "const at = new Date(atMs);",
  },
  {
    name: "randomness",
    pattern: /\bMath\.random\b|\bcrypto\.(randomBytes|getRandomValues|randomUUID)\b/g,
    instead: "take a Random of base/random.ts as an argument",
    allowedIn: SHELL,
    bad: "const random = Math.random();",
    good: "const highest = Math.max(1, 2);",
  },
  {
    name: "the process",
    pattern: /\bprocess\.(env|argv|stdin|stdout|stderr|exit|exitCode|cwd)\b/g,
    instead: "take it as an argument; src/cli wires it",
    allowedIn: SHELL,
    bad: "const home = process.env.HOME;",
    good: "const found = processes.environment;",
  },
  {
    name: "console",
    pattern: /\bconsole\s*\./g,
    instead: "return the text, or write it to a stream taken as an argument",
    allowedIn: SHELL,
    bad: "console.log(flow);",
    good: "terminal.write(flow);",
  },
  {
    name: "Buffer",
    pattern: /\bBuffer\b/g,
    instead: "use Uint8Array, DataView and TextDecoder",
    allowedIn: /^src\/kernel\/ffi\.ts$/,
    bad: "const bytes = Buffer.from(text);",
    good: "const bytes = new ArrayBuffer(8);",
  },
  {
    // The door of listing waits for the next piece of a stream; what it does with it is pure.
    name: "waiting in the pure middle",
    pattern: /\b(async|await)\b/g,
    instead: "table, listing, packet, model, census and plan are pure; wait in the shell and pass the result",
    allowedIn: /^src\/(?!table\/|listing\/|packet\/|model\/|census\/|plan\/)|^src\/listing\/listing\.ts$/,
    bad: "await flows();",
    good: "const awaited = 1;",
  },
  {
    name: "any",
    pattern: /\bas any\b|:\s*any\b|<any>|\bany\[\]/g,
    instead: "use unknown and narrow it",
    alsoInTests: true,
    bad: "const flow = found as any;",
    good: "const any = Boolean(found);",
  },
  {
    name: "! after an index",
    pattern: /\]!(?!=)/g,
    instead: "check for undefined, or in a hot loop write `as number`",
    alsoInTests: true,
    bad: "const first = flows[0]!;",
    good: "const other = flows[0] !== 1;",
  },
  {
    name: "enum",
    pattern: /\benum\s+\w/g,
    instead: "use a union of strings, or an object `as const`; Node cannot strip an enum",
    alsoInTests: true,
    bad: "enum State { Open }",
    good: "const enumerated = 1;",
  },
  {
    name: "namespace",
    pattern: /^\s*(?:export\s+)?(?:declare\s+)?(?:namespace|module)\s+\w+\s*\{/gm,
    instead: "use a file; Node cannot strip a namespace",
    alsoInTests: true,
    bad: "export namespace Flow { }",
    good: "const namespace = host.namespace;",
  },
  {
    name: "private and its kin",
    pattern: /\b(?:private|protected|public)\s+(?:static\s+|readonly\s+|async\s+)*[\w#]+\s*[(:=;?,)]/g,
    instead: "use #names; members without # are public already",
    alsoInTests: true,
    bad: "class A { private flows = 1; }",
    good: "const isPrivate = address.private;",
  },
  {
    name: "the place of a file",
    pattern: /\bimport\.meta\b|\b__dirname\b/g,
    instead: "take a path as an argument; in the bundle all files are one",
    bad: "const here = import.meta.url;",
    good: "const meta = imported.meta;",
  },
  {
    name: "a default export",
    pattern: /\bexport\s+default\b|\bas\s+default\b/g,
    instead: "export it by name",
    alsoInTests: true,
    bad: "export default flow;",
    good: "export const fallback = flow;",
  },
];

function toRule(ban: Ban): Rule {
  const path = "src/plan/bad.ts";
  return {
    name: `no ${ban.name}`,
    check: (project) => searched(project, ban).flatMap((file) => findIn(file, ban)),
    examples: [
      { files: { [path]: `\n${ban.bad}` }, says: [`${path}:2: ${shown(ban.bad, ban)}; ${ban.instead}`] },
      {
        files: { [path]: `${ban.good}\n// ${ban.bad}\nconst quoted = ${JSON.stringify(ban.bad)};` },
        says: [],
      },
    ],
  };
}

function searched(project: Project, ban: Ban): readonly ProjectFile[] {
  const files = ban.alsoInTests === true ? typescript(project) : sources(project);
  return files.filter(({ path }) => ban.allowedIn?.test(path) !== true);
}

function findIn(file: ProjectFile, ban: Ban): readonly string[] {
  return [...file.code.matchAll(ban.pattern)].map((match) => {
    const offset = match.index + match[0].search(/\S/);
    return `${placeOf(file, offset)}: ${match[0].trim()}; ${ban.instead}`;
  });
}

function shown(text: string, ban: Ban): string {
  return text.match(ban.pattern)?.[0].trim() ?? "";
}

/** Only these may stand in src/base; what has a subject belongs to the folder of that subject. */
const BASE_FILES = new Set(["assert.ts", "bytes.ts", "clock.ts", "random.ts"]);

const closedBase: Rule = {
  name: "src/base is closed",
  check: (project) =>
    project.files
      .filter(({ path }) => folderOf(path) === "base" && !path.endsWith(".test.ts"))
      .filter(({ path }) => !BASE_FILES.has(path.slice("src/base/".length)))
      .map(({ path }) => `${path}:1: src/base holds ${[...BASE_FILES].join(", ")} alone; find its subject`),
  examples: [
    {
      files: { "src/base/text.ts": "" },
      says: [
        "src/base/text.ts:1: src/base holds assert.ts, bytes.ts, clock.ts, random.ts alone; find its subject",
      ],
    },
    { files: { "src/base/bytes.ts": "", "src/base/bytes.test.ts": "", "src/table/text.ts": "" }, says: [] },
  ],
};

export const callRules: readonly Rule[] = [...BANS.map(toRule), closedBase];

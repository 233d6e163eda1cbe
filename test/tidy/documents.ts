/** Documents: what must be there, and what each must look like. */
import { placeOf } from "./project.ts";
import type { Project, ProjectFile, Rule } from "./project.ts";

function markdown(project: Project): readonly ProjectFile[] {
  return project.files.filter(({ path }) => path.endsWith(".md"));
}

/** The same document with code blocks emptied: a `#` in one is no heading. */
function prose(file: ProjectFile): string {
  return file.text.replace(/^```.*?^```/gms, (block) => block.replace(/[^\n]/g, " "));
}

const titles: Rule = {
  name: "every document has one title",
  check: (project) =>
    markdown(project).flatMap((file) => {
      const found = [...prose(file).matchAll(/^# \S/gm)].length;
      return found === 1
        ? []
        : [`${file.path}:1: ${found} titles; begin with one "# Title" and use ## below it`];
    }),
  examples: [
    {
      files: { "docs/a.md": "Text\n", "docs/b.md": "# A\n# B\n" },
      says: [
        'docs/a.md:1: 0 titles; begin with one "# Title" and use ## below it',
        'docs/b.md:1: 2 titles; begin with one "# Title" and use ## below it',
      ],
    },
    { files: { "docs/a.md": "# A\n## B\n```sh\n# comment\n```\n" }, says: [] },
  ],
};

const deadLinks: Rule = {
  name: "a document that is named exists",
  check: (project) =>
    markdown(project).flatMap((file) => {
      const directory = file.path.split("/").slice(0, -1).join("/");
      const linked = prose(file).matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)|`([\w./-]+\.(?:md|ts|mjs))`/g);
      return [...linked].flatMap((match) => {
        const path = match[1] ?? match[2] ?? "";
        if (existsFrom(project, directory, path) || (match[2] !== undefined && /^name\.|\/name\./.test(path)))
          return [];
        return [`${placeOf(file, match.index)}: names ${path}, which does not exist`];
      });
    }),
  examples: [
    {
      files: { "docs/a.md": "[b](b.md) and `src/table/flow.ts`" },
      says: [
        "docs/a.md:1: names b.md, which does not exist",
        "docs/a.md:1: names src/table/flow.ts, which does not exist",
      ],
    },
    {
      files: {
        "docs/a.md":
          "[b](b.md#part), `../README.md`, `flow.ts`, [k](https://kernel.org), tests are `name.test.ts`",
        "docs/b.md": "",
        "README.md": "",
        "src/table/flow.ts": "",
      },
      says: [],
    },
  ],
};

/** Relative to the document, or to the root, or a file or end of a path that exists anywhere. */
function existsFrom(project: Project, directory: string, path: string): boolean {
  const parts = directory === "" ? [] : directory.split("/");
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  const relative = parts.join("/");
  const plain = path.replace(/^\.\//, "").replace(/\/$/, "");
  return project.files.some(
    (file) =>
      [relative, plain].includes(file.path) ||
      file.path.startsWith(`${relative}/`) ||
      file.path.startsWith(`${plain}/`) ||
      file.path.endsWith(`/${plain}`),
  );
}

/** Keep a Changelog 1.1.0: a title, versions newest first, and under them only these headings. */
const CHANGES = new Set(["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]);

const changelog: Rule = {
  name: "the changelog is well formed",
  check: (project) => {
    const file = project.files.find(({ path }) => path === "CHANGELOG.md");
    if (file === undefined) return [];
    const says = (line: number, what: string): string => `CHANGELOG.md:${line}: ${what}`;
    const problems: string[] = [];
    const lines = prose(file).split("\n");
    if (lines[0] !== "# Changelog") problems.push(says(1, 'its title is "# Changelog"'));
    let date = "9999-99-99";
    for (const [index, line] of lines.entries()) {
      if (line.startsWith("### ") && !CHANGES.has(line.slice(4))) {
        problems.push(says(index + 1, `"${line}"; one of ${[...CHANGES].join(", ")}`));
      }
      if (!line.startsWith("## ") || line === "## [Unreleased]") continue;
      const found = /^## \[\d+\.\d+\.\d+\] - (\d{4}-\d{2}-\d{2})$/.exec(line)?.[1];
      if (found === undefined) problems.push(says(index + 1, `"${line}"; write "## [1.2.3] - 2026-01-31"`));
      else if (found > date) problems.push(says(index + 1, "newer than the version above it"));
      date = found ?? date;
    }
    if (!/^## /m.test(prose(file))) problems.push(says(1, 'has no version; begin with "## [Unreleased]"'));
    return problems;
  },
  examples: [
    {
      files: {
        "CHANGELOG.md": "# Changes\n## 1.0\n### New\n## [1.0.0] - 2026-01-01\n## [1.1.0] - 2026-02-01\n",
      },
      says: [
        'CHANGELOG.md:1: its title is "# Changelog"',
        'CHANGELOG.md:2: "## 1.0"; write "## [1.2.3] - 2026-01-31"',
        'CHANGELOG.md:3: "### New"; one of Added, Changed, Deprecated, Removed, Fixed, Security',
        "CHANGELOG.md:5: newer than the version above it",
      ],
    },
    {
      files: { "CHANGELOG.md": "# Changelog\n" },
      says: ['CHANGELOG.md:1: has no version; begin with "## [Unreleased]"'],
    },
    {
      files: { "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n### Added\n\n## [0.1.0] - 2026-01-01\n" },
      says: [],
    },
  ],
};

const provenance: Rule = {
  name: "every fixture says where it comes from",
  check: (project) => {
    const fixtures = project.files.filter(({ path }) => path.startsWith("test/fixtures/"));
    const directories = new Set(fixtures.map(({ path }) => path.split("/").slice(0, 3).join("/")));
    return [...directories].flatMap((directory) => {
      if (project.has(`${directory}/PROVENANCE.md`) || project.has(directory)) {
        return project.has(directory) && !directory.endsWith(".md")
          ? [`${directory}:1: put it into a directory`]
          : [];
      }
      return [
        `${directory}/PROVENANCE.md:1: is missing; say where the fixture comes from and how to make it again`,
      ];
    });
  },
  examples: [
    {
      files: { "test/fixtures/linux-5.10/proc/x": "1", "test/fixtures/loose.txt": "1" },
      says: [
        "test/fixtures/linux-5.10/PROVENANCE.md:1: is missing; " +
          "say where the fixture comes from and how to make it again",
        "test/fixtures/loose.txt:1: put it into a directory",
      ],
    },
    {
      files: {
        "test/fixtures/a/PROVENANCE.md": "# A",
        "test/fixtures/a/proc/x": "1",
        "test/fixtures/README.md": "",
      },
      says: [],
    },
  ],
};

/** Codes as they stand in the list of src/table/finding.ts. */
function findingCodes(project: Project): readonly string[] {
  const file = project.files.find(({ path }) => path === "src/table/finding.ts");
  const list = /FINDING_CODES = \[([^\]]*)\]/.exec(file?.text ?? "")?.[1] ?? "";
  return [...list.matchAll(/"([a-z-]+)"/g)].map((match) => match[1] ?? "");
}

const findings: Rule = {
  name: "every finding has a page and a test",
  check: (project) => {
    const codes = findingCodes(project);
    const tests = project.files.filter(({ path }) => /\.test\.ts$|^test\/scripts\//.test(path));
    const pages = project.files.filter(({ path }) => /^docs\/findings\/[\w-]+\.md$/.test(path));
    const without = codes.flatMap((code) => {
      const page = `docs/findings/${code}.md`;
      const named = new RegExp(`(?<![\\w-])${code}(?![\\w-])`);
      return [
        ...(project.has(page) ? [] : [`${page}:1: is missing; every finding has a page`]),
        ...(tests.some(({ text }) => named.test(text))
          ? []
          : [`src/table/finding.ts:1: no test names ${code}`]),
      ];
    });
    const stray = pages.filter(
      ({ path }) => !codes.includes(path.slice("docs/findings/".length, -".md".length)),
    );
    return [...without, ...stray.map(({ path }) => `${path}:1: there is no finding of this name`)];
  },
  examples: [
    {
      files: {
        "src/table/finding.ts":
          'export const FINDING_CODES = [\n  "table-full",\n  "near-full",\n] as const;',
        "docs/findings/near-full.md": "# near-full",
        "docs/findings/far-full.md": "# far-full",
        "src/plan/rules.test.ts": '"table-full"; "very-near-full"',
      },
      says: [
        "docs/findings/table-full.md:1: is missing; every finding has a page",
        "src/table/finding.ts:1: no test names near-full",
        "docs/findings/far-full.md:1: there is no finding of this name",
      ],
    },
    {
      files: {
        "src/table/finding.ts": 'export const FINDING_CODES = ["table-full"] as const;',
        "docs/findings/table-full.md": "# table-full",
        "test/scripts/check.txt": "$ headroom check\ncritical table-full: 10 of 10",
      },
      says: [],
    },
  ],
};

export const documentRules: readonly Rule[] = [titles, deadLinks, changelog, provenance, findings];

/**
 * Who imports whom. Folders are the data flow, imports point one way, and a folder is entered by its door;
 * types count, too.
 */
import { folderOf, isTest, placeOf, sources, typescript } from "./project.ts";
import type { Project, ProjectFile, Rule } from "./project.ts";

/** What each folder may import besides itself. `all` is only for the shell that wires everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[] | "all">> = {
  base: [],
  table: ["base"],
  unpack: ["base"],
  packet: ["base", "table"],
  listing: ["base", "table", "unpack"],
  kernel: ["base", "table"],
  model: ["base", "table", "packet"],
  census: ["base", "table"],
  plan: ["base", "table", "census"],
  boot: ["base", "table"],
  change: ["base", "table", "boot"],
  reclaim: ["base", "table", "census"],
  watch: ["base", "table", "census", "plan"],
  server: ["base", "table", "census", "plan", "watch"],
  fleet: ["base", "table", "plan"],
  cli: "all",
};

/** Their files are vocabulary and imported one by one; every other folder has a door. */
const WITHOUT_DOOR = new Set(["base", "table"]);

/** Where the program starts. */
const ENTRY = "src/cli/main.ts";

interface Import {
  readonly from: ProjectFile;
  readonly offset: number;
  /** As written. */
  readonly specifier: string;
  /** Path of the file, for a relative import. */
  readonly path: string;
}

function importsOf(file: ProjectFile): readonly Import[] {
  const pattern = /\b(?:import|export)\b[^;"'`]*?\bfrom\s*["']|\bimport\s*\(?\s*["']/g;
  return [...file.code.matchAll(pattern)].map((match) => {
    const start = match.index + match[0].length;
    const specifier = file.text.slice(start, start + file.text.slice(start).search(/["']/));
    const path = specifier.startsWith(".") ? resolve(file.path, specifier) : "";
    return { from: file, offset: match.index, specifier, path };
  });
}

function resolve(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function foreignImports(project: Project): readonly Import[] {
  const all = sources(project).flatMap(importsOf);
  return all.filter(({ from, path }) => folderOf(path) !== "" && folderOf(path) !== folderOf(from.path));
}

const importTable: Rule = {
  name: "a folder imports only what the import table allows",
  check: (project) =>
    foreignImports(project).flatMap(({ from, offset, path }) => {
      const folder = folderOf(from.path);
      const allowed = MAY_IMPORT[folder];
      if (allowed === undefined) {
        return [`${from.path}:1: ${folder} is not in the import table; a new folder needs a decision record`];
      }
      if (allowed === "all" || allowed.includes(folderOf(path))) return [];
      const list = allowed.length === 0 ? "nothing" : allowed.join(", ");
      return [`${placeOf(from, offset)}: ${folder} imports ${folderOf(path)}; it may import ${list}`];
    }),
  examples: [
    {
      files: { "src/census/census.ts": 'import type { A } from "../plan/plan.ts";' },
      says: ["src/census/census.ts:1: census imports plan; it may import base, table"],
    },
    {
      files: { "src/base/bytes.ts": '\nexport { a } from "../table/flow.ts";' },
      says: ["src/base/bytes.ts:2: base imports table; it may import nothing"],
    },
    {
      files: { "src/extra/a.ts": 'import "../base/bytes.ts";' },
      says: ["src/extra/a.ts:1: extra is not in the import table; a new folder needs a decision record"],
    },
    {
      files: {
        "src/cli/list.ts": 'const kernel = await import("../kernel/kernel.ts");',
        "src/census/census.ts": '// import "../plan/plan.ts"\nimport { a } from "../table/flow.ts";',
        "src/census/census.test.ts": 'import { judge } from "../plan/plan.ts";',
      },
      says: [],
    },
  ],
};

const doors: Rule = {
  name: "a folder is entered by its door",
  check: (project) =>
    foreignImports(project).flatMap(({ from, offset, path }) => {
      const folder = folderOf(path);
      const door = `src/${folder}/${folder}.ts`;
      if (WITHOUT_DOOR.has(folder) || path === door) return [];
      return [`${placeOf(from, offset)}: imports ${path}; import its door ${door}`];
    }),
  examples: [
    {
      files: { "src/plan/rules.ts": 'import { a } from "../census/tally.ts";' },
      says: ["src/plan/rules.ts:1: imports src/census/tally.ts; import its door src/census/census.ts"],
    },
    {
      files: {
        "src/plan/rules.ts":
          'import { a } from "../census/census.ts";\nimport { b } from "../table/flow.ts";',
      },
      says: [],
    },
  ],
};

const cycles: Rule = {
  name: "files do not import each other in a circle",
  check: (project) => {
    const graph = new Map(
      typescript(project).map((file) => [file.path, importsOf(file).map((found) => found.path)]),
    );
    const done = new Set<string>();
    return [...graph.keys()].flatMap((path) => findCycle(graph, path, [], done));
  },
  examples: [
    {
      files: {
        "src/table/a.ts": 'import type { B } from "./b.ts";',
        "src/table/b.ts": 'import { c } from "./c.ts";',
        "src/table/c.ts": 'import { a } from "./a.ts";',
      },
      says: [
        "src/table/a.ts:1: imports itself by src/table/b.ts, src/table/c.ts; move what both need into a file",
      ],
    },
    {
      files: {
        "src/table/a.ts": 'import { b } from "./b.ts";\nimport { c } from "./c.ts";',
        "src/table/b.ts": 'import { c } from "./c.ts";',
        "src/table/c.ts": "",
      },
      says: [],
    },
  ],
};

/** Walks down from `path`; `trail` is the way there. A file is walked once, so a circle is reported once. */
function findCycle(
  graph: ReadonlyMap<string, readonly string[]>,
  path: string,
  trail: readonly string[],
  done: Set<string>,
): readonly string[] {
  const start = trail.indexOf(path);
  if (start !== -1) {
    const [first, ...others] = trail.slice(start);
    const by = others.length === 0 ? "" : ` by ${others.join(", ")}`;
    return [`${first}:1: imports itself${by}; move what both need into a file`];
  }
  if (done.has(path)) return [];
  const found = (graph.get(path) ?? []).flatMap((next) => findCycle(graph, next, [...trail, path], done));
  done.add(path);
  return found;
}

const orphans: Rule = {
  name: "every source file is imported by another",
  check: (project) => {
    const imported = new Set(
      sources(project)
        .flatMap(importsOf)
        .map(({ path }) => path),
    );
    const alone = sources(project).filter(({ path }) => !imported.has(path));
    return alone
      .filter(({ path }) => path !== ENTRY && folderOf(path) !== "base")
      .map(({ path }) => `${path}:1: no source file imports this; use it or remove it`);
  },
  examples: [
    {
      files: { "src/table/a.ts": "", "src/table/a.test.ts": 'import { a } from "./a.ts";' },
      says: ["src/table/a.ts:1: no source file imports this; use it or remove it"],
    },
    {
      files: { "src/cli/main.ts": 'import { a } from "../table/a.ts";', "src/table/a.ts": "" },
      says: [],
    },
  ],
};

const missing: Rule = {
  name: "a relative import names a file with its ending",
  check: (project) =>
    typescript(project)
      .flatMap(importsOf)
      .filter(({ path }) => path !== "" && !/\.(tsx?|mjs|json|css)$/.test(path))
      .map(
        ({ from, offset, specifier }) => `${placeOf(from, offset)}: imports "${specifier}"; write its .ts`,
      ),
  examples: [
    { files: { "src/a/a.ts": 'import "./b.js";' }, says: ['src/a/a.ts:1: imports "./b.js"; write its .ts'] },
    { files: { "src/a/a.ts": 'import "./b.ts";\nimport "zod/mini";' }, says: [] },
  ],
};

/** Modules of Node that reach outside, and the folders that may. */
const NODE_MODULES: readonly (readonly [RegExp, RegExp, string])[] = [
  [/^node:ffi$/, /^src\/kernel\/ffi\.ts$/, "system calls are named in src/kernel/ffi.ts"],
  [/^node:sqlite$/, /^src\/watch\/store[^/]*\.ts$/, "only src/watch/store*.ts know the database"],
  [
    /^node:(fs|fs\/promises|child_process|os|net|dgram|worker_threads)$/,
    /^src\/(kernel|cli)\//,
    "only src/kernel and src/cli reach outside; take what is needed as an argument",
  ],
];

const nodeModules: Rule = {
  name: "only kernel and cli reach outside of the process",
  check: (project) =>
    sources(project)
      .flatMap(importsOf)
      .flatMap(({ from, offset, specifier }) => {
        const banned = NODE_MODULES.find(
          ([module, where]) => module.test(specifier) && !where.test(from.path),
        );
        return banned === undefined ? [] : [`${placeOf(from, offset)}: imports ${specifier}; ${banned[2]}`];
      }),
  examples: [
    {
      files: {
        "src/kernel/socket.ts": 'import { dlopen } from "node:ffi";',
        "src/census/census.ts": 'import { readFileSync } from "node:fs";',
        "src/watch/watcher.ts": 'import { DatabaseSync } from "node:sqlite";',
      },
      says: [
        "src/kernel/socket.ts:1: imports node:ffi; system calls are named in src/kernel/ffi.ts",
        "src/census/census.ts:1: imports node:fs; only src/kernel and src/cli reach outside; " +
          "take what is needed as an argument",
        "src/watch/watcher.ts:1: imports node:sqlite; only src/watch/store*.ts know the database",
      ],
    },
    {
      files: {
        "src/kernel/ffi.ts": 'import { dlopen } from "node:ffi";',
        "src/watch/store-file.ts": 'import { DatabaseSync } from "node:sqlite";',
        "src/cli/check.ts": 'import { readFileSync } from "node:fs";',
        "src/census/census.test.ts": 'import { readFileSync } from "node:fs";',
      },
      says: [],
    },
  ],
};

const testsImportTests: Rule = {
  name: "what ships does not import tests",
  check: (project) =>
    sources(project)
      .flatMap(importsOf)
      .filter(({ path }) => path !== "" && isTest(path))
      .map(({ from, offset, path }) => `${placeOf(from, offset)}: imports ${path}; tests do not ship`),
  examples: [
    {
      files: { "src/cli/main.ts": 'import { a } from "../../test/support/streams.ts";' },
      says: ["src/cli/main.ts:1: imports test/support/streams.ts; tests do not ship"],
    },
    { files: { "src/cli/main.ts": 'import { a } from "../base/bytes.ts";' }, says: [] },
  ],
};

/** All that the dashboard and the rest have in common, and that as types alone. */
const API_SCHEMA = "src/server/api-schema.ts";
const WEB_ENTRY = "web/main.tsx";

const webImports: Rule = {
  name: "the dashboard knows the rest by the types of the API alone",
  check: (project) => {
    const own = typescript(project).filter(({ path }) => path.startsWith("web/") && !isTest(path));
    const imports = own.flatMap(importsOf);
    const foreign = imports.filter(({ path }) => path !== "" && !path.startsWith("web/"));
    const wrong = foreign.filter(
      ({ from, offset, path }) => path !== API_SCHEMA || !/^import\s+type\b/.test(from.code.slice(offset)),
    );
    const imported = new Set([WEB_ENTRY, ...imports.map(({ path }) => path)]);
    const alone = own.filter(({ path }) => !imported.has(path) && !path.endsWith(".d.ts"));
    const back = sources(project)
      .flatMap(importsOf)
      .filter(({ path }) => path.startsWith("web/"));
    return [
      ...wrong.map(
        ({ from, offset, path }) =>
          `${placeOf(from, offset)}: imports ${path}; the page takes types of ${API_SCHEMA} and asks the API`,
      ),
      ...alone.map(({ path }) => `${path}:1: no file of the dashboard imports this; use it or remove it`),
      ...back.map(
        ({ from, offset, path }) => `${placeOf(from, offset)}: imports ${path}; the page is built by itself`,
      ),
    ];
  },
  examples: [
    {
      files: {
        "web/main.tsx":
          'import { a } from "../src/table/flow.ts";\nimport type { B } from "../src/plan/plan.ts";',
        "web/views/lost.tsx": 'import { statusSchema } from "../../src/server/api-schema.ts";',
        "src/server/assets.ts": 'import "../../web/main.tsx";',
      },
      says: [
        "web/main.tsx:1: imports src/table/flow.ts; " +
          "the page takes types of src/server/api-schema.ts and asks the API",
        "web/main.tsx:2: imports src/plan/plan.ts; " +
          "the page takes types of src/server/api-schema.ts and asks the API",
        "web/views/lost.tsx:1: imports src/server/api-schema.ts; " +
          "the page takes types of src/server/api-schema.ts and asks the API",
        "web/views/lost.tsx:1: no file of the dashboard imports this; use it or remove it",
        "src/server/assets.ts:1: imports web/main.tsx; the page is built by itself",
      ],
    },
    {
      files: {
        "web/main.tsx": 'import type { StatusJson } from "../src/server/api-schema.ts";\nimport "./app.tsx";',
        "web/app.tsx": 'const later = import("preact");',
        "web/app.test.ts": 'import { parseFilter } from "../src/table/filter.ts";',
      },
      says: [],
    },
  ],
};

export const importRules: readonly Rule[] = [
  webImports,
  importTable,
  doors,
  cycles,
  orphans,
  missing,
  nodeModules,
  testsImportTests,
];

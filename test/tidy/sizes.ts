/** How long things may be. Functions are measured by the linter, which has a parser. */
import { isCode, typescript } from "./project.ts";
import type { ProjectFile, Rule } from "./project.ts";

const COLUMNS_MAX = 110;
const FILE_LINES_MAX = 700;
const FILE_BYTES_MAX = 256 * 1024;

const columns: Rule = {
  name: "lines of code have at most 110 columns",
  check: ({ files }) => files.filter(({ path }) => isCode(path)).flatMap(longLines),
  examples: [
    {
      files: { "src/table/a.ts": `\nconst a = ${"b".repeat(101)};` },
      says: ["src/table/a.ts:2: 112 columns, at most 110; break the line"],
    },
    { files: { "src/table/a.ts": `const a = ${"–".repeat(99)};\n  "${"x".repeat(200)}",` }, says: [] },
  ],
};

function longLines({ path, text }: ProjectFile): readonly string[] {
  return text.split("\n").flatMap((line, index) => {
    const length = [...line].length;
    // A single long literal (captured bytes, a link) has no place to break.
    if (length <= COLUMNS_MAX || /^\s*(\/\/ |\* )?\S+$/.test(line)) return [];
    return [`${path}:${index + 1}: ${length} columns, at most ${COLUMNS_MAX}; break the line`];
  });
}

const fileLines: Rule = {
  name: "files have at most 700 lines",
  check: (project) =>
    typescript(project).flatMap(({ path, text }) => {
      const lines = text.replace(/\n$/, "").split("\n").length;
      if (lines <= FILE_LINES_MAX) return [];
      return [`${path}:1: ${lines} lines, at most ${FILE_LINES_MAX}; split it by its nouns`];
    }),
  examples: [
    {
      files: { "src/table/a.ts": "a;\n".repeat(701) },
      says: ["src/table/a.ts:1: 701 lines, at most 700; split it by its nouns"],
    },
    { files: { "src/table/a.ts": "a;\n".repeat(700) }, says: [] },
  ],
};

const blobs: Rule = {
  name: "files have at most 256 KB",
  check: ({ files }) =>
    files
      .filter(({ path, sizeBytes }) => sizeBytes > FILE_BYTES_MAX && !path.startsWith("test/fixtures/"))
      .map(
        ({ path, sizeBytes }) =>
          `${path}:1: ${sizeBytes} bytes, at most ${FILE_BYTES_MAX} outside test/fixtures`,
      ),
  examples: [
    {
      files: { "docs/a.png": "a".repeat(262_145) },
      says: ["docs/a.png:1: 262145 bytes, at most 262144 outside test/fixtures"],
    },
    { files: { "docs/a.png": "a".repeat(262_144), "test/fixtures/x/a.gz": "a".repeat(300_000) }, says: [] },
  ],
};

export const sizeRules: readonly Rule[] = [columns, fileLines, blobs];

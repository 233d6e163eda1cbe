/**
 * The files of the project as the rules see them, and what a rule is. A rule is a pure function over files;
 * its examples stand beside it and are run as its tests.
 */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { blank } from "./blank.ts";

export interface ProjectFile {
  /** From the root of the project, with slashes. */
  readonly path: string;
  /** Content; empty for what is not text. */
  readonly text: string;
  /** The same without comments and the inside of strings; only for TypeScript and JavaScript. */
  readonly code: string;
  readonly sizeBytes: number;
}

export interface Project {
  readonly files: readonly ProjectFile[];
  has(path: string): boolean;
}

export interface Example {
  /** Text by path. */
  readonly files: Readonly<Record<string, string>>;
  /** What the rule must say; nothing for a good example. */
  readonly says: readonly string[];
}

export interface Rule {
  readonly name: string;
  /** Problems as `path:line: what is wrong; what to do instead`. */
  check(project: Project): readonly string[];
  readonly examples: readonly Example[];
}

/** A project made of texts, for examples. */
export function projectOf(texts: Readonly<Record<string, string>>): Project {
  return toProject(Object.entries(texts).map(([path, text]) => toFile(path, text, text.length)));
}

/** All files that git tracks or would track, from the directory `root`, which ends with a slash. */
export function readProject(root: string): Project {
  const args = ["-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const listed = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  // Links are in fixtures alone; what they lead to is read by its own name.
  const paths = listed
    .split("\0")
    .filter((path) => path !== "" && existsSync(root + path) && !lstatSync(root + path).isSymbolicLink());
  return toProject(paths.map((path) => readOne(root, path)));
}

function readOne(root: string, path: string): ProjectFile {
  const { size } = statSync(root + path);
  const bytes = readFileSync(root + path);
  const isText = !bytes.subarray(0, 8192).includes(0);
  return toFile(path, isText ? bytes.toString("utf8") : "", size);
}

function toFile(path: string, text: string, sizeBytes: number): ProjectFile {
  return { path, text, code: isCode(path) ? blank(text) : "", sizeBytes };
}

function toProject(files: readonly ProjectFile[]): Project {
  const paths = new Set(files.map((file) => file.path));
  return { files, has: (path) => paths.has(path) };
}

export function isCode(path: string): boolean {
  return /\.(tsx?|mts|mjs|js)$/.test(path) || path.startsWith("bin/");
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/") || path.startsWith("bench/");
}

/** Files that ship: TypeScript below src that is no test. */
export function sources(project: Project): readonly ProjectFile[] {
  return project.files.filter(({ path }) => path.startsWith("src/") && path.endsWith(".ts") && !isTest(path));
}

/** All TypeScript of the project. */
export function typescript(project: Project): readonly ProjectFile[] {
  return project.files.filter(({ path }) => /\.tsx?$/.test(path));
}

/** The folder of src a file stands in: `census` for src/census/tally.ts. */
export function folderOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? "";
}

/** `path:line` of an offset. */
export function placeOf(file: ProjectFile, offset: number): string {
  return `${file.path}:${file.text.slice(0, offset).split("\n").length}`;
}

/**
 * Faults in the middle of a command: it is run under strace(1), which makes the n-th call of one kind
 * fail, or kills the process at its entry. First a run without a fault tells which calls there are that
 * write below a directory; then each of them is struck once.
 *
 * Only the main thread is traced: that is where this program writes, and what it writes to a terminal or
 * to itself is not below the directory.
 */
import { spawn } from "node:child_process";
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Calls that change a file or a directory. */
const CALLS = [
  "openat",
  "write",
  "pwrite64",
  "fsync",
  "fdatasync",
  "rename",
  "renameat",
  "renameat2",
  "mkdir",
  "mkdirat",
  "rmdir",
  "unlink",
  "unlinkat",
  "fchmod",
  "chmod",
  "fchmodat",
  "fchown",
  "chown",
  "fchownat",
  "ftruncate",
  "link",
  "linkat",
  "symlink",
  "symlinkat",
  "fsetxattr",
] as const;

/** The n-th call of its kind in a run, and its line in the trace. */
export interface WritingCall {
  call: string;
  nth: number;
  line: string;
}

/** A signal, or an error; one that lasts makes all later calls of the kind fail as well. */
export interface Fault {
  kind: "SIGKILL" | "SIGINT" | "SIGTERM" | "SIGHUP" | "EIO" | "ENOSPC" | "EACCES";
  lasts?: true;
}

export interface Struck {
  exit: number | string;
  stdout: string;
  stderr: string;
  /** The line of the trace that was struck; absent when the fault did not come about. */
  at?: string;
}

/** Runs `argv` to its end and lists the calls that write below `directory`. */
export async function listWritingCalls(
  argv: readonly string[],
  directory: string,
): Promise<{ calls: readonly WritingCall[]; ended: Struck }> {
  const { ended, trace } = await traced(argv, []);
  const counts = new Map<string, number>();
  const calls: WritingCall[] = [];
  for (const line of trace) {
    const call = /^(\w+)\(/.exec(line)?.[1];
    if (call === undefined) continue;
    const nth = (counts.get(call) ?? 0) + 1;
    counts.set(call, nth);
    if (writesBelow(line, call, directory)) calls.push({ call, nth, line });
  }
  return { calls, ended };
}

function writesBelow(line: string, call: string, directory: string): boolean {
  if (!line.includes(`${directory}/`)) return false;
  return call !== "openat" || /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(line);
}

/** Runs `argv` with one of its calls struck. */
export async function strike(
  argv: readonly string[],
  at: WritingCall,
  fault: Fault,
  directory: string,
): Promise<Struck> {
  const what = fault.kind.startsWith("SIG") ? `signal=${fault.kind}` : `error=${fault.kind}`;
  const when = `${at.nth}${fault.lasts === true ? "+" : ""}`;
  const { ended, trace } = await traced(argv, ["-e", `inject=${at.call}:${what}:when=${when}`]);
  const struck = trace.filter((line) => line.startsWith(`${at.call}(`))[at.nth - 1];
  const hit = struck !== undefined && writesBelow(struck, at.call, directory);
  return hit ? { ...ended, at: struck } : ended;
}

let traces = 0;

async function traced(
  argv: readonly string[],
  more: readonly string[],
): Promise<{ ended: Struck; trace: readonly string[] }> {
  traces += 1;
  const log = join(tmpdir(), `hr-strace-${process.pid}-${traces}`);
  const options = [
    "-qq",
    "-y",
    "-s",
    "16",
    "-o",
    log,
    "-e",
    `trace=${CALLS.map((call) => `?${call}`).join(",")}`,
  ];
  const ended = await run("strace", [...options, ...more, ...argv]);
  const trace = readFileSync(log, "utf8").split("\n");
  rmSync(log);
  return { ended, trace };
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[]): Promise<Struck> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
    const text = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (text.stdout += piece));
    child.stderr.setEncoding("utf8").on("data", (piece: string) => (text.stderr += piece));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ ...text, exit: signal ?? code ?? -1 }));
  });
}

/** Everything below a directory: by path, what it is with mode, owner and content. */
export type Snapshot = ReadonlyMap<string, string>;

/** What is below `root`, but not below the paths left out. */
export function snapshot(root: string, leftOut: readonly string[] = []): Snapshot {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    for (const name of readdirSync(root + path)) {
      const each = `${path}/${name}`;
      if (leftOut.includes(each)) continue;
      const { mode, uid, gid } = lstatSync(root + each);
      const facts = `${mode.toString(8)} ${uid}:${gid}`;
      const isDirectory = (mode & 0o170000) === 0o040000;
      const isLink = (mode & 0o170000) === 0o120000;
      if (isLink) found.set(each, `link ${readlinkSync(root + each)}`);
      else if (isDirectory) found.set(each, `directory ${facts}`);
      else found.set(each, `file ${facts} ${readFileSync(root + each, "latin1")}`);
      if (isDirectory) visit(each);
    }
  };
  visit("");
  return found;
}

/** Paths that differ, with what each is. */
export function difference(one: Snapshot, other: Snapshot): readonly string[] {
  const paths = new Set([...one.keys(), ...other.keys()]);
  return [...paths]
    .filter((path) => one.get(path) !== other.get(path))
    .map((path) => `${path}: ${short(one.get(path))} | ${short(other.get(path))}`);
}

function short(text: string | undefined): string {
  return text === undefined ? "nothing" : JSON.stringify(text.slice(0, 60));
}

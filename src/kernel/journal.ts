/**
 * The kernel's messages as systemd's journal keeps them, for users who may read it but not the ring (group
 * adm or systemd-journal). A child process, therefore only when the ring was refused.
 */
import type { ChildProcess } from "node:child_process";
import type { Clock } from "../base/clock.ts";
import type { KernelLog } from "../table/host.ts";
import { KernelError } from "./error.ts";
import { type ScanOptions, scanKernelLog } from "./kernel-log.ts";

const TIMEOUT_MS = 3000;
/** Newest lines asked for. */
const LINES_MAX = 200_000;
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

export interface JournalCall {
  /** In place of `journalctl`. */
  program?: string;
  /** Only so many lines, the newest. */
  newest?: number;
}

/**
 * Reads `journalctl -k` of this boot. Throws KernelError when it is not there, may not be read or takes too
 * long.
 */
export function readJournal(options: ScanOptions, how: JournalCall = {}): KernelLog {
  const { program = "journalctl", newest = LINES_MAX } = how;
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const arguments_ = ["-k", "-q", "--no-pager", "-o", "short-monotonic", "-n", String(newest)];
  const ended = spawnSync(program, arguments_, {
    encoding: "buffer",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
  });
  if (ended.error !== undefined) {
    const code = "code" in ended.error ? ended.error.code : undefined;
    if (code === "ENOENT") throw new KernelError("not-found", "Cannot run journalctl: there is none");
    if (code === "ETIMEDOUT") {
      throw new KernelError(
        "timed-out",
        `Cannot read the journal: journalctl took longer than ${TIMEOUT_MS} ms`,
      );
    }
    throw new KernelError("io", `Cannot run journalctl: ${ended.error.message}`, { cause: ended.error });
  }
  const said = new TextDecoder().decode(ended.stderr).trim().split("\n", 1)[0] ?? "";
  if (ended.status !== 0 || ended.stdout.length === 0) {
    const found = said === "" ? "it has no messages of the kernel that this user may read" : said;
    throw new KernelError("not-permitted", `Cannot read the journal: ${found}`);
  }
  return scanKernelLog([ended.stdout], options, "journal", "journalctl -k");
}

/** How long after journalctl has ended it is started again. */
const START_AGAIN_MS = 60_000;
/** With wall clock and uptime of every message. */
const FIELDS = "--output-fields=MESSAGE,_TRANSPORT,_SOURCE_MONOTONIC_TIMESTAMP";
const FOLLOW_ARGUMENTS = ["-k", "-q", "-f", "-n", "0", "--no-pager", "-o", "json", FIELDS];

/**
 * `journalctl -k -f` in a process of its own, which hands what it says to `chunk` while this program waits
 * for something. It ends with `close`.
 */
export class FollowedJournal {
  readonly #clock: Clock;
  readonly #program: string;
  readonly #chunk: (bytes: Uint8Array) => void;
  #child: ChildProcess | undefined;
  #endedAtMs = 0;
  #losses = 0;
  #refused: KernelError | undefined;

  /** Throws KernelError when there is no journal or this user may not read the kernel's messages in it. */
  constructor(clock: Clock, program: string, chunk: (bytes: Uint8Array) => void) {
    this.#clock = clock;
    this.#program = program;
    this.#chunk = chunk;
    readJournal({ nowMs: clock.nowMs() }, { program, newest: 1 });
    this.#start();
  }

  /** Times it ended by itself; what was logged until it was started again is lost. */
  get losses(): number {
    return this.#losses;
  }

  get refused(): KernelError | undefined {
    return this.#refused;
  }

  /** Starts it again when it has ended some time ago. */
  keepUp(): void {
    const isDue = this.#clock.elapsedMs() - this.#endedAtMs >= START_AGAIN_MS;
    if (this.#child === undefined && this.#refused !== undefined && isDue) this.#start();
  }

  close(): void {
    this.#refused = undefined;
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
  }

  #start(): void {
    const { spawn } = process.getBuiltinModule("node:child_process");
    const { Socket } = process.getBuiltinModule("node:net");
    const child = spawn(this.#program, FOLLOW_ARGUMENTS, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    this.#refused = undefined;
    child.stdout.on("data", (bytes: Uint8Array) => {
      if (this.#child === child) this.#chunk(bytes);
    });
    child.once("error", ({ message }) => this.#ended(child, message));
    child.once("close", (status) => this.#ended(child, `it ended with ${status ?? "a signal"}`));
    // Nothing waits for it: a program that is done with its work ends, and it with it.
    child.unref();
    if (child.stdout instanceof Socket) child.stdout.unref();
  }

  #ended(child: ChildProcess, found: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#endedAtMs = this.#clock.elapsedMs();
    this.#losses += 1;
    this.#refused = new KernelError("io", `Cannot follow the journal with ${this.#program}: ${found}`);
  }
}

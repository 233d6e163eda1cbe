/**
 * Scans a kernel log of any size in constant memory: text comes in chunks, lines that cannot matter are
 * skipped without being taken apart, and what remains is a tally per kind of message.
 *
 * A tally counts lines, never drops: the kernel limits its own messages, ten at once and then one in five
 * seconds, shared with every other warning of the network. How many it held back is `suppressedMessages`.
 */
import type { KernelLog, KernelLogTally } from "../table/host.ts";
import { classifyMessage, type LogEvent, type LogLine, parseLogLine, repeatsOf } from "./kernel-log-line.ts";

/** What a line must hold to be looked at. */
const NEEDLES = ["conntrack", "s suppressed", "message repeated"];

/** Whether text may hold a line that is looked for; most of a log does not and need not be taken apart. */
export function mayMatter(text: string): boolean {
  return NEEDLES.some((needle) => text.includes(needle));
}

/** Longer lines are cut: the kernel's own have at most a thousand characters. */
const LINE_MAX_CHARACTERS = 16 * 1024;
const SAMPLE_MAX_CHARACTERS = 300;
/**
 * Different tallies kept (kind, namespace, container); a hostile file could name any number of namespaces.
 */
const TALLIES_MAX = 1000;
/** Lines at the beginning among which the oldest uptime is looked for. */
const FIRST_LINES = 20;
/** A ring whose oldest record is younger than this still begins with the boot. */
const BOOT_SECONDS = 1;

export interface ScanOptions {
  /** Wall clock, milliseconds: decides the year of times without one. */
  nowMs: number;
  /**
   * Wall clock of the boot the log is of, milliseconds; gives wall clock to lines that only have an uptime.
   */
  bootAtMs?: number;
}

/**
 * Collects what the lines of one log say: `chunk` by `chunk` of text, or `record` by `record`; then `finish`.
 */
export class KernelLogScan {
  #options: ScanOptions;
  #tallies = new Map<string, KernelLogTally>();
  readonly #decoder = new TextDecoder();
  #suppressedMessages = 0;
  #linesRead = 0;
  #oldestUptimeSeconds: number | undefined;
  /** What followed the last newline. */
  #carry = "";
  /** The line being read is longer than a line may be; its rest is skipped. */
  #cutting = false;
  /** What the line directly before said, for `last message repeated`. */
  #previous: LogEvent | undefined;

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  /** Takes the next bytes of a log in text, cut anywhere. */
  chunk(bytes: Uint8Array): void {
    this.#text(this.#decoder.decode(bytes, { stream: true }));
  }

  /** Takes one record of a log that is not text: its message and its uptime. */
  record(message: string, uptimeSeconds: number): void {
    this.#linesRead += 1;
    this.#oldestUptimeSeconds ??= uptimeSeconds;
    this.#written({ message, uptimeSeconds }, message);
  }

  /** Counts a record that `mayMatter` says cannot matter. */
  skip(): void {
    this.#linesRead += 1;
    this.#previous = undefined;
  }

  /**
   * Takes what was tallied and begins the next tally, in the middle of the same log. `options` are those of
   * what comes from then on.
   */
  take(options: ScanOptions): { tallies: readonly KernelLogTally[]; suppressedMessages: number } {
    const taken = { tallies: [...this.#tallies.values()], suppressedMessages: this.#suppressedMessages };
    this.#tallies = new Map();
    this.#suppressedMessages = 0;
    this.#options = options;
    return taken;
  }

  /** The file ended here for good: what has no newline yet is a line. */
  endLine(): void {
    this.#text(`${this.#decoder.decode()}${this.#carry === "" && !this.#cutting ? "" : "\n"}`);
  }

  /** The result. `wrapped` when the caller knows better than the oldest uptime tells. */
  finish(source: KernelLog["source"], origin: string, wrapped?: boolean): KernelLog {
    this.endLine();
    const oldest = this.#oldestUptimeSeconds;
    const begun = wrapped ?? (oldest === undefined ? undefined : oldest > BOOT_SECONDS);
    return {
      source,
      origin,
      tallies: [...this.#tallies.values()],
      suppressedMessages: this.#suppressedMessages,
      linesRead: this.#linesRead,
      ...(begun === undefined ? {} : { wrapped: begun }),
      ...(oldest === undefined ? {} : { oldestUptimeSeconds: oldest }),
    };
  }

  #text(text: string): void {
    const end = text.lastIndexOf("\n");
    if (end >= 0) {
      const from = this.#cutting ? text.indexOf("\n") : 0;
      this.#lines(this.#carry + text.slice(from, end + 1));
      this.#carry = "";
      this.#cutting = false;
    }
    if (this.#cutting) return;
    this.#carry += text.slice(end + 1);
    if (this.#carry.length > LINE_MAX_CHARACTERS) {
      this.#carry = this.#carry.slice(0, LINE_MAX_CHARACTERS);
      this.#cutting = true;
    }
  }

  /** Whole lines, each with its newline. */
  #lines(text: string): void {
    if (this.#linesRead < FIRST_LINES) this.#lookAtFirst(text);
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#linesRead += 1;
    const next = NEEDLES.map((needle) => text.indexOf(needle));
    let behindLast = 0;
    for (;;) {
      const found = nearest(next);
      if (found === undefined) break;
      const start = text.lastIndexOf("\n", found) + 1;
      const end = text.indexOf("\n", found);
      if (start !== behindLast) this.#previous = undefined;
      this.#line(text.slice(start, Math.min(end, start + LINE_MAX_CHARACTERS)));
      behindLast = end + 1;
      NEEDLES.forEach((needle, index) => {
        const at = next[index] ?? -1;
        if (at >= 0 && at < end) next[index] = text.indexOf(needle, end);
      });
    }
    if (behindLast !== text.length) this.#previous = undefined;
  }

  #line(text: string): void {
    const line = parseLogLine(text.replace(/\r$/, ""), this.#options.nowMs);
    if (line === undefined) this.#previous = undefined;
    else this.#written(line, text);
  }

  #written(line: LogLine, text: string): void {
    const said = classifyMessage(line.message);
    const event = said === "repeated" ? this.#again(line.message) : said;
    this.#previous = event;
    if (event === undefined) return;
    if (event.kind === "suppressed") this.#suppressedMessages += event.messages;
    const key = `${event.kind} ${event.namespaceInode ?? ""} ${event.container ?? ""}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      if (this.#tallies.size >= TALLIES_MAX) return;
      tally = { kind: event.kind, lines: 0, sample: "" };
      this.#tallies.set(key, tally);
    }
    tally.lines += event.kind === "suppressed" ? 1 : event.messages;
    if (event.namespaceInode !== undefined) tally.namespaceInode = event.namespaceInode;
    if (event.container !== undefined) tally.container = event.container;
    if (event.limitFlows !== undefined) tally.limitFlows = event.limitFlows;
    if (said !== "repeated") tally.sample = text.trim().slice(0, SAMPLE_MAX_CHARACTERS);
    this.#stamp(tally, line);
  }

  /** `last message repeated 5 times`: five more of what was directly before, when that was counted. */
  #again(message: string): LogEvent | undefined {
    const before = this.#previous;
    if (before === undefined || before.kind === "suppressed") return undefined;
    return { ...before, messages: repeatsOf(message) };
  }

  #stamp(tally: KernelLogTally, line: LogLine): void {
    const { bootAtMs } = this.#options;
    const uptime = line.uptimeSeconds;
    const computed =
      uptime === undefined || bootAtMs === undefined ? undefined : Math.round(bootAtMs + uptime * 1000);
    const atMs = line.atMs ?? computed;
    if (atMs !== undefined) {
      tally.firstAtMs ??= atMs;
      tally.lastAtMs = atMs;
    }
    if (uptime !== undefined) {
      tally.firstUptimeSeconds ??= uptime;
      tally.lastUptimeSeconds = uptime;
    }
  }

  /**
   * The oldest uptime, when the log is the ring itself: a file of syslog may begin in the middle of any boot.
   */
  #lookAtFirst(text: string): void {
    if (this.#oldestUptimeSeconds !== undefined) return;
    for (const first of text.split("\n", FIRST_LINES)) {
      const line = parseLogLine(first.slice(0, LINE_MAX_CHARACTERS), this.#options.nowMs);
      if (line?.uptimeSeconds === undefined) continue;
      if (line.atMs === undefined) this.#oldestUptimeSeconds = line.uptimeSeconds;
      return;
    }
  }
}

function nearest(positions: readonly number[]): number | undefined {
  const found = positions.filter((at) => at >= 0);
  return found.length === 0 ? undefined : Math.min(...found);
}

/** Scans a whole log in text. */
export function scanKernelLog(
  chunks: Iterable<Uint8Array>,
  options: ScanOptions,
  source: KernelLog["source"],
  origin: string,
): KernelLog {
  const scan = new KernelLogScan(options);
  for (const chunk of chunks) scan.chunk(chunk);
  return scan.finish(source, origin);
}

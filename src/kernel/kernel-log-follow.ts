/**
 * The kernel log from now on, asked again and again without waiting: what came since, by kind.
 *
 * From the ring itself (/dev/kmsg, non-blocking); where this user may not read it, from the first file of
 * syslog there is, followed through its rotation; where there is none, from the journal by journalctl(1),
 * which says something only while this program waits for events.
 */
import { closeSync, constants, openSync, readSync } from "node:fs";

import type { Clock } from "../base/clock.ts";
import type { KernelLogEvent } from "../table/live-reading.ts";
import type { Unseen } from "../table/unseen.ts";
import { errnoError, fileError, KernelError } from "./error.ts";
import * as ffi from "./ffi.ts";
import { FollowedFile } from "./followed-file.ts";
import { FollowedJournal } from "./journal.ts";
import { KernelLogScan, mayMatter } from "./kernel-log.ts";
import { KMSG_HELP, KMSG_PATH, parseKmsgRecord, RECORD_MAX_BYTES } from "./kmsg.ts";
import { FOLLOWED_LOG_PATHS } from "./saved-tree.ts";
import { UnseenNotes } from "./unseen-notes.ts";

/** The kernel log from a moment on. Close it in a `finally`. */
export interface KernelLogFollow {
  readonly source: "kmsg" | "file" | "journal" | "none";
  /** For people: `/dev/kmsg`, a path, `journalctl -k -f`; empty when there is none. */
  readonly origin: string;
  /** Why it cannot be followed now; empty while it can. The same array as long as that is so. */
  readonly unseen: readonly Unseen[];
  /** Times lines were lost because they came faster than they were read, or were cut away before. */
  readonly losses: number;
  /** What came since the last call; never waits, never throws. Empty when nothing came. */
  drain(): readonly KernelLogEvent[];
  close(): void;
}

export interface FollowOptions {
  clock: Clock;
  /** The files of syslog to try; those of this host when absent. */
  paths?: readonly string[];
  /** Whether the ring is tried first; true when absent. */
  ring?: boolean;
  /** The program that follows the journal, tried last; undefined: it is not tried. */
  journal?: string;
}

const HELP = "run as root or with CAP_SYSLOG, or join the group adm or systemd-journal";

/** Something that is read into a scan; never throws. */
interface LogReader {
  readonly losses: number;
  readonly refused: KernelError | undefined;
  read(): void;
  close(): void;
}

/** How the log is followed: what is read, and its name. */
interface Way extends Pick<KernelLogFollow, "source" | "origin"> {
  reader: LogReader;
}

/** Begins to follow; when there is nothing that may be read, what is given says so in `unseen`. */
export function followKernelLog(options: FollowOptions): KernelLogFollow {
  const { clock, paths = FOLLOWED_LOG_PATHS, ring = true, journal } = options;
  const scan = new KernelLogScan({ nowMs: clock.nowMs() });
  const ways: (() => Way)[] = [
    ...(ring ? [(): Way => ({ source: "kmsg", origin: KMSG_PATH, reader: new Ring(scan) })] : []),
    ...paths.map((path) => (): Way => ({
      source: "file",
      origin: path,
      reader: new FollowedFile(path, scan),
    })),
    ...(journal === undefined ? [] : [(): Way => journalWay(clock, journal, scan)]),
  ];
  let refusal: KernelError | undefined;
  for (const way of ways) {
    try {
      return new Follow(clock, scan, way());
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      refusal ??= error;
    }
  }
  return new Follow(clock, scan, noWay(refusal));
}

function journalWay(clock: Clock, program: string, scan: KernelLogScan): Way {
  const journal = new FollowedJournal(clock, program, (bytes) => scan.chunk(bytes));
  const reader: LogReader = {
    get losses() {
      return journal.losses;
    },
    get refused() {
      return journal.refused;
    },
    read: () => journal.keepUp(),
    close: () => journal.close(),
  };
  return { source: "journal", origin: "journalctl -k -f", reader };
}

function noWay(refusal: KernelError | undefined): Way {
  const none = "Cannot follow the kernel log: no file of it was named";
  const refused = refusal ?? new KernelError("not-found", none);
  return { source: "none", origin: "", reader: { losses: 0, refused, read: () => {}, close: () => {} } };
}

class Follow implements KernelLogFollow {
  readonly source: KernelLogFollow["source"];
  readonly origin: string;
  readonly #clock: Clock;
  readonly #scan: KernelLogScan;
  readonly #reader: LogReader;
  #drainedAtMs: number;
  #refused: KernelError | undefined;
  #unseen: readonly Unseen[] = [];

  constructor(clock: Clock, scan: KernelLogScan, { source, origin, reader }: Way) {
    this.source = source;
    this.origin = origin;
    this.#clock = clock;
    this.#scan = scan;
    this.#reader = reader;
    this.#drainedAtMs = clock.nowMs();
  }

  get losses(): number {
    return this.#reader.losses;
  }

  get unseen(): readonly Unseen[] {
    const { refused } = this.#reader;
    if (refused?.message === this.#refused?.message) return this.#unseen;
    const notes = new UnseenNotes();
    if (refused !== undefined) notes.refuse("kernel log", refused, HELP);
    this.#refused = refused;
    this.#unseen = notes.entries;
    return this.#unseen;
  }

  drain(): readonly KernelLogEvent[] {
    const nowMs = this.#clock.nowMs();
    this.#reader.read();
    const { tallies, suppressedMessages } = this.#scan.take({ nowMs });
    const sinceMs = Math.min(this.#drainedAtMs, nowMs);
    this.#drainedAtMs = nowMs;
    if (tallies.length === 0) return [];
    return tallies.map((tally) => {
      const { kind, sample, namespaceInode, container } = tally;
      const event: KernelLogEvent = {
        kind,
        // What the ring says has uptimes alone, which drift from the wall clock; it came since it was asked.
        firstAtMs: tally.firstAtMs ?? (this.source === "kmsg" ? sinceMs : nowMs),
        atMs: tally.lastAtMs ?? nowMs,
        lines: kind === "suppressed" ? suppressedMessages : tally.lines,
        sample,
      };
      if (namespaceInode !== undefined) event.namespaceInode = namespaceInode;
      if (container !== undefined) event.container = container;
      return event;
    });
  }

  close(): void {
    this.#reader.close();
  }
}

/** The ring of the running kernel, from its end on. */
class Ring implements LogReader {
  readonly #scan: KernelLogScan;
  readonly #buffer = new Uint8Array(RECORD_MAX_BYTES);
  readonly #decoder = new TextDecoder();
  readonly #calls = ffi.systemCalls();
  #descriptor: number;
  #losses = 0;
  #refused: KernelError | undefined;

  constructor(scan: KernelLogScan) {
    this.#scan = scan;
    try {
      this.#descriptor = openSync(KMSG_PATH, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
      throw fileError(cause, `read ${KMSG_PATH}`, KMSG_HELP);
    }
    const moved = this.#calls.lseek(this.#descriptor, 0, ffi.SEEK_END);
    if (moved >= 0) return;
    closeSync(this.#descriptor);
    throw errnoError(-moved, `go to the end of ${KMSG_PATH}`);
  }

  get losses(): number {
    return this.#losses;
  }

  get refused(): KernelError | undefined {
    return this.#refused;
  }

  read(): void {
    // Asked first, because a read that finds nothing throws.
    while (this.#descriptor >= 0 && this.#calls.poll(this.#descriptor, ffi.POLLIN, 0) > 0) {
      if (!this.#readRecord()) return;
    }
  }

  /** False when there is no sense in asking for more now. */
  #readRecord(): boolean {
    try {
      const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, null);
      this.#refused = undefined;
      if (length === 0) return false;
      const text = this.#decoder.decode(this.#buffer.subarray(0, length));
      const record = mayMatter(text) ? parseKmsgRecord(text) : undefined;
      if (record === undefined) this.#scan.skip();
      else this.#scan.record(record.message, record.uptimeSeconds);
      return true;
    } catch (cause) {
      const error = fileError(cause, `read ${KMSG_PATH}`, KMSG_HELP);
      if (error.errnoName === "EAGAIN") return false;
      if (error.errnoName !== "EPIPE" && error.errnoName !== "EINVAL") {
        this.#refused = error;
        return false;
      }
      // Overwritten before we read it; the next read goes on behind the gap.
      this.#losses += 1;
      return true;
    }
  }

  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

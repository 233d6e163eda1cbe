/**
 * Reads a record of flow events: what flows are known to have said, settings as they were, what the kernel
 * counted meanwhile, and what was lost.
 */
import type { RecordBeginning, RecordNote, RecordReader, RecordVisitor } from "../../kernel/kernel.ts";
import {
  CaptureError,
  CaptureParser,
  type CaptureSummary,
  type EventCounts,
  EventHistory,
} from "../../packet/packet.ts";
import type { FlowColumns } from "../../table/columns.ts";
import type { FlowEventBatch } from "../../table/flow-event.ts";
import type { IdleContext } from "../../table/idle.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import type { Settings } from "../../table/settings.ts";
import { type Compression, unpacked } from "../../unpack/unpack.ts";
import { timeoutsOf } from "../assumed-timeouts.ts";
import type { Context } from "../context.ts";
import { formatCount } from "../figures.ts";
import { Progress, TURN_MS, turnOfTheLoop } from "../progress.ts";

/** What is to be said of a record, in plain values. */
export interface RecordFigures extends EventCounts {
  events: number;
  /** From the first table to the end, seconds. */
  seconds: number;
  losses: number;
  lostEvents?: number;
  oneOf: number;
  coverage?: string;
  kernelRelease?: string;
  hostname?: string;
  namespace?: string;
  /** Whether it was ended as it should be: its last table is the whole table. */
  complete: boolean;
}

export interface RecordRead {
  history: EventHistory;
  figures: RecordFigures;
  /** In force at the beginning; empty where the record does not tell. */
  settings: Settings;
  /** What changed meanwhile. */
  changes: readonly { atMs: number; settings: Settings }[];
  /** nf_conntrack_count by time, between the tables: listing one has the kernel collect what has expired. */
  counted: readonly { atMs: number; flows: number }[];
  summary: CaptureSummary;
  compression?: Compression;
  brokenPacking?: true;
  interrupted: boolean;
}

/** Whoever wants more of a record than its history. */
export type RecordWatch = Partial<RecordVisitor>;

/**
 * Reads to the end, to the break or to the signal.
 * @throws {CaptureError} when this is no capture.
 */
export async function readRecord(
  context: Context,
  bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: { origin: string; signal: AbortSignal; watch?: RecordWatch },
): Promise<RecordRead> {
  const { origin, signal, watch } = options;
  const { RecordReader: Reader } = await context.deps.kernel();
  if (Reader === undefined) throw new CaptureError("unsupported", origin, "a record of flow events", "");
  const told = new Told(watch);
  const reader = new Reader(told);
  const parser = new CaptureParser(reader, origin);
  const packed: { compression?: Compression; brokenPacking?: true } = {};
  const pace = new Pace(context, reader);
  const notes = {
    origin,
    onCompression: (compression: Compression) => void (packed.compression = compression),
    onBroken: () => void (packed.brokenPacking = true),
  };
  try {
    for await (const piece of unpacked(bytes, notes)) {
      parser.push(piece);
      const pause = pace.breathe();
      if (pause !== undefined) await pause;
      if (parser.isBroken || signal.aborted) break;
    }
  } finally {
    pace.end();
  }
  const summary = signal.aborted ? parser.summary() : parser.end();
  reader.end();
  return {
    history: told.history,
    figures: told.figures(reader),
    settings: told.beginning?.settings ?? {},
    changes: told.changes,
    counted: told.counted,
    summary: summary ?? parser.end(),
    ...packed,
    interrupted: signal.aborted,
  };
}

/** What a record tells, gathered. */
class Told implements RecordVisitor {
  readonly history: EventHistory;
  readonly changes: { atMs: number; settings: Settings }[] = [];
  readonly counted: { atMs: number; flows: number }[] = [];
  beginning: RecordBeginning | undefined;
  readonly #watch: RecordWatch;
  #settings: Settings = {};
  #losses = 0;
  #lostEvents: number | undefined;
  #hasFirstTable = false;
  #hasLastTable = false;
  #isLastDump = false;

  constructor(watch: RecordWatch = {}) {
    this.#watch = watch;
    this.history = new EventHistory(idleContextOf({}, undefined));
  }

  note(note: RecordNote, atMs: number): void {
    const { history } = this;
    switch (note.kind) {
      case "beginning":
        this.beginning = note;
        this.#set(note.settings);
        break;
      case "dump":
        this.#isLastDump = note.reason === "end";
        history.beginDump(atMs);
        break;
      case "dump-end":
        history.endDump(atMs, note.complete);
        this.#hasFirstTable = true;
        this.#hasLastTable = this.#isLastDump && note.complete;
        break;
      case "settings":
        this.changes.push({ atMs, settings: note.settings });
        this.#set(note.settings);
        break;
      case "count":
        if (this.#hasFirstTable && !this.#isLastDump) this.counted.push({ atMs, flows: note.occupancyFlows });
        history.noteCount(atMs, {
          occupancyFlows: note.occupancyFlows,
          capacityFlows: this.#settings.nf_conntrack_max ?? Infinity,
          oneOf: this.beginning?.oneOf ?? 1,
        });
        break;
      case "loss":
      case "end":
        this.#losses = note.losses;
        this.#lostEvents = note.lostEvents;
        break;
    }
    this.#watch.note?.(note, atMs);
  }

  events(batch: FlowEventBatch, atMs: number): void {
    this.history.events(batch, atMs);
    this.#watch.events?.(batch, atMs);
  }

  rows(columns: FlowColumns, atMs: number): void {
    this.history.rows(columns, atMs);
    this.#watch.rows?.(columns, atMs);
  }

  lost(atMs: number): void {
    this.#losses = Math.max(1, this.#losses);
    this.history.noteLoss();
    this.#watch.lost?.(atMs);
  }

  #set(settings: Settings): void {
    this.#settings = { ...this.#settings, ...settings };
    this.history.setContext(idleContextOf(this.#settings, this.beginning?.kernelRelease));
  }

  figures(reader: RecordReader): RecordFigures {
    const { history, beginning } = this;
    const { beginsMs = 0, endsMs } = history;
    const { kernelRelease, hostname, namespace, coverage } = beginning ?? {};
    return {
      ...history.counts,
      events: reader.events,
      seconds: Math.max(0, (endsMs - beginsMs) / 1000) || 0,
      losses: this.#losses,
      ...(this.#lostEvents === undefined ? {} : { lostEvents: this.#lostEvents }),
      oneOf: beginning?.oneOf ?? 1,
      ...(coverage === undefined ? {} : { coverage }),
      ...(kernelRelease === undefined ? {} : { kernelRelease }),
      ...(hostname === undefined ? {} : { hostname }),
      ...(namespace === undefined ? {} : { namespace }),
      complete: this.#hasLastTable,
    };
  }
}

/** What idle ages are reckoned with; defaults stand in for timeouts that are not told. */
export function idleContextOf(values: Settings, kernelRelease: string | undefined): IdleContext {
  const { settings } = timeoutsOf(values);
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return { settings, ...(release === undefined ? {} : { release }) };
}

/** Lets the event loop turn when it is time to, and says how far it has come. */
class Pace {
  readonly #context: Context;
  readonly #reader: RecordReader;
  readonly #progress: Progress;
  #turnedMs: number;

  constructor(context: Context, reader: RecordReader) {
    this.#context = context;
    this.#reader = reader;
    this.#progress = new Progress(context.terminal, context.deps.clock);
    this.#turnedMs = context.deps.clock.elapsedMs();
  }

  breathe(): Promise<void> | undefined {
    const nowMs = this.#context.deps.clock.elapsedMs();
    if (nowMs - this.#turnedMs < TURN_MS) return undefined;
    this.#turnedMs = nowMs;
    this.#progress.show(() => `${formatCount(this.#reader.events)} events read`);
    return turnOfTheLoop();
  }

  end(): void {
    this.#progress.clear();
  }
}

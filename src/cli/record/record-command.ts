/**
 * `headroom record`: flow events, as they come, to a file. The table is written first, then the kernel's own
 * messages; after a loss, and at the end, the table again. What is on disk is whole blocks, never more than a
 * second behind, so the file can be read however the program ends.
 */
import { setPriority } from "node:os";

import type { FlowRecorder, HostAccess, LiveHost } from "../../kernel/kernel.ts";
import type { Settings } from "../../table/settings.ts";
import { type Context, print, printJson, warn } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { countOf, formatBytes, formatCount } from "../figures.ts";
import { OutputError } from "../output-file.ts";
import { visible } from "../plain-text.ts";
import { shellWord } from "../../table/shell-word.ts";
import { Progress, turnOfTheLoop } from "../progress.ts";
import { waitOr } from "../serve/process-signals.ts";
import { UsageError } from "../usage-error.ts";
import { HEADROOM_VERSION } from "../version.ts";
import { RecordFile } from "./record-file.ts";
import type { RecordOptions } from "./record-line.ts";
import type { RecordJson } from "./record-schema.ts";
import { recordLines } from "./record-text.ts";

/** Where blocks go. */
interface Target {
  write(bytes: Uint8Array): void;
  end(): void;
  close(): void;
}

/** How often events are fetched, milliseconds: the precision of their times. */
const FETCH_MS = 20;
/** Fetched at a time, before anything else gets its turn. */
const FETCHED_AT_ONCE = 4096;
/** So many bytes are written before their second is over. */
const WRITE_BYTES = 1024 * 1024;
const SECOND_MS = 1000;
/**
 * Events wait here while others have the processors: some five seconds of 60,000 a second. The kernel takes
 * up to twice as much memory, so it is a small share of what a host has.
 */
const BUFFER_BYTES = 128 * 1024 * 1024;
const BUFFER_MEMORY_SHARE = 1 / 32;
/** Before others, where this user may: a recorder that gets no turn loses what it is there for. */
const PRIORITY = -10;
/** Reading the table again costs time in which events wait: a tenth of the time at most. */
const TABLE_TIME_SHARE = 0.1;

export async function runRecord(context: Context, options: RecordOptions, file: string): Promise<ExitCode> {
  if (options.root !== undefined) {
    throw new UsageError("Cannot record a saved host: nothing happens in it");
  }
  if (file === "-" && context.terminal.stdoutIsTerminal) {
    throw new UsageError(
      "Cannot write a record to a terminal: it is no text",
      "Name a file, or send it on: headroom record - | zstd > flows.zst",
    );
  }
  if (file === "-" && options.json === true) {
    throw new UsageError("Cannot print --json beside a record on standard output");
  }
  const { deps } = context;
  const kernel = await deps.kernel();
  const { FlowRecorder: Recorder } = kernel;
  if (Recorder === undefined) throw new UsageError("Cannot record here");
  const { netns, oneOf } = options;
  const host = kernel.openHost({
    clock: deps.clock,
    ...(netns === undefined ? {} : { namespace: netns }),
    ...(context.debug === undefined ? {} : { debug: context.debug }),
  });
  try {
    comeFirst();
    const { memoryBytes = Infinity } = host.host();
    const recorder = new Recorder({
      host,
      clock: deps.clock,
      bufferBytes: Math.min(BUFFER_BYTES, Math.floor(memoryBytes * BUFFER_MEMORY_SHARE)),
      version: HEADROOM_VERSION,
      ...(oneOf === undefined ? {} : { oneOf }),
      ...(netns === undefined ? {} : { namespace: netns }),
    });
    try {
      const target = file === "-" ? standardOutput(context) : new RecordFile(file);
      try {
        return await new Recording(context, options, { file, host, recorder, target }).run();
      } finally {
        target.close();
      }
    } finally {
      recorder.close();
    }
  } finally {
    host.close();
  }
}

function comeFirst(): void {
  try {
    setPriority(PRIORITY);
  } catch {
    // CAP_SYS_NICE is needed: without it this is one program among others.
  }
}

function standardOutput({ terminal }: Context): Target {
  return { write: (bytes) => terminal.stdout.write(bytes), end: () => {}, close: () => {} };
}

interface Parts {
  file: string;
  host: HostAccess;
  recorder: FlowRecorder;
  target: Target;
}

class Recording {
  readonly #context: Context;
  readonly #options: RecordOptions;
  readonly #parts: Parts;
  readonly #live: LiveHost;
  readonly #progress: Progress;
  readonly #startedMs: number;
  readonly #signal: AbortSignal;
  #bytes = 0;
  #writtenMs: number;
  #secondMs: number;
  #eventsBefore = 0;
  #settingsVersion: number | undefined;
  #settings: Settings;
  #flowsAtStart = 0;
  /** Events were lost since the table was read; and when it may be read again. */
  #hasLost = false;
  #tableDueMs = -Infinity;

  constructor(context: Context, options: RecordOptions, parts: Parts) {
    const { clock } = context.deps;
    this.#context = context;
    this.#options = options;
    this.#parts = parts;
    this.#live = parts.host.live();
    this.#settings = parts.host.settings().values;
    this.#progress = new Progress(context.terminal, clock);
    this.#startedMs = this.#writtenMs = this.#secondMs = clock.elapsedMs();
    this.#signal = context.terminal.interruption();
  }

  async run(): Promise<ExitCode> {
    const { recorder, target } = this.#parts;
    const hear = new AbortController();
    const end = (): void => hear.abort();
    process.on("SIGTERM", end);
    const stop = AbortSignal.any([hear.signal, this.#signal]);
    let endedBy: RecordJson["endedBy"] = "signal";
    let flowsAtEnd: number | undefined;
    let failure: OutputError | undefined;
    try {
      recorder.begin();
      this.#second();
      await recorder.dump("start", () => this.#breathe());
      this.#flowsAtStart = recorder.tableFlows;
      recorder.drain(FETCHED_AT_ONCE);
      // Listing the table had the kernel collect what had expired: its count begins anew.
      this.#second();
      endedBy = await this.#record(stop);
      await recorder.dump("end", () => this.#breathe());
      flowsAtEnd = recorder.tableFlows;
      recorder.drain(Infinity);
      this.#second();
      recorder.noteEnd();
      this.#write();
      target.end();
    } catch (error) {
      if (!(error instanceof OutputError)) throw error;
      // What was written stands, and can be read.
      failure = error;
      endedBy = "disk-full";
    } finally {
      this.#progress.clear();
      process.off("SIGTERM", end);
    }
    this.#say(endedBy, flowsAtEnd);
    if (failure !== undefined) throw failure;
    return ExitCode.ok;
  }

  /** Until it is time to end. */
  async #record(stop: AbortSignal): Promise<RecordJson["endedBy"]> {
    const { recorder } = this.#parts;
    const { forSeconds } = this.#options;
    const untilMs = forSeconds === undefined ? Infinity : this.#startedMs + forSeconds * 1000;
    for (;;) {
      const nowMs = this.#context.deps.clock.elapsedMs();
      if (stop.aborted) return "signal";
      if (nowMs >= untilMs) return "time";
      const isBehind = recorder.drain(FETCHED_AT_ONCE) === FETCHED_AT_ONCE;
      this.#hasLost = recorder.noteLoss() || this.#hasLost;
      if (this.#hasLost && !isBehind && nowMs >= this.#tableDueMs) await this.#readTableAgain();
      this.#writeWhenDue();
      // Who is behind only hears of signals.
      await (isBehind ? turnOfTheLoop() : waitOr(stop, Math.min(FETCH_MS, untilMs - nowMs)));
    }
  }

  /** After a loss: what became of the flows. */
  async #readTableAgain(): Promise<void> {
    const { clock } = this.#context.deps;
    this.#hasLost = false;
    const begunMs = clock.elapsedMs();
    await this.#parts.recorder.dump("loss", () => this.#breathe());
    const endedMs = clock.elapsedMs();
    this.#tableDueMs = endedMs + (endedMs - begunMs) / TABLE_TIME_SHARE;
  }

  /** Between the datagrams of a dump. */
  #breathe(): Promise<void> | undefined {
    return this.#writeWhenDue() ? turnOfTheLoop() : undefined;
  }

  #writeWhenDue(): boolean {
    const nowMs = this.#context.deps.clock.elapsedMs();
    if (nowMs - this.#secondMs >= SECOND_MS) this.#second();
    if (nowMs - this.#writtenMs < SECOND_MS && this.#parts.recorder.lengthBytes < WRITE_BYTES) return false;
    this.#write();
    this.#writtenMs = nowMs;
    return true;
  }

  #write(): void {
    const { recorder, target } = this.#parts;
    if (recorder.lengthBytes === 0) return;
    const bytes = recorder.take();
    target.write(bytes);
    this.#bytes += bytes.length;
  }

  /** Once a second: the kernel's count, settings that changed, and how it goes. */
  #second(): void {
    const { recorder } = this.#parts;
    const nowMs = this.#context.deps.clock.elapsedMs();
    const seconds = (nowMs - this.#secondMs) / 1000;
    const { occupancyFlows, settings, settingsVersion } = this.#live.read();
    if (occupancyFlows !== undefined) recorder.noteCount(occupancyFlows);
    if (this.#settingsVersion !== settingsVersion) this.#noteSettings(settings.values);
    this.#settingsVersion = settingsVersion;
    const perSecond = seconds <= 0 ? 0 : (recorder.events - this.#eventsBefore) / seconds;
    this.#eventsBefore = recorder.events;
    this.#secondMs = nowMs;
    this.#progress.show(() => {
      const lost = recorder.losses === 0 ? "" : `, lost ${countOf(recorder.losses, "time")}`;
      const flows = occupancyFlows === undefined ? "" : `, ${formatCount(occupancyFlows)} flows`;
      return (
        `Recording: ${formatCount(recorder.events)} events, ${formatCount(perSecond)}/s${flows}, ` +
        `${formatBytes(this.#bytes)}${lost}; ^C ends it`
      );
    });
  }

  /** Only what has another value than before; the count is no setting. */
  #noteSettings(values: Settings): void {
    const changed = Object.entries(values).filter(
      ([key, value]) => key !== "nf_conntrack_count" && this.#settings[key as keyof Settings] !== value,
    );
    this.#settings = values;
    if (changed.length > 0) this.#parts.recorder.noteSettings(Object.fromEntries(changed));
  }

  #say(endedBy: RecordJson["endedBy"], flowsAtEnd: number | undefined): void {
    const { file, recorder, host } = this.#parts;
    const { events, losses, lostEvents, coverage } = recorder;
    const seconds = (this.#context.deps.clock.elapsedMs() - this.#startedMs) / 1000;
    const report: RecordJson = {
      schema: "headroom/record/v1",
      file,
      seconds,
      events,
      eventsPerSecond: seconds > 0 ? events / seconds : 0,
      flowsAtStart: this.#flowsAtStart,
      ...(flowsAtEnd === undefined ? {} : { flowsAtEnd }),
      bytes: this.#bytes,
      losses,
      ...(lostEvents === undefined ? {} : { lostEvents }),
      oneOf: this.#options.oneOf ?? 1,
      coverage,
      endedBy,
    };
    if (this.#options.json === true) return printJson(this.#context, report);
    const lines = recordLines(report, { unseen: host.unseen, next: shellWord(file) }, this.#context.look);
    if (file !== "-") return print(this.#context, lines);
    for (const line of lines.slice(0, 1)) warn(this.#context, visible(line));
  }
}

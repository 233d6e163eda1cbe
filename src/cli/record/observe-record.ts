/**
 * A record of flow events as an observation: the table at its beginning and at its end are the two readings,
 * and every arrival in between is known. Of a record that was cut off, the table at the end is what the model
 * makes of it.
 */
import {
  type ArrivalCount,
  type Arrivals,
  ArrivalsBuilder,
  type Census,
  CensusBuilder,
  IdleAges,
  type ReadingEnd,
} from "../../census/census.ts";
import type { RecordNote } from "../../kernel/kernel.ts";
import { BATCH_ROWS } from "../../packet/packet.ts";
import type { AgesReading } from "../../plan/plan.ts";
import type { FlowColumns } from "../../table/columns.ts";
import type { IdleContext } from "../../table/idle.ts";
import { SETTING_KEYS, type SettingKey, type Settings } from "../../table/settings.ts";
import type { Context } from "../context.ts";
import type { Observed, ObserveOptions } from "../observed.ts";
import { bytesOf, type Input } from "../replay/record-input.ts";
import { idleContextOf, type RecordRead, readRecord } from "../replay/record-reading.ts";
import { runRecord } from "../replay/record-run.ts";
import { generationOf, USUAL_GENERATION } from "../replay/rules-of.ts";
import { UsageError } from "../usage-error.ts";

const COUNTED_ROWS = 20;
/** Draws of the model begin with this; any does. */
const SEED = 1;

/** Observes what was recorded. Throws CaptureError, and UsageError for a record without a table. */
export async function observeRecord(
  context: Context,
  path: string,
  input: Input,
  options: ObserveOptions,
): Promise<Observed> {
  if ((options.observeSeconds ?? 0) > 0) {
    throw new UsageError("Cannot observe a record: it has been observed already", "Leave --observe out");
  }
  if (options.sampleFlows !== undefined) throw new UsageError("Cannot sample a record: it is read whole");
  const readings = new Readings(context, options);
  const arrivals = new ArrivalsBuilder();
  const signal = options.signal ?? new AbortController().signal;
  const record = await readRecord(context, await bytesOf(context, path, input), {
    origin: path,
    signal,
    watch: {
      note: (note) => readings.note(note),
      rows: (columns, atMs) => readings.rows(columns, atMs),
      events: (batch) => arrivals.add(batch),
    },
  });
  if (record.figures.tableFlows === 0 && record.figures.events === 0) {
    throw new UsageError(`Cannot preview from ${path}: it holds no flow and no event`);
  }
  if (!record.figures.complete) await readings.takeModelled(record);
  return observedOf(record, path, readings, arrivalsOf(record, arrivals));
}

function arrivalsOf({ figures }: RecordRead, builder: ArrivalsBuilder): Arrivals {
  const { seconds, losses, lostEvents, oneOf } = figures;
  const counted = builder.finish({
    seconds,
    losses,
    ...(lostEvents === undefined ? {} : { lostEvents }),
    updatesWatched: true,
  });
  return oneOf === 1 ? counted : ofAllFlows(counted, oneOf);
}

/** What was counted of one flow in `oneOf`, as rates of all. */
function ofAllFlows(counted: Arrivals, oneOf: number): Arrivals {
  const ofAll = <Row extends ArrivalCount>(row: Row): Row => ({
    ...row,
    perSecond: row.perSecond * oneOf,
    standardErrorPerSecond: row.standardErrorPerSecond * oneOf,
  });
  return {
    ...ofAll(counted),
    byProtocol: counted.byProtocol.map(ofAll),
    services: counted.services.map(ofAll),
    otherServices: ofAll(counted.otherServices),
    scale: counted.scale * oneOf,
    how: `${counted.how}, of one flow in ${oneOf}`,
  };
}

function observedOf(record: RecordRead, origin: string, readings: Readings, arrivals: Arrivals): Observed {
  const { figures, counted } = record;
  const { first, second, seconds, idle, census, settings } = readings.finish();
  const occupancyFlows = counted.at(-1)?.flows;
  const keys = SETTING_KEYS.filter((key) => settings[key] !== undefined);
  return {
    observation: {
      ...(first === undefined || seconds <= 0 ? {} : { first }),
      second,
      seconds: first === undefined ? 0 : Math.max(0, seconds),
      settings: idle.settings,
      ...(idle.release === undefined ? {} : { release: idle.release }),
      census,
      arrivals,
    },
    settings: {
      values: {
        ...settings,
        ...(occupancyFlows === undefined ? {} : { nf_conntrack_count: occupancyFlows }),
      },
      origins: Object.fromEntries(keys.map((key): [SettingKey, string] => [key, origin])),
      unknownKeys: [],
      unreadable: [],
    },
    host: {
      tracker: "nf_conntrack",
      ...(figures.kernelRelease === undefined ? {} : { kernelRelease: figures.kernelRelease }),
      ...(figures.hostname === undefined ? {} : { hostname: figures.hostname }),
    },
    census,
    source: "file",
    origin: `${origin} (record of flow events)`,
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    interrupted: record.interrupted,
    assumedTimeouts: Object.keys(record.settings).length === 0,
    unseen: [],
  };
}

/** Rows of one table, and when they were read on average. */
class Reading {
  readonly ages: IdleAges;
  flows = 0;
  #timeSum = 0;

  constructor(context: IdleContext) {
    this.ages = new IdleAges(context);
  }

  add(columns: FlowColumns, atMs: number): void {
    this.ages.add(columns);
    this.flows += columns.count;
    this.#timeSum += atMs * columns.count;
  }

  get meanMs(): number {
    return this.flows === 0 ? 0 : this.#timeSum / this.flows;
  }

  /** Of one flow in `oneOf`. */
  finish(oneOf: number): AgesReading {
    return { regimes: this.ages.regimes(), flowsRead: this.flows, ofFlows: this.flows * oneOf };
  }
}

/** The first and the last table of a record. */
class Readings {
  readonly #context: Context;
  readonly #options: ObserveOptions;
  #settings: Settings = {};
  #release: string | undefined;
  #oneOf = 1;
  #first: Reading | undefined;
  #last: Reading | undefined;
  #census: CensusBuilder | undefined;
  #present: "first" | "last" | undefined;

  constructor(context: Context, options: ObserveOptions) {
    this.#context = context;
    this.#options = options;
  }

  note(note: RecordNote): void {
    if (note.kind === "beginning") {
      this.#settings = note.settings;
      this.#release = note.kernelRelease;
      this.#oneOf = note.oneOf;
    } else if (note.kind === "settings") {
      this.#settings = { ...this.#settings, ...note.settings };
    } else if (note.kind === "dump") {
      this.#begin(note.reason);
    } else if (note.kind === "dump-end") {
      this.#present = undefined;
    }
  }

  #begin(reason: string): void {
    this.#present = undefined;
    if (reason === "start") this.#present = "first";
    if (reason === "end") this.#present = "last";
    if (this.#present === "first") this.#first = new Reading(this.#idle());
    if (this.#present === "last") this.#beginLast();
  }

  #beginLast(): void {
    const { topRows = COUNTED_ROWS } = this.#options;
    const { seed } = this.#context.deps;
    this.#last = new Reading(this.#idle());
    this.#census = new CensusBuilder({
      ...this.#idle(),
      topRows,
      ...(seed === undefined ? {} : { seed }),
    });
  }

  #idle(): IdleContext {
    return idleContextOf(this.#settings, this.#release);
  }

  rows(columns: FlowColumns, atMs: number): void {
    if (this.#present === "first") this.#first?.add(columns, atMs);
    if (this.#present !== "last") return;
    this.#last?.add(columns, atMs);
    this.#census?.add(columns);
    this.#options.onBatch?.(columns, this.#idle());
  }

  /** The last table, as the model has it under the settings that were in force. */
  async takeModelled(record: RecordRead): Promise<void> {
    const { first } = await runRecord(this.#context, {
      record,
      // Where the reading was interrupted, what was read until then is still modelled to its end.
      signal: new AbortController().signal,
      specs: [
        {
          label: "",
          given: [],
          settings: modelSettings(this.#settings),
          changes: [],
          generation: generationOf(this.#release) ?? USUAL_GENERATION,
          helpers: [],
          seed: SEED,
          batchRows: BATCH_ROWS,
          top: COUNTED_ROWS,
        },
      ],
    });
    this.#beginLast();
    this.#present = "last";
    for await (const columns of first.tracker.flows().batches()) this.rows(columns, record.history.endsMs);
  }

  #wholeOrSample(flowsRead: number): Omit<ReadingEnd, "oddities"> {
    if (this.#oneOf === 1) return { complete: true };
    const sampleMethod = `a record of one flow in ${this.#oneOf}`;
    return { complete: false, occupancyFlows: flowsRead * this.#oneOf, sampleMethod };
  }

  finish(): {
    first: AgesReading | undefined;
    second: AgesReading;
    seconds: number;
    idle: IdleContext;
    census: Census;
    settings: Settings;
  } {
    const last = this.#last ?? new Reading(this.#idle());
    const builder = this.#census ?? new CensusBuilder({ ...this.#idle(), topRows: COUNTED_ROWS });
    const first = this.#first;
    return {
      first: first?.finish(this.#oneOf),
      second: last.finish(this.#oneOf),
      seconds: first === undefined ? 0 : (last.meanMs - first.meanMs) / 1000,
      idle: this.#idle(),
      census: builder.finish({ oddities: {}, ...this.#wholeOrSample(last.flows) }),
      settings: this.#settings,
    };
  }
}

/** Timeouts are what decides which flows are left; the rest is the model's own. */
function modelSettings(settings: Settings): Settings {
  const keys = SETTING_KEYS.filter((key) => key.includes("timeout") && settings[key] !== undefined);
  return Object.fromEntries(keys.map((key): [SettingKey, number] => [key, settings[key] ?? 0]));
}

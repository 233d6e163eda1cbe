/**
 * One way to run a capture: a tracker with its settings, and what is to be said of it in the end. The batches
 * may come from another thread, and several courses may use the same ones.
 */
import { CensusBuilder } from "../../census/census.ts";
import {
  Tracker,
  Verdict,
  type Generation,
  type HelperName,
  type TimelineColumns,
} from "../../model/model.ts";
import type { PacketColumns } from "../../packet/packet.ts";
import { ADDRESS_WORDS } from "../../table/address.ts";
import { FlowColumns } from "../../table/columns.ts";
import type { SettingKey, Settings } from "../../table/settings.ts";
import { countLeft } from "./left-flows.ts";
import type { CourseReport, DropMoment } from "./replay-report.ts";
import { type CaptureInstant, instantMs, type SettingChange } from "./replay-settings.ts";

/** What a course is made of. Plain: it crosses from thread to thread. */
export interface CourseSpec {
  label: string;
  /** Settings that were asked for, whatever their value. */
  given: readonly SettingKey[];
  /** From the beginning. */
  settings: Settings;
  /** In mid-run; all have an instant. */
  changes: readonly SettingChange[];
  generation: Generation;
  helpers: readonly HelperName[];
  seed: number;
  /** Rows of the greatest batch. */
  batchRows: number;
  /** Rows of the rankings. */
  top: number;
  /**
   * Of a record of events: when its first table was read. What comes before is there to have the flows of
   * that table, and is not told. Epoch milliseconds.
   */
  beginsMs?: number;
  /** When the kernel's collector was seen to come round. */
  passesMs?: readonly number[];
}

interface DueChange {
  atMs: number;
  key: SettingKey;
  value: number;
}

const DROPPED_ROWS = 512;
const NO_TIME: TimelineColumns = {
  timeMs: new Float64Array(0),
  flows: new Float64Array(0),
  dropped: new Float64Array(0),
  created: new Float64Array(0),
  endMs: 0,
  limits: [],
};

export class Course {
  readonly tracker: Tracker;
  readonly #spec: CourseSpec;
  /** A verdict for each row of the last batch. */
  readonly verdicts: Uint8Array;
  /** Changes that are to come, in order of time; known when the first packet is. */
  #due: DueChange[] | undefined;
  readonly #changed: DueChange[] = [];
  /** Packets that were dropped, as a table of those who sent them; made when there is one. */
  #dropped: FlowColumns | undefined;
  #droppedCensus: CensusBuilder | undefined;
  #droppedBefore = 0;
  #isTelling: boolean;

  /** Throws SettingError where this kernel would refuse a setting. */
  constructor(spec: CourseSpec) {
    const { settings, generation, helpers, seed } = spec;
    this.#spec = spec;
    this.tracker = new Tracker({ settings, generation, helpers, seed, hashSeed: seed });
    this.verdicts = new Uint8Array(spec.batchRows);
    this.#isTelling = spec.beginsMs === undefined;
  }

  get label(): string {
    return this.#spec.label;
  }

  /** Takes a batch; `verdicts` then holds what became of its rows. */
  feed(batch: PacketColumns): void {
    const { tracker, verdicts } = this;
    if (batch.count > 0) {
      const firstMs = batch.timeMs[0] as number;
      this.#tellFrom(firstMs);
      this.#due ??= this.#dueFrom(this.#spec.beginsMs ?? firstMs);
      if (this.#due.length > 0) this.#changeUntil(firstMs);
    }
    tracker.feed(batch, verdicts);
    const dropped = this.#droppedPackets();
    if (dropped > this.#droppedBefore) this.#noteDropped(batch);
    this.#droppedBefore = dropped;
  }

  /** Tells what happens once the time has come to. */
  #tellFrom(nowMs: number): void {
    const { beginsMs } = this.#spec;
    if (this.#isTelling || beginsMs === undefined || nowMs < beginsMs) return;
    this.#isTelling = true;
    this.tracker.beginTelling(beginsMs, this.#spec.passesMs);
  }

  #dueFrom(firstMs: number): DueChange[] {
    return this.#spec.changes
      .flatMap(({ at, key, value }) =>
        at === undefined ? [] : [{ atMs: instantMs(at, firstMs), key, value }],
      )
      .toSorted((left, right) => left.atMs - right.atMs);
  }

  /** Makes the changes that are due by then, each at its time. */
  #changeUntil(nowMs: number): void {
    const due = this.#due ?? [];
    for (let change = due[0]; change !== undefined && change.atMs <= nowMs; change = due[0]) {
      this.tracker.advance(change.atMs);
      this.tracker.set(change.key, change.value);
      this.#changed.push(change);
      due.shift();
    }
  }

  #droppedPackets(): number {
    return this.tracker.tally.droppedByCause.reduce((sum, packets) => sum + packets, 0);
  }

  /** Whose packets were dropped is counted as whose flows they would have been. */
  #noteDropped(batch: PacketColumns): void {
    const columns = (this.#dropped ??= new FlowColumns(DROPPED_ROWS, 0));
    for (let row = 0; row < batch.count; row += 1) {
      // Only what is a packet is ever dropped.
      if (((this.verdicts[row] as number) & Verdict.DROP) === 0) continue;
      const at = columns.count;
      columns.count = at + 1;
      columns.has[at] = 0;
      columns.family[at] = batch.family[row] as number;
      columns.protocol[at] = batch.protocol[row] as number;
      for (let word = 0; word < ADDRESS_WORDS; word += 1) {
        const from = row * ADDRESS_WORDS + word;
        columns.originalSource[at * ADDRESS_WORDS + word] = batch.source[from] as number;
        columns.originalDestination[at * ADDRESS_WORDS + word] = batch.destination[from] as number;
      }
      columns.originalSourceDiscriminator[at] = batch.sourceDiscriminator[row] as number;
      columns.originalDestinationDiscriminator[at] = batch.destinationDiscriminator[row] as number;
      if (columns.count === columns.capacity) this.#countDropped(columns);
    }
  }

  #countDropped(columns: FlowColumns): void {
    this.#droppedCensus ??= new CensusBuilder({ settings: {}, topRows: this.#spec.top });
    this.#droppedCensus.add(columns);
    columns.clear();
  }

  /** Nothing more comes until then: changes that are due are made, and flows expire. */
  endAt(atMs: number): void {
    this.#tellFrom(atMs);
    this.#due ??= this.#dueFrom(this.#spec.beginsMs ?? atMs);
    this.#changeUntil(atMs);
    this.tracker.advance(atMs);
  }

  /** Lets the clock run on after the last packet, with the changes that fall into that time. */
  runOn(until: CaptureInstant): void {
    const { nowMs } = this.tracker;
    if (nowMs === undefined) return;
    const untilMs = instantMs(until, nowMs);
    this.#changeUntil(untilMs);
    this.tracker.advance(untilMs);
  }

  async report(): Promise<CourseReport> {
    const { tracker } = this;
    const { tally } = tracker;
    const { expiredFlows, evictedFlows } = tracker.collected;
    const [tableFull = 0, chainTooLong = 0, clash = 0, protocol = 0] = tally.droppedByCause;
    if (this.#dropped !== undefined) this.#countDropped(this.#dropped);
    const dropped = this.#droppedCensus?.finish({ complete: true, oddities: {} });
    const left = await countLeft(this.tracker.flows(), this.#spec.top);
    const verdicts = {
      new: tally.packets(Verdict.NEW),
      established: tally.packets(Verdict.ESTABLISHED),
      related: tally.packets(Verdict.RELATED),
      invalid: tally.packets(Verdict.INVALID),
      untracked: tally.packets(Verdict.UNTRACKED),
    };
    return {
      label: this.#spec.label,
      given: this.#spec.given,
      settings: tracker.settings.values,
      changes: this.#changed,
      packets: Object.values(verdicts).reduce((sum, packets) => sum + packets, 0),
      flowsCreated: tally.flowsCreated,
      flowsAtEnd: left.flows,
      peakFlows: tally.peakFlows,
      drops: { tableFull, chainTooLong, clash, protocol },
      earlyDropFlows: tally.earlyDrop,
      evictedFlows,
      expiredFlows,
      verdicts,
      timeline: tracker.timeline() ?? NO_TIME,
      moments: tracker.dropReport().episodes.map(momentOf),
      ...(dropped === undefined ? {} : { dropped }),
      left,
      modelBytes: tracker.memoryBytes,
    };
  }
}

/** What is to be said of each course, in order; with `until`, once its clock has run on to that instant. */
export async function reportsOf(courses: readonly Course[], until?: CaptureInstant): Promise<CourseReport[]> {
  const reports: CourseReport[] = [];
  for (const course of courses) {
    if (until !== undefined) course.runOn(until);
    reports.push(await course.report());
  }
  return reports;
}

function momentOf({
  fromMs,
  toMs,
  firstRecord,
  packets,
}: ReturnType<Tracker["dropReport"]>["episodes"][number]): DropMoment {
  const { tableFull, chainTooLong, clash, protocol } = packets;
  return { fromMs, toMs, firstRecord, packets: tableFull + chainTooLong + clash + protocol };
}

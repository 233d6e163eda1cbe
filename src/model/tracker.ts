/**
 * A tracker: packets and time in, a verdict for each packet and the table out. It goes through a packet as
 * nf_conntrack_in() and __nf_conntrack_confirm() do on a router: errors of ICMP first, then the lookup, room
 * for a new flow, the protocol's word, and at last the flow's place in the table.
 *
 * Time is what `feed` and `advance` say it is, in jiffies since the tracker began; it never goes back.
 */
import type { Counters } from "../table/counters.ts";
import type { FlowReading } from "../table/source.ts";
import type { SettingKey, Settings } from "../table/settings.ts";
import { Status } from "../table/status.ts";
import { ADDRESS_WORDS } from "../table/address.ts";
import { ICMP, ICMPV6, TCP, UDP } from "../table/protocol.ts";
import { Fault, hashTuple, type PacketColumns, PacketKind } from "../packet/packet.ts";
import { assert } from "../base/assert.ts";
import { type Random, seededRandom } from "../base/random.ts";
import { Answer } from "./answer.ts";
import { AHEAD_ROWS, Chains } from "./chains.ts";
import { Collector } from "./collector.ts";
import { DropCause, DropLog, type DropReport } from "./drops.ts";
import { FlowMark } from "./flow-mark.ts";
import { COUNTERS_PER_FLOW, Flow, FLOW_WORDS, FlowRows } from "./flow-rows.ts";
import { Relations } from "./relations.ts";
import { readFlows } from "./flow-reading.ts";
import { type Generation, rulesOf } from "./generation.ts";
import { GO_ON, ICMP_ERROR, isGeneric, judgeIcmp } from "./icmp.ts";
import {
  beginFlow,
  flowPacket,
  brokenAnswer,
  isBroken,
  isRefusedBeforeLookup,
  hasReply,
  turnedDiscriminators,
} from "./protocols.ts";
import { type ModelFacts, trackerFacts } from "./tracker-facts.ts";
import { Timeline, type TimelineColumns } from "./timeline.ts";
import { TrackerSettings } from "./tracker-settings.ts";
import { TrackerTally } from "./tracker-tally.ts";
import { Verdict } from "./verdict.ts";

/** Which helpers may be named. */
export type HelperName = "ftp";

export interface TrackerOptions {
  /** By sysctl name; what is missing has the generation's default on a host of more than 4 GiB. */
  settings?: Settings;
  /** 6.18 when not given. */
  generation?: Generation;
  /** Of the numbers the kernel draws: chain limits. */
  seed?: number;
  /** `seed` of the hashes in the batches. */
  hashSeed?: number;
  /** Jiffies per second: 250 when not given. */
  hz?: number;
  /** Helpers in use. */
  helpers?: readonly HelperName[];
}

const DEFAULT_HZ = 250;
/** Flows there is room for from the beginning; memory is taken as they come. */
const RESERVED_FLOWS = 2 ** 18 + 2;

export class Tracker {
  readonly settings: TrackerSettings;
  readonly #hashSeed: number;
  readonly #random: Random;
  readonly #rows: FlowRows;
  readonly #chains: Chains;
  readonly #collector: Collector;
  readonly #tally = new TrackerTally();
  readonly #drops = new DropLog();
  readonly #relations: Relations;
  /** Numbers of flows whose first packet was dropped, of packets that events imply. */
  readonly #refused = new Set<number>();
  #timeline: Timeline | undefined;
  #startMs = 0;
  /** The latest instant seen, and the one at which the next jiffy begins. */
  #lastMs = -Infinity;
  #tickMs = -Infinity;
  readonly #jiffiesPerMs: number;
  /** Jiffies since the tracker began. */
  #now = 0;

  constructor(options: TrackerOptions = {}) {
    const hz = options.hz ?? DEFAULT_HZ;
    this.settings = new TrackerSettings(options.settings ?? {}, rulesOf(options.generation ?? "6.18"), hz);
    this.#hashSeed = options.hashSeed ?? 0;
    this.#rows = new FlowRows(Math.min(RESERVED_FLOWS, Math.max(this.settings.capacityFlows, 1022) + 2));
    this.#jiffiesPerMs = hz / 1000;
    this.#random = seededRandom(options.seed ?? 1);
    this.#chains = new Chains(this.#rows, this.settings.buckets);
    this.#collector = new Collector(this.#chains, this.settings);
    this.#collector.onPass = (at) => {
      this.#timeline?.advance(this.#startMs + at / this.#jiffiesPerMs, this.#chains.occupancyFlows);
    };
    const isFtpGiven = options.helpers?.includes("ftp") ?? false;
    this.#relations = new Relations(this.#chains, this.settings, isFtpGiven);
    if (this.settings.accounting) this.#rows.keepCounters();
  }

  /** A verdict (verdict.ts) for every row of a batch, in order, into `verdicts`. */
  feed(batch: PacketColumns, verdicts: Uint8Array): void {
    const { kind, timeMs, count } = batch;
    const { packetsByVerdict } = this.#tally;
    let tickMs = this.#tickMs;
    let lastMs = this.#lastMs;
    for (let from = 0; from < count; from += AHEAD_ROWS) {
      const to = Math.min(from + AHEAD_ROWS, count);
      this.#chains.lookAhead(batch.hash, from, to);
      for (let row = from; row < to; row++) {
        const ms = timeMs[row] as number;
        if (ms > lastMs) lastMs = ms;
        if (ms >= tickMs) {
          this.#tick(ms);
          tickMs = this.#tickMs;
        }
        const what = kind[row];
        let verdict: number = Verdict.NONE;
        if (what === PacketKind.IP) verdict = this.#packet(batch, row);
        else if (what === PacketKind.HELD) verdict = Verdict.HELD;
        else if (what === PacketKind.FIRST || what === PacketKind.LATER) verdict = this.#implied(batch, row);
        else if (what === PacketKind.DELETED) this.#delete(batch, row);
        verdicts[row] = verdict;
        packetsByVerdict[verdict] = (packetsByVerdict[verdict] as number) + 1;
      }
    }
    this.#lastMs = lastMs;
  }

  /** Lets the clock run on to an instant, epoch milliseconds. One that has passed changes nothing. */
  advance(toMs: number): void {
    if (toMs >= this.#tickMs) this.#tick(toMs);
    if (toMs > this.#lastMs) this.#lastMs = toMs;
  }

  /**
   * Changes a setting as a write to its file would: flows keep their expiry until their next packet, buckets
   * are rehashed at once, a lower limit evicts nobody. Throws SettingError where the kernel would refuse.
   */
  set(key: SettingKey, value: number): void {
    const { settings } = this;
    settings.set(key, value);
    if (settings.buckets !== this.#chains.heads.length) this.#chains.rehash(settings.buckets);
    if (settings.accounting) this.#rows.keepCounters();
    if (key === "nf_conntrack_max") this.#timeline?.limit(this.#lastMs, value);
  }

  /**
   * What came until now was only to have the flows of a table that was there before: from this instant on,
   * epoch milliseconds, peaks, time and counts are told. `passesMs` is when the collector came round, where
   * that is known.
   */
  beginTelling(atMs: number, passesMs: readonly number[] = []): void {
    this.advance(atMs);
    const passes = passesMs.map((ms) => Math.floor((ms - this.#startMs) * this.#jiffiesPerMs));
    this.#collector.follow(passes.filter((at) => at > this.#now));
    this.#tally.restart(this.#chains.occupancyFlows);
    this.#timeline = new Timeline(atMs, this.settings.capacityFlows);
    this.#timeline.peakFlows = this.#chains.occupancyFlows;
  }

  /** A packet that events imply; NONE for one that would not have come. */
  #implied(batch: PacketColumns, row: number): number {
    const number = batch.datagram[row] as number;
    if (batch.kind[row] === PacketKind.LATER) {
      return this.#refused.has(number) ? Verdict.NONE : this.#packet(batch, row);
    }
    const verdict = this.#packet(batch, row);
    if ((verdict & Verdict.DROP) !== 0) this.#refused.add(number);
    return verdict;
  }

  /** Somebody deleted a flow, named by its original tuple; one that is not there is not missed. */
  #delete(batch: PacketColumns, row: number): void {
    const at = row * ADDRESS_WORDS;
    const kind =
      (batch.family[row] as number) |
      ((batch.protocol[row] as number) << 8) |
      ((batch.zone[row] as number) << 16);
    const discriminators =
      (batch.sourceDiscriminator[row] as number) | ((batch.destinationDiscriminator[row] as number) << 16);
    const { source, destination } = batch;
    const hash = batch.hash[row] as number;
    const now = this.#now | 0;
    const node = this.#chains.find(now, hash, kind, discriminators, source, at, destination, at);
    if (node !== 0) this.#chains.remove(node >>> 1);
  }

  /** A jiffy has passed, or many. */
  #tick(ms: number): void {
    if (this.#timeline === undefined) this.#begin(ms);
    const now = Math.floor((ms - this.#startMs) * this.#jiffiesPerMs);
    if (now >= this.#collector.nextAt) this.#collector.run(now);
    this.#now = now;
    this.#tickMs = this.#startMs + (now + 1) / this.#jiffiesPerMs;
    this.#timeline?.advance(ms, this.#chains.occupancyFlows);
  }

  #begin(ms: number): void {
    this.#startMs = ms;
    this.#timeline = new Timeline(ms, this.settings.capacityFlows);
  }

  #packet(batch: PacketColumns, row: number): number {
    const protocol = batch.protocol[row] as number;
    const { settings } = this;
    const now = this.#now | 0;
    const isUsual = protocol === TCP || protocol === UDP;
    if (!isUsual && (protocol === ICMP || protocol === ICMPV6)) {
      const verdict = judgeIcmp(this.#chains, batch, row, now, this.#hashSeed, settings);
      if (verdict === ICMP_ERROR) {
        this.#tally.icmpError += 1;
        return Verdict.INVALID;
      }
      if (verdict !== GO_ON) return verdict;
    }
    if (((batch.fault[row] as number) & Fault.NO_TUPLE) !== 0) return this.#invalid();
    if (settings.rules.checksBeforeAllocation && isRefusedBeforeLookup(batch, row, settings)) {
      return this.#invalid();
    }
    const at = row * ADDRESS_WORDS;
    const family = batch.family[row] as number;
    const kind = family | (protocol << 8) | ((batch.zone[row] as number) << 16);
    const source = batch.sourceDiscriminator[row] as number;
    let discriminators = source | ((batch.destinationDiscriminator[row] as number) << 16);
    let hash = batch.hash[row] as number;
    if (!isUsual && discriminators !== 0 && isGeneric(protocol, settings)) {
      discriminators = 0;
      hash = hashTuple(this.#hashSeed, kind, batch.source, batch.destination, at, 0);
    }
    for (;;) {
      const node = this.#chains.find(
        now,
        hash,
        kind,
        discriminators,
        batch.source,
        at,
        batch.destination,
        at,
      );
      if (node === 0) return this.#newFlow(batch, row, hash, kind, discriminators);
      const verdict = this.#knownFlow(batch, row, node);
      if (verdict !== AGAIN) return verdict;
    }
  }

  /**
   * A packet of a flow: its verdict, or AGAIN when the flow is over and the packet must be looked up anew.
   */
  #knownFlow(batch: PacketColumns, row: number, node: number): number {
    const { settings } = this;
    const flow = node >>> 1;
    const direction = node & 1;
    const at = flow * FLOW_WORDS;
    if (batch.fault[row] !== 0 && isBroken(batch, row, settings)) {
      return this.#refuse(batch, row, brokenAnswer(batch, row, settings));
    }
    const { words } = this.#rows;
    const status = words[at + Flow.STATUS] as number;
    const now = this.#now | 0;
    const answer = flowPacket(this.#rows, flow, direction, batch, row, now, settings);
    if (answer >= 0) {
      words[at + Flow.EXPIRES] = (now + answer) | 0;
      if ((status & FlowMark.COUNTED) !== 0) this.#count(batch, row, flow, direction);
    } else if (answer === Answer.REOPEN) {
      this.#chains.remove(flow);
      return AGAIN;
    } else if (answer === Answer.ACCEPT_AND_REMOVE) {
      this.#chains.remove(flow);
      return classOf(direction, status);
    } else if (answer !== Answer.ACCEPT) {
      return this.#refuse(batch, row, answer);
    }
    if (direction === 1 && (status & Status.SEEN_REPLY) === 0) {
      words[at + Flow.STATUS] = (words[at + Flow.STATUS] as number) | Status.SEEN_REPLY;
    }
    const verdict = classOf(direction, status);
    if ((status & FlowMark.RELATED_TO) === 0 || verdict !== Verdict.ESTABLISHED) return verdict;
    if (this.#relations.packet(flow, direction, batch, row, now)) return verdict;
    return this.#dropped(batch, row, DropCause.PROTOCOL, verdict);
  }

  /** A packet that nobody knows: it begins a flow, or is INVALID, or finds no room. */
  #newFlow(batch: PacketColumns, row: number, hash: number, kind: number, discriminators: number): number {
    const protocol = batch.protocol[row] as number;
    if (!hasReply(protocol, discriminators)) return this.#invalid();
    const turned = turnedDiscriminators(protocol, discriminators);
    if (!this.#makeRoom(hash)) return this.#dropFull(batch, row);
    const { settings } = this;
    const rows = this.#rows;
    const chains = this.#chains;
    const now = this.#now | 0;
    const flow = rows.take();
    this.#write(flow, batch, row, hash, kind, discriminators, turned);
    if (this.#relations.isInUse) this.#relations.claim(flow, batch, row, now);
    let answer: number = Answer.INVALID;
    if (isBroken(batch, row, settings)) {
      answer = brokenAnswer(batch, row, settings);
    } else if (beginFlow(rows, flow, batch, row, settings)) {
      answer = flowPacket(rows, flow, 0, batch, row, now, settings);
    }
    if (answer < 0 && answer !== Answer.ACCEPT) {
      chains.drop(flow);
      return this.#refuse(batch, row, answer);
    }
    const at = flow * FLOW_WORDS;
    const { words } = rows;
    // A packet that was accepted without renewal leaves the new flow without time: it has expired at once.
    words[at + Flow.EXPIRES] = (now + Math.max(answer, 0)) | 0;
    const status = words[at + Flow.STATUS] as number;
    if (answer >= 0 && (status & FlowMark.COUNTED) !== 0) this.#count(batch, row, flow, 0);
    return this.#confirm(batch, row, flow);
  }

  /** The new flow's place in the table, if its chains are short enough. */
  #confirm(batch: PacketColumns, row: number, flow: number): number {
    const { chainLimit } = this.settings.rules;
    const { words } = this.#rows;
    const chains = this.#chains;
    const at = flow * FLOW_WORDS;
    const status = words[at + Flow.STATUS] as number;
    const verdict = classOf(0, status);
    if (chainLimit !== undefined) {
      const original = chains.lengthOf(words[at + Flow.HASH_ORIGINAL] as number);
      const longest = Math.max(original, chains.lengthOf(words[at + Flow.HASH_REPLY] as number));
      if (longest >= chainLimit.least && longest >= this.#drawChainLimit(chainLimit)) {
        chains.drop(flow);
        this.#tally.insertFailed += 1;
        this.#tally.chainTooLong += 1;
        return this.#dropped(batch, row, DropCause.CHAIN_TOO_LONG, verdict);
      }
    }
    words[at + Flow.STATUS] = status | Status.CONFIRMED;
    if (this.#relations.isInUse) this.#relations.attach(flow, batch, row);
    chains.link(flow);
    this.#tally.flowsCreated += 1;
    const timeline = this.#timeline;
    if (timeline !== undefined) {
      timeline.createdFlows += 1;
      const { occupancyFlows } = chains;
      if (occupancyFlows > timeline.peakFlows) timeline.peakFlows = occupancyFlows;
      if (occupancyFlows > this.#tally.peakFlows) this.#tally.peakFlows = occupancyFlows;
    }
    return verdict;
  }

  /** The kernel draws a limit for every flow; here it is drawn only where it matters. */
  #drawChainLimit({ least, most }: { least: number; most: number }): number {
    return least + this.#random.below(most - least + 1);
  }

  /** Counts a flow to come; false when the table is full of flows that must stay. */
  #makeRoom(hash: number): boolean {
    const chains = this.#chains;
    const { capacityFlows, rules } = this.settings;
    chains.occupancyFlows += 1;
    if (chains.occupancyFlows <= capacityFlows) return true;
    if (capacityFlows === 0 && rules.zeroMeansUnlimited) return true;
    const evicted = chains.earlyDrop(hash, this.#now | 0, rules.earlyDropOneBucket);
    this.#tally.earlyDrop += evicted;
    if (evicted > 0) return true;
    chains.occupancyFlows -= 1;
    this.#collector.isRoomWanted = true;
    return false;
  }

  // oxlint-disable-next-line max-params -- asked for every new flow: an object of them would have to be made
  #write(
    flow: number,
    batch: PacketColumns,
    row: number,
    hash: number,
    kind: number,
    discriminators: number,
    turned: number,
  ): void {
    const { words } = this.#rows;
    const at = flow * FLOW_WORDS;
    const { source, destination } = batch;
    const address = row * ADDRESS_WORDS;
    words[at + Flow.HASH_ORIGINAL] = hash;
    words[at + Flow.HASH_REPLY] = hashTuple(this.#hashSeed, kind, destination, source, address, turned);
    words[at + Flow.KIND] = kind;
    words[at + Flow.DISCRIMINATORS_ORIGINAL] = discriminators;
    words[at + Flow.DISCRIMINATORS_REPLY] = turned;
    words[at + Flow.SOURCE] = source[address] as number;
    words[at + Flow.DESTINATION] = destination[address] as number;
    if ((kind & 0xff) === 6) {
      for (let word = 0; word < 3; word++) {
        words[at + Flow.SOURCE_REST + word] = source[address + 1 + word] as number;
        words[at + Flow.DESTINATION_REST + word] = destination[address + 1 + word] as number;
      }
    }
    words[at + Flow.CREATED] = this.#now | 0;
    let status = 0;
    if (this.settings.accounting) status |= FlowMark.COUNTED;
    if (this.settings.timestamps) status |= FlowMark.STAMPED;
    words[at + Flow.STATUS] = status;
  }

  #count(batch: PacketColumns, row: number, flow: number, direction: number): void {
    const { counters } = this.#rows;
    assert(counters !== undefined, "A flow that is counted has counters");
    const at = flow * COUNTERS_PER_FLOW + 2 * direction;
    counters[at] = (counters[at] as number) + 1;
    counters[at + 1] = (counters[at + 1] as number) + (batch.lengthBytes[row] as number);
  }

  #invalid(): number {
    this.#tally.invalid += 1;
    return Verdict.INVALID;
  }

  /** INVALID, and dropped when the protocol says so. */
  #refuse(batch: PacketColumns, row: number, answer: number): number {
    const verdict = this.#invalid();
    if (answer !== Answer.DROP) return verdict;
    this.#tally.drop += 1;
    return this.#dropped(batch, row, DropCause.PROTOCOL, verdict);
  }

  #dropFull(batch: PacketColumns, row: number): number {
    this.#tally.drop += 1;
    return this.#dropped(batch, row, DropCause.TABLE_FULL, Verdict.NEW);
  }

  #dropped(batch: PacketColumns, row: number, cause: number, verdict: number): number {
    const { droppedByCause } = this.#tally;
    droppedByCause[cause] = (droppedByCause[cause] as number) + 1;
    if (this.#timeline !== undefined) this.#timeline.droppedPackets += 1;
    this.#drops.note(batch, row, batch.timeMs[row] as number, cause);
    return verdict | Verdict.DROP;
  }

  /** Epoch milliseconds of the last packet or `advance`; undefined before the first. */
  get nowMs(): number | undefined {
    return this.#timeline === undefined ? undefined : this.#lastMs;
  }

  /** Flows that count against the limit: expired ones that nobody has collected yet too. */
  get occupancyFlows(): number {
    return this.#chains.occupancyFlows;
  }

  get tally(): TrackerTally {
    return this.#tally;
  }

  /** Flows removed by the collector: expired, and to make room (which the kernel counts nowhere). */
  get collected(): { expiredFlows: number; evictedFlows: number } {
    const { expiredFlows, evictedFlows } = this.#collector;
    return { expiredFlows, evictedFlows };
  }

  /** Bytes of the table: flows, chains and what belongs to them. */
  get memoryBytes(): number {
    return this.#rows.memoryBytes + this.#chains.memoryBytes;
  }

  /** What the kernel would count in /proc/net/stat/nf_conntrack. */
  get counters(): Counters {
    return this.#tally.counters(this.#chains.occupancyFlows, this.#relations.expectedFlows);
  }

  /**
   * The table as a dump would give it: flows that have expired are not in it. With `atMs`, as of that instant
   * if nothing came until then. The table must not change while it is read.
   */
  flows(atMs?: number): FlowReading {
    const ms = Math.max(atMs ?? this.#lastMs, this.#lastMs);
    const at = this.#timeline === undefined ? 0 : Math.floor((ms - this.#startMs) * this.#jiffiesPerMs);
    return readFlows(this.#chains, Math.max(at, this.#now), this.#startMs, this.settings);
  }

  /** What judgement asks about a host, of this table. */
  facts(): ModelFacts {
    return trackerFacts(this.settings, this.counters, this.nowMs ?? 0);
  }

  /** Occupancy over time up to now; undefined before the first packet. */
  timeline(): TimelineColumns | undefined {
    return this.#timeline?.columns();
  }

  /** When packets were dropped, and whose; `sources` is how many sources at most. */
  dropReport(sources = 10): DropReport {
    return this.#drops.report(sources);
  }
}

/** No verdict: the packet is looked up again. */
const AGAIN = -1;

/** The class of a packet of a flow, by the status the flow had when it came. */
function classOf(direction: number, status: number): number {
  if (direction === 1 || (status & Status.SEEN_REPLY) !== 0) return Verdict.ESTABLISHED;
  return (status & Status.EXPECTED) === 0 ? Verdict.NEW : Verdict.RELATED;
}

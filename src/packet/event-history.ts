/**
 * From flow events and dumps of the table to what flows are known to have said, in the order of time.
 *
 * An event says when a flow was made, answered, changed its TCP state, and when it was gone. What it said in
 * between is not told, but the end tells of the last word: a flow that is gone has been silent for the
 * timeout of its last state. A dump tells the last word of every flow in it: what remains of its time is what
 * its timeout was, less its silence (table/idle.ts).
 *
 * When a flow is gone is only known to the collector's next pass, unless the kernel keeps time stamps
 * (nf_conntrack_timestamp), which say when it expired. How long the collector takes is seen at flows that
 * cannot have spoken again, such as those in TIME_WAIT.
 */
import { type FlowColumns, Has } from "../table/columns.ts";
import { EventKind, type FlowEventBatch } from "../table/flow-event.ts";
import { type IdleContext, IdleLookup, timeoutCandidates } from "../table/idle.ts";
import { DCCP, SCTP, TCP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { CollectorPasses } from "./collector-passes.ts";
import { EventFlows, Word, Words } from "./event-flows.ts";

/** What was made of a record. */
export interface EventCounts {
  /** Flows of the first table, and flows that came later. */
  tableFlows: number;
  newFlows: number;
  /** Flows whose end was told, and of those the ones that ended before their time. */
  endedFlows: number;
  deletedFlows: number;
  evictedFlows: number;
  /** Flows that a later table did not have any more, and of which no end was told. */
  endedUnseenFlows: number;
  /** Flows of protocols whose words cannot be told from their events: SCTP, DCCP. */
  leftOutFlows: number;
  /** Flows in a table whose last word is not known: it is taken as if nothing had shortened their time. */
  unknownAgeFlows: number;
  /** Words told by events, and those reckoned from how much time was left or when the flow was gone. */
  toldWords: number;
  reckonedWords: number;
}

/** States that no further packet renews without leaving them; TIME_WAIT's are not worth a difference. */
const NOT_RENEWED = new Set<number>([
  TcpState.SYN_SENT,
  TcpState.SYN_RECV,
  TcpState.SYN_SENT2,
  TcpState.FIN_WAIT,
  TcpState.LAST_ACK,
  TcpState.TIME_WAIT,
  TcpState.CLOSE,
]);
/** The way of a TCP flow, and the word that leads to each state. */
const TCP_WAY = [
  TcpState.SYN_SENT,
  TcpState.SYN_RECV,
  TcpState.ESTABLISHED,
  TcpState.FIN_WAIT,
  TcpState.CLOSE_WAIT,
  TcpState.LAST_ACK,
  TcpState.TIME_WAIT,
] as const;
const TCP_WORDS = [
  Word.BIRTH,
  Word.ANSWER,
  Word.OPEN,
  Word.FIN,
  Word.FIN_SEEN,
  Word.FIN_BACK,
  Word.LAST,
] as const;

const CONVERSATION = Status.SEEN_REPLY | Status.ASSURED;
/** Times are told in whole seconds of what remains, and events are fetched a little late. */
const SLACK_MS = 1500;
/** Use of the limit from which a flow that ends early was evicted rather than deleted. */
const FULL_SHARE = 0.95;
/** A stream of UDP is one that spoke after two seconds. */
const STREAM_MS = 3000;

/** Takes a record in its order; ask for `words` in the end. */
export class EventHistory {
  readonly flows = new EventFlows();
  readonly counts: EventCounts = {
    tableFlows: 0,
    newFlows: 0,
    endedFlows: 0,
    deletedFlows: 0,
    evictedFlows: 0,
    endedUnseenFlows: 0,
    leftOutFlows: 0,
    unknownAgeFlows: 0,
    toldWords: 0,
    reckonedWords: 0,
  };
  /** When the first table was read, or the first event came; undefined before. */
  beginsMs: number | undefined;
  endsMs = -Infinity;
  #context: IdleContext;
  #idle: IdleLookup;
  readonly #byId = new Map<number, number>();
  readonly #words = new Words();
  /** Words of the past, which are learnt late. */
  readonly #late = new Words();
  #dump = 0;
  #dumpMs: number | undefined;
  /** Ids of flows that ended while a table was being read, which may have them still. */
  readonly #endedInDump = new Set<number>();
  #occupancyShare = 0;
  readonly #passes = new CollectorPasses();

  constructor(context: IdleContext) {
    this.#context = context;
    this.#idle = new IdleLookup(context);
  }

  /** Timeouts in force from now on. */
  setContext(context: IdleContext): void {
    this.#context = context;
    this.#idle = new IdleLookup(context);
  }

  /** The kernel's own count, of which one flow in `oneOf` has events, and the limit in flows. */
  noteCount(atMs: number, count: { occupancyFlows: number; capacityFlows: number; oneOf: number }): void {
    // 0: no limit, under which nothing is ever evicted (up to Linux 6.18).
    this.#occupancyShare = count.capacityFlows > 0 ? count.occupancyFlows / count.capacityFlows : 0;
    this.#passes.noteCount(atMs, count.occupancyFlows, count.oneOf);
  }

  /** Events were lost: the next count cannot be reckoned from the one before. */
  noteLoss(): void {
    this.#passes.noteLoss();
  }

  /** A table will be read. */
  beginDump(atMs: number): void {
    this.#see(atMs);
    this.#passes.noteListing(atMs);
    this.#dump += 1;
    this.#dumpMs = atMs;
    this.#endedInDump.clear();
  }

  rows(columns: FlowColumns, atMs: number): void {
    this.#see(atMs);
    for (let row = 0; row < columns.count; row += 1) this.#tableRow(columns, row, atMs);
  }

  /** The table was read, whole or not. Flows it should have had and had not are gone. */
  endDump(atMs: number, isComplete: boolean): void {
    this.#see(atMs);
    const begunMs = this.#dumpMs ?? atMs;
    this.#dumpMs = undefined;
    this.#endedInDump.clear();
    if (!isComplete || this.#dump === 1) return;
    const { dump, bornMs, spokeMs, expiresMs } = this.flows;
    for (const [id, flow] of this.#byId) {
      if (dump[flow] === this.#dump || (bornMs[flow] as number) >= begunMs) continue;
      // One that has expired waits for the collector, and no dump shows it.
      if ((expiresMs[flow] as number) <= atMs + SLACK_MS) continue;
      const halfwayMs = ((spokeMs[flow] as number) + begunMs) / 2;
      this.#say(Math.max(halfwayMs, spokeMs[flow] as number), flow, Word.DELETED);
      this.counts.endedUnseenFlows += 1;
      this.#byId.delete(id);
    }
  }

  events({ columns, kinds }: FlowEventBatch, atMs: number): void {
    this.#see(atMs);
    for (let row = 0; row < columns.count; row += 1) {
      const id = columns.id[row] as number;
      const flow = this.#byId.get(id);
      this.#passes.noteEvent(kinds[row] as number);
      if (kinds[row] === EventKind.DESTROY) {
        if (this.#dumpMs !== undefined) this.#endedInDump.add(id);
        if (flow !== undefined) this.#end(columns, row, flow, atMs);
        this.#byId.delete(id);
      } else if (kinds[row] === EventKind.NEW || flow === undefined) {
        this.#arrive(columns, row, atMs, atMs);
        this.counts.newFlows += 1;
      } else {
        this.#change(columns, row, flow, atMs);
        this.#renew(columns, row, flow, atMs, atMs);
      }
    }
  }

  /** When the collector was seen to come round, ascending: epoch milliseconds. */
  get passesMs(): readonly number[] {
    return this.#passes.passesMs;
  }

  /** All that was said, in the order of time. */
  words(): Words {
    return this.#late.count === 0 ? this.#words : this.#words.mergedWith(this.#late.sorted());
  }

  #see(atMs: number): void {
    this.beginsMs ??= atMs;
    if (atMs > this.endsMs) this.endsMs = atMs;
  }

  #tableRow(columns: FlowColumns, row: number, atMs: number): void {
    const id = columns.id[row] as number;
    if (this.#endedInDump.has(id)) return;
    const known = this.#byId.get(id);
    const spokeMs = this.#spokeAt(columns, row, atMs);
    if (known === undefined) {
      const flow = this.#arrive(columns, row, spokeMs, atMs);
      this.flows.dump[flow] = this.#dump;
      if (this.#dump <= 1) this.counts.tableFlows += 1;
      else this.counts.newFlows += 1;
      return;
    }
    const { flows } = this;
    flows.dump[known] = this.#dump;
    const lastMs = flows.spokeMs[known] as number;
    const changed = this.#change(columns, row, known, Math.max(spokeMs, lastMs));
    if (!changed && spokeMs > lastMs + SLACK_MS && this.#isRenewable(known)) {
      this.#say(spokeMs, known, Word.SPEAK);
      this.counts.reckonedWords += 1;
    }
    this.#renew(columns, row, known, Math.max(spokeMs, lastMs), atMs);
  }

  /** When a flow of a table spoke last. */
  #spokeAt(columns: FlowColumns, row: number, atMs: number): number {
    const idleSeconds = this.#idle.secondsAt(columns, row);
    // What remains is rounded down: half a second is what it is on average.
    if (idleSeconds >= 0) return atMs - Math.max(0, idleSeconds * 1000 - 500);
    this.counts.unknownAgeFlows += 1;
    const timeoutMs = this.#timeoutMs(
      columns.protocol[row] as number,
      stateOf(columns, row),
      statusOf(columns, row),
    );
    const has = columns.has[row] as number;
    if (timeoutMs === undefined || (has & Has.timeout) === 0) return atMs;
    return atMs - Math.max(0, timeoutMs - (columns.timeoutSeconds[row] as number) * 1000);
  }

  /** Makes a flow that spoke last at `spokeMs`; it expires as the row says, as of `atMs`. */
  #arrive(columns: FlowColumns, row: number, spokeMs: number, atMs: number): number {
    const { flows } = this;
    const flow = flows.addRow(columns, row, spokeMs);
    this.#byId.set(flows.id[flow] as number, flow);
    const [state, status] = [stateOf(columns, row), statusOf(columns, row)];
    const protocol = flows.protocolOf(flow);
    if (protocol === SCTP || protocol === DCCP) {
      this.counts.leftOutFlows += 1;
    } else if (protocol === TCP) {
      this.#tcpArrival(flow, state, status, spokeMs);
    } else {
      this.#plainArrival(flow, status, spokeMs);
    }
    flows.state[flow] = state;
    flows.status[flow] = status;
    this.#renew(columns, row, flow, spokeMs, atMs);
    return flow;
  }

  #tcpArrival(flow: number, state: number, status: number, spokeMs: number): void {
    const { flows } = this;
    flows.status[flow] = 0;
    // Picked up in mid-stream: its first packet is no SYN.
    if ((status & Status.SEEN_REPLY) === 0 && state !== TcpState.SYN_SENT && state !== TcpState.NONE) {
      flows.state[flow] = state;
      this.#tell(spokeMs, flow, Word.SPEAK);
      return;
    }
    flows.state[flow] = TcpState.SYN_SENT;
    this.#tell(spokeMs, flow, Word.BIRTH);
    this.#steer(flow, state, spokeMs);
  }

  #plainArrival(flow: number, status: number, spokeMs: number): void {
    const { flows } = this;
    const isStream = (status & Status.ASSURED) !== 0;
    const bornMs = isStream ? spokeMs - STREAM_MS : spokeMs;
    flows.bornMs[flow] = bornMs;
    flows.status[flow] = 0;
    this.#tell(bornMs, flow, Word.BIRTH);
    if ((status & Status.SEEN_REPLY) === 0) return;
    flows.status[flow] = Status.SEEN_REPLY;
    this.#tell(bornMs, flow, Word.ANSWER);
    if (!isStream) return;
    flows.status[flow] = status;
    this.#tell(spokeMs, flow, Word.SPEAK);
  }

  /** What a later look at a flow says of it; whether it spoke for that. */
  #change(columns: FlowColumns, row: number, flow: number, atMs: number): boolean {
    const { flows } = this;
    const before = flows.status[flow] as number;
    const status = (columns.has[row] as number) & Has.status ? statusOf(columns, row) : before;
    const protocol = flows.protocolOf(flow);
    const isAnswered = (status & ~before & Status.SEEN_REPLY) !== 0;
    if (protocol === TCP) {
      const state =
        (columns.has[row] as number) & Has.state ? stateOf(columns, row) : (flows.state[flow] as number);
      const isOther = state !== flows.state[flow];
      if (isOther) this.#steer(flow, state, atMs);
      else if (isAnswered) this.#tell(atMs, flow, Word.SPEAK_BACK);
      flows.status[flow] = status;
      return isOther || isAnswered;
    }
    if (protocol === SCTP || protocol === DCCP) return false;
    flows.status[flow] = status;
    const isAssured = (status & ~before & Status.ASSURED) !== 0;
    if (isAnswered) this.#tell(atMs, flow, Word.ANSWER);
    if (isAssured) this.#tell(atMs, flow, Word.SPEAK);
    return isAnswered || isAssured;
  }

  /** The words that lead a TCP flow to a state. */
  #steer(flow: number, state: number, atMs: number): void {
    const { flows } = this;
    const from = TCP_WAY.indexOf(flows.state[flow] as 1);
    const to = TCP_WAY.indexOf(state as 1);
    if (state === TcpState.CLOSE) {
      flows.state[flow] = state;
      this.#tell(atMs, flow, Word.RESET);
      return;
    }
    for (let step = from + 1; step <= to; step += 1) {
      // Both sides closing at once leave out a state.
      if (TCP_WAY[step] === TcpState.CLOSE_WAIT && to > step) continue;
      flows.state[flow] = TCP_WAY[step] as number;
      if (step > 0) flows.status[flow] = (flows.status[flow] as number) | Status.SEEN_REPLY;
      this.#tell(atMs, flow, TCP_WORDS[step] as number);
    }
    flows.state[flow] = state;
  }

  /** The flow spoke at `spokeMs`, and expires as the row says, as of `atMs`. */
  #renew(columns: FlowColumns, row: number, flow: number, spokeMs: number, atMs: number): void {
    const { flows } = this;
    if (spokeMs > (flows.spokeMs[flow] as number)) flows.spokeMs[flow] = spokeMs;
    if (((columns.has[row] as number) & Has.timeout) !== 0) {
      flows.expiresMs[flow] = atMs + (columns.timeoutSeconds[row] as number) * 1000;
    } else {
      flows.expiresMs[flow] = spokeMs + (this.#timeoutOf(flow) ?? 0);
    }
  }

  #isRenewable(flow: number): boolean {
    const { flows } = this;
    return isRenewable(flows.protocolOf(flow), flows.state[flow] as number);
  }

  /** A flow is gone: by its timeout, by hand, or for others. */
  #end(columns: FlowColumns, row: number, flow: number, atMs: number): void {
    const { flows, counts } = this;
    counts.endedFlows += 1;
    const expiresMs = flows.expiresMs[flow] as number;
    const hasStamp = ((columns.has[row] as number) & Has.stoppedAt) !== 0;
    const endMs = hasStamp ? Math.min(columns.stoppedAtMs[row] as number, atMs) : atMs;
    const protocol = flows.protocolOf(flow);
    if (endMs < expiresMs - SLACK_MS) {
      this.#endEarly(flow, protocol, endMs);
      return;
    }
    const delayMs = endMs - expiresMs;
    if (!hasStamp || atMs - endMs > SLACK_MS) this.#passes.noteEnd(atMs);
    if (!this.#isRenewable(flow)) {
      this.#passes.noteDelay(delayMs, atMs);
      return;
    }
    const timeoutMs = this.#timeoutOf(flow);
    if (timeoutMs === undefined) return;
    const longestMs = hasStamp ? 0 : this.#passes.longestDelayMs(atMs);
    if (delayMs <= longestMs + SLACK_MS) return;
    // It was renewed since: silent for its timeout, and then waiting for the collector.
    const spokeMs = endMs - longestMs / 2 - timeoutMs;
    if (spokeMs <= (flows.spokeMs[flow] as number)) return;
    this.#say(spokeMs, flow, Word.SPEAK);
    counts.reckonedWords += 1;
  }

  #endEarly(flow: number, protocol: number, endMs: number): void {
    const { flows, counts } = this;
    const status = flows.status[flow] as number;
    if (protocol === TCP && (status & Status.SEEN_REPLY) === 0 && this.#occupancyShare < FULL_SHARE) {
      // A RST to the first packet: nobody listens there.
      this.#tell(endMs, flow, Word.RESET_BACK);
      return;
    }
    // A SYN into a flow that is over begins a new one in its place, and comes with an event of its own.
    if (protocol === TCP && (flows.state[flow] as number) >= TcpState.TIME_WAIT) return;
    if (this.#occupancyShare >= FULL_SHARE) {
      counts.evictedFlows += 1;
      return;
    }
    counts.deletedFlows += 1;
    this.#tell(endMs, flow, Word.DELETED);
  }

  #timeoutOf(flow: number): number | undefined {
    const { flows } = this;
    return this.#timeoutMs(flows.protocolOf(flow), flows.state[flow] as number, flows.status[flow] as number);
  }

  #timeoutMs(protocol: number, state: number, status: number): number | undefined {
    return timeoutMsOf(this.#context, protocol, state, status);
  }

  /** A word that an event told. */
  #tell(atMs: number, flow: number, word: number): void {
    this.counts.toldWords += 1;
    this.#say(atMs, flow, word);
  }

  #say(atMs: number, flow: number, word: number): void {
    const { flows } = this;
    const { count, timeMs } = this.#words;
    const words = count === 0 || atMs >= (timeMs[count - 1] as number) ? this.#words : this.#late;
    words.add(atMs, flow, word, flows.state[flow] as number, flows.status[flow] as number);
  }
}

/** Whether a packet may renew the time of a flow and leave its state. */
export function isRenewable(protocol: number, state: number): boolean {
  return protocol !== TCP || !NOT_RENEWED.has(state);
}

/** The timeout of a flow, milliseconds; undefined when the settings do not tell. */
export function timeoutMsOf(
  context: IdleContext,
  protocol: number,
  state: number,
  status: number,
): number | undefined {
  const candidates = timeoutCandidates(context, protocol, {
    state: protocol === TCP ? state : undefined,
    seenReply: (status & Status.SEEN_REPLY) !== 0,
    assured: (status & Status.ASSURED) !== 0,
  });
  return typeof candidates === "string" ? undefined : (candidates[0] ?? 0) * 1000;
}

function stateOf(columns: FlowColumns, row: number): number {
  return (columns.has[row] as number) & Has.state ? (columns.state[row] as number) : TcpState.NONE;
}

function statusOf(columns: FlowColumns, row: number): number {
  return (columns.has[row] as number) & Has.status ? (columns.status[row] as number) & CONVERSATION : 0;
}

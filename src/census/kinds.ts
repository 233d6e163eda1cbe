/**
 * What kind of flows there are: by family, protocol, state, status, translation, whether answered, and how
 * long they have been silent and will stay. Every figure is a count in a small array indexed by the field
 * itself.
 */
import { type FlowColumns, Has } from "../table/columns.ts";
import { IDLE_UNKNOWN, type IdleLookup, type IdleUnknown } from "../table/idle.ts";
import { fillNat, Nat, NAT_NAMES, type NatKind } from "../table/nat.ts";
import { protocolName, TCP } from "../table/protocol.ts";
import { stateName, TcpState } from "../table/state.ts";
import { Status, statusNames } from "../table/status.ts";
import { CHUNK_KEYS } from "./key-tally.ts";
import { PAGE_SHIFT, SparseCounts } from "./sparse-counts.ts";
import { addCounts, countSpan, newSpans, SPAN_EDGES_SECONDS, type Spans, spanOf } from "./spans.ts";

/** States of one protocol have 256 places; the place after them is for flows without a state. */
const STATELESS = 256;
const STATE_PLACES = 512;
const PROTOCOLS = 256;
/** Combinations of the status bits that have names. */
const STATUS_WORDS = 65_536;

/** Where the counts of ESTABLISHED flows begin among those of idle ages, and where the reasons do. */
const ESTABLISHED_IDLE = SPAN_EDGES_SECONDS.length;
const UNKNOWN_IDLE = ESTABLISHED_IDLE * 2;

/**
 * Bits as numbers: the loops below compute with them, because a branch on what varies from flow to flow costs
 * more.
 */
const STATE_BIT = Math.log2(Has.state);
const STATUS_BIT = Math.log2(Has.status);
const SEEN_REPLY_BIT = Math.log2(Status.SEEN_REPLY);

export type FamilyName = "ipv4" | "ipv6" | "unknown";

export class Kinds {
  flows = 0;
  #ipv4 = 0;
  #ipv6 = 0;
  /** By protocol, state, and whether the flow is known to be unanswered: two places for each state. */
  readonly #states = new SparseCounts(PROTOCOLS * STATE_PLACES * 2);
  readonly #status = new SparseCounts(STATUS_WORDS);
  readonly #nat = new Uint32Array(Nat.UNKNOWN + 1);
  /** Status bits that every batch could tell; undefined before the first. */
  #knownStatus: number | undefined;
  readonly remaining: Spans = newSpans();
  /** Spans of all other flows, of ESTABLISHED TCP flows, and reasons why it is unknown. */
  readonly #idle = new Uint32Array(UNKNOWN_IDLE + IDLE_UNKNOWN.length);
  readonly age: Spans = newSpans();
  readonly #idleLookup: IdleLookup;
  readonly #nowMs: number | undefined;
  readonly #idleSeconds = new Int32Array(CHUNK_KEYS);
  readonly #natOfRow = new Uint8Array(CHUNK_KEYS);

  constructor(idleLookup: IdleLookup, nowMs: number | undefined) {
    this.#idleLookup = idleLookup;
    this.#nowMs = nowMs;
  }

  /**
   * Counts rows `from` up to, not including, `to`: at most CHUNK_KEYS of them; `given` are the bits of Has
   * they have.
   */
  add(columns: FlowColumns, from: number, to: number, given: number): void {
    this.flows += to - from;
    this.#knownStatus = (this.#knownStatus ?? columns.knownStatus) & columns.knownStatus;
    this.#addFamilies(columns, from, to);
    this.#addStates(columns, from, to);
    if (given & Has.status) this.#addStatus(columns, from, to);
    this.#addRemaining(columns, from, to);
    this.#addNat(columns, from, to);
    this.#addIdle(columns, from, to);
    if (given & (Has.age | Has.startedAt)) this.#addAges(columns, from, to);
  }

  #addFamilies(columns: FlowColumns, from: number, to: number): void {
    const { family } = columns;
    let ipv4 = 0;
    let ipv6 = 0;
    for (let row = from; row < to; row++) {
      ipv4 += family[row] === 4 ? 1 : 0;
      ipv6 += family[row] === 6 ? 1 : 0;
    }
    this.#ipv4 += ipv4;
    this.#ipv6 += ipv6;
  }

  #addStates(columns: FlowColumns, from: number, to: number): void {
    const { counts, pages } = this.#states;
    const { has, protocol, state, status } = columns;
    const seenReplyKnown = columns.knownStatus & Status.SEEN_REPLY;
    for (let row = from; row < to; row++) {
      const bits = has[row] as number;
      const hasState = (bits & Has.state) >>> STATE_BIT;
      const place = STATELESS + ((state[row] as number) - STATELESS) * hasState;
      const open = ((seenReplyKnown & ~(status[row] as number)) >>> SEEN_REPLY_BIT) & (bits >>> STATUS_BIT);
      const index = (((protocol[row] as number) * STATE_PLACES + place) << 1) + open;
      counts[index] = (counts[index] as number) + 1;
      pages[index >>> PAGE_SHIFT] = 1;
    }
  }

  #addStatus(columns: FlowColumns, from: number, to: number): void {
    const { counts, pages } = this.#status;
    const { has, status } = columns;
    for (let row = from; row < to; row++) {
      const named = (status[row] as number) & (STATUS_WORDS - 1);
      counts[named] = (counts[named] as number) + (((has[row] as number) >>> STATUS_BIT) & 1);
      pages[named >>> PAGE_SHIFT] = 1;
    }
  }

  #addRemaining(columns: FlowColumns, from: number, to: number): void {
    const { has, timeoutSeconds } = columns;
    for (let row = from; row < to; row++) {
      if ((has[row] as number) & Has.timeout) countSpan(this.remaining, timeoutSeconds[row] as number);
    }
  }

  #addNat(columns: FlowColumns, from: number, to: number): void {
    const [nats, found] = [this.#nat, this.#natOfRow];
    fillNat(columns, from, to, found);
    for (let index = 0; index < to - from; index++) {
      const nat = found[index] as number;
      nats[nat] = (nats[nat] as number) + 1;
    }
  }

  #addIdle(columns: FlowColumns, from: number, to: number): void {
    const [counts, idleSeconds] = [this.#idle, this.#idleSeconds];
    this.#idleLookup.fill(columns, from, to, idleSeconds);
    const { has, protocol, state } = columns;
    for (let row = from; row < to; row++) {
      const seconds = idleSeconds[row - from] as number;
      // 1 when neither differs, without a branch: 0 - 1 is the only difference with a sign.
      const other = ((protocol[row] as number) ^ TCP) | ((state[row] as number) ^ TcpState.ESTABLISHED);
      const established = ((other - 1) >>> 31) & ((has[row] as number) >>> STATE_BIT);
      const known = spanOf(seconds) + established * ESTABLISHED_IDLE;
      const unknown = UNKNOWN_IDLE - 1 - seconds;
      const place = (known & ~(seconds >> 31)) | (unknown & (seconds >> 31));
      counts[place] = (counts[place] as number) + 1;
    }
  }

  #addAges(columns: FlowColumns, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      const bits = columns.has[row] as number;
      if (bits & Has.age) countSpan(this.age, columns.ageSeconds[row] as number);
      else if (bits & Has.startedAt && this.#nowMs !== undefined) {
        countSpan(this.age, Math.max(0, (this.#nowMs - (columns.startedAtMs[row] as number)) / 1000));
      }
    }
  }

  merge(other: Kinds): void {
    this.flows += other.flows;
    if (other.#knownStatus !== undefined) {
      this.#knownStatus = (this.#knownStatus ?? other.#knownStatus) & other.#knownStatus;
    }
    this.#ipv4 += other.#ipv4;
    this.#ipv6 += other.#ipv6;
    this.#states.merge(other.#states);
    this.#status.merge(other.#status);
    addCounts(this.#nat, other.#nat);
    addCounts(this.remaining, other.remaining);
    addCounts(this.#idle, other.#idle);
    addCounts(this.age, other.age);
  }

  families(): { family: FamilyName; flows: number }[] {
    const [ipv4, ipv6] = [this.#ipv4, this.#ipv6];
    return present([
      { family: "ipv4", flows: ipv4 },
      { family: "ipv6", flows: ipv6 },
      { family: "unknown", flows: this.flows - ipv4 - ipv6 },
    ]);
  }

  protocols(): { protocol: string; flows: number }[] {
    const flowsByProtocol = new Map<string, number>();
    for (const { protocol, flows } of this.#places()) {
      flowsByProtocol.set(protocol, (flowsByProtocol.get(protocol) ?? 0) + flows);
    }
    return present([...flowsByProtocol].map(([protocol, flows]) => ({ protocol, flows })));
  }

  /** Flows that have a state. */
  states(): { protocol: string; state: string; flows: number }[] {
    const rows = new Map<string, { protocol: string; state: string; flows: number }>();
    for (const { protocol, state, flows } of this.#places()) {
      if (state === undefined) continue;
      const row = rows.get(`${protocol} ${state}`);
      if (row === undefined) rows.set(`${protocol} ${state}`, { protocol, state, flows });
      else row.flows += flows;
    }
    return present([...rows.values()]);
  }

  unanswered(): { protocol: string; state?: string; flows: number }[] {
    const open = this.#places().filter((place) => place.unanswered);
    return present(
      open.map(({ protocol, state, flows }) => ({
        protocol,
        ...(state === undefined ? {} : { state }),
        flows,
      })),
    );
  }

  #places(): { protocol: string; state?: string; unanswered: boolean; flows: number }[] {
    const rows: { protocol: string; state?: string; unanswered: boolean; flows: number }[] = [];
    this.#states.forEach((flows, index) => {
      const protocol = Math.floor(index / 2 / STATE_PLACES);
      const place = (index >>> 1) % STATE_PLACES;
      const state = place === STATELESS ? {} : { state: stateName(protocol, place) };
      rows.push({ protocol: protocolName(protocol), ...state, unanswered: index % 2 === 1, flows });
    });
    return rows;
  }

  /** Flows by the names of status bits that the source can tell; `unreplied` is SEEN_REPLY clear. */
  status(): { name: string; flows: number }[] {
    const known = (this.#knownStatus ?? 0) & (STATUS_WORDS - 1);
    const rows = statusNames(known).map((name) => ({ name, flows: 0 }));
    const unreplied = { name: "unreplied", flows: 0 };
    this.#status.forEach((flows, word) => {
      const names = statusNames(word & known);
      for (const row of rows) if (names.includes(row.name)) row.flows += flows;
      if ((word & Status.SEEN_REPLY) === 0) unreplied.flows += flows;
    });
    return known & Status.SEEN_REPLY ? [...rows, unreplied] : rows;
  }

  nat(): { nat: NatKind; flows: number }[] {
    return present(NAT_NAMES.map((nat, index) => ({ nat, flows: this.#nat[index] as number })));
  }

  /** Flows without a reply tuple. */
  natUnknown(): number {
    return this.#nat[Nat.UNKNOWN] as number;
  }

  idleUnknown(): { why: IdleUnknown; flows: number }[] {
    const counts = this.#idle.subarray(UNKNOWN_IDLE);
    return present(IDLE_UNKNOWN.map((why, index) => ({ why, flows: counts[index] as number })));
  }

  /** Flows by known idle age. */
  idle(): Spans {
    return this.#idle
      .slice(0, ESTABLISHED_IDLE)
      .map((flows, span) => flows + (this.establishedIdle()[span] ?? 0));
  }

  /** The same of ESTABLISHED TCP flows alone. */
  establishedIdle(): Spans {
    return this.#idle.slice(ESTABLISHED_IDLE, UNKNOWN_IDLE);
  }
}

/** Rows with flows, the greatest first; equal ones stay in order. */
function present<Row extends { flows: number }>(rows: readonly Row[]): Row[] {
  return rows.filter((row) => row.flows > 0).toSorted((left, right) => right.flows - left.flows);
}

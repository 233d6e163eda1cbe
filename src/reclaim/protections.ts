/**
 * What stays, whatever is asked for. The first reason that holds is the one that is counted.
 *
 * How long a flow must have been silent before nobody can be behind it depends on what it is. For
 * established TCP that is the floor: RFC 5382 (REQ-5) lets nobody forget such a connection before two
 * hours and four minutes. For two-way flows of UDP and its like RFC 4787 (REQ-5) says two minutes. A
 * connection that is just being opened, an answer that is just on its way and a connection that is half
 * closed get seconds. What both sides have closed gets nothing.
 */
import type { Prefix } from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { Nat, natAt } from "../table/nat.ts";
import { DCCP, SCTP, TCP } from "../table/protocol.ts";
import type { Session } from "../table/session.ts";
import { DccpState, SctpState, TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Networks } from "./networks.ts";
import { SessionFlows } from "./session-flows.ts";

/** Why a flow stays; fixed names of machine output, in the order in which they are tried. */
export const PROTECTION_REASONS = [
  "session",
  "network",
  "offloaded",
  "helper",
  "nat",
  "idle-unknown",
  "active",
  "expiring",
] as const;

export type ProtectionReason = (typeof PROTECTION_REASONS)[number];

/** The reasons for people. */
export const protectionText: Record<ProtectionReason, string> = {
  session: "a login session of this host",
  network: "in a network given with --protect",
  offloaded: "handled by a flow table",
  helper: "expected by a helper, or watched by one",
  nat: "translated (NAT): --include-nat",
  "idle-unknown": "silent for how long is unknown",
  active: "not silent for long enough: --floor",
  expiring: "ends by itself within a second",
};

/** RFC 5382, REQ-5: 2 hours and 4 minutes. */
export const FLOOR_SECONDS = 7440;
/** RFC 4787, REQ-5: two minutes, for what has no connections. */
const STREAM_FLOOR_SECONDS = 120;
const HALF_CLOSED_SECONDS = 30;
/** An answer that has not come by then is not on its way. */
const OPENING_SECONDS = 5;

export interface ProtectionOptions {
  sessions: readonly Session[];
  networks: readonly Prefix[];
  /** For established TCP; everything else needs no longer than this either. */
  floorSeconds?: number;
  includeNat?: boolean;
}

const SESSION = PROTECTION_REASONS.indexOf("session");
const NETWORK = PROTECTION_REASONS.indexOf("network");
const OFFLOADED = PROTECTION_REASONS.indexOf("offloaded");
const HELPER = PROTECTION_REASONS.indexOf("helper");
const NAT = PROTECTION_REASONS.indexOf("nat");
const IDLE_UNKNOWN = PROTECTION_REASONS.indexOf("idle-unknown");
const ACTIVE = PROTECTION_REASONS.indexOf("active");
const EXPIRING = PROTECTION_REASONS.indexOf("expiring");
/** Nothing speaks for this flow. */
export const UNPROTECTED = -1;

const OFFLOAD_BITS = Status.OFFLOAD | Status.HW_OFFLOAD;
const HELPER_BITS = Status.EXPECTED | Status.HELPER;
const NAT_BITS = Status.SRC_NAT | Status.DST_NAT;

export class Protections {
  readonly #sessions: SessionFlows;
  readonly #networks: Networks | undefined;
  readonly #includeNat: boolean;
  readonly #floors: Floors;

  constructor(options: ProtectionOptions) {
    const { floorSeconds = FLOOR_SECONDS } = options;
    this.#sessions = new SessionFlows(options.sessions);
    this.#networks = options.networks.length === 0 ? undefined : new Networks(options.networks);
    this.#includeNat = options.includeNat === true;
    this.#floors = new Floors(floorSeconds);
  }

  /**
   * The number of the reason why a row stays, or UNPROTECTED. `idleSeconds` is as IdleLookup gives it:
   * negative where unknown.
   */
  reasonAt(columns: FlowColumns, row: number, idleSeconds: number): number {
    const has = columns.has[row] as number;
    const status = has & Has.status ? (columns.status[row] as number) & columns.knownStatus : 0;
    if (this.#sessions.has(columns, row)) return SESSION;
    if (this.#networks?.has(columns, row) === true) return NETWORK;
    if (status & OFFLOAD_BITS) return OFFLOADED;
    if (status & HELPER_BITS || (has & Has.rare && isHelped(columns, row))) return HELPER;
    if (!this.#includeNat && (status & NAT_BITS || natAt(columns, row) !== Nat.NONE)) return NAT;
    const floor = this.#floors.secondsAt(columns, row, status);
    // An idle age is up to a second too high (table/idle.ts): a flow that is as old as its floor may be
    // younger.
    if (floor > 0 && idleSeconds <= floor) return idleSeconds < 0 ? IDLE_UNKNOWN : ACTIVE;
    if (has & Has.timeout && (columns.timeoutSeconds[row] as number) <= 1) return EXPIRING;
    return UNPROTECTED;
  }
}

function isHelped(columns: FlowColumns, row: number): boolean {
  const rare = columns.rare.get(row);
  return rare !== undefined && (rare.helper !== undefined || rare.master !== undefined);
}

/** How long a flow of a kind must have been silent, seconds. */
class Floors {
  readonly #established: number;
  readonly #stream: number;
  readonly #opening: number;
  readonly #tcp: Float64Array;

  constructor(floorSeconds: number) {
    const most = (seconds: number): number => Math.min(seconds, floorSeconds);
    this.#established = floorSeconds;
    this.#stream = most(STREAM_FLOOR_SECONDS);
    this.#opening = most(OPENING_SECONDS);
    const closed = new Set<number>([TcpState.TIME_WAIT, TcpState.CLOSE, TcpState.LAST_ACK]);
    const opening = new Set<number>([TcpState.SYN_SENT, TcpState.SYN_RECV, TcpState.SYN_SENT2]);
    const half = new Set<number>([TcpState.FIN_WAIT, TcpState.CLOSE_WAIT]);
    // A state nobody knows is taken for an established one.
    this.#tcp = Float64Array.from({ length: 256 }, (_, state) => {
      if (closed.has(state)) return 0;
      if (opening.has(state)) return most(OPENING_SECONDS);
      return half.has(state) ? most(HALF_CLOSED_SECONDS) : floorSeconds;
    });
  }

  secondsAt(columns: FlowColumns, row: number, status: number): number {
    const protocol = columns.protocol[row] as number;
    const hasState = ((columns.has[row] as number) & Has.state) !== 0;
    const state = columns.state[row] as number;
    if (protocol === TCP) return hasState ? (this.#tcp[state] as number) : this.#established;
    if (protocol === SCTP && hasState && state === SctpState.ESTABLISHED) return this.#established;
    const dccpOpen = state === DccpState.OPEN || state === DccpState.PARTOPEN;
    if (protocol === DCCP && hasState && dccpOpen) return this.#established;
    return status & Status.ASSURED ? this.#stream : this.#opening;
  }
}

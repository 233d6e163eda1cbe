/**
 * Idle age: seconds since the last packet that refreshed a flow. The kernel does not keep it; it keeps when
 * the flow expires. A refresh sets the remaining time to a timeout T chosen by protocol, state and condition,
 * so the idle age is T minus what remains, where T can be told.
 *
 * The rule: every flow has a short list of timeouts it may have been given last (its *candidates*, from the
 * settings in force). A candidate shorter than what remains is impossible. When exactly one is possible, the
 * idle age is known; when none is, the setting has changed since or the flow has a timeout of its own; when
 * several are, the age is unknown, because nothing tells an ESTABLISHED flow with 250 s left that was capped
 * at 300 s and used 50 s ago from one that was silent for nearly five days. Two witnesses can settle it: the
 * flag of unacknowledged data (netlink only) rules out the uncapped timeout, and the age of the flow rules
 * out any candidate that would make it older.
 *
 * Precision: the kernel rounds the remaining time down, so a known idle age is up to one second too high,
 * never too low. Packets that are accepted without a refresh do not count: a SYN repeated in SYN_SENT (5.14
 * and later), a SYN into a living flow, ICMP errors, invalid packets.
 *
 * What cannot be noticed: a per-flow timeout policy (`ct timeout`), a timeout set by hand through ctnetlink,
 * or a changed setting, as long as what remains fits the setting of now.
 *
 * Sources: net/netfilter/nf_conntrack_proto_{tcp,udp,gre,sctp,icmp,icmpv6,generic}.c of 2.6.9 to 7.3, choice
 * of the timeout in nf_conntrack_tcp_packet measured on 6.18.
 */
import { type FlowColumns, Has } from "./columns.ts";
import { isSince, type KernelRelease } from "./kernel-release.ts";
import { DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "./protocol.ts";
import { type SettingKey, settingOf, type Settings } from "./settings.ts";
import { DccpState, SctpState, TcpState } from "./state.ts";
import { Status } from "./status.ts";

/** Why an idle age is unknown; fixed names of the machine output. */
export const IDLE_UNKNOWN = [
  "no-timeout",
  "offloaded",
  "fixed-timeout",
  "longer-than-setting",
  "capped-or-expiring",
  "no-setting",
  "no-state",
  "own-timeout",
] as const;

export type IdleUnknown = (typeof IDLE_UNKNOWN)[number];

/** The reasons for people. */
export const idleUnknownText: Record<IdleUnknown, string> = {
  "no-timeout": "the source gives no remaining time",
  offloaded: "handled by a flow table, which keeps its own time",
  "fixed-timeout": "its timeout is fixed and no packet renews it",
  "longer-than-setting":
    "more time remains than the setting gives: the setting was lowered since, or the flow has its own",
  "capped-or-expiring": "either capped after a recent packet or near its end after a long silence",
  "no-setting": "the timeout that applies is not among the settings that could be read",
  "no-state": "the source gives no state, or one that has no timeout",
  "own-timeout": "its timeouts are kept in the flow itself and were not given",
};

/** What the idle age depends on besides the flow. */
export interface IdleContext {
  settings: Settings;
  /** Hints which rules this kernel has; without it every rule that may apply is considered. */
  release?: KernelRelease;
  /** Wall clock of the reading: lets the start stamp of a flow serve as a witness of its age. */
  nowMs?: number;
}

/** The code `secondsAt` and `fill` give for a reason: -1, -2 and so on. */
export function idleUnknownCode(why: IdleUnknown): number {
  return -1 - IDLE_UNKNOWN.indexOf(why);
}

/** The reason behind a negative result; undefined for a known idle age. */
export function idleUnknownReason(seconds: number): IdleUnknown | undefined {
  return seconds < 0 ? IDLE_UNKNOWN[-1 - seconds] : undefined;
}

const NO_TIMEOUT = idleUnknownCode("no-timeout");
const OFFLOADED = idleUnknownCode("offloaded");
const FIXED = idleUnknownCode("fixed-timeout");
const LONGER = idleUnknownCode("longer-than-setting");
const CAPPED = idleUnknownCode("capped-or-expiring");
const OWN_TIMEOUT = idleUnknownCode("own-timeout");

/** SYN_SENT2 has a timeout but no setting (2.6.31 and later). */
const SYN_SENT2_SECONDS = 120;
/** IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED in both flag bytes of tcpInfo. */
const UNACKNOWLEDGED_FLAGS = 0x1010;
/** What fits a signed word; no kernel takes a timeout as long. */
const LONGEST_SECONDS = 0x7fff_ffff;
/** How far wall clock and kernel time may disagree when the start of a flow is a witness, in seconds. */
const CLOCK_SLACK_SECONDS = 2;

/** What tells one condition of a flow from another. */
const CONVERSATION_BITS = Status.SEEN_REPLY | Status.ASSURED;
/** Stands for a row whose idle age the first loop of `fill` leaves to the second. */
const UNDECIDED = -0x8000_0000;
const SPECIAL_BITS = Status.OFFLOAD | Status.HW_OFFLOAD | Status.FIXED_TIMEOUT;
const OFFLOAD_BITS = Status.OFFLOAD | Status.HW_OFFLOAD;

/** Rows of the lookup: a protocol has 16 state slots (the last is "no state") of 8 status slots. */
const STATUS_SLOTS = 8;
const STATE_SLOTS = 16;
const STATELESS_SLOT = STATE_SLOTS - 1;
const PROTOCOL_SLOTS = STATE_SLOTS * STATUS_SLOTS;
/** Status slot of a row whose SEEN_REPLY and ASSURED are not known. */
const STATUS_UNKNOWN = 4;

/** The slot of a state, by its number; numbers beyond all slots share that of no state. */
const stateSlots = Uint8Array.from({ length: 256 }, (_, state) => Math.min(state, STATELESS_SLOT));

/** Protocols with rules of their own, by slot; slot 0 is every other protocol. */
const protocolSlots = [-1, TCP, UDP, UDPLITE, ICMP, ICMPV6, GRE, SCTP, DCCP];
const baseByProtocol = Uint16Array.from(
  { length: 256 },
  (_, protocol) => Math.max(0, protocolSlots.indexOf(protocol)) * PROTOCOL_SLOTS,
);

/**
 * Has.state, Has.status and Has.timeout as numbers of bits: the loop below computes with them instead of
 * branching.
 */
const STATE_BIT = Math.log2(Has.state);
const STATUS_BIT = Math.log2(Has.status);
const TIMEOUT_BIT = Math.log2(Has.timeout);

/** What is known of a flow's conversation; absent bits are unknown. */
export interface Conversation {
  /** The kernel's number; undefined when the protocol has none or the source did not tell. */
  state: number | undefined;
  seenReply?: boolean;
  assured?: boolean;
}

/** Candidates, longest first, or the reason why there are none. */
export type Candidates = readonly number[] | IdleUnknown;

/**
 * Idle ages under given settings. Make it once per reading; it allocates nothing per row. What a kind of flow
 * may have been given is worked out when the first of that kind comes.
 */
export class IdleLookup {
  readonly #context: IdleContext;
  readonly #unacknowledgedSeconds: number;
  /**
   * The plain case by regime: what remains is above `shorter` and not above `longest`, then the age is the
   * difference. A regime that has no plain case, or was not worked out yet, has -1 for both.
   */
  readonly #longest = new Int32Array(protocolSlots.length * PROTOCOL_SLOTS).fill(-1);
  readonly #shorter = new Int32Array(protocolSlots.length * PROTOCOL_SLOTS).fill(-1);
  readonly #candidates: (Candidates | undefined)[] = [];
  readonly #single = new Int32Array(1);

  constructor(context: IdleContext) {
    this.#context = context;
    this.#unacknowledgedSeconds =
      context.settings.nf_conntrack_tcp_timeout_unacknowledged ?? Number.POSITIVE_INFINITY;
  }

  /** The candidates of a regime; from now on its plain case is settled by the first loop of `fill`. */
  #learn(regime: number): Candidates {
    const protocol = protocolSlots[Math.floor(regime / PROTOCOL_SLOTS)] as number;
    const candidates = timeoutCandidates(this.#context, protocol, conversationOf(regime % PROTOCOL_SLOTS));
    this.#candidates[regime] = candidates;
    if (typeof candidates !== "string" && protocol !== GRE) {
      this.#longest[regime] = candidates[0] as number;
      this.#shorter[regime] = candidates[1] ?? -1;
    }
    return candidates;
  }

  /** Idle age of a row in seconds; negative: unknown, see idleUnknownReason. */
  secondsAt(columns: FlowColumns, row: number): number {
    this.fill(columns, row, row + 1, this.#single);
    return this.#single[0] as number;
  }

  /**
   * Idle ages of rows `from` up to, not including, `to`, into `into` from its beginning: seconds, or negative
   * where unknown (idleUnknownReason).
   *
   * The first loop settles the plain cases without a branch and without a call, which keeps the compiler's
   * checks out of it; the second decides the others.
   */
  fill(columns: FlowColumns, from: number, to: number, into: Int32Array): void {
    const { has, protocol, state, status, timeoutSeconds, knownStatus } = columns;
    const [longests, shorters] = [this.#longest, this.#shorter];
    const told = (knownStatus & CONVERSATION_BITS) === CONVERSATION_BITS ? 1 : 0;
    const special = knownStatus & SPECIAL_BITS;
    for (let row = from; row < to; row++) {
      const bits = has[row] as number;
      const hasStatus = (bits >>> STATUS_BIT) & 1;
      const hasState = (bits >>> STATE_BIT) & 1;
      const word = (status[row] as number) & -hasStatus;
      const slot =
        STATELESS_SLOT + ((stateSlots[state[row] as number] as number) - STATELESS_SLOT) * hasState;
      const known = hasStatus & told;
      const conversation = STATUS_UNKNOWN + (((word & CONVERSATION_BITS) >>> 1) - STATUS_UNKNOWN) * known;
      const regime = (baseByProtocol[protocol[row] as number] as number) + slot * STATUS_SLOTS + conversation;
      const remaining = (timeoutSeconds[row] as number) | 0;
      const longest = longests[regime] as number;
      // Signs of what must not be negative: remaining itself, and its distances to the candidates around it.
      const outside = remaining | (longest - remaining) | (remaining - 1 - (shorters[regime] as number));
      const usual = ((word & special) === 0 ? 1 : 0) & (bits >>> TIMEOUT_BIT);
      const plain = usual & (~outside >>> 31);
      // More remains than the longest candidate there is.
      const longer = usual & ((longest - remaining) >>> 31) & (~longest >>> 31);
      const idle = ((longest - remaining) & -plain) | (LONGER & -longer);
      into[row - from] = idle | (UNDECIDED & ((plain | longer) - 1));
    }
    for (let index = 0; index < to - from; index++) {
      if (into[index] === UNDECIDED) into[index] = this.#decide(columns, from + index);
    }
  }

  /** The cases that are not plain. */
  #decide(columns: FlowColumns, row: number): number {
    const has = columns.has[row] as number;
    const status = has & Has.status ? (columns.status[row] as number) & columns.knownStatus : 0;
    if (status & OFFLOAD_BITS) return OFFLOADED;
    if ((has & Has.timeout) === 0) return NO_TIMEOUT;
    if (status & Status.FIXED_TIMEOUT) return FIXED;
    const regime = this.#regimeAt(columns, row);
    const candidates = this.#candidates[regime] ?? this.#learn(regime);
    if (columns.protocol[row] === GRE) return greSecondsAt(columns, row, candidates);
    if (typeof candidates === "string") return idleUnknownCode(candidates);
    const remaining = columns.timeoutSeconds[row] as number;
    const [longest = 0, shorter = -1] = candidates;
    if (remaining > longest) return LONGER;
    if (remaining > shorter) return longest - remaining;
    return this.#askWitnesses(columns, row, candidates);
  }

  /** The row of the lookup: as the loop of `fill` computes it. */
  #regimeAt(columns: FlowColumns, row: number): number {
    const has = columns.has[row] as number;
    const slot = has & Has.state ? (stateSlots[columns.state[row] as number] as number) : STATELESS_SLOT;
    const told = has & Has.status && (columns.knownStatus & CONVERSATION_BITS) === CONVERSATION_BITS;
    const conversation = told ? ((columns.status[row] as number) & CONVERSATION_BITS) >>> 1 : STATUS_UNKNOWN;
    const base = baseByProtocol[columns.protocol[row] as number] as number;
    return base + slot * STATUS_SLOTS + conversation;
  }

  /** Several candidates are long enough: the one that the witnesses leave, if it is one. */
  #askWitnesses(columns: FlowColumns, row: number, candidates: readonly number[]): number {
    const remaining = columns.timeoutSeconds[row] as number;
    const oldest = this.#ageAt(columns, row) + CLOCK_SLACK_SECONDS;
    let found = CAPPED;
    for (
      let index = this.#capWasNeeded(columns, row, candidates) ? 1 : 0;
      index < candidates.length;
      index++
    ) {
      const idle = (candidates[index] as number) - remaining;
      if (idle < 0) break;
      if (idle > oldest) continue;
      if (found >= 0) return CAPPED;
      found = idle;
    }
    return found;
  }

  /** Data waits for its acknowledgement: the last refresh cannot have given more than the cap for that. */
  #capWasNeeded(columns: FlowColumns, row: number, candidates: readonly number[]): boolean {
    const told = ((columns.has[row] as number) & Has.tcpInfo) !== 0 && columns.protocol[row] === TCP;
    const waits = told && ((columns.tcpInfo[row] as number) & UNACKNOWLEDGED_FLAGS) !== 0;
    return waits && (candidates[0] as number) > this.#unacknowledgedSeconds;
  }

  /** Seconds since the flow was made; Infinity when nothing tells. */
  #ageAt(columns: FlowColumns, row: number): number {
    const has = columns.has[row] as number;
    if (has & Has.age) return columns.ageSeconds[row] as number;
    const { nowMs } = this.#context;
    if (has & Has.startedAt && nowMs !== undefined) {
      return Math.max(0, (nowMs - (columns.startedAtMs[row] as number)) / 1000);
    }
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * GRE copies its two timeouts into the flow when it is made. Text prints them: exact whatever the settings
 * are. Netlink does not: then the settings must serve, except for flows the PPTP helper expected (they have
 * call ids as keys), to which it gives ten minutes and five hours.
 */
function greSecondsAt(columns: FlowColumns, row: number, candidates: Candidates): number {
  const has = columns.has[row] as number;
  const status = has & Has.status ? (columns.status[row] as number) & columns.knownStatus : 0;
  const remaining = columns.timeoutSeconds[row] as number;
  if (has & Has.greTimeouts) {
    if ((has & Has.status) === 0 || (columns.knownStatus & Status.ASSURED) === 0) return CAPPED;
    const own =
      status & Status.ASSURED ? columns.greStreamTimeoutSeconds[row] : columns.greTimeoutSeconds[row];
    return remaining > (own as number) ? LONGER : (own as number) - remaining;
  }
  const keys =
    (columns.originalSourceDiscriminator[row] as number) |
    (columns.originalDestinationDiscriminator[row] as number);
  if (keys !== 0 || status & Status.EXPECTED) return OWN_TIMEOUT;
  if (typeof candidates === "string") return idleUnknownCode(candidates);
  const [longest = 0, shorter = -1] = candidates;
  if (remaining > longest) return LONGER;
  return remaining > shorter ? longest - remaining : CAPPED;
}

/** Regimes a flow can be in: what `regimesOf` gives is below this. */
export const IDLE_REGIMES = protocolSlots.length * PROTOCOL_SLOTS;

/**
 * The regimes of rows `from` up to, not including, `to`, into `into` from its beginning: flows of one regime
 * (protocol, state, answered, assured) may have been given the same timeouts. As the loop of `fill` does.
 */
export function fillRegimes(columns: FlowColumns, from: number, to: number, into: Uint16Array): void {
  const { has, protocol, state, status, knownStatus } = columns;
  const told = (knownStatus & CONVERSATION_BITS) === CONVERSATION_BITS ? 1 : 0;
  for (let row = from; row < to; row++) {
    const bits = has[row] as number;
    const hasState = (bits >>> STATE_BIT) & 1;
    const slot = STATELESS_SLOT + ((stateSlots[state[row] as number] as number) - STATELESS_SLOT) * hasState;
    const known = (bits >>> STATUS_BIT) & told;
    const word = ((status[row] as number) & CONVERSATION_BITS) >>> 1;
    const conversation = STATUS_UNKNOWN + (word - STATUS_UNKNOWN) * known;
    into[row - from] =
      (baseByProtocol[protocol[row] as number] as number) + slot * STATUS_SLOTS + conversation;
  }
}

/** What flows of a regime have in common; `protocol` is -1 for all that have no rules of their own. */
export function regimeFacts(regime: number): { protocol: number; flow: Conversation } {
  const protocol = protocolSlots[Math.floor(regime / PROTOCOL_SLOTS)] as number;
  return { protocol, flow: conversationOf(regime % PROTOCOL_SLOTS) };
}

function conversationOf(slot: number): Conversation {
  const stateSlot = Math.floor(slot / STATUS_SLOTS);
  const status = slot % STATUS_SLOTS;
  const state = stateSlot === STATELESS_SLOT ? undefined : stateSlot;
  if (status >= STATUS_UNKNOWN) return { state };
  return { state, seenReply: (status & 1) !== 0, assured: (status & 2) !== 0 };
}

/**
 * The timeouts a flow may have been given by its last refresh, longest first, or why they cannot be told.
 * `protocol` is a number; -1 stands for any that has no rules of its own.
 */
export function timeoutCandidates(context: IdleContext, protocol: number, flow: Conversation): Candidates {
  switch (protocol) {
    case TCP:
      return tcpCandidates(context, flow);
    case UDP:
      return udpCandidates(context, flow);
    case UDPLITE:
      return udpliteCandidates(context, flow);
    case ICMP:
      return listOf(context, "nf_conntrack_icmp_timeout");
    case ICMPV6:
      return listOf(context, "nf_conntrack_icmpv6_timeout");
    case GRE:
      return twoWay(context, flow, "nf_conntrack_gre_timeout", "nf_conntrack_gre_timeout_stream");
    case SCTP:
      return byState(context, sctpKeys, flow.state, "nf_conntrack_sctp_timeout_established");
    case DCCP:
      return byState(context, dccpKeys, flow.state, "nf_conntrack_dccp_timeout_open");
    default:
      return listOf(context, "nf_conntrack_generic_timeout");
  }
}

const tcpKeys: { readonly [state: number]: SettingKey } = {
  [TcpState.SYN_SENT]: "nf_conntrack_tcp_timeout_syn_sent",
  [TcpState.SYN_RECV]: "nf_conntrack_tcp_timeout_syn_recv",
  [TcpState.ESTABLISHED]: "nf_conntrack_tcp_timeout_established",
  [TcpState.FIN_WAIT]: "nf_conntrack_tcp_timeout_fin_wait",
  [TcpState.CLOSE_WAIT]: "nf_conntrack_tcp_timeout_close_wait",
  [TcpState.LAST_ACK]: "nf_conntrack_tcp_timeout_last_ack",
  [TcpState.TIME_WAIT]: "nf_conntrack_tcp_timeout_time_wait",
  [TcpState.CLOSE]: "nf_conntrack_tcp_timeout_close",
  // A flow that became SYN_SENT2 by its first answer still runs on the timeout of SYN_SENT.
  [TcpState.SYN_SENT2]: "nf_conntrack_tcp_timeout_syn_sent",
};

const sctpKeys: { readonly [state: number]: SettingKey } = {
  [SctpState.CLOSED]: "nf_conntrack_sctp_timeout_closed",
  [SctpState.COOKIE_WAIT]: "nf_conntrack_sctp_timeout_cookie_wait",
  [SctpState.COOKIE_ECHOED]: "nf_conntrack_sctp_timeout_cookie_echoed",
  [SctpState.ESTABLISHED]: "nf_conntrack_sctp_timeout_established",
  [SctpState.SHUTDOWN_SENT]: "nf_conntrack_sctp_timeout_shutdown_sent",
  [SctpState.SHUTDOWN_RECD]: "nf_conntrack_sctp_timeout_shutdown_recd",
  [SctpState.SHUTDOWN_ACK_SENT]: "nf_conntrack_sctp_timeout_shutdown_ack_sent",
  [SctpState.HEARTBEAT_SENT]: "nf_conntrack_sctp_timeout_heartbeat_sent",
  [SctpState.HEARTBEAT_ACKED]: "nf_conntrack_sctp_timeout_heartbeat_acked",
};

const dccpKeys: { readonly [state: number]: SettingKey } = {
  [DccpState.REQUEST]: "nf_conntrack_dccp_timeout_request",
  [DccpState.RESPOND]: "nf_conntrack_dccp_timeout_respond",
  [DccpState.PARTOPEN]: "nf_conntrack_dccp_timeout_partopen",
  [DccpState.OPEN]: "nf_conntrack_dccp_timeout_open",
  [DccpState.CLOSEREQ]: "nf_conntrack_dccp_timeout_closereq",
  [DccpState.CLOSING]: "nf_conntrack_dccp_timeout_closing",
  [DccpState.TIMEWAIT]: "nf_conntrack_dccp_timeout_timewait",
};

/**
 * TCP: the state's own timeout, and the caps that the kernel puts on it. First match wins there
 * (retransmission, RST, unacknowledged data, zero window, own timeout), but which one matched is not to be
 * seen afterwards.
 */
function tcpCandidates(context: IdleContext, flow: Conversation): Candidates {
  if (flow.state === undefined || tcpKeys[flow.state] === undefined) return "no-state";
  const own = valueOf(context, tcpKeys[flow.state] as SettingKey);
  if (own === undefined) return "no-setting";
  const longest = flow.state === TcpState.SYN_SENT2 ? Math.max(own, SYN_SENT2_SECONDS) : own;
  const { settings } = context;
  const retransmitted = settings.nf_conntrack_tcp_timeout_max_retrans;
  const unacknowledged = settings.nf_conntrack_tcp_timeout_unacknowledged;
  const caps = [retransmitted, unacknowledged];
  if (flow.state === TcpState.SYN_SENT2) caps.push(own, SYN_SENT2_SECONDS);
  // A RST that is accepted without closing the flow (5.1 and later) leaves it the timeout of CLOSE; without
  // an answer it would have removed the flow.
  if (flow.state === TcpState.ESTABLISHED && flow.seenReply !== false)
    caps.push(settings.nf_conntrack_tcp_timeout_close);
  const most = certainCap(context, flow, longest);
  return longestFirst([most, ...caps.filter((cap) => cap !== undefined).filter((cap) => cap < most)]);
}

/** The longest a TCP flow can have been given, after the caps that always apply in its condition. */
function certainCap(context: IdleContext, flow: Conversation, seconds: number): number {
  const { settings, release } = context;
  const retransmitted = settings.nf_conntrack_tcp_timeout_max_retrans ?? Number.POSITIVE_INFINITY;
  const unacknowledged = settings.nf_conntrack_tcp_timeout_unacknowledged ?? Number.POSITIVE_INFINITY;
  // With max_retrans 0 every packet counts as retransmitted too often.
  if (settings.nf_conntrack_tcp_max_retrans === 0) return Math.min(seconds, retransmitted);
  if (release === undefined) return seconds;
  const { state, seenReply, assured } = flow;
  // The last window is 0 until the first ACK, and a zero window caps (4.19 and later). An assured flow may
  // have come back to SYN_RECV with a window it had before.
  const opening = state === TcpState.SYN_SENT || state === TcpState.SYN_RECV || state === TcpState.SYN_SENT2;
  if (opening && assured === false && isSince(release, "4.19")) return Math.min(seconds, retransmitted);
  // Picked up in mid-stream and not answered yet (3.14 and later).
  if (state === TcpState.ESTABLISHED && seenReply === false && isSince(release, "3.14")) {
    return Math.min(seconds, unacknowledged);
  }
  return seconds;
}

/**
 * UDP: one timeout until the flow is a stream, another after. From 5.0 a flow is a stream only when it is
 * answered and more than two seconds old; ASSURED came with the first packet after the answer until it was
 * tied to the stream in 5.16 (and in the long-term releases 5.4, 5.10, 5.15, which the release number does
 * not tell).
 */
function udpCandidates(context: IdleContext, flow: Conversation): Candidates {
  const { release } = context;
  const tied = release !== undefined && (isSince(release, "5.16") || !isSince(release, "5.0"));
  if (flow.assured === true && !tied)
    return both(context, "nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream");
  return twoWay(context, flow, "nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream");
}

/** UDP-Lite used settings of its own until 4.14, then those of UDP; it never had the two-second rule. */
function udpliteCandidates(context: IdleContext, flow: Conversation): Candidates {
  if (context.settings.nf_conntrack_udplite_timeout !== undefined) {
    return twoWay(context, flow, "nf_conntrack_udplite_timeout", "nf_conntrack_udplite_timeout_stream");
  }
  return twoWay(context, flow, "nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream");
}

/** ASSURED tells which of two timeouts was given last. */
function twoWay(
  context: IdleContext,
  flow: Conversation,
  single: SettingKey,
  stream: SettingKey,
): Candidates {
  if (flow.assured === undefined) return both(context, single, stream);
  return listOf(context, flow.assured ? stream : single);
}

function both(context: IdleContext, single: SettingKey, stream: SettingKey): Candidates {
  const values = [valueOf(context, single), valueOf(context, stream)].filter((value) => value !== undefined);
  return values.length < 2 ? "no-setting" : longestFirst(values);
}

/**
 * SCTP and DCCP. A kernel without their tracker (their settings are absent then) treats them as any other
 * protocol.
 */
function byState(
  context: IdleContext,
  keys: { readonly [state: number]: SettingKey },
  state: number | undefined,
  witness: SettingKey,
): Candidates {
  if (state === undefined && context.settings[witness] === undefined) {
    return listOf(context, "nf_conntrack_generic_timeout");
  }
  const key = state === undefined ? undefined : keys[state];
  return key === undefined ? "no-state" : listOf(context, key);
}

function listOf(context: IdleContext, key: SettingKey): Candidates {
  const value = valueOf(context, key);
  return value === undefined ? "no-setting" : [value];
}

function longestFirst(values: readonly number[]): number[] {
  return [...new Set(values)].sort((left, right) => right - left);
}

/** A timeout in force: the setting, or the constant of kernels in which it was not yet a setting. */
function valueOf(context: IdleContext, key: SettingKey): number | undefined {
  const value = context.settings[key];
  // No kernel takes more; a file that says so must not make an age that does not fit.
  if (value !== undefined) return Math.min(value, LONGEST_SECONDS);
  if (context.release === undefined) return undefined;
  const setting = settingOf(key);
  return isSince(context.release, setting.since) ? undefined : setting.defaults?.[0]?.value;
}

/**
 * TCP's part of the tracker: which packets may begin a flow, which state follows on a packet, and for how
 * long the flow is kept. It keeps all it knows in the words of the flow (flow-rows.ts), and holds nothing
 * else from one packet to the next.
 *
 * It looks at flags, numbers and options only. Broken headers and checksums, the lookup of the flow, its
 * SEEN_REPLY, expiry and counters are the tracker's; the one exception is EXPIRES, which an INVALID packet
 * can shorten (noteMisplacedClose).
 *
 * Read first: tcp-automaton.ts (the states), then tcp-window.ts and tcp-reset.ts. Facts are those of
 * net/netfilter/nf_conntrack_proto_tcp.c, measured on the kernels that generation.ts names.
 */
import type { PacketColumns } from "../packet/packet.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Answer } from "./answer.ts";
import { Flow, FlowByte, type FlowRows } from "./flow-rows.ts";
import type { KernelRules } from "./generation.ts";
import { IGNORED, nextState, REFUSED, tcpKind, TcpKind } from "./tcp-automaton.ts";
import { judgeReset, noteMisplacedClose, Reset } from "./tcp-reset.ts";
import { SideFlag, TcpSegment } from "./tcp-segment.ts";
import type { TcpSettings } from "./tcp-settings.ts";
import { NOT_USUAL, passUsual } from "./tcp-usual.ts";
import { beginFlow, passWindow, Window } from "./tcp-window.ts";

export { tcpSettingsOf, type TcpSettings } from "./tcp-settings.ts";

/** Added to a state that follows whatever the windows say. */
const WITHOUT_WINDOW = 0x10;

/** Filled anew for every packet. */
const current = new TcpSegment();

/** Whether TCP's flag byte is one that packets have; INVALID otherwise, whatever the flow. */
export function tcpFlagsAreValid(flags: number): boolean {
  return tcpKind(flags) !== TcpKind.INVALID;
}

/**
 * Whether a packet that belongs to no flow may begin one; notes in the new flow what it says of its sender.
 * The flow's words must be zero. `tcpPacket` is asked for the same packet next, and sets the first state.
 */
export function tcpNew(
  rows: FlowRows,
  flow: number,
  batch: PacketColumns,
  row: number,
  settings: TcpSettings,
): boolean {
  const kind = tcpKind(batch.tcpFlags[row] as number);
  if (kind === TcpKind.INVALID) return false;
  const next = nextState(0, kind, TcpState.NONE);
  if (next >= IGNORED) return false;
  if (next !== TcpState.SYN_SENT && !settings.loose) return false;
  current.read(rows, flow, 0, batch, row);
  beginFlow(current);
  return true;
}

/**
 * What becomes of a packet of a flow, in direction 0 (original) or 1 (reply), at a time in jiffies: an
 * `Answer`.
 */
// oxlint-disable-next-line max-params -- asked for every packet: an object of them would have to be made
export function tcpPacket(
  rows: FlowRows,
  flow: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  nowJiffies: number,
  settings: TcpSettings,
  rules: KernelRules,
): number {
  const usual = passUsual(rows, flow, direction, batch, row, settings);
  if (usual !== NOT_USUAL) return usual;
  const kind = tcpKind(batch.tcpFlags[row] as number);
  if (kind === TcpKind.INVALID) return Answer.INVALID;
  const segment = current;
  segment.read(rows, flow, direction, batch, row);
  segment.kind = kind;
  const { state } = segment;
  let next = nextState(direction, kind, state);
  if (next !== TcpState.ESTABLISHED) {
    next = decide(segment, next, settings, rules);
    if (next < 0) return next;
  }
  if (next < WITHOUT_WINDOW) {
    const window = passWindow(segment, settings, rules);
    if (window === Window.IGNORED) return Answer.ACCEPT;
    if (window === Window.INVALID) {
      if (rules.closingOutOfWindowShortens) noteMisplacedClose(segment, nowJiffies, settings);
      return Answer.INVALID;
    }
  }
  next &= ~WITHOUT_WINDOW;
  segment.noteKind();
  rows.bytes[segment.byte + FlowByte.STATE] = next;
  if (next === TcpState.FIN_WAIT && state !== next) {
    rows.bytes[segment.senderFlags] = (rows.bytes[segment.senderFlags] as number) | SideFlag.CLOSE_INIT;
  }
  return settle(segment, state, next, settings, rules);
}

/**
 * What the automaton's cell means for this packet: the state that follows (WITHOUT_WINDOW added when the
 * windows are not asked), or an Answer.
 */
function decide(segment: TcpSegment, next: number, settings: TcpSettings, rules: KernelRules): number {
  switch (next) {
    case REFUSED:
      return Answer.INVALID;
    case IGNORED:
      return ignore(segment, rules);
    case TcpState.SYN_SENT:
      if (segment.state < TcpState.TIME_WAIT) return next;
      return mayReopen(segment) ? Answer.REOPEN : ignore(segment, rules);
    case TcpState.SYN_SENT2:
      segment.setLastFlag(SideFlag.SIMULTANEOUS_OPEN);
      return next;
    case TcpState.SYN_RECV: {
      const opened = segment.direction === 1 && segment.kind === TcpKind.ACK;
      return opened && (segment.lastFlags & SideFlag.SIMULTANEOUS_OPEN) !== 0 ? TcpState.ESTABLISHED : next;
    }
    case TcpState.TIME_WAIT:
      return isChallenge(segment) ? Answer.ACCEPT : next;
    case TcpState.CLOSE:
      return segment.kind === TcpKind.RST ? reset(segment, settings, rules) : next;
    default:
      return next;
  }
}

/** The state that follows on a RST, or INVALID. */
function reset(segment: TcpSegment, settings: TcpSettings, rules: KernelRules): number {
  const judged = judgeReset(segment, settings, rules);
  if (judged === Reset.INVALID) return Answer.INVALID;
  const next = (judged & Reset.DOUBTED) === 0 ? TcpState.CLOSE : segment.state;
  return (judged & Reset.BELIEVED) === 0 ? next : next | WITHOUT_WINDOW;
}

/** Whether a SYN into a flow that is over begins a new one: somebody closed it, or this side reset it. */
function mayReopen(segment: TcpSegment): boolean {
  const flags =
    (segment.bytes[segment.senderFlags] as number) | (segment.bytes[segment.receiverFlags] as number);
  if ((flags & SideFlag.CLOSE_INIT) !== 0) return true;
  return segment.lastKind === TcpKind.RST && segment.lastDirection === segment.direction;
}

/**
 * A packet that does not fit the state is let by, because the tracker may be the one who is wrong: the answer
 * to it will tell. So it is noted; and when a SYN/ACK does answer a SYN that was noted, both begin anew.
 */
function ignore(segment: TcpSegment, rules: KernelRules): number {
  const { kind, direction, state } = segment;
  if (
    kind === TcpKind.SYN_ACK &&
    segment.lastKind === TcpKind.SYN &&
    segment.lastDirection !== direction &&
    segment.lastEnd === segment.ack
  ) {
    segment.restart();
    return TcpState.SYN_RECV;
  }
  segment.noteKind();
  segment.noteNumbers();
  if (kind === TcpKind.SYN && direction === 0) {
    segment.noteOffer();
    if (state === TcpState.LAST_ACK) segment.setLastFlag(SideFlag.CHALLENGE_EXPECTED);
  }
  if (rules.challengeInSynSent && kind === TcpKind.ACK && direction === 1 && state === TcpState.SYN_SENT) {
    segment.noteAck();
  }
  return Answer.ACCEPT;
}

/** Whether an ACK in LAST_ACK answers a SYN that was let by, and not the last FIN; only once. */
function isChallenge(segment: TcpSegment): boolean {
  if (
    segment.state !== TcpState.LAST_ACK ||
    segment.kind !== TcpKind.ACK ||
    segment.lastKind !== TcpKind.SYN ||
    segment.lastDirection === segment.direction ||
    (segment.lastFlags & SideFlag.CHALLENGE_EXPECTED) === 0
  ) {
    return false;
  }
  segment.clearLastFlag(SideFlag.CHALLENGE_EXPECTED);
  return true;
}

/** How long a flow is kept after an accepted packet that led from `state` to `next`. */
function settle(
  segment: TcpSegment,
  state: number,
  next: number,
  settings: TcpSettings,
  rules: KernelRules,
): number {
  const timeout = timeoutOf(segment, next, settings, rules);
  const { words, word, kind } = segment;
  const status = words[word + Flow.STATUS] as number;
  if ((status & Status.SEEN_REPLY) === 0) {
    if (kind === TcpKind.RST) return Answer.ACCEPT_AND_REMOVE;
    if (kind === TcpKind.SYN && state === TcpState.SYN_SENT && !rules.repeatedSynRenews) return Answer.ACCEPT;
    // Picked up in mid-stream; a flow that nobody answers is not worth five days.
    if (next === TcpState.ESTABLISHED) return Math.min(timeout, settings.unacknowledgedTimeout);
    return timeout;
  }
  if (next === TcpState.ESTABLISHED && (status & Status.ASSURED) === 0) {
    if (state === TcpState.SYN_RECV || state === TcpState.ESTABLISHED) {
      words[word + Flow.STATUS] = status | Status.ASSURED;
    }
  }
  return timeout;
}

/** The timeout of a state, or the shorter one that the last packets call for. */
function timeoutOf(segment: TcpSegment, next: number, settings: TcpSettings, rules: KernelRules): number {
  const { bytes } = segment;
  const timeout = settings.timeouts[next] as number;
  const repeats = bytes[segment.byte + FlowByte.RETRANSMISSIONS] as number;
  if (repeats >= settings.maxRetransmissions && timeout > settings.retransmissionTimeout) {
    return settings.retransmissionTimeout;
  }
  const isReset = segment.kind === TcpKind.RST;
  if (isReset && !rules.resetKeepsUnacknowledged) return settings.timeouts[TcpState.CLOSE] as number;
  const flags = (bytes[segment.senderFlags] as number) | (bytes[segment.receiverFlags] as number);
  const waits = (flags & SideFlag.DATA_UNACKNOWLEDGED) !== 0 || (isReset && next === TcpState.ESTABLISHED);
  if (waits && timeout > settings.unacknowledgedTimeout) return settings.unacknowledgedTimeout;
  if (segment.lastWindow === 0 && timeout > settings.retransmissionTimeout) {
    return settings.retransmissionTimeout;
  }
  return timeout;
}

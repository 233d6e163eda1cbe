/**
 * TCP's window tracking: whether a packet lies within what the other side has allowed, and what it changes.
 * Sequence numbers are compared by the sign of their difference (RFC 1982); window sizes are unsigned.
 *
 * After Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001), as 6.18 behaves:
 *   I    the packet begins at or before what the receiver allowed;
 *   II   it ends no further than the receiver's largest window before what the sender had sent;
 *   III  it acknowledges nothing that was not sent;
 *   IV   what it acknowledges is not too old.
 */
import { TcpFlag } from "../packet/packet.ts";
import { TcpState } from "../table/state.ts";
import { Flow, FlowByte } from "./flow-rows.ts";
import type { KernelRules } from "./generation.ts";
import { TcpKind } from "./tcp-automaton.ts";
import { ACK_WINDOW_MIN, scaleOf, setScale, SideFlag, type TcpSegment } from "./tcp-segment.ts";
import type { TcpSettings } from "./tcp-settings.ts";

/** What the windows say of a packet. */
export const Window = {
  ACCEPTED: 0,
  /** Let by without any effect on timeout and counters. */
  IGNORED: 1,
  INVALID: 2,
} as const;

/** The first packet of a flow: what it says of its sender. `segment.direction` is 0. */
export function beginFlow(segment: TcpSegment): void {
  const { words, bytes, sender } = segment;
  words[sender + Flow.END] = segment.end;
  words[sender + Flow.MAX_WINDOW] = Math.max(segment.window, 1);
  if ((segment.flags & TcpFlag.SYN) !== 0) {
    words[sender + Flow.MAX_END] = segment.end;
    bytes[segment.senderFlags] = segment.offer;
    setScale(segment, segment.senderFlags, segment.offeredScale);
    return;
  }
  // Picked up in mid-stream: what was agreed before is unknown, so nothing is held against either side.
  words[sender + Flow.MAX_END] = segment.end + Math.max(segment.window, 1);
  bytes[segment.senderFlags] = SideFlag.SACK_PERMITTED | SideFlag.BE_LIBERAL;
  bytes[segment.receiverFlags] = SideFlag.SACK_PERMITTED | SideFlag.BE_LIBERAL;
}

/** Judges a packet by the windows of its flow, and changes them by it: one of `Window`. */
export function passWindow(segment: TcpSegment, settings: TcpSettings, rules: KernelRules): number {
  const { words, bytes, flags } = segment;
  // Selective acknowledgments count when the receiver permitted them.
  if (((bytes[segment.receiverFlags] as number) & SideFlag.SACK_PERMITTED) === 0) segment.sack = segment.ack;
  if (words[segment.sender + Flow.MAX_WINDOW] === 0) {
    if ((flags & TcpFlag.SYN) === 0) {
      joinInMidStream(segment);
    } else {
      beginSide(segment);
      agreeOnScale(segment);
      // The second SYN of a simultaneous open.
      if ((flags & TcpFlag.ACK) === 0) return Window.ACCEPTED;
    }
  } else if (beginsAnew(segment, rules)) {
    beginSide(segment);
    if (rules.onlySynBeginsAnew) {
      agreeOnScale(segment);
      if (segment.direction === 1 && (flags & TcpFlag.ACK) === 0) return Window.ACCEPTED;
    }
  }
  if ((flags & (TcpFlag.ACK | TcpFlag.RST)) !== TcpFlag.ACK) completeNumbers(segment);
  const receiverEnd = words[segment.receiver + Flow.END] as number;
  const senderEnd = words[segment.sender + Flow.END] as number;
  const receiverWindow = words[segment.receiver + Flow.MAX_WINDOW] as number;
  if (
    (((words[segment.sender + Flow.MAX_END] as number) - segment.sequence) | 0) < 0 ||
    (receiverWindow !== 0 && ((segment.end - senderEnd + receiverWindow) | 0) < 0) ||
    ((receiverEnd - segment.sack) | 0) < 0 ||
    ((segment.sack - receiverEnd + ackWindow(segment)) | 0) < 0
  ) {
    return judgeOutside(segment, settings, rules);
  }
  moveWindows(segment, senderEnd, receiverEnd);
  if (segment.kind === TcpKind.ACK) countRepeats(segment);
  return Window.ACCEPTED;
}

/** The least an acknowledgment may lie back: what the sender's window says, but not less than is usual. */
function ackWindow(segment: TcpSegment): number {
  return Math.max((segment.words[segment.sender + Flow.MAX_WINDOW] as number) >>> 0, ACK_WINDOW_MIN);
}

/** The sender's first SYN, or one that stands for it. */
function beginSide(segment: TcpSegment): void {
  const { words, bytes, sender, senderFlags } = segment;
  words[sender + Flow.END] = segment.end;
  words[sender + Flow.MAX_END] = segment.end;
  words[sender + Flow.MAX_WINDOW] = Math.max(segment.window, 1);
  // Without any options, what was offered before stays.
  if (segment.options !== 0) {
    bytes[senderFlags] = segment.offer | ((bytes[senderFlags] as number) & SideFlag.BE_LIBERAL);
    setScale(segment, senderFlags, segment.offeredScale);
  }
}

/** Windows are scaled only when both sides offered it (RFC 7323, section 2.2). */
function agreeOnScale(segment: TcpSegment): void {
  const { bytes, senderFlags, receiverFlags } = segment;
  if (segment.direction === 0) return;
  if (((bytes[senderFlags] as number) & (bytes[receiverFlags] as number) & SideFlag.WINDOW_SCALE) === 0) {
    setScale(segment, senderFlags, 0);
    setScale(segment, receiverFlags, 0);
  }
}

/** The first packet this way is none that opens a flow: its history is lost. */
function joinInMidStream(segment: TcpSegment): void {
  const { words, sender, receiver } = segment;
  const window = Math.max(segment.window << scaleOf(segment, segment.senderFlags), 1);
  words[sender + Flow.END] = segment.end;
  words[sender + Flow.MAX_WINDOW] = window;
  words[sender + Flow.MAX_END] = segment.end + window;
  if (words[receiver + Flow.MAX_WINDOW] === 0) {
    words[receiver + Flow.END] = segment.sack;
    words[receiver + Flow.MAX_END] = segment.sack;
  } else if (segment.sack === (((words[receiver + Flow.END] as number) + 1) | 0)) {
    // It answers a keepalive, which was sent one below.
    words[receiver + Flow.END] = segment.sack;
  }
}

/** Whether a packet of the handshake comes again with other numbers, and replaces what its sender said. */
function beginsAnew(segment: TcpSegment, rules: KernelRules): boolean {
  const { state } = segment;
  if (state !== TcpState.SYN_SENT && state !== TcpState.SYN_RECV) return false;
  if ((((segment.words[segment.sender + Flow.END] as number) - segment.end) | 0) >= 0) return false;
  if (rules.onlySynBeginsAnew) return (segment.flags & TcpFlag.SYN) !== 0;
  return (state === TcpState.SYN_SENT ? 0 : 1) === segment.direction;
}

/** Numbers that a packet without ACK, or a RST, leaves out. */
function completeNumbers(segment: TcpSegment): void {
  const reset = (segment.flags & TcpFlag.RST) !== 0;
  // Broken stacks set ACK in a RST that acknowledges nothing.
  if ((segment.flags & TcpFlag.ACK) === 0 || segment.ack === 0) {
    segment.ack = segment.words[segment.receiver + Flow.END] as number;
    segment.sack = segment.ack;
  }
  if (reset && segment.sequence === 0 && segment.state === TcpState.SYN_SENT) {
    segment.sequence = segment.words[segment.sender + Flow.END] as number;
    segment.end = segment.sequence;
  }
}

/** A packet that breaks one of the four rules. */
function judgeOutside(segment: TcpSegment, settings: TcpSettings, rules: KernelRules): number {
  const { words, bytes, sender, receiver } = segment;
  const senderEnd = words[sender + Flow.END] as number;
  const receiverEnd = words[receiver + Flow.END] as number;
  const receiverWindow = (words[receiver + Flow.MAX_WINDOW] as number) >>> 0;
  const beyond = (segment.end - (words[sender + Flow.MAX_END] as number) + 1) >>> 0;
  const liberal = settings.beLiberal || ((bytes[segment.senderFlags] as number) & SideFlag.BE_LIBERAL) !== 0;
  const inReceiveWindow = ((segment.end - senderEnd + receiverWindow) | 0) >= 0;
  const acknowledgesUnsent = ((receiverEnd - segment.sack) | 0) < 0;
  const acknowledgesOld = ((segment.sack - receiverEnd + ackWindow(segment)) | 0) < 0;
  if ((((words[sender + Flow.MAX_END] as number) - segment.sequence) | 0) < 0) {
    const overshoots =
      rules.smallOvershootPasses && inReceiveWindow && !acknowledgesUnsent && !acknowledgesOld;
    if (overshoots && receiverWindow !== 0 && beyond <= receiverWindow) {
      // The receiver may take and acknowledge it; that acknowledgment must not be too high then.
      words[sender + Flow.END] = segment.end;
      bytes[segment.senderFlags] = (bytes[segment.senderFlags] as number) | SideFlag.DATA_UNACKNOWLEDGED;
      return liberal ? Window.ACCEPTED : Window.IGNORED;
    }
    return liberal ? Window.ACCEPTED : Window.INVALID;
  }
  if (liberal) return Window.ACCEPTED;
  if (!rules.oldSegmentsPass) return Window.INVALID;
  return acknowledgesUnsent ? Window.INVALID : Window.IGNORED;
}

/** What an accepted packet tells of both sides. */
function moveWindows(segment: TcpSegment, senderEnd: number, receiverEnd: number): void {
  const { words, bytes, sender, receiver, senderFlags, end, ack, sack } = segment;
  let flags = bytes[senderFlags] as number;
  // The window of a SYN is never scaled.
  const scale = (segment.flags & TcpFlag.SYN) === 0 ? scaleOf(segment, senderFlags) : 0;
  const window = segment.window << scale;
  const offered = (window + sack - ack) >>> 0;
  if (offered > (words[sender + Flow.MAX_WINDOW] as number) >>> 0) words[sender + Flow.MAX_WINDOW] = offered;
  if (((senderEnd - end) | 0) < 0) {
    words[sender + Flow.END] = end;
    flags |= SideFlag.DATA_UNACKNOWLEDGED;
  }
  if ((segment.flags & TcpFlag.ACK) !== 0) {
    const known = (flags & SideFlag.MAX_ACK_SET) !== 0;
    if (!known || (((words[sender + Flow.MAX_ACK] as number) - ack) | 0) < 0) {
      words[sender + Flow.MAX_ACK] = ack;
      flags |= SideFlag.MAX_ACK_SET;
    }
  }
  bytes[senderFlags] = flags;
  const room = ((words[sender + Flow.MAX_END] as number) - end) | 0;
  const receiverWindow = words[receiver + Flow.MAX_WINDOW] as number;
  if (room < 0 && receiverWindow !== 0) words[receiver + Flow.MAX_WINDOW] = receiverWindow - room;
  const allowed = (sack + window) | 0;
  if (((allowed - (words[receiver + Flow.MAX_END] as number)) | 0) >= 0) {
    // A shut window still lets one byte through: the probe that asks whether it opened.
    words[receiver + Flow.MAX_END] = window === 0 ? allowed + 1 : allowed;
  }
  if (ack === receiverEnd) {
    bytes[segment.receiverFlags] = (bytes[segment.receiverFlags] as number) & ~SideFlag.DATA_UNACKNOWLEDGED;
  }
}

/** Counts how often the same ACK or data came in a row. */
function countRepeats(segment: TcpSegment): void {
  const { words, word, bytes, byte } = segment;
  const same =
    segment.lastDirection === segment.direction &&
    words[word + Flow.LAST_SEQUENCE] === segment.sequence &&
    segment.lastAck === segment.ack &&
    segment.lastEnd === segment.end &&
    segment.lastWindow === segment.window;
  const at = byte + FlowByte.RETRANSMISSIONS;
  if (same) {
    bytes[at] = (bytes[at] as number) + 1;
    return;
  }
  bytes[at] = 0;
  segment.noteNumbers();
  segment.noteAck();
}

/**
 * The usual packet: ACK, data or FIN of an answered flow, within all windows, that tells something new. Nine
 * of ten packets are like that, so they are done here in one go, in half the time of the long way (tcp.ts).
 * For what is the least unusual this says NOT_USUAL before it changed anything; for the rest it does exactly
 * what the long way would.
 */
import { type PacketColumns, TcpFlag, TcpOption } from "../packet/packet.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Flow, FLOW_WORDS, FlowByte, type FlowRows } from "./flow-rows.ts";
import { nextState, TcpKind } from "./tcp-automaton.ts";
import { ACK_WINDOW_MIN, SideFlag } from "./tcp-segment.ts";
import type { TcpSettings } from "./tcp-settings.ts";

/** The packet has to go the long way. */
export const NOT_USUAL = -1;

const NOT_PUSH = 0xff & ~(TcpFlag.PSH | TcpFlag.ECE | TcpFlag.CWR);

/** States in which the automaton's cell is all there is to say. */
const acknowledged: readonly number[] = [
  TcpState.ESTABLISHED,
  TcpState.FIN_WAIT,
  TcpState.CLOSE_WAIT,
  TcpState.LAST_ACK,
  TcpState.TIME_WAIT,
];
const finished: readonly number[] = acknowledged.slice(0, 4);
/** By kind, direction and state: the state that follows, or NONE where the packet has to go the long way. */
const nextUsual = Uint8Array.from({ length: 64 }, (_, index) => {
  const [isFin, direction, state] = [index >> 5, (index >> 4) & 1, index & 15];
  const ends = direction === 0 && isFin === 0 && state === TcpState.SYN_RECV;
  if (!ends && !(isFin === 1 ? finished : acknowledged).includes(state)) return TcpState.NONE;
  return nextState(direction, isFin === 1 ? TcpKind.FIN : TcpKind.ACK, state);
});

/** Jiffies after which the flow expires now, or NOT_USUAL. */
export function passUsual(
  rows: FlowRows,
  flow: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  settings: TcpSettings,
): number {
  const { words, bytes } = rows;
  const at = flow * FLOW_WORDS;
  const byteAt = at << 2;
  const isFin = (batch.tcpFlags[row] as number) & TcpFlag.FIN;
  const state = bytes[byteAt + FlowByte.STATE] as number;
  const next = nextUsual[(isFin << 5) | (direction << 4) | (state & 15)] as number;
  if (next === TcpState.NONE || !mayBeUsual(rows, at, batch, row) || settings.maxRetransmissions === 0) {
    return NOT_USUAL;
  }
  const sender = at + direction;
  const receiver = at + 1 - direction;
  const flagsAt = byteAt + FlowByte.FLAGS_ORIGINAL + direction;
  const receiverFlagsAt = byteAt + FlowByte.FLAGS_REPLY - direction;
  const sequence = (batch.tcpSequence[row] as number) | 0;
  const end = (sequence + (batch.tcpDataBytes[row] as number) + isFin) | 0;
  const ack = (batch.tcpAcknowledgment[row] as number) | 0;
  const rawWindow = batch.tcpWindow[row] as number;
  const window = rawWindow << (bytes[byteAt + FlowByte.SCALE_ORIGINAL + direction] as number);
  const senderWindow = words[sender + Flow.MAX_WINDOW] as number;
  const receiverWindow = words[receiver + Flow.MAX_WINDOW] as number;
  const senderEnd = words[sender + Flow.END] as number;
  const senderMaxEnd = words[sender + Flow.MAX_END] as number;
  const receiverEnd = words[receiver + Flow.END] as number;
  const sinceEnd = (end - senderEnd) | 0;
  const unacknowledged = (receiverEnd - ack) | 0;
  if (
    rawWindow === 0 ||
    senderWindow <= 0 ||
    receiverWindow <= 0 ||
    ((senderMaxEnd - end) | 0) < 0 ||
    ((senderMaxEnd - sequence) | 0) < 0 ||
    ((sinceEnd + receiverWindow) | 0) < 0 ||
    unacknowledged < 0 ||
    unacknowledged > ACK_WINDOW_MIN ||
    (isFin === 0 ? isRepeat(words, at, batch, row) : !isQuiet(rows, at))
  ) {
    return NOT_USUAL;
  }
  let flags = bytes[flagsAt] as number;
  let receiverFlags = bytes[receiverFlagsAt] as number;
  if (window > senderWindow) words[sender + Flow.MAX_WINDOW] = window;
  if (sinceEnd > 0) {
    words[sender + Flow.END] = end;
    flags |= SideFlag.DATA_UNACKNOWLEDGED;
  }
  const known = (flags & SideFlag.MAX_ACK_SET) !== 0;
  if (!known || (((words[sender + Flow.MAX_ACK] as number) - ack) | 0) < 0)
    words[sender + Flow.MAX_ACK] = ack;
  flags |= SideFlag.MAX_ACK_SET;
  const allowed = (ack + window) | 0;
  if (((allowed - (words[receiver + Flow.MAX_END] as number)) | 0) > 0)
    words[receiver + Flow.MAX_END] = allowed;
  if (unacknowledged === 0) receiverFlags &= ~SideFlag.DATA_UNACKNOWLEDGED;
  if (next === TcpState.FIN_WAIT && state !== next) flags |= SideFlag.CLOSE_INIT;
  bytes[flagsAt] = flags;
  bytes[receiverFlagsAt] = receiverFlags;
  enter(rows, at, direction, batch, row, next);
  const timeout = settings.timeouts[next] as number;
  const waits = ((flags | receiverFlags) & SideFlag.DATA_UNACKNOWLEDGED) !== 0;
  return waits && timeout > settings.unacknowledgedTimeout ? settings.unacknowledgedTimeout : timeout;
}

/**
 * Whether flags, options and flow are the usual ones; neither numbers nor state are looked at. `at` is a
 * word. An ACK behind a SYN in LAST_ACK may be a challenge.
 */
function mayBeUsual(rows: FlowRows, at: number, batch: PacketColumns, row: number): boolean {
  return (
    ((batch.tcpFlags[row] as number) & NOT_PUSH & ~TcpFlag.FIN) === TcpFlag.ACK &&
    ((batch.tcpOptions[row] as number) & TcpOption.SACK) === 0 &&
    ((rows.words[at + Flow.STATUS] as number) & Status.SEEN_REPLY) !== 0 &&
    rows.bytes[(at << 2) + FlowByte.LAST_KIND] !== TcpKind.SYN
  );
}

/** Whether nothing of the packets before shortens the timeout of one that is not compared with them. */
function isQuiet(rows: FlowRows, at: number): boolean {
  return (
    rows.bytes[(at << 2) + FlowByte.RETRANSMISSIONS] === 0 &&
    ((rows.words[at + Flow.LAST_WINDOW] as number) & 0xffff) !== 0
  );
}

/** Whether the packet before had these numbers, and so this one may be a retransmission. */
function isRepeat(words: Int32Array, at: number, batch: PacketColumns, row: number): boolean {
  const sequence = (batch.tcpSequence[row] as number) | 0;
  return (
    words[at + Flow.LAST_SEQUENCE] === sequence &&
    words[at + Flow.LAST_ACK] === ((batch.tcpAcknowledgment[row] as number) | 0) &&
    words[at + Flow.LAST_END] === ((sequence + (batch.tcpDataBytes[row] as number)) | 0) &&
    ((words[at + Flow.LAST_WINDOW] as number) & 0xffff) === batch.tcpWindow[row]
  );
}

/** The flow's new state, and what the next packet is compared with. */
function enter(
  rows: FlowRows,
  at: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  next: number,
): void {
  const { words, bytes } = rows;
  const byteAt = at << 2;
  bytes[byteAt + FlowByte.STATE] = next;
  if (next === TcpState.ESTABLISHED) {
    words[at + Flow.STATUS] = (words[at + Flow.STATUS] as number) | Status.ASSURED;
  }
  bytes[byteAt + FlowByte.LAST_DIRECTION] = direction;
  if (((batch.tcpFlags[row] as number) & TcpFlag.FIN) !== 0) {
    bytes[byteAt + FlowByte.LAST_KIND] = TcpKind.FIN;
    return;
  }
  bytes[byteAt + FlowByte.LAST_KIND] = TcpKind.ACK;
  const sequence = batch.tcpSequence[row] as number;
  words[at + Flow.LAST_SEQUENCE] = sequence;
  words[at + Flow.LAST_ACK] = batch.tcpAcknowledgment[row] as number;
  words[at + Flow.LAST_END] = sequence + (batch.tcpDataBytes[row] as number);
  const kept = (words[at + Flow.LAST_WINDOW] as number) & ~0xffff;
  words[at + Flow.LAST_WINDOW] = kept | (batch.tcpWindow[row] as number);
  bytes[byteAt + FlowByte.RETRANSMISSIONS] = 0;
}

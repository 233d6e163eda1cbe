/**
 * A TCP packet together with its flow: the numbers of the packet, and where the flow keeps what it knows of
 * both sides and of the packet before. There is one such object; it is filled anew for every packet.
 *
 * Sequence numbers are signed 32-bit words; only their differences mean something.
 */
import { type PacketColumns, TcpFlag, TcpOption } from "../packet/packet.ts";
import { Flow, FLOW_WORDS, FlowByte, type FlowRows } from "./flow-rows.ts";

/** IP_CT_TCP_FLAG_* (include/uapi/linux/netfilter/nf_conntrack_tcp.h), of a side or of the last packet. */
export const SideFlag = {
  WINDOW_SCALE: 0x01,
  SACK_PERMITTED: 0x02,
  /** This side's FIN was the first. */
  CLOSE_INIT: 0x04,
  /** Whatever lies out of window is accepted from this side: its beginning was not seen. */
  BE_LIBERAL: 0x08,
  /** This side sent data the other has not acknowledged yet. */
  DATA_UNACKNOWLEDGED: 0x10,
  /** MAX_ACK holds an acknowledgment. */
  MAX_ACK_SET: 0x20,
  /** Of the last packet: an ACK that answers a SYN nobody wanted may come (RFC 5961, section 4). */
  CHALLENGE_EXPECTED: 0x40,
  /** Of the last packet: both sides sent a SYN. */
  SIMULTANEOUS_OPEN: 0x80,
} as const;

/** The largest window scale there is (RFC 7323, section 2.3); a larger one counts as this. */
const SCALE_MAX = 14;

/** An acknowledgment may be this old at least: the largest window without scale, and a little. */
export const ACK_WINDOW_MIN = 66_000;

/** Where the scale and the flags of the last packet are in Flow.LAST_WINDOW. */
const LAST_SCALE_SHIFT = 16;
const LAST_FLAGS_SHIFT = 24;

export class TcpSegment {
  words: Int32Array = new Int32Array(0);
  bytes: Uint8Array = new Uint8Array(0);
  /** Index of the flow's first word, and of its first byte. */
  word = 0;
  byte = 0;
  /** Words of the side that sends this packet, and of the other: add Flow.END and so on. */
  sender = 0;
  receiver = 0;
  /** Bytes of flags of both sides. */
  senderFlags = 0;
  receiverFlags = 0;

  direction = 0;
  /** A TcpKind. */
  kind = 0;
  flags = 0;
  sequence = 0;
  /** The sequence number behind it: SYN and FIN take one each. */
  end = 0;
  ack = 0;
  /** The highest number acknowledged, selectively or not. */
  sack = 0;
  /** As on the wire. */
  window = 0;
  /** Bits of TcpOption, and the window scale on the wire. */
  options = 0;
  optionScale = 0;

  /** Fills the object. */
  read(rows: FlowRows, flow: number, direction: number, batch: PacketColumns, row: number): void {
    const { words, bytes } = rows;
    this.words = words;
    this.bytes = bytes;
    const word = flow * FLOW_WORDS;
    const byte = word << 2;
    this.word = word;
    this.byte = byte;
    this.sender = word + direction;
    this.receiver = word + 1 - direction;
    this.senderFlags = byte + FlowByte.FLAGS_ORIGINAL + direction;
    this.receiverFlags = byte + FlowByte.FLAGS_ORIGINAL + 1 - direction;
    this.direction = direction;
    const flags = batch.tcpFlags[row] as number;
    this.flags = flags;
    const sequence = (batch.tcpSequence[row] as number) | 0;
    this.sequence = sequence;
    const marks = (flags & TcpFlag.FIN) + ((flags & TcpFlag.SYN) >> 1);
    this.end = (sequence + (batch.tcpDataBytes[row] as number) + marks) | 0;
    this.ack = (batch.tcpAcknowledgment[row] as number) | 0;
    this.sack = (batch.tcpSack[row] as number) | 0;
    this.window = batch.tcpWindow[row] as number;
    this.options = batch.tcpOptions[row] as number;
    this.optionScale = batch.tcpWindowScale[row] as number;
  }

  /** What this packet's options say of its sender: SideFlag bits. */
  get offer(): number {
    const scaled = (this.options & TcpOption.WINDOW_SCALE) === 0 ? 0 : SideFlag.WINDOW_SCALE;
    return (this.options & TcpOption.SACK_PERMITTED) === 0 ? scaled : scaled | SideFlag.SACK_PERMITTED;
  }

  /** The window scale this packet offers; 0 without. */
  get offeredScale(): number {
    return (this.options & TcpOption.WINDOW_SCALE) === 0 ? 0 : Math.min(this.optionScale, SCALE_MAX);
  }

  /** Whether the flow has one of these bits of `Status`. */
  hasStatus(bits: number): boolean {
    return ((this.words[this.word + Flow.STATUS] as number) & bits) !== 0;
  }

  get state(): number {
    return this.bytes[this.byte + FlowByte.STATE] as number;
  }

  /** TcpKind of the packet before; NONE when there was none. */
  get lastKind(): number {
    return this.bytes[this.byte + FlowByte.LAST_KIND] as number;
  }

  get lastDirection(): number {
    return this.bytes[this.byte + FlowByte.LAST_DIRECTION] as number;
  }

  get lastEnd(): number {
    return this.words[this.word + Flow.LAST_END] as number;
  }

  get lastAck(): number {
    return this.words[this.word + Flow.LAST_ACK] as number;
  }

  /** Window of the last packet that was noted, as on the wire. */
  get lastWindow(): number {
    return (this.words[this.word + Flow.LAST_WINDOW] as number) & 0xffff;
  }

  /** SideFlag bits of the last packet that was noted. */
  get lastFlags(): number {
    return (this.words[this.word + Flow.LAST_WINDOW] as number) >>> LAST_FLAGS_SHIFT;
  }

  setLastFlag(flag: number): void {
    const at = this.word + Flow.LAST_WINDOW;
    this.words[at] = (this.words[at] as number) | (flag << LAST_FLAGS_SHIFT);
  }

  clearLastFlag(flag: number): void {
    const at = this.word + Flow.LAST_WINDOW;
    this.words[at] = (this.words[at] as number) & ~(flag << LAST_FLAGS_SHIFT);
  }

  /** Notes the kind and direction of this packet. */
  noteKind(): void {
    this.bytes[this.byte + FlowByte.LAST_KIND] = this.kind;
    this.bytes[this.byte + FlowByte.LAST_DIRECTION] = this.direction;
  }

  /** Notes where this packet begins and ends, and its window. */
  noteNumbers(): void {
    const { words, word } = this;
    words[word + Flow.LAST_SEQUENCE] = this.sequence;
    words[word + Flow.LAST_END] = this.end;
    const at = word + Flow.LAST_WINDOW;
    words[at] = ((words[at] as number) & ~0xffff) | this.window;
  }

  noteAck(): void {
    this.words[this.word + Flow.LAST_ACK] = this.ack;
  }

  /** Notes what this SYN offers; whatever was known of the packet before is forgotten. */
  noteOffer(): void {
    const upper = (this.offer << LAST_FLAGS_SHIFT) | (this.offeredScale << LAST_SCALE_SHIFT);
    this.words[this.word + Flow.LAST_WINDOW] = upper | this.lastWindow;
  }

  /**
   * Begins both sides anew for this SYN/ACK: its receiver as the SYN that was noted offered, its sender as if
   * it had never been heard of.
   */
  restart(): void {
    const { words, bytes, sender, receiver } = this;
    this.clearLastFlag(SideFlag.CHALLENGE_EXPECTED);
    words[receiver + Flow.END] = this.lastEnd;
    words[receiver + Flow.MAX_END] = this.lastEnd;
    words[receiver + Flow.MAX_WINDOW] = Math.max(this.lastWindow, 1);
    setScale(this, this.receiverFlags, (words[this.word + Flow.LAST_WINDOW] as number) >>> LAST_SCALE_SHIFT);
    bytes[this.receiverFlags] = this.lastFlags;
    words[sender + Flow.END] = 0;
    words[sender + Flow.MAX_END] = 0;
    words[sender + Flow.MAX_WINDOW] = 0;
    words[sender + Flow.MAX_ACK] = 0;
    setScale(this, this.senderFlags, 0);
    bytes[this.senderFlags] = (bytes[this.senderFlags] as number) & SideFlag.BE_LIBERAL;
  }
}

const FROM_FLAGS_TO_SCALE = FlowByte.SCALE_ORIGINAL - FlowByte.FLAGS_ORIGINAL;

/** Window scale of the side whose flags are at `flagsAt`. */
export function scaleOf(segment: TcpSegment, flagsAt: number): number {
  return segment.bytes[flagsAt + FROM_FLAGS_TO_SCALE] as number;
}

export function setScale(segment: TcpSegment, flagsAt: number, scale: number): void {
  segment.bytes[flagsAt + FROM_FLAGS_TO_SCALE] = scale;
}

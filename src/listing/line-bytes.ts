/**
 * The kernel's line of a flow as bytes, straight from columns: what formatFlow gives of flowAt, for
 * nearly all flows of nearly all tables, without making a text or an object. Flows that have more are
 * left to formatFlow.
 */
import { ADDRESS_WORDS } from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { discriminatorOf, kernelProtocolName } from "../table/protocol.ts";
import { hasStates, stateName } from "../table/state.ts";
import { Status } from "../table/status.ts";
import type { LineStyle } from "./kernel-line.ts";

/** Longest line that is written here, bytes: IPv6 with all counters has some 450. */
export const LINE_BYTES_MAX = 640;

/** What a row may have to be written here. */
const WRITTEN =
  Has.timeout |
  Has.state |
  Has.status |
  Has.originalCounters |
  Has.replyCounters |
  Has.mark |
  Has.use |
  Has.id |
  Has.reply |
  Has.tcpInfo |
  Has.startedAt |
  Has.stoppedAt |
  Has.vtags;
const NEEDED = Has.timeout | Has.status | Has.reply;
const TELLING = Status.SEEN_REPLY | Status.ASSURED | Status.OFFLOAD | Status.HW_OFFLOAD;

const encoder = new TextEncoder();
const bytesOfText = new Map<string, Uint8Array>();

/** The bytes of a text of a few. */
function textBytes(text: string): Uint8Array {
  let bytes = bytesOfText.get(text);
  if (bytes === undefined) bytesOfText.set(text, (bytes = encoder.encode(text)));
  return bytes;
}

const SOURCE = textBytes("src=");
const DESTINATION = textBytes("dst=");
const SOURCE_PORT = textBytes("sport=");
const DESTINATION_PORT = textBytes("dport=");
const PACKETS = textBytes("packets=");
const BYTES = textBytes("bytes=");
const UNREPLIED = textBytes("[UNREPLIED] ");
const ASSURED = textBytes("[ASSURED] ");
const MARK = textBytes("mark=");
const ZONE = textBytes("zone=0 ");
const AGE = textBytes("delta-time=");
const USE = textBytes("use=");
const BLANK = 32;
const DOT = 46;
const COLON = 58;
const ZERO = 48;
const HEX = textBytes("0123456789abcdef");

/** Writes lines into a buffer of its own, one behind the other. */
export class LineBytes {
  readonly bytes: Uint8Array;
  /** Bytes in use. */
  length = 0;
  readonly #style: LineStyle;
  /** By family, protocol and state: what a line begins with up to the remaining time, and the state. */
  readonly #heads = new Map<number, Uint8Array>();
  readonly #states = new Map<number, Uint8Array>();

  constructor(bytes: Uint8Array, style: LineStyle) {
    this.bytes = bytes;
    this.#style = style;
  }

  /** Whether the row is one of those that are written here. There must be room for LINE_BYTES_MAX. */
  canWrite(columns: FlowColumns, row: number): boolean {
    const has = columns.has[row] as number;
    const protocol = columns.protocol[row] as number;
    const status = columns.status[row] as number;
    return (
      (has & ~WRITTEN) === 0 &&
      (has & NEEDED) === NEEDED &&
      (columns.knownStatus & TELLING) === TELLING &&
      (status & (Status.OFFLOAD | Status.HW_OFFLOAD)) === 0 &&
      discriminatorOf(protocol) === "ports" &&
      ((has & Has.state) !== 0) === hasStates(protocol) &&
      this.#style.unnamed?.has(protocol) !== true
    );
  }

  /** Writes the line of a row that can be written, without a line feed. */
  write(columns: FlowColumns, row: number): void {
    const has = columns.has[row] as number;
    const status = columns.status[row] as number;
    this.#head(columns, row);
    this.#decimal(columns.timeoutSeconds[row] as number);
    this.#byte(BLANK);
    if (has & Has.state) this.#state(columns, row);
    const { originalSource, originalDestination, replySource, replyDestination } = columns;
    this.#tuple(columns, row, originalSource, originalDestination);
    this.#ports(columns.originalSourceDiscriminator[row], columns.originalDestinationDiscriminator[row]);
    if (has & Has.originalCounters) this.#traffic(columns.originalPackets[row], columns.originalBytes[row]);
    if ((status & Status.SEEN_REPLY) === 0) this.#put(UNREPLIED);
    this.#tuple(columns, row, replySource, replyDestination);
    this.#ports(columns.replySourceDiscriminator[row], columns.replyDestinationDiscriminator[row]);
    if (has & Has.replyCounters) this.#traffic(columns.replyPackets[row], columns.replyBytes[row]);
    if (status & Status.ASSURED) this.#put(ASSURED);
    this.#own(columns, row, has);
  }

  #own(columns: FlowColumns, row: number, has: number): void {
    const { zones, nowMs, useAdded = 0 } = this.#style;
    if (has & Has.mark) this.#named(MARK, columns.mark[row] as number, BLANK);
    if (zones === true) this.#put(ZONE);
    if (has & Has.startedAt && nowMs !== undefined) {
      const age = Math.floor((nowMs - (columns.startedAtMs[row] as number)) / 1000);
      this.#named(AGE, Math.max(0, age), BLANK);
    }
    if (has & Has.use) this.#named(USE, (columns.use[row] as number) + useAdded);
    // Every field but the last, `use=`, ends in a blank.
    else this.length -= 1;
  }

  #head(columns: FlowColumns, row: number): void {
    const key = ((columns.family[row] as number) << 8) | (columns.protocol[row] as number);
    let head = this.#heads.get(key);
    if (head === undefined) {
      const protocol = key & 255;
      const layer3 = key >> 8 === 4 ? "ipv4     2 " : "ipv6     10 ";
      const family = this.#style.layout === "ip_conntrack" ? "" : layer3;
      head = textBytes(`${family}${kernelProtocolName(protocol).padEnd(8)} ${protocol} `);
      this.#heads.set(key, head);
    }
    this.#put(head);
  }

  #state(columns: FlowColumns, row: number): void {
    const key = ((columns.protocol[row] as number) << 8) | (columns.state[row] as number);
    let state = this.#states.get(key);
    if (state === undefined) {
      state = textBytes(`${stateName(key >> 8, key & 255)} `);
      this.#states.set(key, state);
    }
    this.#put(state);
  }

  #tuple(columns: FlowColumns, row: number, source: Uint32Array, destination: Uint32Array): void {
    const six = columns.family[row] !== 4;
    this.#put(SOURCE);
    this.#address(source, row, six);
    this.#put(DESTINATION);
    this.#address(destination, row, six);
  }

  #address(words: Uint32Array, row: number, six: boolean): void {
    const at = row * ADDRESS_WORDS;
    if (!six) {
      const word = words[at] as number;
      this.#decimal(word >>> 24);
      this.#byte(DOT);
      this.#decimal((word >>> 16) & 255);
      this.#byte(DOT);
      this.#decimal((word >>> 8) & 255);
      this.#byte(DOT);
      this.#decimal(word & 255);
    } else {
      for (let group = 0; group < 8; group += 1) {
        if (group > 0) this.#byte(COLON);
        const word = words[at + (group >> 1)] as number;
        const value = group & 1 ? word & 0xffff : word >>> 16;
        for (let shift = 12; shift >= 0; shift -= 4) this.#byte(HEX[(value >> shift) & 15] as number);
      }
    }
    this.#byte(BLANK);
  }

  #ports(source = 0, destination = 0): void {
    this.#named(SOURCE_PORT, source, BLANK);
    this.#named(DESTINATION_PORT, destination, BLANK);
  }

  #traffic(packets = 0, bytes = 0): void {
    this.#named(PACKETS, packets, BLANK);
    this.#named(BYTES, bytes, BLANK);
  }

  #named(name: Uint8Array, value: number, after?: number): void {
    this.#put(name);
    this.#decimal(value);
    if (after !== undefined) this.#byte(after);
  }

  #put(bytes: Uint8Array): void {
    const room = this.bytes;
    const at = this.length;
    for (let index = 0; index < bytes.length; index += 1) room[at + index] = bytes[index] as number;
    this.length = at + bytes.length;
  }

  #byte(byte: number): void {
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  /** A whole number, as decimal digits. */
  #decimal(value: number): void {
    let digits = 1;
    for (let power = 10; power <= value; power *= 10) digits += 1;
    let rest = value;
    for (let at = this.length + digits - 1; at >= this.length; at -= 1) {
      const tenth = rest < 0x8000_0000 ? (rest / 10) | 0 : Math.floor(rest / 10);
      this.bytes[at] = ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    this.length += digits;
  }
}

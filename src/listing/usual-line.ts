/**
 * The hot path: reads a line of the layout that nearly all lines have, straight from bytes into columns,
 * without making a string or an object. It knows one order of fields, plain numbers that surely fit, and TCP,
 * UDP and ICMP; at anything else it gives up, and any-line.ts reads that line from its beginning. The two
 * must agree, which usual-line.test.ts checks on generated and on mangled lines.
 *
 * How it is fast: names are compared four bytes at a time, positions are passed and returned, nothing is
 * looked at twice.
 *
 * Invariants:
 * - USUAL_LINE_BYTES bytes follow the beginning of the line within the array, and a line feed ends the line:
 *   no look leaves the array, and none goes on behind the line feed;
 * - the row behind the last one of the batch is written from the first byte on; the caller counts it when the
 *   line was read to its end, and no one looks at it otherwise.
 */
import { ADDRESS_WORDS } from "../table/address.ts";
import { type FlowColumns, Has, type Rare } from "../table/columns.ts";
import { ICMP, ICMPV6, TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { BLANK, four, isDigit, LINE_FEED, readIpv4, readIpv6, RETURN, textOf } from "./ascii.ts";

/**
 * More than the longest line that is read here: the longest form of every field, and the four-byte looks
 * ahead.
 */
export const USUAL_LINE_BYTES = 1024;

/** Decimal digits that surely fit 31 and 53 bits. */
const SMALL_DIGITS = 9;
const LARGE_DIGITS = 15;
/** A longer security context is left to the general reader. */
const CONTEXT_BYTES = 128;

const EQUALS = 61;
const LETTER_P = 112;
const OPENING = 91;

const IPV4 = four("ipv4");
const IPV6 = four("ipv6");
const TCP_NAME = four("tcp ");
const UDP_NAME = four("udp ");
const ICMP_NAME = four("icmp");
const BLANKS = four("    ");
const V6 = four("v6  ");
const NUMBER_2 = four("  2 ");
const NUMBER_10 = four(" 10 ");
const NUMBER_6 = four("  6 ");
const NUMBER_17 = four(" 17 ");
const NUMBER_1 = four("  1 ");
const NUMBER_58 = four(" 58 ");

const ESTA = four("ESTA");
const BLIS = four("BLIS");
const HED = four("HED ");
const TIME = four("TIME");
const WAI = four("_WAI");
const SYN = four("SYN_");
const SENT = four("SENT");
const RECV = four("RECV");
const FIN = four("FIN_");
const WAIT = four("WAIT");
const CLOS = four("CLOS");
const E_WA = four("E_WA");
const AIT = four("AIT ");
const LAST = four("LAST");
const ACK = four("_ACK");
const E = 69;
const T = 84;

const SRC = four("src=");
const DST = four("dst=");
const SPOR = four("spor");
const DPOR = four("dpor");
const ORT = four("ort=");
const TYPE = four("type");
const CODE = four("code");
const PACK = four("pack");
const ETS = four("ets=");
const BYTE = four("byte");
const TES = four("tes=");

const UNRE = four("[UNR");
const EPLI = four("EPLI");
const ED = four("ED] ");
const ASSU = four("[ASS");
const URED = four("URED");
const OFFL = four("[OFF");
const LOAD = four("LOAD");
const HW = four("[HW_");
const HW_OFFL = four("OFFL");
const HW_OAD = four("OAD]");
const MARK = four("mark");
const ZERO_Z = four("=0 z");
const ONE = four("one=");
const ZERO_US = four("0 us");
/** `mark=0 zone=0 `. */
const PLAIN_TAIL_BYTES = 14;
const SECM = four("secm");
const ARK = four("ark=");
const SECC = four("secc");
const CTX = four("ctx=");
const ZONE = four("zone");
const DELT = four("delt");
const A_TI = four("a-ti");
const IME = four("ime=");
const USE = four("use=");
const TWO_BYTES = 0xffff;
const CLOSING_BLANK = four("]   ") & TWO_BYTES;
const THREE_BYTES = 0xff_ffff;
const ID_EQUALS = four("id= ") & THREE_BYTES;

/**
 * Of the third and fourth four bytes of a value, those that belong to it, by the length of its field: `src=`,
 * an IPv4 address and a blank are 12 to 20 bytes.
 */
const thirdMask = Int32Array.from({ length: 21 }, (_, length) => bytesMask(length - 12));
const fourthMask = Int32Array.from({ length: 21 }, (_, length) => bytesMask(length - 16));

/** Optional fields that every line read here has. */
const ALWAYS = Has.status | Has.reply;

export class UsualLine {
  readonly #columns: FlowColumns;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Family and protocol of the present line, and its optional fields and status so far. */
  #family = 0;
  #protocol = 0;
  #has = 0;
  #status = 0;
  /** The number last read. */
  #value = 0;
  /** The addresses of the direction last read: `src=`, `dst=`, and what follows. */
  #sourceFrom = 0;
  #destinationFrom = 0;
  #destinationTo = 0;
  /** The security context of the present line; the second is 0 when there is none. */
  #contextFrom = 0;
  #contextTo = 0;
  /** The last security context met. */
  #sharedContext: Uint8Array = new Uint8Array(0);
  #shared: Rare | undefined;

  constructor(columns: FlowColumns) {
    this.#columns = columns;
  }

  /** Chooses the array that lines are read from. */
  attach(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Reads the line at `start` into row `row`; returns where the next line begins, or -1 when it is not a
   * usual one.
   */
  read(start: number, row: number): number {
    const columns = this.#columns;
    this.#has = ALWAYS;
    this.#status = Status.SEEN_REPLY;
    this.#contextTo = 0;
    let at = this.#readHead(start, row);
    if (at < 0) return -1;
    at = this.#readAddresses(at, row, columns.originalSource, columns.originalDestination);
    if (at < 0) return -1;
    at = this.#readWords(
      at,
      row,
      columns.originalSourceDiscriminator,
      columns.originalDestinationDiscriminator,
    );
    if (at < 0) return -1;
    if (this.#bytes[at] === LETTER_P) {
      at = this.#readCounters(at, row, columns.originalPackets, columns.originalBytes);
      if (at < 0) return -1;
      this.#has |= Has.originalCounters;
    }
    if (this.#bytes[at] === OPENING) {
      const view = this.#view;
      if (view.getInt32(at, true) !== UNRE || view.getInt32(at + 4, true) !== EPLI) return -1;
      if (view.getInt32(at + 8, true) !== ED) return -1;
      this.#status = 0;
      at += 12;
    }
    at = this.#readReplyAddresses(at, row);
    if (at < 0) return -1;
    at = this.#readWords(at, row, columns.replySourceDiscriminator, columns.replyDestinationDiscriminator);
    if (at < 0) return -1;
    if (this.#bytes[at] === LETTER_P) {
      at = this.#readCounters(at, row, columns.replyPackets, columns.replyBytes);
      if (at < 0) return -1;
      this.#has |= Has.replyCounters;
    }
    at = this.#readTail(at, row);
    if (at > 0 && this.#contextTo > 0) this.#putContext(row);
    columns.family[row] = this.#family;
    columns.protocol[row] = this.#protocol;
    columns.has[row] = this.#has;
    columns.status[row] = this.#status;
    return at;
  }

  /** Family, protocol, seconds left and state. */
  #readHead(start: number, row: number): number {
    let at = this.#readProtocol(this.#readFamily(start));
    if (at < 0) return -1;
    if (isDigit(this.#bytes[at] as number)) {
      at = this.#readNumber(at);
      if (this.#bytes[at] !== BLANK) return -1;
      this.#columns.timeoutSeconds[row] = this.#value;
      this.#has |= Has.timeout;
      at++;
    }
    if (this.#protocol !== TCP || this.#view.getInt32(at, true) === SRC) return at;
    this.#has |= Has.state;
    return this.#readState(at, row);
  }

  /** `ipv4     2 `, `ipv6     10 ` or nothing; the family is then told by the first address. */
  #readFamily(at: number): number {
    const view = this.#view;
    this.#family = 0;
    const name = view.getInt32(at, true);
    if (name !== IPV4 && name !== IPV6) return at;
    if (view.getInt32(at + 4, true) !== BLANKS) return -1;
    this.#family = name === IPV4 ? 4 : 6;
    if (name === IPV4) return view.getInt32(at + 7, true) === NUMBER_2 ? at + 11 : -1;
    return view.getInt32(at + 8, true) === NUMBER_10 ? at + 12 : -1;
  }

  /** `tcp      6 `, `udp      17 `, `icmp     1 ` or `icmpv6   58 `. */
  #readProtocol(at: number): number {
    if (at < 0) return -1;
    const view = this.#view;
    const name = view.getInt32(at, true);
    const middle = view.getInt32(at + 4, true);
    if (middle === BLANKS) {
      if (name === UDP_NAME) {
        this.#protocol = UDP;
        return view.getInt32(at + 8, true) === NUMBER_17 ? at + 12 : -1;
      }
      const number = view.getInt32(at + 7, true);
      if (name === TCP_NAME && number === NUMBER_6) this.#protocol = TCP;
      else if (name === ICMP_NAME && number === NUMBER_1) this.#protocol = ICMP;
      else return -1;
      return at + 11;
    }
    if (name !== ICMP_NAME || middle !== V6 || view.getInt32(at + 8, true) !== NUMBER_58) return -1;
    this.#protocol = ICMPV6;
    return at + 12;
  }

  #readState(at: number, row: number): number {
    const view = this.#view;
    const bytes = this.#bytes;
    const { state } = this.#columns;
    const second = view.getInt32(at + 4, true);
    switch (view.getInt32(at, true)) {
      case ESTA:
        state[row] = TcpState.ESTABLISHED;
        return second === BLIS && view.getInt32(at + 8, true) === HED ? at + 12 : -1;
      case TIME:
        state[row] = TcpState.TIME_WAIT;
        return second === WAI && bytes[at + 8] === T && bytes[at + 9] === BLANK ? at + 10 : -1;
      case SYN:
        state[row] = second === SENT ? TcpState.SYN_SENT : TcpState.SYN_RECV;
        return (second === SENT || second === RECV) && bytes[at + 8] === BLANK ? at + 9 : -1;
      case FIN:
        state[row] = TcpState.FIN_WAIT;
        return second === WAIT && bytes[at + 8] === BLANK ? at + 9 : -1;
      case CLOS:
        if (bytes[at + 4] === E && bytes[at + 5] === BLANK) {
          state[row] = TcpState.CLOSE;
          return at + 6;
        }
        state[row] = TcpState.CLOSE_WAIT;
        return second === E_WA && view.getInt32(at + 7, true) === AIT ? at + 11 : -1;
      case LAST:
        state[row] = TcpState.LAST_ACK;
        return second === ACK && bytes[at + 8] === BLANK ? at + 9 : -1;
      default:
        return -1;
    }
  }

  /** `src=ADDRESS dst=ADDRESS `. */
  #readAddresses(from: number, row: number, source: Uint32Array, destination: Uint32Array): number {
    if (this.#view.getInt32(from, true) !== SRC) return -1;
    const at = this.#readAddress(from + 4, row, source);
    if (at < 0 || this.#view.getInt32(at, true) !== DST) return -1;
    this.#sourceFrom = from;
    this.#destinationFrom = at;
    this.#destinationTo = this.#readAddress(at + 4, row, destination);
    return this.#destinationTo;
  }

  /**
   * The same of the reply direction, which repeats the text of the other one unless the flow is translated.
   */
  #readReplyAddresses(from: number, row: number): number {
    const columns = this.#columns;
    const { replySource, replyDestination } = columns;
    const sourceFrom = this.#sourceFrom;
    const destinationFrom = this.#destinationFrom;
    const middle = from + this.#destinationTo - destinationFrom;
    if (
      this.#family !== 4 ||
      !this.#isSameField(from, SRC, destinationFrom, this.#destinationTo) ||
      !this.#isSameField(middle, DST, sourceFrom, destinationFrom)
    ) {
      return this.#readAddresses(from, row, replySource, replyDestination);
    }
    const index = row * ADDRESS_WORDS;
    replySource[index] = columns.originalDestination[index] as number;
    replyDestination[index] = columns.originalSource[index] as number;
    for (let word = index + 1; word < index + ADDRESS_WORDS; word++) {
      replySource[word] = replyDestination[word] = 0;
    }
    return middle + destinationFrom - sourceFrom;
  }

  /**
   * Whether `name` and then the value of the field from `other` to `otherTo`, an IPv4 address, stand at `at`.
   */
  #isSameField(at: number, name: number, other: number, otherTo: number): boolean {
    const view = this.#view;
    const length = otherTo - other;
    const different =
      (view.getInt32(at, true) ^ name) |
      (view.getInt32(at + 4, true) ^ view.getInt32(other + 4, true)) |
      (view.getInt32(at + 8, true) ^ view.getInt32(other + 8, true)) |
      ((view.getInt32(at + 12, true) ^ view.getInt32(other + 12, true)) & (thirdMask[length] as number)) |
      ((view.getInt32(at + 16, true) ^ view.getInt32(other + 16, true)) & (fourthMask[length] as number));
    return different === 0;
  }

  #readAddress(from: number, row: number, words: Uint32Array): number {
    const bytes = this.#bytes;
    const index = row * ADDRESS_WORDS;
    if (this.#family !== 6) {
      const at = readIpv4(bytes, from, words, index);
      if (at > 0 && bytes[at] === BLANK) {
        this.#family = 4;
        return at + 1;
      }
      if (this.#family === 4) return -1;
    }
    const at = readIpv6(bytes, from, words, index);
    if (at < 0 || bytes[at] !== BLANK) return -1;
    this.#family = 6;
    return at + 1;
  }

  /** `sport=N dport=N `, or `type=N code=N id=N `. */
  #readWords(from: number, row: number, first: Uint16Array, second: Uint16Array): number {
    const view = this.#view;
    if (this.#protocol === ICMP || this.#protocol === ICMPV6)
      return this.#readIcmpWords(from, row, first, second);
    if (view.getInt32(from, true) !== SPOR || view.getInt32(from + 2, true) !== ORT) return -1;
    let at = this.#readNumber(from + 6);
    if (this.#bytes[at] !== BLANK || this.#value > 0xffff) return -1;
    first[row] = this.#value;
    if (view.getInt32(at + 1, true) !== DPOR || view.getInt32(at + 3, true) !== ORT) return -1;
    at = this.#readNumber(at + 7);
    if (this.#bytes[at] !== BLANK || this.#value > 0xffff) return -1;
    second[row] = this.#value;
    return at + 1;
  }

  #readIcmpWords(from: number, row: number, first: Uint16Array, second: Uint16Array): number {
    const view = this.#view;
    const bytes = this.#bytes;
    if (view.getInt32(from, true) !== TYPE || bytes[from + 4] !== EQUALS) return -1;
    let at = this.#readNumber(from + 5);
    if (bytes[at] !== BLANK || this.#value > 0xff) return -1;
    const type = this.#value;
    if (view.getInt32(at + 1, true) !== CODE || bytes[at + 5] !== EQUALS) return -1;
    at = this.#readNumber(at + 6);
    if (bytes[at] !== BLANK || this.#value > 0xff) return -1;
    second[row] = (type << 8) | this.#value;
    if ((view.getInt32(at + 1, true) & THREE_BYTES) !== ID_EQUALS) return -1;
    at = this.#readNumber(at + 4);
    if (bytes[at] !== BLANK || this.#value > 0xffff) return -1;
    first[row] = this.#value;
    return at + 1;
  }

  /** `packets=N bytes=N `. */
  #readCounters(from: number, row: number, packets: Float64Array, bytes: Float64Array): number {
    const view = this.#view;
    if (view.getInt32(from, true) !== PACK || view.getInt32(from + 4, true) !== ETS) return -1;
    const at = this.#readCounter(from + 8, row, packets);
    if (at < 0 || view.getInt32(at, true) !== BYTE || view.getInt32(at + 2, true) !== TES) return -1;
    return this.#readCounter(at + 6, row, bytes);
  }

  /** A number of up to 15 digits and a blank. */
  #readCounter(from: number, row: number, column: Float64Array): number {
    const bytes = this.#bytes;
    let value = 0;
    let at = from;
    for (; at < from + LARGE_DIGITS; at++) {
      const digit = (bytes[at] as number) - 48;
      if (digit >>> 0 > 9) break;
      value = value * 10 + digit;
    }
    if (at === from || bytes[at] !== BLANK) return -1;
    column[row] = value;
    return at + 1;
  }

  /**
   * A number of up to nine digits, into `#value`. Returns the position behind it; where there is none, the
   * position in front of it, so that the next check fails on the equals sign there.
   */
  #readNumber(from: number): number {
    const bytes = this.#bytes;
    let value = (bytes[from] as number) - 48;
    if (value >>> 0 > 9) return from - 1;
    let at = from + 1;
    for (; at < from + SMALL_DIGITS; at++) {
      const digit = (bytes[at] as number) - 48;
      if (digit >>> 0 > 9) break;
      value = value * 10 + digit;
    }
    this.#value = value;
    return at;
  }

  /** A number of up to 32 bits, into a column; returns as `#readNumber` does. */
  #readWord(from: number, row: number, column: Uint32Array): number {
    const at = this.#readNumber(from);
    const digit = (this.#bytes[at] as number) - 48;
    if (digit >>> 0 > 9) {
      column[row] = this.#value;
      return at;
    }
    const value = this.#value * 10 + digit;
    if (value > 0xffff_ffff) return from - 1;
    column[row] = value;
    return at + 1;
  }

  /** `[FLAG]`, the fields from mark to id, each of which may be missing, and the end of the line. */
  #readTail(from: number, row: number): number {
    const view = this.#view;
    const bytes = this.#bytes;
    const columns = this.#columns;
    let at = from;
    if (bytes[at] === OPENING) {
      at = this.#readFlag(at);
      if (at < 0) return -1;
    }
    if (this.#isPlainTail(at)) {
      columns.mark[row] = columns.zone[row] = 0;
      this.#has |= Has.mark | Has.zone;
      at += PLAIN_TAIL_BYTES;
    } else {
      at = this.#readMarkToAge(at, row);
      if (at < 0) return -1;
    }
    if (view.getInt32(at, true) === USE) {
      at = this.#readWord(at + 4, row, columns.use);
      this.#has |= Has.use;
      if (bytes[at++] !== BLANK) return this.#readEnd(at - 1);
    }
    if ((view.getInt32(at, true) & THREE_BYTES) === ID_EQUALS) {
      at = this.#readWord(at + 3, row, columns.id);
      this.#has |= Has.id;
      if (bytes[at++] !== BLANK) return this.#readEnd(at - 1);
    }
    return this.#readEnd(at);
  }

  /** Whether `mark=0 zone=0 use=` is at `at`, as in nearly all lines. */
  #isPlainTail(at: number): boolean {
    const view = this.#view;
    return (
      view.getInt32(at, true) === MARK &&
      view.getInt32(at + 4, true) === ZERO_Z &&
      view.getInt32(at + 8, true) === ONE &&
      view.getInt32(at + 12, true) === ZERO_US &&
      view.getInt32(at + 14, true) === USE
    );
  }

  /**
   * `mark=N secmark=N secctx=TEXT zone=N delta-time=N `, each of which may be missing. A line that ends here
   * is left to the general reader.
   */
  #readMarkToAge(from: number, row: number): number {
    const view = this.#view;
    const bytes = this.#bytes;
    const columns = this.#columns;
    let at = from;
    if (view.getInt32(at, true) === MARK && bytes[at + 4] === EQUALS) {
      at = this.#readWord(at + 5, row, columns.mark);
      this.#has |= Has.mark;
      if (bytes[at++] !== BLANK) return -1;
    }
    if (view.getInt32(at, true) === SECM && view.getInt32(at + 4, true) === ARK) {
      at = this.#readWord(at + 8, row, columns.secmark);
      this.#has |= Has.secmark;
      if (bytes[at++] !== BLANK) return -1;
    }
    if (view.getInt32(at, true) === SECC && view.getInt32(at + 3, true) === CTX) {
      this.#contextFrom = at + 7;
      at = this.#contextTo = this.#endOfContext(at + 7);
      if (bytes[at++] !== BLANK) return -1;
    }
    if (view.getInt32(at, true) === ZONE && bytes[at + 4] === EQUALS) {
      at = this.#readNumber(at + 5);
      columns.zone[row] = this.#value;
      this.#has |= Has.zone;
      if (this.#value > 0xffff || bytes[at++] !== BLANK) return -1;
    }
    if (view.getInt32(at, true) === DELT && view.getInt32(at + 4, true) === A_TI) {
      if (view.getInt32(at + 7, true) !== IME) return -1;
      at = this.#readNumber(at + 11);
      columns.ageSeconds[row] = this.#value;
      this.#has |= Has.age;
      if (bytes[at++] !== BLANK) return -1;
    }
    return at;
  }

  /** The position behind the word at `from`, which is not looked at beyond its greatest length. */
  #endOfContext(from: number): number {
    let at = from;
    while (at < from + CONTEXT_BYTES && (this.#bytes[at] as number) > BLANK) at++;
    return at;
  }

  /**
   * Gives the row its security context: nearly all flows have the same, so they share one object and its
   * text.
   */
  #putContext(row: number): void {
    const context = this.#bytes.subarray(this.#contextFrom, this.#contextTo);
    if (this.#shared === undefined || !isSame(context, this.#sharedContext)) {
      this.#sharedContext = context.slice();
      this.#shared = { securityContext: textOf(context, 0, context.length) };
    }
    this.#columns.rare.set(row, this.#shared);
    this.#has |= Has.rare;
  }

  /** The line feed, or return and line feed; returns where the next line begins. */
  #readEnd(at: number): number {
    const bytes = this.#bytes;
    if (bytes[at] === LINE_FEED) return at + 1;
    return bytes[at] === RETURN && bytes[at + 1] === LINE_FEED ? at + 2 : -1;
  }

  /** One of the three marks and a blank. */
  #readFlag(at: number): number {
    const view = this.#view;
    const second = view.getInt32(at + 4, true);
    const third = view.getInt32(at + 8, true);
    switch (view.getInt32(at, true)) {
      case ASSU:
        this.#status |= Status.ASSURED;
        return second === URED && (third & TWO_BYTES) === CLOSING_BLANK ? at + 10 : -1;
      case OFFL:
        this.#status |= Status.OFFLOAD;
        return second === LOAD && (third & TWO_BYTES) === CLOSING_BLANK ? at + 10 : -1;
      case HW:
        this.#status |= Status.HW_OFFLOAD;
        return second === HW_OFFL && third === HW_OAD && this.#bytes[at + 12] === BLANK ? at + 13 : -1;
      default:
        return -1;
    }
  }
}

function isSame(first: Uint8Array, second: Uint8Array): boolean {
  if (first.length !== second.length) return false;
  for (let at = 0; at < first.length; at++) if (first[at] !== second[at]) return false;
  return true;
}

/** The lowest `count` bytes of a word; all or none where there are more or fewer. */
function bytesMask(count: number): number {
  if (count <= 0) return 0;
  return count >= 4 ? -1 : (1 << (8 * count)) - 1;
}

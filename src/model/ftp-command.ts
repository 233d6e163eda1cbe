/**
 * The four lines of FTP that open a data connection, read as the kernel's helper reads them (RFC 959 and
 * 2428; net/netfilter/nf_conntrack_ftp.c). It is not how a server reads them: numbers need no digits and,
 * until 7.3, may exceed 255, words may follow PORT, and what begins like one of these lines without being one
 * is PARTIAL, by which the helper drops the packet. All of this was measured on 6.18.44
 * (test/fixtures/model/ftp-6.18.txt).
 */
import { ADDRESS_WORDS, addressToWords, familyOf } from "../table/address.ts";
import { parseAddress } from "../table/address-text.ts";

/** What a segment turned out to be. */
export const Line = {
  /** Nothing of interest. */
  OTHER: 0,
  /** The line is in FtpCommand. */
  WHOLE: 1,
  /** It begins like one, and is cut off or broken. */
  PARTIAL: -1,
} as const;

const SPACE = 0x20;
const CARRIAGE_RETURN = 0x0d;
const OPENING = 0x28;
const COMMA = 0x2c;
const DOT = 0x2e;

/** What a line announces. One object, filled anew; set family and address to the speaker's own before. */
export class FtpCommand {
  family = 4;
  readonly address: Uint32Array = new Uint32Array(ADDRESS_WORDS);
  port = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #numbers = new Uint32Array(6);
  readonly #numbersAreBytes: boolean;

  /** `numbersAreBytes`: whether a number above 255 makes the line a broken one (generation.ts). */
  constructor(numbersAreBytes: boolean) {
    this.#numbersAreBytes = numbersAreBytes;
  }

  /** Reads the segment from `from` to `end`, said by the client (direction 0) or the server: a Line. */
  read(bytes: Uint8Array, from: number, end: number, direction: number): number {
    this.#bytes = bytes;
    this.#end = end;
    if (from === end) return Line.OTHER;
    if (direction === 0) {
      const active = this.#find(from, "PORT", SPACE);
      if (active !== NOT_HERE) return lineOf(active >= 0 && this.#sixNumbers(active, CARRIAGE_RETURN));
      const extended = this.#find(from, "EPRT", SPACE);
      if (extended !== NOT_HERE) return lineOf(extended >= 0 && this.#extendedPort(extended));
      return Line.OTHER;
    }
    const passive = this.#find(from, "227 ", NO_BYTE);
    if (passive !== NOT_HERE) return lineOf(passive >= 0 && this.#sixNumbersSomewhere(passive));
    const extended = this.#find(from, "229 ", OPENING);
    if (extended !== NOT_HERE) return lineOf(extended >= 0 && this.#extendedPassive(extended));
    return Line.OTHER;
  }

  /** Offset behind `word` at `from` and behind the first `skipped` after it, NOT_HERE, or CUT_OFF. */
  #find(from: number, word: string, skipped: number): number {
    const have = Math.min(this.#end - from, word.length);
    for (let at = 0; at < have; at++) {
      if (upperCase(this.#bytes[from + at] as number) !== word.charCodeAt(at)) return NOT_HERE;
    }
    const behind = from + word.length;
    if (behind >= this.#end) return CUT_OFF;
    if (skipped === NO_BYTE) return behind;
    const at = this.#bytes.subarray(0, this.#end).indexOf(skipped, behind);
    return at < 0 || at === this.#end - 1 ? CUT_OFF : at + 1;
  }

  #sixNumbersSomewhere(from: number): boolean {
    let at = from;
    while (at < this.#end && !isDigit(this.#bytes[at] as number)) at++;
    return at < this.#end && this.#sixNumbers(at, NO_BYTE);
  }

  /** `10,77,1,2,4,1`: address and port. */
  #sixNumbers(from: number, terminator: number): boolean {
    if (this.#readNumbers(from, 6, COMMA, terminator) < 0) return false;
    this.#takeAddress();
    const [, , , , high = 0, low = 0] = this.#numbers;
    this.port = ((high << 8) | low) & 0xffff;
    return true;
  }

  /** `|1|10.77.1.2|1025|` or `|2|fd77::2|1025|`, with any delimiter. */
  #extendedPort(from: number): boolean {
    if (this.#end - from <= 3) return false;
    const delimiter = this.#bytes[from] as number;
    if (!isDelimiter(delimiter) || this.#bytes[from + 2] !== delimiter) return false;
    if (this.#bytes[from + 1] !== (this.family === 4 ? 0x31 : 0x32)) return false;
    const behind = this.family === 4 ? this.#dotted(from + 3, delimiter) : this.#colons(from + 3, delimiter);
    return behind >= 0 && this.#readPort(behind + 1, delimiter);
  }

  /** `|||1025|`. */
  #extendedPassive(from: number): boolean {
    if (this.#end - from <= 3) return false;
    const delimiter = this.#bytes[from] as number;
    if (!isDelimiter(delimiter)) return false;
    if (this.#bytes[from + 1] !== delimiter || this.#bytes[from + 2] !== delimiter) return false;
    return this.#readPort(from + 3, delimiter);
  }

  #dotted(from: number, delimiter: number): number {
    const behind = this.#readNumbers(from, 4, DOT, delimiter);
    if (behind >= 0) this.#takeAddress();
    return behind;
  }

  #colons(from: number, delimiter: number): number {
    const behind = this.#bytes.subarray(0, this.#end).indexOf(delimiter, from);
    if (behind < 0) return -1;
    const address = parseAddress(String.fromCharCode(...this.#bytes.subarray(from, behind)));
    if (address === undefined || familyOf(address) !== 6) return -1;
    addressToWords(address, this.address, 0);
    return behind;
  }

  /** The first word only: in a flow of IPv6 the other three stay the speaker's, so that no address fits. */
  #takeAddress(): void {
    const [a = 0, b = 0, c = 0, d = 0] = this.#numbers;
    this.address[0] = (a << 24) | (b << 16) | (c << 8) | d;
  }

  /** Fills #numbers up to the terminator (NO_BYTE: anything else); gives its offset, or -1. */
  #readNumbers(from: number, count: number, separator: number, terminator: number): number {
    const numbers = this.#numbers.fill(0);
    let number = 0;
    for (let at = from; at < this.#end && number < count; at++) {
      const byte = this.#bytes[at] as number;
      if (isDigit(byte)) {
        numbers[number] = (numbers[number] as number) * 10 + byte - 0x30;
        if (this.#numbersAreBytes && (numbers[number] as number) > 255) return -1;
      } else if (byte === separator) {
        number += 1;
      } else {
        return number === count - 1 && (terminator === NO_BYTE || byte === terminator) ? at : -1;
      }
    }
    return -1;
  }

  #readPort(from: number, delimiter: number): boolean {
    let port = 0;
    for (let at = from; at < this.#end; at++) {
      const byte = this.#bytes[at] as number;
      if (byte === delimiter) {
        this.port = port;
        return port !== 0;
      }
      if (!isDigit(byte)) return false;
      port = (port * 10 + byte - 0x30) & 0xffff;
    }
    return false;
  }
}

const NOT_HERE = -1;
const CUT_OFF = -2;
const NO_BYTE = -1;

function lineOf(isWhole: boolean): number {
  return isWhole ? Line.WHOLE : Line.PARTIAL;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** RFC 2428: a printable character that is no digit. */
function isDelimiter(byte: number): boolean {
  return byte >= 33 && byte <= 126 && !isDigit(byte);
}

function upperCase(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
}

/**
 * Numbers, addresses and words out of ASCII bytes, without making strings.
 *
 * Invariant of every function that takes no end: the caller has made sure that some byte which cannot belong
 * to the item (a line feed, a blank, a `<`) follows within the array, so that reading stops before the array
 * does.
 */

export const LINE_FEED = 10;
export const RETURN = 13;
const TABULATOR = 9;
export const BLANK = 32;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const LETTER_X = 120;

/** Value of a hexadecimal digit by its byte; 16 for every other byte. */
const hexValue = new Uint8Array(256).fill(16);
for (let digit = 0; digit < 16; digit++) {
  hexValue[digit.toString(16).charCodeAt(0)] = digit;
  hexValue[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** Four ASCII characters as the 32-bit number a little-endian DataView reads from them. */
export function four(text: string): number {
  const at = (index: number): number => text.charCodeAt(index);
  return at(0) | (at(1) << 8) | (at(2) << 16) | (at(3) << 24);
}

/** Whether the byte stands between words: a blank, a tabulator, or the return in front of a line feed. */
export function isBlank(byte: number): boolean {
  return byte === BLANK || byte === TABULATOR || byte === RETURN;
}

/** Whether the byte is a decimal digit. */
export function isDigit(byte: number): boolean {
  return (byte - ZERO) >>> 0 <= 9;
}

/**
 * Reads a dotted IPv4 address at `from` into four words at `index` (the last three become zero). Returns the
 * position of the byte after it, or -1 when there is no address.
 */
export function readIpv4(bytes: Uint8Array, from: number, words: Uint32Array, index: number): number {
  let at = from;
  let word = 0;
  for (let octet = 0; octet < 4; octet++) {
    if (octet > 0 && bytes[at++] !== DOT) return -1;
    let value = (bytes[at++] as number) - ZERO;
    if (value >>> 0 > 9) return -1;
    let digit = (bytes[at] as number) - ZERO;
    if (digit >>> 0 <= 9) {
      // A leading zero would be octal to some programs.
      if (value === 0) return -1;
      value = value * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
      if (digit >>> 0 <= 9) {
        value = value * 10 + digit;
        at++;
        if (value > 255) return -1;
      }
    }
    word = (word << 8) | value;
  }
  words[index] = word;
  words[index + 1] = 0;
  words[index + 2] = 0;
  words[index + 3] = 0;
  return at;
}

const groups = new Uint16Array(8);
const dotted = new Uint32Array(4);

/**
 * Reads an IPv6 address in any notation (RFC 4291 2.2: full, with `::`, with a dotted tail) at `from` into
 * four words at `index`. Returns the position of the byte after it, or -1 when there is no address.
 */
export function readIpv6(bytes: Uint8Array, from: number, words: Uint32Array, index: number): number {
  let at = from;
  let count = 0;
  let gap = -1;
  if (bytes[at] === COLON) {
    if (bytes[at + 1] !== COLON) return -1;
    gap = 0;
    at += 2;
  }
  while (count < 8) {
    const start = at;
    let value = 0;
    while (at < start + 4) {
      const digit = hexValue[bytes[at] as number] as number;
      if (digit === 16) break;
      value = (value << 4) | digit;
      at++;
    }
    if (at === start) {
      // Only a gap may be followed by nothing.
      if (gap !== count) return -1;
      break;
    }
    if (bytes[at] === DOT) {
      at = count > 6 ? -1 : readIpv4(bytes, start, dotted, 0);
      if (at < 0) return -1;
      groups[count++] = (dotted[0] as number) >>> 16;
      groups[count++] = (dotted[0] as number) & 0xffff;
      break;
    }
    groups[count++] = value;
    if (bytes[at] !== COLON) break;
    at++;
    if (bytes[at] === COLON) {
      if (gap >= 0) return -1;
      gap = count;
      at++;
    } else if (count === 8) return -1;
  }
  return spreadGroups(count, gap, words, index) ? at : -1;
}

/** Puts `count` groups into words, zeros at the gap; false when there are too few or too many. */
function spreadGroups(count: number, gap: number, words: Uint32Array, index: number): boolean {
  if (gap < 0 ? count !== 8 : count > 7) return false;
  const zeros = 8 - count;
  for (let place = 0; place < 8; place += 2) {
    words[index + place / 2] = (groupAt(place, gap, zeros) << 16) | groupAt(place + 1, gap, zeros);
  }
  return true;
}

function groupAt(place: number, gap: number, zeros: number): number {
  if (gap < 0 || place < gap) return groups[place] as number;
  return place < gap + zeros ? 0 : (groups[place - zeros] as number);
}

/**
 * The number that fills the bytes `from` to `to`, decimal or as in `0x4d`; NaN when anything else is there.
 * Rounded when it is too large to be exact.
 */
export function numberOf(bytes: Uint8Array, from: number, to: number): number {
  const isHex = to - from > 2 && bytes[from] === ZERO && bytes[from + 1] === LETTER_X;
  const base = isHex ? 16 : 10;
  let value = from < to ? 0 : Number.NaN;
  for (let at = isHex ? from + 2 : from; at < to; at++) {
    const digit = hexValue[bytes[at] as number] as number;
    if (digit >= base) return Number.NaN;
    value = value * base + digit;
  }
  return value;
}

const utf8 = new TextDecoder();
/** Up to so many characters are faster put together one by one. */
const SHORT_BYTES = 48;

/** The bytes as text; for the few words that must become a string. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > SHORT_BYTES) return utf8.decode(bytes.subarray(from, to));
  let text = "";
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte > 127) return utf8.decode(bytes.subarray(from, to));
    text += String.fromCharCode(byte);
  }
  return text;
}

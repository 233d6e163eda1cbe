/**
 * Addresses as the kernel gives them: bytes, not text. Text exists only in rendering and parsing.
 *
 * An Address is a string with one character per byte, 4 or 16 of them: it has value equality, is a Map key,
 * and a prefix of whole bytes is a slice. On the hot path an address is four 32-bit words in FlowColumns
 * instead.
 */

declare const brand: unique symbol;
export type Address = string & { readonly [brand]: "address" };

/** Words an address takes in a column; an IPv4 address uses the first, the other three are zero. */
export const ADDRESS_WORDS = 4;

/** Makes an Address of 4 or 16 bytes. */
export function addressFromBytes(bytes: Uint8Array): Address {
  return String.fromCharCode(...bytes) as Address;
}

/** Makes an Address from the words at `at` of a column; `family` is 4 or 6. */
export function addressFromWords(words: Uint32Array, at: number, family: number): Address {
  const count = family === 4 ? 1 : ADDRESS_WORDS;
  let text = "";
  for (let index = 0; index < count; index++) {
    const word = words[at + index] as number;
    text += String.fromCharCode(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255);
  }
  return text as Address;
}

/** Writes an Address into four words of a column (big-endian value of each 4 bytes). */
export function addressToWords(address: Address, words: Uint32Array, at: number): void {
  for (let index = 0; index < ADDRESS_WORDS; index++) {
    const from = index * 4;
    words[at + index] = from >= address.length ? 0 : wordAt(address, from);
  }
}

function wordAt(address: Address, from: number): number {
  const high = (address.charCodeAt(from) << 8) | address.charCodeAt(from + 1);
  const low = (address.charCodeAt(from + 2) << 8) | address.charCodeAt(from + 3);
  return ((high << 16) | low) >>> 0;
}

/** 4 for IPv4, 6 for IPv6. */
export function familyOf(address: Address): 4 | 6 {
  return address.length === 4 ? 4 : 6;
}

/** ::ffff:0:0/96: an IPv4 peer of a socket of IPv6. */
const MAPPED = `${"\0".repeat(10)}\xff\xff`;

/** The IPv4 address that a mapped one (::ffff:192.0.2.1) stands for; others as they are. */
export function unmapped(address: Address): Address {
  return address.length === 16 && address.startsWith(MAPPED) ? (address.slice(12) as Address) : address;
}

/** Text as people write it: dotted, or RFC 5952 (compressed, lower case). */
export function formatAddress(address: Address): string {
  if (address.length === 4) return formatDotted(address);
  const groups = groupsOf(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatDotted(address.slice(12))}`;
  }
  const zeros = longestZeroRun(groups);
  const text = groups.map((group) => group.toString(16));
  if (zeros.length < 2) return text.join(":");
  return `${text.slice(0, zeros.start).join(":")}::${text.slice(zeros.start + zeros.length).join(":")}`;
}

/** Text as /proc/net/nf_conntrack prints it: IPv6 always in eight groups of four digits. */
export function formatKernelAddress(address: Address): string {
  if (address.length === 4) return formatDotted(address);
  return groupsOf(address)
    .map((group) => group.toString(16).padStart(4, "0"))
    .join(":");
}

/** Each number of a dotted address as text: a listing prints four a flow and direction, twice. */
const octets = Array.from({ length: 256 }, (_, octet) => String(octet));

function formatDotted(address: string): string {
  const [a, b] = [octets[address.charCodeAt(0)], octets[address.charCodeAt(1)]];
  return `${a}.${b}.${octets[address.charCodeAt(2)]}.${octets[address.charCodeAt(3)]}`;
}

function groupsOf(address: Address): number[] {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) {
    groups.push((address.charCodeAt(index) << 8) | address.charCodeAt(index + 1));
  }
  return groups;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  });
  return best;
}

/** An address with the number of leading bits that count, as in 10.0.0.0/8. */
export interface Prefix {
  address: Address;
  bits: number;
}

/** The first `bits` bits of `address`, the rest zero. */
export function maskAddress(address: Address, bits: number): Address {
  let masked = "";
  for (let index = 0; index < address.length; index++) {
    const keep = Math.min(8, Math.max(0, bits - index * 8));
    masked += String.fromCharCode(address.charCodeAt(index) & (0xff << (8 - keep)) & 0xff);
  }
  return masked as Address;
}

/** `10.0.0.0/8`; a full-length prefix prints as the bare address. */
export function formatPrefix(prefix: Prefix): string {
  const text = formatAddress(prefix.address);
  return prefix.bits === prefix.address.length * 8 ? text : `${text}/${prefix.bits}`;
}

/**
 * Sums over packet bytes: the internet checksum (RFC 1071) and CRC-32C (RFC 9260, appendix A). They are taken
 * of every packet, so they read 16 bits at a time where the machine allows it.
 */

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Folds a sum of 16-bit words into 16 bits; 0xffff is the sum of bytes whose checksum is right. */
export function foldSum(sum: number): number {
  const folded = (sum & 0xffff) + (sum >>> 16);
  return (folded & 0xffff) + (folded >>> 16);
}

/** One's complement sums; keeps a view of the bytes it summed last, so that none is made per packet. */
export class ByteSums {
  #bytes: Uint8Array = new Uint8Array(0);
  /** The whole memory of `#bytes`, and where in it they begin. */
  #words: Uint16Array = new Uint16Array(0);
  #shift = 0;

  /**
   * The sum, not folded, of the bytes from `from` to `to` as big-endian 16-bit words, an odd last byte being
   * the high half of a word. At most 2^16 bytes, so that the sum fits 31 bits.
   */
  sum(bytes: Uint8Array, from: number, to: number): number {
    if (bytes !== this.#bytes) this.#look(bytes);
    if (!LITTLE_ENDIAN || to <= from) return sumOfBytes(bytes, from, to);
    const first = this.#shift + from;
    const end = this.#shift + to;
    // Words that lie across those of the packet have their halves swapped, as reading them in little-endian
    // order has: so a packet at an odd address needs no swap at the end, and one at an even address does.
    let sum = sumOfWords(this.#words, (first + 1) >>> 1, end >>> 1);
    if ((first & 1) !== 0) {
      if (from + 1 === to) return (bytes[from] as number) << 8;
      sum += (bytes[from] as number) << 8;
      return (end & 1) === 0 ? sum : sum + (bytes[to - 1] as number);
    }
    if ((end & 1) !== 0) sum += bytes[to - 1] as number;
    const folded = foldSum(sum);
    return ((folded & 0xff) << 8) | (folded >>> 8);
  }

  #look(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#shift = bytes.byteOffset;
    this.#words = new Uint16Array(bytes.buffer, 0, bytes.buffer.byteLength >>> 1);
  }
}

function sumOfWords(words: Uint16Array, from: number, to: number): number {
  let even = 0;
  let odd = 0;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    even += (words[at] as number) + (words[at + 1] as number);
    odd += (words[at + 2] as number) + (words[at + 3] as number);
  }
  for (; at < to; at++) even += words[at] as number;
  return even + odd;
}

function sumOfBytes(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  let at = from;
  for (; at + 2 <= to; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (at < to) sum += (bytes[at] as number) << 8;
  return sum;
}

/** The reflected polynomial of CRC-32C. */
const CASTAGNOLI = 0x82f6_3b78;
const crcOfByte = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : CASTAGNOLI);
  return crc;
});

/** Where SCTP's checksum stands, counted from its header: four bytes that count as zero in the sum. */
const SCTP_CHECKSUM_AT = 8;

/** CRC-32C, unsigned, of an SCTP packet from `from` to `to`, its checksum field taken as zero. */
export function sctpChecksum(bytes: Uint8Array, from: number, to: number): number {
  const field = from + SCTP_CHECKSUM_AT;
  let crc = -1;
  for (let at = from; at < to; at++) {
    const byte = at >= field && at < field + 4 ? 0 : (bytes[at] as number);
    crc = (crc >>> 8) ^ (crcOfByte[(crc ^ byte) & 0xff] as number);
  }
  return ~crc >>> 0;
}

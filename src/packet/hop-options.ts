/**
 * Hop-by-hop options, which the IPv6 layer reads before the tracker does (ip6_parse_tlv of
 * net/ipv6/exthdrs.c): a packet with options it does not like never gets to the tracker.
 */
import { i32, u16 } from "./big-endian.ts";

const Option = { PAD_ONE: 0, PAD: 1, ROUTER_ALERT: 5, JUMBO: 0xc2 } as const;
/** Bits of an unknown option's type; zero means that it is to be skipped. */
const ACTION_BITS = 0xc0;
/**
 * More padding in a row is refused, and more options than the sysctl max_hbh_opts_number says (its default).
 */
const MOST_PADDING_BYTES = 7;
const MOST_OPTIONS = 8;
const IP_HEADER_BYTES = 40;

/**
 * Whether the options header right behind the IPv6 header at `ip` is one the kernel takes; the packet ends at
 * `end`. What lies behind a cut of the capture must not be asked about.
 */
export function areHopOptionsGood(bytes: Uint8Array, ip: number, end: number): boolean {
  const start = ip + IP_HEADER_BYTES;
  if (start + 8 > end) return false;
  const limit = start + (((bytes[start + 1] as number) + 1) << 3);
  if (limit > end) return false;
  let padding = 0;
  let options = 0;
  for (let at = start + 2; at < limit;) {
    const type = bytes[at] as number;
    if (type === Option.PAD_ONE) {
      at += 1;
      padding += 1;
      if (padding > MOST_PADDING_BYTES) return false;
      continue;
    }
    if (at + 2 > limit) return false;
    const size = (bytes[at + 1] as number) + 2;
    if (at + size > limit) return false;
    if (type === Option.PAD) {
      padding += size;
      if (padding > MOST_PADDING_BYTES || !isZero(bytes, at + 2, at + size)) return false;
    } else {
      padding = 0;
      options += 1;
      if (options > MOST_OPTIONS || !isOptionGood(bytes, ip, at, end)) return false;
    }
    at += size;
  }
  return true;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

function isOptionGood(bytes: Uint8Array, ip: number, at: number, end: number): boolean {
  const type = bytes[at] as number;
  const size = bytes[at + 1] as number;
  if (type === Option.ROUTER_ALERT) return size === 2;
  if (type !== Option.JUMBO) return (type & ACTION_BITS) === 0;
  if (size !== 4 || ((at - ip) & 3) !== 2 || u16(bytes, ip + 4) !== 0) return false;
  const payload = i32(bytes, at + 2) >>> 0;
  return payload > 65_535 && payload <= end - ip - IP_HEADER_BYTES;
}

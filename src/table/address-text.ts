/**
 * Addresses and prefixes that people type. Lenient where people are (`10.0.0.0/8`, `2001:db8::1`, a bare
 * address is a full-length prefix), strict where a slip would select the wrong flows (`10.1` and leading
 * zeros are refused).
 */
import ipaddr from "ipaddr.js";
import { type Address, addressFromBytes, maskAddress, type Prefix } from "./address.ts";

/** Reads an IPv4 or IPv6 address; undefined when `text` is not one. */
export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    if (/(^|\.)0\d/.test(text)) return undefined;
    return addressFromBytes(Uint8Array.from(ipaddr.IPv4.parse(text).toByteArray()));
  }
  if (!text.includes(":") || text.includes("%")) return undefined;
  const groups = withoutDots(text);
  if (groups === undefined || !ipaddr.IPv6.isValid(groups)) return undefined;
  return addressFromBytes(Uint8Array.from(ipaddr.IPv6.parse(groups).toByteArray()));
}

/**
 * An IPv6 address whose last 32 bits may be dotted (RFC 4291, 2.2) with two groups in their place: ipaddr.js
 * takes `::1.2.3.4` for `::ffff:1.2.3.4`. Undefined when the dots are no IPv4 address.
 */
function withoutDots(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const from = text.lastIndexOf(":") + 1;
  const last = parseAddress(text.slice(from));
  if (last === undefined) return undefined;
  const at = (index: number): number => last.charCodeAt(index);
  const [high, low] = [(at(0) << 8) | at(1), (at(2) << 8) | at(3)];
  return `${text.slice(0, from)}${high.toString(16)}:${low.toString(16)}`;
}

/** Reads `ADDRESS` or `ADDRESS/BITS`; host bits are cleared; undefined when `text` is neither. */
export function parsePrefix(text: string): Prefix | undefined {
  const [addressText = "", bitsText, ...rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  if (bitsText === undefined) return { address, bits: address.length * 8 };
  if (!/^\d{1,3}$/.test(bitsText)) return undefined;
  const bits = Number(bitsText);
  if (bits > address.length * 8) return undefined;
  return { address: maskAddress(address, bits), bits };
}

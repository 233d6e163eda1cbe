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
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return undefined;
  return addressFromBytes(Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray()));
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

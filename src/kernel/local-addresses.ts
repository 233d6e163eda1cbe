/**
 * Addresses of a network namespace from /proc/net: the local table of fib_trie for IPv4 and if_inet6 for
 * IPv6. They tell every address, also of an interface without carrier, and belong to whatever namespace the
 * directory does.
 */
import type { Address } from "../table/address.ts";
import { addressFromBytes } from "../table/address.ts";
import { KernelError } from "./error.ts";
import type { Files } from "./files.ts";

/** A router with all routes of the internet has a fib_trie of a hundred megabytes; nobody waits for that. */
const FIB_MAX_BYTES = 2 * 1024 * 1024;

/**
 * IPv4 addresses of /proc/net/fib_trie: `|-- 10.0.0.1` followed by `/32 host LOCAL`. Loopback is left out.
 */
export function parseFibTrie(text: string): readonly Address[] {
  const found = new Set<Address>();
  let leaf: string | undefined;
  for (const line of text.split("\n")) {
    const address = /^\s*\|-- (\d+\.\d+\.\d+\.\d+)$/.exec(line)?.[1];
    if (address !== undefined) leaf = address;
    else if (leaf !== undefined && /^\s*\/32 host LOCAL\b/.test(line) && !leaf.startsWith("127.")) {
      found.add(addressFromBytes(Uint8Array.from(leaf.split("."), Number)));
    }
  }
  return [...found];
}

/**
 * IPv6 addresses of /proc/net/if_inet6: 32 hexadecimal digits begin each line. Loopback and fe80::/10 are
 * left out.
 */
export function parseIfInet6(text: string): readonly Address[] {
  const found: Address[] = [];
  for (const line of text.split("\n")) {
    const digits = /^([0-9a-f]{32}) /.exec(line)?.[1];
    if (digits === undefined || /^0{31}1$|^fe[89ab]/.test(digits)) continue;
    found.push(addressFromBytes(Uint8Array.fromHex(digits)));
  }
  return found;
}

/**
 * Addresses of what `ip address` printed: the words after `inet` and `inet6`. Loopback and link-local are
 * left out.
 */
export function parseIpAddress(text: string): readonly Address[] {
  const found = new Set<Address>();
  for (const [, written = ""] of text.matchAll(/\binet6? ([0-9a-f.:]{3,45})(?:\/\d{1,3})?\b/g)) {
    if (/^127\.|^::1$|^fe[89ab]/.test(written)) continue;
    const address = written.includes(":") ? compressedIPv6(written) : dottedIPv4(written);
    if (address !== undefined) found.add(address);
  }
  return [...found];
}

/** iproute2 writes addresses in one way only; what people type is read by table/address-text.ts. */
function dottedIPv4(text: string): Address | undefined {
  const parts = text.split(".");
  const valid = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
  return valid ? addressFromBytes(Uint8Array.from(parts, Number)) : undefined;
}

function compressedIPv6(text: string): Address | undefined {
  const [head = "", tail, second] = text.split("::", 3);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = 8 - left.length - right.length;
  if (second !== undefined || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return addressFromBytes(Uint8Array.fromHex(groups.map((group) => group.padStart(4, "0")).join("")));
}

/**
 * Addresses of the namespace that `directory` shows (`/proc/812/net`, `/proc/self/net`); undefined: cannot be
 * told.
 */
export function readLocalAddresses(files: Files, directory: string): readonly Address[] | undefined {
  try {
    const fib = files.textIfThere(`${directory}/fib_trie`, FIB_MAX_BYTES);
    const inet6 = files.textIfThere(`${directory}/if_inet6`);
    if (fib === undefined && inet6 === undefined) return undefined;
    return [...parseFibTrie(fib ?? ""), ...parseIfInet6(inet6 ?? "")];
  } catch (error) {
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

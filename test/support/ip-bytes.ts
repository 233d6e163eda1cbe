/** IP packets as bytes, for tests of the packet reader: right unless a test breaks them afterwards. */
import { parseAddress } from "../../src/table/address-text.ts";

export const CLIENT = "192.0.2.1";
export const SERVER = "198.51.100.7";
export const CLIENT6 = "2001:db8::1";
export const SERVER6 = "2001:db8:7::2";

/** Bytes of numbers, other byte strings and text written in hexadecimal, one behind the other. */
export function join(...parts: (string | number | Uint8Array)[]): Uint8Array {
  const bytes = parts.flatMap((part) => {
    if (typeof part === "number") return [part];
    return typeof part === "string" ? [...Uint8Array.fromHex(part.replaceAll(" ", ""))] : [...part];
  });
  return Uint8Array.from(bytes);
}

export function word(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 255);
}

export function addressBytes(text: string): Uint8Array {
  return Uint8Array.from(parseAddress(text) ?? "", (character) => character.charCodeAt(0));
}

/** The one's complement sum as RFC 1071 puts it, inverted: written for being plainly right. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export interface Ipv4Fields {
  source?: string;
  destination?: string;
  identification?: number;
  /** Flags and offset as they stand in the header. */
  fragment?: number;
  totalBytes?: number;
  options?: Uint8Array;
}

export function ipv4(protocol: number, payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const { source = CLIENT, destination = SERVER, options = new Uint8Array(0) } = fields;
  const headerBytes = 20 + options.length;
  const header = join(
    0x40 | (headerBytes / 4),
    0,
    word(fields.totalBytes ?? headerBytes + payload.length),
    word(fields.identification ?? 1),
    word(fields.fragment ?? 0),
    64,
    protocol,
    word(0),
    addressBytes(source),
    addressBytes(destination),
    options,
  );
  header.set(word(internetChecksum(header)), 10);
  return join(header, payload);
}

export interface Ipv6Fields {
  source?: string;
  destination?: string;
  payloadBytes?: number;
}

export function ipv6(next: number, payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  const { source = CLIENT6, destination = SERVER6 } = fields;
  const length = word(fields.payloadBytes ?? payload.length);
  return join("60000000", length, next, 64, addressBytes(source), addressBytes(destination), payload);
}

/** An IPv6 fragment header with its data; `offset` in bytes. */
export function fragment6(
  next: number,
  offset: number,
  more: boolean,
  id: number,
  data: Uint8Array,
): Uint8Array {
  return join(next, 0, word(offset | (more ? 1 : 0)), word(0), word(id), data);
}

/** Transport bytes with the internet checksum at `at`, over a pseudo header for `protocol` too. */
export function summed(bytes: Uint8Array, at: number, protocol: number, family: 4 | 6 = 4): Uint8Array {
  const [source, destination] = family === 4 ? [CLIENT, SERVER] : [CLIENT6, SERVER6];
  const numbers = join(word(bytes.length), word(protocol));
  const whole = join(addressBytes(source), addressBytes(destination), numbers, bytes);
  const right = Uint8Array.from(bytes);
  right.set(word(internetChecksum(whole) || 0xffff), at);
  return right;
}

export function udp(from: number, to: number, data: Uint8Array, family: 4 | 6 = 4): Uint8Array {
  return summed(join(word(from), word(to), word(8 + data.length), word(0), data), 6, 17, family);
}

/** From port 50000 to 21, sequence number 2^31 + 1, acknowledgment 5; options and data in hexadecimal. */
export function tcp(flags: number, options = "", data = "", family: 4 | 6 = 4): Uint8Array {
  const optionBytes = join(options);
  const offset = ((20 + optionBytes.length) / 4) << 4;
  const head = join("c350 0015 80000001 00000005", offset, flags, "2000 0000 0000");
  return summed(join(head, optionBytes, data), 16, 6, family);
}

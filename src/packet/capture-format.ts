/** Which format a capture has, told by its first bytes, and what to say of what is no capture. */
import { CaptureError, type CaptureErrorCode } from "./capture-error.ts";
import { PcapReader, type PcapVariant } from "./pcap.ts";
import { PcapngReader } from "./pcapng.ts";
import { u32, type RecordReader } from "./record-reader.ts";
import type { RecordSink } from "../table/record-sink.ts";

/** Bytes looked at before an input is refused: enough for the first line of a text and the mark of a tar. */
export const REFUSAL_HEAD_BYTES = 512;

/** Magic numbers of pcap as big-endian integers; the byte order of the file is that of its magic. */
const MAGICS: ReadonlyMap<number, PcapVariant> = new Map([
  [0xa1b2c3d4, { littleEndian: false, resolution: "microseconds", isModified: false }],
  [0xd4c3b2a1, { littleEndian: true, resolution: "microseconds", isModified: false }],
  [0xa1b23c4d, { littleEndian: false, resolution: "nanoseconds", isModified: false }],
  [0x4d3cb2a1, { littleEndian: true, resolution: "nanoseconds", isModified: false }],
  [0xa1b2cd34, { littleEndian: false, resolution: "microseconds", isModified: true }],
  [0x34cdb2a1, { littleEndian: true, resolution: "microseconds", isModified: true }],
]);

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c2b1a;
const BYTE_ORDER_AT = 8;

/** The magic of pcap; for pcapng, the first block up to its byte order mark. */
export const PCAP_MAGIC_BYTES = 4;
export const PCAPNG_MAGIC_BYTES = 12;

/**
 * Opens the reader for a stream that begins with `head`. Undefined: `head` begins no capture, or is too short
 * to tell (fewer than 4 bytes, 12 for pcapng).
 */
export function openReader(head: Uint8Array, sink: RecordSink): RecordReader | undefined {
  if (head.length < PCAP_MAGIC_BYTES) return undefined;
  const magic = u32(head, 0, false);
  const variant = MAGICS.get(magic);
  if (variant !== undefined) return new PcapReader(sink, variant);
  if (magic !== SECTION_HEADER || head.length < PCAPNG_MAGIC_BYTES) return undefined;
  const order = u32(head, BYTE_ORDER_AT, false);
  if (order !== BYTE_ORDER_MAGIC && order !== BYTE_ORDER_MAGIC_SWAPPED) return undefined;
  return new PcapngReader(sink);
}

interface Lookalike {
  /** First bytes, as Latin-1. */
  begins: string;
  code: CaptureErrorCode;
  found: string;
  help: string;
}

const CONVERT = "convert it first (editcap -F pcap)";

const lookalikes: readonly Lookalike[] = [
  packed("\x1f\x8b", "gzip-compressed data", "gzip -dc"),
  packed("\x28\xb5\x2f\xfd", "zstd-compressed data", "zstd -dc"),
  packed("\xfd7zXZ", "xz-compressed data", "xz -dc"),
  packed("BZh", "bzip2-compressed data", "bzip2 -dc"),
  packed("\x04\x22\x4d\x18", "lz4-compressed data", "lz4 -dc"),
  packed("\x1f\x9d", "data of compress", "gzip -dc"),
  packed("PK\x03\x04", "a zip archive", "unzip -p"),
  packed("7z\xbc\xaf\x27\x1c", "a 7z archive", "7z e -so"),
  capture("snoop\0\0\0", "a Solaris snoop capture"),
  capture("btsnoop\0", "a Bluetooth snoop capture"),
  capture("RTSS", "a Microsoft Network Monitor 1 capture"),
  capture("GMBU", "a Microsoft Network Monitor 2 capture"),
  capture("XCP\0", "a NetXRay capture"),
  capture("TRSNIFF data", "a Network General Sniffer capture"),
  capture("iptrace ", "an AIX iptrace capture"),
  capture("\x1c\x00\x01\xac", "an IXIA capture"),
  capture("\x1c\x00\x01\xab", "an IXIA capture"),
  capture("\x54\x52\x00\x64\x00", "an HP-UX nettl capture"),
];

function packed(begins: string, found: string, command: string): Lookalike {
  return { begins, code: "compressed", found, help: `unpack it first (${command})` };
}

function capture(begins: string, found: string): Lookalike {
  return { begins, code: "unsupported", found, help: CONVERT };
}

/** Characters of the first line that are shown. */
const SHOWN_CHARACTERS = 72;
const SHOWN_BYTES = 16;
const HELP = "give a capture in pcap or pcapng format, as tcpdump -w writes it";

/** Makes the error for an input that begins with `head` and that openReader does not take. */
export function refusalOf(head: Uint8Array, origin: string): CaptureError {
  if (head.length === 0) return new CaptureError("empty", origin, "it is empty", HELP);
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join("");
  const lookalike = lookalikes.find(({ begins }) => text.startsWith(begins));
  if (lookalike !== undefined)
    return new CaptureError(lookalike.code, origin, lookalike.found, lookalike.help);
  if (text.slice(257, 262) === "ustar")
    return new CaptureError("compressed", origin, "a tar archive", "unpack it first (tar -xf)");
  if (isText(head)) {
    return new CaptureError("not-a-capture", origin, `text, beginning with '${firstLine(head)}'`, HELP);
  }
  if (looksLikeErf(head))
    return new CaptureError("unsupported", origin, "what looks like an Endace ERF capture", CONVERT);
  const shown = Array.from(head.subarray(0, SHOWN_BYTES), (byte) => byte.toString(16).padStart(2, "0"));
  const more = head.length > SHOWN_BYTES ? " ..." : "";
  return new CaptureError(
    "not-a-capture",
    origin,
    `bytes of no known format (${shown.join(" ")}${more})`,
    HELP,
  );
}

/** UTF-8 (whose last character may be cut) without control characters besides white space and escape. */
function isText(head: Uint8Array): boolean {
  const isPlain = head.every((byte) => byte >= 0x20 || (byte >= 0x08 && byte <= 0x0d) || byte === 0x1b);
  if (!isPlain) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** The first line that is not blank, with everything that could act on a terminal replaced. */
function firstLine(head: Uint8Array): string {
  const text = new TextDecoder().decode(head);
  const line = text.split("\n").find((part) => part.trim() !== "") ?? "";
  const shown = line.trim().replace(/[^\x20-\x7e\u00a1-\uffff]/g, "?");
  return shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}...` : shown;
}

/**
 * ERF has no magic. Its first record begins with a time (32.32 bits, little-endian; from 2000 on here), a
 * type (1 to 48 are given out) and a record length (big-endian) that holds the 16 bytes of the header.
 */
function looksLikeErf(head: Uint8Array): boolean {
  if (head.length < 16) return false;
  const type = (head[8] as number) & 0x7f;
  const recordBytes = ((head[10] as number) << 8) | (head[11] as number);
  return u32(head, 4, true) >= 946_684_800 && type >= 1 && type <= 48 && recordBytes >= 16;
}

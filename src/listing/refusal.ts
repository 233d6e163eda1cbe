/**
 * What to say of an input in which no flow was found: what it looks like, and what would help.
 */
import { LINE_FEED } from "./ascii.ts";
import { ListingError, type ListingErrorCode } from "./listing-error.ts";

/** Characters of the first line that are shown. */
const SHOWN = 72;

interface Lookalike {
  /** Recognised by these first bytes (Latin-1), or by a pattern anywhere in the head. */
  begins?: string;
  pattern?: RegExp;
  found: string;
  help: string;
}

const lookalikes: readonly Lookalike[] = [
  { begins: "\xfd7zXZ", found: "xz-compressed data", help: "unpack it first (xz -dc)" },
  { begins: "BZh", found: "bzip2-compressed data", help: "unpack it first (bzip2 -dc)" },
  { begins: "\x04\x22\x4d\x18", found: "lz4-compressed data", help: "unpack it first (lz4 -dc)" },
  { begins: "PK\x03\x04", found: "a zip archive", help: "unpack it first (unzip -p)" },
  { begins: "\xff\xfe", found: "UTF-16 text", help: "convert it first (iconv -f utf-16 -t utf-8)" },
  { begins: "\xfe\xff", found: "UTF-16 text", help: "convert it first (iconv -f utf-16 -t utf-8)" },
  { begins: "\xd4\xc3\xb2\xa1", found: "a packet capture", help: "give a listing of the table instead" },
  { begins: "\xa1\xb2\xc3\xd4", found: "a packet capture", help: "give a listing of the table instead" },
  { begins: "\x0a\x0d\x0d\x0a", found: "a packet capture", help: "give a listing of the table instead" },
  { pattern: /^.{257}ustar/s, found: "a tar archive", help: "unpack it first (tar -xf)" },
  {
    pattern: /^\s*-[AI] .*-s \S+ -d \S+/m,
    found: "commands of conntrack -o save",
    help: "list the table without -o save (conntrack -L -o extended)",
  },
  {
    pattern: /^\s*\d+ (l3proto = \d+ )?proto=\d+ src=|<expect>/m,
    found: "a listing of expected connections",
    help: "list the table itself (conntrack -L -o extended)",
  },
  {
    pattern: /^cpu=\d+\s+found=/m,
    found: "the counters of conntrack -S",
    help: "list the table itself (conntrack -L -o extended)",
  },
  {
    pattern: /^entries\s+(searched|clashres)\s/m,
    found: "the counters of /proc/net/stat/nf_conntrack",
    help: "give /proc/net/nf_conntrack instead",
  },
];

/** Makes the error for an input whose first bytes are `head`. */
export function refusalOf(head: Uint8Array, origin: string): ListingError {
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join("");
  const lookalike = lookalikes.find(({ begins, pattern }) =>
    begins === undefined ? pattern?.test(text) === true : text.startsWith(begins),
  );
  if (lookalike !== undefined)
    return new ListingError("unsupported", origin, lookalike.found, lookalike.help);
  if (head.includes(0)) {
    const shown = Array.from(head.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return refusal("not-text", origin, `bytes that are no text (${shown} ...)`);
  }
  return refusal("not-a-listing", origin, `no line that is a flow; the first line is '${firstLine(head)}'`);
}

function refusal(code: ListingErrorCode, origin: string, found: string): ListingError {
  const help = "give the output of conntrack -L -o extended or a copy of /proc/net/nf_conntrack";
  return new ListingError(code, origin, found, help);
}

/** The first line that is not blank, with everything that could act on a terminal replaced. */
function firstLine(head: Uint8Array): string {
  const text = new TextDecoder().decode(head);
  const line = text.split(String.fromCharCode(LINE_FEED)).find((part) => part.trim() !== "") ?? "";
  const shown = line.trim().replace(/[^\x20-\x7e\u00a1-\uffff]/g, "?");
  return shown.length > SHOWN ? `${shown.slice(0, SHOWN)}...` : shown;
}

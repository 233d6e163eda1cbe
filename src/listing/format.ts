/**
 * Which program printed a listing. The layouts are nearly the same, so this is a judgement from clues, made
 * for people and for machine output; the reading of a line never depends on it.
 *
 * | clue | says | since, until |
 * |---|---|---|
 * | `ipv4     2 ` before the protocol | nf_conntrack, or `conntrack -o extended` | 2.6.15 |
 * | IPv6 in eight groups of four digits | the kernel | |
 * | IPv6 with `::` | conntrack(8) | |
 * | `stream_timeout=` of GRE | the kernel | |
 * | `zone=0` | the kernel; netlink leaves zone 0 out | 2.6.34 |
 * | `use=` above 1 | the kernel, whose reader holds a reference | 2.6.30 |
 * | `secmark=` | the kernel | 2.6.18 to 2.6.36 |
 * | a blank at the end of the line | the kernel | to 2.6.8 |
 * | `id=` behind `use=`, `[start=`, `helper=`, `labels=`, `portid=` | conntrack(8) | |
 * | `[NEW]`, `[UPDATE]`, `[DESTROY]` | `conntrack -E` | |
 */

export type ListingFormat =
  | "nf_conntrack"
  | "ip_conntrack"
  | "conntrack"
  | "conntrack-extended"
  | "conntrack-events"
  | "conntrack-xml"
  | "conntrack-xml-events";

/** Names for people. */
export const formatText: Record<ListingFormat, string> = {
  nf_conntrack: "/proc/net/nf_conntrack",
  ip_conntrack: "/proc/net/ip_conntrack",
  conntrack: "conntrack -L",
  "conntrack-extended": "conntrack -L -o extended",
  "conntrack-events": "conntrack -E",
  "conntrack-xml": "conntrack -L -o xml",
  "conntrack-xml-events": "conntrack -E -o xml",
};

/** Flows at the beginning of a listing that are searched for clues. */
const LINES_WEIGHED = 64;

const familyInFront = /\bipv[46] +\d+ /;
const eventMark = /\[(NEW|UPDATE|DESTROY)\]/;
const onlyKernel = / (stream_timeout=|zone=0 |secmark=|use=([2-9]|\d{2})|src=([\da-f]{4}:){7})|use=\d+ \r?$/;
const onlyTool = / (src=[\da-f:]*::|use=\d+ id=|\[start=|helper=|labels=|portid=)/;

/** Clues, collected while reading. */
export class FormatClues {
  isXml = false;
  /** Flows that are events, of those weighed. */
  events = 0;
  #lines = 0;
  #withFamily = 0;
  #kernel = 0;
  #tool = 0;

  /** Whether more lines are wanted. */
  get isOpen(): boolean {
    return this.#lines < LINES_WEIGHED;
  }

  /** Weighs a line that is a flow. */
  weigh(line: string): void {
    this.#lines++;
    if (familyInFront.test(line)) this.#withFamily++;
    if (eventMark.test(line)) this.events++;
    if (onlyKernel.test(line)) this.#kernel++;
    if (onlyTool.test(line)) this.#tool++;
  }

  /** The closing line of conntrack(8) was seen. */
  noteRemark(): void {
    this.#tool += LINES_WEIGHED;
  }

  /** Whether lines begin with the address family. */
  get hasFamily(): boolean {
    return this.#withFamily * 2 >= this.#lines;
  }

  /** The judgement so far; undefined as long as there was no flow. */
  get format(): ListingFormat | undefined {
    if (this.isXml) return this.events > 0 ? "conntrack-xml-events" : "conntrack-xml";
    if (this.#lines === 0) return undefined;
    if (this.events > 0) return "conntrack-events";
    const isTool = this.#tool >= this.#kernel;
    if (this.hasFamily) return isTool ? "conntrack-extended" : "nf_conntrack";
    return isTool ? "conntrack" : "ip_conntrack";
  }
}

/**
 * Reads one line of any listing, whatever stands around the flow: marks of events, time stamps, quotes of a
 * mail, the file name `grep` puts in front, words of a newer kernel. It is the definition of what a line
 * means; usual-line.ts must agree with it wherever it answers at all.
 *
 * The grammar (nf_conntrack_standalone.c 2.4.0 to 6.18, libnetfilter_conntrack 1.0.9), a blank after every
 * part: `[FAMILY NUMBER] PROTOCOL NUMBER [TIMEOUT] [STATE] tuple [zone-orig=] [counters] [[UNREPLIED]] tuple
 * [zone-reply=] [counters] [[FLAG]] [mark=] [secmark= or secctx=] [zone=] [delta-time=] [[start=]] [[stop=]]
 * use= [id=] [labels=]`, where a tuple is `src= dst=` and `sport= dport=`, `type= code= id=`, `srckey=
 * dstkey=` or nothing.
 */
import type { FlowColumns } from "../table/columns.ts";
import type { Oddities } from "../table/oddities.ts";
import { ICMPV6, kernelProtocolName, protocolNumber } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { isBlank, isDigit, numberOf, textOf } from "./ascii.ts";
import { readCalendarTime } from "./calendar.ts";
import type { FormatClues } from "./format.ts";
import { OpenRow } from "./open-row.ts";

/**
 * - `flow`: a row was added;
 * - `cut`: the input ended within the line; a row was added if what is left of it is a flow;
 * - `expectation`: an expected connection (2.4 to 2.6.8 list them in the same file);
 * - `remark`: a closing line of conntrack(8);
 * - `other`: not a flow.
 */
export type LineKind = "flow" | "cut" | "expectation" | "remark" | "blank" | "other";

/** Words searched for the beginning of a flow; what stands in front of it is left out. */
const WORDS_IN_FRONT = 16;
/** Bytes of a word that are looked at as a name. */
const NAME_BYTES = 64;

const OPENING = 91;
const CLOSING = 93;
const EQUALS = 61;
const COMMA = 44;

/** The address families of the text form, and the number printed behind each. */
const families = new Map([
  ["ipv4", { family: 4, number: 2 }],
  ["ipv6", { family: 6, number: 10 }],
]);

const eventKinds = new Map([
  ["[NEW]", "new"],
  ["[UPDATE]", "update"],
  ["[DESTROY]", "destroy"],
] as const);

const statusMarks = new Map<string, number>([
  ["[ASSURED]", Status.ASSURED],
  ["[OFFLOAD]", Status.OFFLOAD],
  ["[HW_OFFLOAD]", Status.HW_OFFLOAD],
]);

/** What says nothing about the flow: who caused an event, and fields of the PPTP patches to 2.4. */
const ignored = new Set(["[USERSPACE]", "[EXPECTED]", "portid", "progname", "version", "protocol"]);

/** How a flow's line begins, to tell one that was cut right there. */
const beginnings = [
  "ipv4 ",
  "ipv6 ",
  "tcp ",
  "udp ",
  "icmp ",
  "icmpv6 ",
  "sctp ",
  "gre ",
  "unknown ",
  "udplite ",
  "dccp ",
];

export class AnyLine {
  /** Numbers printed as `unknown` although this program has a name for them. */
  readonly unnamed = new Set<number>();
  readonly #row: OpenRow;
  readonly #clues: FormatClues;
  readonly #utcOffsetMinutes: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  /** The present line calls a protocol `unknown` that has a name. */
  #isUnnamed = false;
  /** The present word. */
  #from = 0;
  #to = 0;

  /** `utcOffsetMinutes`: see ListingOptions. */
  constructor(columns: FlowColumns, oddities: Oddities, clues: FormatClues, utcOffsetMinutes: number) {
    this.#row = new OpenRow(columns, oddities);
    this.#clues = clues;
    this.#utcOffsetMinutes = utcOffsetMinutes;
  }

  /**
   * Reads the line that fills the bytes `start` to `end`, without its line feed; some byte must follow in the
   * array. `isLast`: the input ended here without a line feed, so the line may have been cut. The batch must
   * not be full.
   */
  read(bytes: Uint8Array, start: number, end: number, isLast = false): LineKind {
    this.#bytes = bytes;
    this.#end = end;
    while (this.#end > start && isBlank(bytes[this.#end - 1] as number)) this.#end--;
    if (this.#end === start) return "blank";
    const isCut = isLast && this.#dropCutWord(start, end);
    let kind = this.#readFlow(start);
    if (isCut && (kind === "flow" || (kind === "other" && this.#mayBegin(start, end)))) kind = "cut";
    if (kind !== "flow" && kind !== "cut") return kind;
    if (!this.#row.isFlow) return kind === "cut" ? kind : "other";
    if (this.#clues.isOpen) this.#clues.weigh(textOf(bytes, start, end));
    if (this.#isUnnamed) this.unnamed.add(this.#row.protocol);
    this.#row.put();
    return kind;
  }

  /** Opens a row and fills it from the line. */
  #readFlow(start: number): LineKind {
    this.#to = start;
    this.#row.begin();
    const kind = this.#findFlow();
    if (kind === "flow") this.#readFields();
    return kind;
  }

  /**
   * Looks at the end of a line that has no line feed. The kernel ends its lines with `use=`; any other word
   * may be half of one, and is left out. False when nothing speaks for a cut.
   */
  #dropCutWord(start: number, end: number): boolean {
    const bytes = this.#bytes;
    let from = end;
    while (from > start && !isBlank(bytes[from - 1] as number)) from--;
    const lastWord = textOf(bytes, from, end);
    if (/^use=\d+$/.test(lastWord)) return false;
    if (lastWord === "" && /\suse=\d+$/.test(textOf(bytes, start, this.#end))) return false;
    if (bytes[end - 1] === CLOSING) return true;
    const opening = bytes.lastIndexOf(OPENING, end - 1);
    const isOpen = opening >= start && !bytes.subarray(opening, end).includes(CLOSING);
    this.#end = Math.max(start, isOpen ? Math.min(opening, from) : from);
    return true;
  }

  /** Whether the line from `start` to `end` is a part of how a flow's line begins. */
  #mayBegin(start: number, end: number): boolean {
    const text = textOf(this.#bytes, start, Math.min(end, start + NAME_BYTES));
    const first = text.replace(/^(\[[^\]]*\]?\s*)+/, "").trimStart();
    return beginnings.some((beginning) => beginning.startsWith(first) || first.startsWith(beginning));
  }

  /** Moves to the next word; false at the end of the line. A word in brackets may hold blanks. */
  #next(): boolean {
    const bytes = this.#bytes;
    let at = this.#to;
    while (at < this.#end && isBlank(bytes[at] as number)) at++;
    if (at >= this.#end) return false;
    this.#from = at;
    if (bytes[at] === OPENING) {
      const closing = bytes.indexOf(CLOSING, at);
      if (closing > 0 && closing < this.#end && closing < at + NAME_BYTES) at = closing;
    }
    while (at < this.#end && !isBlank(bytes[at] as number)) at++;
    this.#to = at;
    return true;
  }

  /** The present word; the beginning of it where it is too long to be a name. */
  #word(): string {
    return textOf(this.#bytes, this.#from, Math.min(this.#to, this.#from + NAME_BYTES));
  }

  #number(): number {
    return numberOf(this.#bytes, this.#from, this.#to);
  }

  /** Finds protocol and number, and stops at the latter. */
  #findFlow(): LineKind {
    for (let words = 0; words < WORDS_IN_FRONT && this.#next(); words++) {
      const word = this.#word();
      if (word === "EXPECTING:") return "expectation";
      if (word === "(conntrack-tools):") return "remark";
      if (this.#bytes[this.#from] === OPENING) this.#readEvent(word);
      // A file name, a line number or a quote may stand right in front.
      else if (this.#startsFlow(word.slice(word.search(/[^:>|"]*$/)))) return "flow";
    }
    return "other";
  }

  /** Whether `name` and the words behind it are family and protocol of a flow; keeps them. */
  #startsFlow(name: string): boolean {
    const [from, to] = [this.#from, this.#to];
    const family = families.get(name);
    const hasFamily =
      family !== undefined && this.#next() && this.#number() === family.number && this.#next();
    if (this.#readProtocol(hasFamily ? this.#word() : name, hasFamily)) {
      this.#row.family = hasFamily ? family.family : 0;
      return true;
    }
    [this.#from, this.#to] = [from, to];
    return false;
  }

  /** A name this program does not know is taken where the address family stands in front. */
  #readProtocol(name: string, hasFamily: boolean): boolean {
    const known = /^[a-z]/.test(name) ? protocolNumber(name) : undefined;
    if (known === undefined && name !== "unknown" && !(hasFamily && /^[a-z]/.test(name))) return false;
    if (!this.#next()) return false;
    const number = this.#number();
    if (!(number <= 255) || (known !== undefined && number !== known)) return false;
    this.#row.protocol = number;
    this.#isUnnamed = name === "unknown" && kernelProtocolName(number) !== "unknown";
    // ICMPv6 kept its words when it had lost its name, other protocols did not.
    this.#row.bareTuples = name === "unknown" && number !== ICMPV6;
    return true;
  }

  /** Marks of `conntrack -E`: the kind of event, and `[seconds.microseconds]` in front of it. */
  #readEvent(word: string): void {
    const kind = eventKinds.get(word as "[NEW]");
    if (kind !== undefined) this.#row.rare.eventKind = kind;
    const time = /^\[(\d{1,12}) *\.(\d{1,6}) *\]$/.exec(word);
    if (time !== null) this.#row.rare.eventAtMs = Number(time[1]) * 1000 + Math.floor(Number(time[2]) / 1000);
  }

  /** Reads what follows the protocol. */
  #readFields(): void {
    const row = this.#row;
    row.status = Status.SEEN_REPLY;
    let more = this.#next();
    if (more && isDigit(this.#bytes[this.#from] as number)) {
      if (!row.set("timeout", this.#bytes, this.#from, this.#to)) row.addUnknown(this.#word());
      more = this.#next();
    }
    if (more && /^[A-Z][A-Z0-9_]*$/.test(this.#word())) {
      if (!row.setState(this.#word())) row.addUnknown(this.#word());
      more = this.#next();
    }
    for (; more; more = this.#next()) {
      const isKnown = this.#bytes[this.#from] === OPENING ? this.#readMark(this.#word()) : this.#readField();
      if (!isKnown) row.addUnknown(this.#word());
    }
    // A line that goes as far as the reply direction has passed the place of [UNREPLIED].
    if (row.isComplete(row.reply)) row.statusGiven = true;
  }

  /** A word in brackets. */
  #readMark(word: string): boolean {
    const row = this.#row;
    const bit = statusMarks.get(word);
    if (word === "[UNREPLIED]") row.status &= ~Status.SEEN_REPLY;
    if (bit !== undefined) row.status |= bit;
    if (bit !== undefined || word === "[UNREPLIED]") return (row.statusGiven = true);
    const time = /^\[(start|stop)=(.*)\]$/.exec(word);
    if (time === null) return ignored.has(word);
    const atMs = readCalendarTime(time[2] ?? "", this.#utcOffsetMinutes);
    if (atMs !== undefined) row.setInstant(time[1] === "start" ? "start" : "stop", atMs);
    return atMs !== undefined;
  }

  /** A word `name=value`. */
  #readField(): boolean {
    const bytes = this.#bytes;
    const limit = Math.min(this.#to, this.#from + NAME_BYTES);
    let equals = this.#from;
    while (equals < limit && bytes[equals] !== EQUALS) equals++;
    if (equals === limit) return false;
    const name = textOf(bytes, this.#from, equals);
    if (ignored.has(name)) return true;
    if (name !== "timeout") return this.#row.set(name, bytes, equals + 1, this.#to);
    // GRE prints `timeout=30, stream_timeout=180` behind the time left, which is a bare number.
    const comma = bytes[this.#to - 1] === COMMA ? 1 : 0;
    return this.#row.set("gre-timeout", bytes, equals + 1, this.#to - comma);
  }
}

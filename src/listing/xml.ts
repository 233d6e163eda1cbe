/**
 * `conntrack -o xml` (snprintf_xml.c of libnetfilter_conntrack 0.0.x to 1.0.9): a scanner for that dialect,
 * not for XML. It knows tags, attributes, text and the five entities; what stands outside of `<flow>` is left
 * alone. Elements it does not know are counted as unknown words.
 *
 * What the dialect leaves out or says otherwise: no ICMP type, code and id; no ports of DCCP; the states of
 * SCTP and DCCP by TCP's name of the same number; zone of one direction as `<zone>` within its `<meta>`;
 * start and stop as nanoseconds since 1970; the time of an event by the parts of the local clock.
 */
import type { FlowColumns } from "../table/columns.ts";
import { countOddity, type Oddities } from "../table/oddities.ts";
import { TCP } from "../table/protocol.ts";
import { stateName, stateNumber } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { numberOf, textOf } from "./ascii.ts";
import type { Decoder } from "./decoder.ts";
import type { FormatClues } from "./format.ts";
import { OpenRow } from "./open-row.ts";

/** A longer tag or text is left out; the dialect's own are below 100 bytes. */
const MAX_TOKEN_BYTES = 65_536;

const LESS = 60;
const GREATER = 62;
const AMPERSAND = 38;

/** Elements that only hold others. */
const containers = new Set([
  "conntrack",
  "flow",
  "meta",
  "layer3",
  "layer4",
  "counters",
  "timestamp",
  "labels",
  "when",
]);
/** Elements that say nothing about the flow. */
const ignored = new Set(["wday", "userspace", "portid", "progname"]);
const eventKinds = new Map([
  ["new", "new"],
  ["update", "update"],
  ["destroy", "destroy"],
] as const);
const clockParts = ["year", "month", "day", "hour", "min", "sec"];

const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

export class XmlDecoder implements Decoder {
  recognised = false;
  readonly expectations = 0;
  readonly #columns: FlowColumns;
  readonly #oddities: Oddities;
  readonly #clues: FormatClues;
  readonly #row: OpenRow;
  readonly #utcOffsetMinutes: number;
  /** The part of a token that came with earlier chunks. */
  readonly #held = new Uint8Array(MAX_TOKEN_BYTES + 1);
  #heldTo = 0;
  #isTag = false;
  #isSkipping = false;
  /** The text in front of the present tag, and a byte that ends it. */
  #text = new Uint8Array(1);
  #textTo = 0;
  /** The text was too long to be kept. */
  #isTextLost = false;
  #isOpen = false;
  #inFlow = false;
  #hasProtocol = false;
  #meta = "";
  readonly #clock = new Map<string, number>();

  /** `utcOffsetMinutes`: see ListingOptions. */
  constructor(columns: FlowColumns, oddities: Oddities, clues: FormatClues, utcOffsetMinutes: number) {
    this.#columns = columns;
    this.#oddities = oddities;
    this.#clues = clues;
    this.#clues.isXml = true;
    this.#row = new OpenRow(columns, oddities);
    this.#utcOffsetMinutes = utcOffsetMinutes;
  }

  feed(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#columns.count < this.#columns.capacity) {
      const terminator = this.#isTag ? GREATER : LESS;
      let end = at;
      while (end < chunk.length && chunk[end] !== terminator) end++;
      if (end === chunk.length) {
        this.#hold(chunk.subarray(at));
        return end;
      }
      if (this.#heldTo > 0 || this.#isSkipping || end - at > MAX_TOKEN_BYTES) {
        this.#hold(chunk.subarray(at, end));
        this.#take(this.#held, 0, this.#heldTo);
        this.#heldTo = 0;
        this.#isSkipping = false;
      } else this.#take(chunk, at, end);
      this.#isTag = !this.#isTag;
      at = end + 1;
    }
    return at;
  }

  end(): boolean {
    if (this.#isOpen || this.#inFlow || this.#isTag) this.#oddities.truncatedInput = 1;
    return true;
  }

  #hold(part: Uint8Array): void {
    if (this.#isSkipping) return;
    if (this.#heldTo + part.length > MAX_TOKEN_BYTES) {
      countOddity(this.#oddities, "overlongLines");
      this.#isSkipping = true;
      this.#heldTo = 0;
      return;
    }
    this.#held.set(part, this.#heldTo);
    this.#heldTo += part.length;
  }

  /** Takes a whole tag without its brackets, or a whole text. */
  #take(bytes: Uint8Array, from: number, to: number): void {
    if (!this.#isTag) this.#keepText(bytes, from, to);
    else if (!this.#isSkipping) this.#takeTag(textOf(bytes, from, to));
  }

  /** Texts are short and are needed until the closing tag behind them has come. */
  #keepText(bytes: Uint8Array, from: number, to: number): void {
    this.#isTextLost = this.#isSkipping;
    this.#textTo = to - from;
    if (from === to) return;
    if (this.#textTo >= this.#text.length) this.#text = new Uint8Array(this.#textTo + 64);
    for (let at = from; at < to; at++) {
      this.#text[at - from] = bytes[at] as number;
      if (bytes[at] === AMPERSAND) return this.#keepWithoutEntities(bytes.subarray(from, to));
    }
    this.#text[this.#textTo] = LESS;
  }

  /** Entities only get shorter. */
  #keepWithoutEntities(text: Uint8Array): void {
    const plain = withoutEntities(text);
    this.#text.set(plain);
    this.#text[plain.length] = LESS;
    this.#textTo = plain.length;
  }

  #takeTag(tag: string): void {
    if (tag.startsWith("/")) {
      this.#takeClosing(tag.slice(1).trimEnd());
      return;
    }
    const isSelfClosing = tag.endsWith("/");
    const body = isSelfClosing ? tag.slice(0, -1) : tag;
    const blank = body.search(/\s/);
    const name = blank < 0 ? body : body.slice(0, blank);
    const attributes = blank < 0 ? "" : body.slice(blank);
    if (name === "conntrack") this.recognised = this.#isOpen = true;
    else if (name === "flow") this.#beginFlow(attributes);
    else if (this.#inFlow) {
      this.#openElement(name, attributes);
      if (isSelfClosing) this.#closeElement(name);
    }
  }

  #takeClosing(name: string): void {
    if (name === "conntrack") this.#isOpen = false;
    else if (this.#inFlow) this.#closeElement(name);
  }

  #beginFlow(attributes: string): void {
    this.recognised = true;
    if (this.#inFlow) countOddity(this.#oddities, "skippedLines");
    this.#inFlow = true;
    this.#hasProtocol = false;
    this.#clock.clear();
    this.#row.begin();
    this.#row.bareTuples = true;
    this.#row.status = Status.SEEN_REPLY;
    const kind = eventKinds.get(attribute(attributes, "type") as "new");
    if (kind === undefined) return;
    this.#row.rare.eventKind = kind;
    this.#clues.events++;
  }

  #openElement(name: string, attributes: string): void {
    const row = this.#row;
    this.#textTo = 0;
    this.#isTextLost = false;
    const number = Number(attribute(attributes, "protonum") ?? Number.NaN);
    switch (name) {
      case "meta":
        this.#meta = attribute(attributes, "direction") ?? "";
        if (this.#meta === "independent") row.statusGiven = true;
        else row.direction = this.#meta === "reply" ? row.reply : row.original;
        break;
      case "layer3":
        row.family = number === 2 ? 4 : 0;
        if (number === 10) row.family = 6;
        break;
      case "layer4":
        this.#hasProtocol = number >= 0 && number <= 255;
        row.protocol = this.#hasProtocol ? number : 0;
        break;
      case "assured":
        row.status |= Status.ASSURED;
        break;
      case "unreplied":
        row.status &= ~Status.SEEN_REPLY;
        break;
      default:
    }
  }

  #closeElement(name: string): void {
    const row = this.#row;
    const text = this.#text;
    const to = this.#textTo;
    switch (name) {
      case "flow":
        this.#endFlow();
        break;
      case "state":
        if (!this.#setState(textOf(text, 0, to))) row.addUnknown(textOf(text, 0, to));
        break;
      case "label":
        row.rare.labelNames = [...(row.rare.labelNames ?? []), textOf(text, 0, to)];
        break;
      case "start":
      case "stop":
        this.#setInstant(name);
        break;
      case "when":
        this.#setEventTime();
        break;
      case "assured":
      case "unreplied":
        break;
      default:
        if (containers.has(name) || ignored.has(name) || this.#isTextLost) break;
        if (clockParts.includes(name)) this.#clock.set(name, numberOf(text, 0, to));
        else if (!row.set(this.#fieldName(name), text, 0, to)) row.addUnknown(name);
    }
  }

  /** The name of the text form for an element. */
  #fieldName(name: string): string {
    if (name === "deltatime") return "delta-time";
    if (name !== "zone" || this.#meta === "independent") return name;
    return this.#meta === "reply" ? "zone-reply" : "zone-orig";
  }

  #endFlow(): void {
    this.#inFlow = false;
    if (this.#hasProtocol && this.#row.isFlow) this.#row.put();
    else countOddity(this.#oddities, "skippedLines");
  }

  /**
   * libnetfilter_conntrack looks every state up in TCP's names (seen with 1.0.9: an SCTP flow in CLOSED is
   * SYN_SENT).
   */
  #setState(name: string): boolean {
    const { protocol } = this.#row;
    const number = protocol === TCP ? undefined : stateNumber(TCP, name);
    return this.#row.setState(number === undefined ? name : stateName(protocol, number));
  }

  /**
   * Nanoseconds since 1970, of which the last six digits are left out: all of them would not fit a number.
   */
  #setInstant(which: "start" | "stop"): void {
    const atMs = numberOf(this.#text, 0, Math.max(0, this.#textTo - 6));
    if (!Number.isNaN(atMs)) this.#row.setInstant(which, atMs);
  }

  #setEventTime(): void {
    const [year = Number.NaN, month = 1, ...rest] = clockParts.map(
      (part) => this.#clock.get(part) ?? Number.NaN,
    );
    const [day, hour, minute, second] = rest;
    const atMs = Date.UTC(year, month - 1, day, hour, minute, second);
    if (!Number.isNaN(atMs)) this.#row.rare.eventAtMs = atMs - this.#utcOffsetMinutes * 60_000;
  }
}

const attributePatterns = {
  type: /\stype=["']([^"']*)["']/,
  direction: /\sdirection=["']([^"']*)["']/,
  protonum: /\sprotonum=["']([^"']*)["']/,
};

/** The value of an attribute of a tag. */
function attribute(attributes: string, name: keyof typeof attributePatterns): string | undefined {
  return attributes === "" ? undefined : attributePatterns[name].exec(attributes)?.[1];
}

function withoutEntities(text: Uint8Array): Uint8Array {
  const plain = new TextDecoder().decode(text).replace(/&(#?\w{1,8});/g, (whole, name: string) => {
    if (!name.startsWith("#")) return entities[name] ?? whole;
    const code = Number(name.startsWith("#x") ? `0${name.slice(1)}` : name.slice(1));
    return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
  });
  return new TextEncoder().encode(plain);
}

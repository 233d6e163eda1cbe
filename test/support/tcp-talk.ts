/**
 * A talk between a TCP client and a server that TCP's part of the tracker listens to, without the rest of the
 * tracker: one flow, and a clock that stands still unless told. Segments are written as text:
 *
 *     SYN 1000 scale=7 sack-ok       flags, sequence number
 *     ACK+PSH 1001:5001 10B win=0    flags, sequence:acknowledgment, bytes of data, window (1000 unless said)
 *     ACK 1001:5001 sack=5100,5200   right edges of SACK blocks
 *     SYN 1000 options               options, but none the tracker looks at
 */
import { PacketColumns, TcpFlag, TcpOption } from "../../src/packet/packet.ts";
import { Answer } from "../../src/model/answer.ts";
import { Flow, FLOW_WORDS, FlowByte, FlowRows } from "../../src/model/flow-rows.ts";
import { type Generation, type KernelRules, rulesOf } from "../../src/model/generation.ts";
import { tcpNew, tcpPacket, type TcpSettings, tcpSettingsOf } from "../../src/model/tcp.ts";
import { TCP } from "../../src/table/protocol.ts";
import { type SettingKey, settingOf } from "../../src/table/settings.ts";
import { stateName } from "../../src/table/state.ts";
import { Status } from "../../src/table/status.ts";
import { textTable } from "./text-table.ts";

export type Side = "client" | "server";

/** A segment as numbers; sequence numbers may be given modulo 2^32 or not. */
export interface Segment {
  flags: number;
  sequence: number;
  acknowledgment: number;
  window: number;
  dataBytes: number;
  scale?: number;
  sackPermitted?: boolean;
  /** Right edges of SACK blocks. */
  sack?: readonly number[];
  /** Options of other kinds, too. */
  otherOptions?: boolean;
}

export interface TalkOptions {
  generation?: Generation;
  /** Settings by the end of their name: `tcp_loose`, `tcp_timeout_close`. */
  settings?: Readonly<Record<string, number>>;
}

const HZ = 250;
const SEEN = Status.SEEN_REPLY;

export class TcpTalk {
  readonly rows = new FlowRows();
  /** 0 when the table is empty. */
  flow = 0;
  nowJiffies = 5000;
  readonly #batch = new PacketColumns(1);
  readonly #settings: TcpSettings;
  readonly #rules: KernelRules;
  #original: Side = "client";

  constructor({ generation = "6.18", settings = {} }: TalkOptions = {}) {
    const valueOf = (key: SettingKey): number =>
      settings[key.replace("nf_conntrack_", "")] ?? settingOf(key).defaults?.at(-1)?.value ?? 0;
    this.#settings = tcpSettingsOf(valueOf, HZ);
    this.#rules = rulesOf(generation);
  }

  /** What the tracker says of a segment: `new`, `established` or `invalid`. */
  send(from: Side, segment: Segment | string): string {
    laySegment(this.#batch, typeof segment === "string" ? parseSegment(segment) : segment);
    if (this.flow === 0) return this.#begin(from);
    const answer = this.#ask(from);
    if (answer === Answer.INVALID) return "invalid";
    if (answer === Answer.REOPEN) {
      this.#remove();
      return this.#begin(from);
    }
    const reply = from !== this.#original;
    const verdict = reply || (this.status & SEEN) !== 0 ? "established" : "new";
    if (answer === Answer.ACCEPT_AND_REMOVE) {
      this.#remove();
      return verdict;
    }
    if (reply) this.status |= SEEN;
    if (answer >= 0) this.expires = this.nowJiffies + answer;
    return verdict;
  }

  /** State, seconds left and ASSURED, as `ESTABLISHED 432000 assured`; undefined without a flow. */
  get facts(): string | undefined {
    if (this.flow === 0) return undefined;
    const assured = (this.status & Status.ASSURED) === 0 ? "" : " assured";
    return `${stateName(TCP, this.state)} ${this.secondsLeft}${assured}`;
  }

  get secondsLeft(): number {
    return ((this.expires - this.nowJiffies) | 0) / HZ;
  }

  get state(): number {
    return this.byte(FlowByte.STATE);
  }
  set state(state: number) {
    this.rows.bytes[4 * this.#word + FlowByte.STATE] = state;
  }

  get status(): number {
    return this.rows.words[this.#word + Flow.STATUS] ?? 0;
  }
  set status(status: number) {
    this.rows.words[this.#word + Flow.STATUS] = status;
  }

  get expires(): number {
    return this.rows.words[this.#word + Flow.EXPIRES] ?? 0;
  }
  set expires(jiffies: number) {
    this.rows.words[this.#word + Flow.EXPIRES] = jiffies;
  }

  get original(): Side {
    return this.#original;
  }

  /** A byte of the flow, by FlowByte. */
  byte(at: number): number {
    return this.rows.bytes[4 * this.#word + at] ?? 0;
  }

  /** All words of the flow. */
  get words(): readonly number[] {
    return [...this.rows.words.subarray(this.#word, this.#word + FLOW_WORDS)];
  }

  wait(seconds: number): void {
    this.nowJiffies += seconds * HZ;
  }

  get #word(): number {
    return this.flow * FLOW_WORDS;
  }

  #ask(from: Side): number {
    const direction = from === this.#original ? 0 : 1;
    const { rows, flow, nowJiffies } = this;
    return tcpPacket(rows, flow, direction, this.#batch, 0, nowJiffies, this.#settings, this.#rules);
  }

  #begin(from: Side): string {
    this.flow = this.rows.take();
    this.status = Status.CONFIRMED;
    this.#original = from;
    const answer = tcpNew(this.rows, this.flow, this.#batch, 0, this.#settings)
      ? this.#ask(from)
      : Answer.INVALID;
    if (answer < 0) {
      this.#remove();
      return "invalid";
    }
    this.expires = this.nowJiffies + answer;
    return "new";
  }

  #remove(): void {
    this.rows.release(this.flow);
    this.flow = 0;
  }
}

function laySegment(batch: PacketColumns, segment: Segment): void {
  batch.tcpFlags[0] = segment.flags;
  batch.tcpSequence[0] = segment.sequence;
  batch.tcpAcknowledgment[0] = segment.acknowledgment;
  batch.tcpWindow[0] = segment.window;
  batch.tcpDataBytes[0] = segment.dataBytes;
  batch.tcpWindowScale[0] = segment.scale ?? 0;
  batch.tcpOptions[0] =
    (segment.scale === undefined ? 0 : TcpOption.WINDOW_SCALE) |
    (segment.sackPermitted === true ? TcpOption.SACK_PERMITTED : 0) |
    (segment.sack === undefined ? 0 : TcpOption.SACK) |
    (segment.otherOptions === true ? TcpOption.OTHER : 0);
  let sack = segment.acknowledgment;
  for (const edge of segment.sack ?? []) if (((edge - sack) | 0) > 0) sack = edge;
  batch.tcpSack[0] = sack;
}

/** Reads a segment from text, see above. Throws when a word is unknown. */
export function parseSegment(text: string): Segment {
  const [flags = "", numbers = "0", ...words] = text.split(" ");
  const [sequence = "0", acknowledgment = "0"] = numbers.split(":");
  const segment: Segment = {
    flags: flagsOf(flags),
    sequence: Number(sequence),
    acknowledgment: Number(acknowledgment),
    window: 1000,
    dataBytes: 0,
  };
  for (const word of words) {
    const [name = "", value = ""] = word.split("=");
    if (/^\d+B$/.test(name)) segment.dataBytes = Number.parseInt(name, 10);
    else if (name === "win") segment.window = Number(value);
    else if (name === "scale") segment.scale = Number(value);
    else if (name === "sack-ok") segment.sackPermitted = true;
    else if (name === "sack") segment.sack = value.split(",").map(Number);
    else if (name === "options") segment.otherOptions = true;
    else throw new Error(`Cannot read segment "${text}": what is ${word}`);
  }
  return segment;
}

function flagsOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  let flags = 0;
  for (const name of text.split("+")) {
    const bit = TcpFlag[name as keyof typeof TcpFlag] as number | undefined;
    if (bit === undefined) throw new Error(`Cannot read flags "${text}"`);
    flags |= bit;
  }
  return flags;
}

/**
 * Plays a table with the columns from, segment, verdict and flow (`-`: no flow); a row from `wait` lets
 * seconds pass. Gives the rows where something else came out, as text.
 */
export function play(text: string, options: TalkOptions = {}, talk = new TcpTalk(options)): string[] {
  const differences: string[] = [];
  for (const row of textTable(["from", "segment", "verdict", "flow"], text)) {
    if (row.from === "wait") {
      talk.wait(Number(row.segment));
      continue;
    }
    const verdict = talk.send(row.from === "server" ? "server" : "client", row.segment ?? "");
    const found = `${verdict} ${talk.facts ?? "-"}`;
    const wanted = `${row.verdict} ${row.flow ?? "-"}`;
    if (found !== wanted) differences.push(`line ${row.line}, ${row.segment}: ${found}, wanted ${wanted}`);
  }
  return differences;
}

/** The rows that open a flow: the client began at 1000, the server at 5000. */
export const OPENED = `
from    segment            verdict      flow
client  SYN 1000           new          SYN_SENT 120
server  SYN+ACK 5000:1001  established  SYN_RECV 60
client  ACK 1001:5001      established  ESTABLISHED 432000 assured
`;

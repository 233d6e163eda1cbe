/**
 * The model behind the same questions as the kernel behind its wire: the same packets at the same times, and
 * what it says of each, and its table at an instant.
 */
import { assert } from "../../../src/base/assert.ts";
import {
  type Generation,
  GENERATIONS,
  Tracker,
  type TrackerOptions,
  Verdict,
} from "../../../src/model/model.ts";
import {
  BATCH_ROWS,
  LinkType,
  PacketColumns,
  PacketDecoder,
  PacketKind,
} from "../../../src/packet/packet.ts";
import type { FlowColumns } from "../../../src/table/columns.ts";
import { RecordFacts } from "../../../src/table/record-sink.ts";
import { type Flow, flowAt } from "../../../src/table/flow.ts";
import type { Settings } from "../../../src/table/settings.ts";
import type { WireWord } from "./wire.ts";

const WORD_BY_VERDICT: Readonly<Record<number, WireWord>> = {
  [Verdict.NEW]: "new",
  [Verdict.ESTABLISHED]: "established",
  [Verdict.RELATED]: "related",
  [Verdict.INVALID]: "invalid",
  [Verdict.UNTRACKED]: "untracked",
};

/** The rules of this kernel where a test names none: another one's when the test runs on another kernel. */
export function testedGeneration(): Generation {
  const said = process.env["HEADROOM_KERNEL_GENERATION"] ?? "6.18";
  const generation = GENERATIONS.find((known) => known === said);
  assert(generation !== undefined, "HEADROOM_KERNEL_GENERATION is a generation of the model");
  return generation;
}

export interface ModelOptions extends Omit<TrackerOptions, "settings"> {
  settings?: Settings;
  /** Packets of a batch; a usual one when absent. */
  batchRows?: number;
}

export class ModelSide {
  readonly tracker: Tracker;
  readonly #columns: PacketColumns;
  readonly #verdicts: Uint8Array;
  readonly #decoder: PacketDecoder;
  readonly #facts = new RecordFacts();

  constructor(options: ModelOptions = {}) {
    this.#columns = new PacketColumns(options.batchRows ?? BATCH_ROWS);
    this.#verdicts = new Uint8Array(this.#columns.capacity);
    this.tracker = new Tracker({ generation: testedGeneration(), ...options });
    const { tracksUdplite, tracksDccp } = this.tracker.settings.rules;
    const payloadPorts = options.helpers?.includes("ftp") === true ? [21] : [];
    this.#decoder = new PacketDecoder({
      seed: options.hashSeed ?? 0,
      ports: { udplite: tracksUdplite, dccp: tracksDccp },
      payloadPorts,
    });
  }

  /**
   * Words as the wire gives them: what the tracker drops and what never reaches it did not come out. A
   * fragment has the word of its datagram.
   */
  feed(packets: readonly Uint8Array[], timesMs: ArrayLike<number>): WireWord[] {
    const words: WireWord[] = [];
    const waiting = new Map<number, number[]>();
    const columns = this.#columns;
    const facts = this.#facts;
    facts.linkType = LinkType.RAW;
    this.#decoder.begin(columns);
    for (const [place, packet] of packets.entries()) {
      facts.timeMs = timesMs[place] as number;
      facts.originalBytes = packet.length;
      const isFull = this.#decoder.record(packet, 0, packet.length, facts);
      if (!isFull && place < packets.length - 1) continue;
      this.#track(words, waiting);
      this.#decoder.begin(columns);
    }
    assert(words.length === packets.length, "The model has a verdict for every packet");
    return words;
  }

  #track(words: WireWord[], waiting: Map<number, number[]>): void {
    const columns = this.#columns;
    this.tracker.feed(columns, this.#verdicts);
    for (let row = 0; row < columns.count; row++) {
      const word = WORD_BY_VERDICT[this.#verdicts[row] as number] ?? "dropped";
      words.push(word);
      const datagram = columns.datagram[row] as number;
      if (datagram === 0) continue;
      if (columns.kind[row] === PacketKind.HELD) {
        const places = waiting.get(datagram);
        if (places === undefined) waiting.set(datagram, [words.length - 1]);
        else places.push(words.length - 1);
      } else {
        for (const place of waiting.get(datagram) ?? []) words[place] = word;
        waiting.delete(datagram);
      }
    }
  }

  /** The table at an instant, epoch milliseconds, which is now from then on. */
  table(atMs: number): Flow[] {
    this.tracker.advance(atMs);
    const flows: Flow[] = [];
    const batches = this.tracker.flows().batches() as Iterable<FlowColumns>;
    for (const columns of batches) {
      for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
    }
    return flows;
  }
}

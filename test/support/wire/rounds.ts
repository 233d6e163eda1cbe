/**
 * Many sequences through the router side by side, in rounds: in a round every sequence sends its next packet,
 * and then the table is read once for all. Each sequence has addresses of its own, by which its flows are
 * told.
 */
import type { Address } from "../../../src/table/address.ts";
import type { Settings } from "../../../src/table/settings.ts";
import type { Flow } from "../../../src/table/flow.ts";
import { type FlowFacts, factsOf } from "./flow-facts.ts";
import { type ModelOptions, ModelSide } from "./model-side.ts";
import { buildPacket } from "./packet-build.ts";
import type { Host, PacketSpec } from "./packet-spec.ts";
import { standStill, type Wire, type WireWord } from "./wire.ts";

/** Packets of one sequence, by round. */
export interface Script {
  family: 4 | 6;
  packets: readonly (PacketSpec | undefined)[];
}

/** What became of a script, by round. Rounds without a packet have no word. */
export interface Outcome {
  words: (WireWord | undefined)[];
  /** Epoch milliseconds. */
  sentAtMs: number[];
  readAtMs: number[];
  flows: FlowFacts[][];
}

/** Addresses of a sequence: 10.x.y.host, or fd00::xy:host. */
export function hostAddress(family: 4 | 6, sequence: number, host: Host): Uint8Array {
  const last = "abcd".indexOf(host) + 1;
  if (family === 4) return Uint8Array.of(10, sequence >> 8, sequence & 255, last);
  return Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sequence >> 8, sequence & 255, 0, last);
}

/** Which sequence an address is of, and which of its hosts. */
function placeOf(address: Address): { sequence: number; host: string } {
  const at = address.length === 4 ? 1 : 12;
  const sequence = (address.charCodeAt(at) << 8) | address.charCodeAt(at + 1);
  return { sequence, host: "?abcd"[address.charCodeAt(address.length - 1)] ?? "?" };
}

/** The packets of a round as bytes, and whose they are. */
export function roundPackets(
  scripts: readonly Script[],
  round: number,
): { packets: Uint8Array[]; owners: number[] } {
  const packets: Uint8Array[] = [];
  const owners: number[] = [];
  for (const [sequence, script] of scripts.entries()) {
    const packet = script.packets[round];
    if (packet === undefined) continue;
    packets.push(buildPacket(packet, (host) => hostAddress(script.family, sequence, host)));
    owners.push(sequence);
  }
  return { packets, owners };
}

/** Flows by sequence. */
export function flowsBySequence(flows: readonly Flow[], sequences: number): FlowFacts[][] {
  const found: FlowFacts[][] = Array.from({ length: sequences }, () => []);
  for (const flow of flows) {
    const { sequence } = placeOf(flow.original.source);
    found[sequence]?.push(factsOf(flow, (address) => placeOf(address).host));
  }
  for (const facts of found) facts.sort((one, other) => (one.key < other.key ? -1 : 1));
  return found;
}

export interface Rounds {
  scripts: readonly Script[];
  /** How long to wait before a round; absent or 0: not at all. */
  gapsMs?: readonly number[];
}

/** All rounds of all scripts through the kernel. The table is emptied first. */
export function runOnKernel(wire: Wire, { scripts, gapsMs = [] }: Rounds): Outcome[] {
  wire.flush();
  const rounds = Math.max(...scripts.map((script) => script.packets.length));
  const outcomes = scripts.map((): Outcome => ({ words: [], sentAtMs: [], readAtMs: [], flows: [] }));
  for (let round = 0; round < rounds; round++) {
    const gapMs = gapsMs[round] ?? 0;
    if (gapMs > 0) standStill(gapMs);
    const { packets, owners } = roundPackets(scripts, round);
    const lot = wire.send(packets);
    const table = wire.table();
    const flows = flowsBySequence(table.flows, scripts.length);
    for (const [place, owner] of owners.entries()) {
      const outcome = outcomes[owner] as Outcome;
      outcome.words[round] = lot.words[place] as WireWord;
      outcome.sentAtMs[round] = lot.sentAtMs[place] as number;
    }
    for (const [sequence, outcome] of outcomes.entries()) {
      outcome.flows[round] = flows[sequence] as FlowFacts[];
      outcome.readAtMs[round] = (table.fromMs + table.toMs) / 2;
    }
  }
  return outcomes;
}

/** The same scripts through the model, at the times at which the kernel had them. */
export function runOnModel(
  { scripts }: Rounds,
  kernel: readonly Outcome[],
  settings: Settings = {},
  options: Omit<ModelOptions, "settings"> = {},
): Outcome[] {
  // Fewer buckets than the kernel's are walked faster, and no chain gets long.
  const model = new ModelSide({ ...options, settings: { nf_conntrack_buckets: 16_384, ...settings } });
  const rounds = Math.max(...scripts.map((script) => script.packets.length));
  const outcomes = scripts.map((): Outcome => ({ words: [], sentAtMs: [], readAtMs: [], flows: [] }));
  for (let round = 0; round < rounds; round++) {
    const { packets, owners } = roundPackets(scripts, round);
    const timesMs = owners.map((owner) => kernel[owner]?.sentAtMs[round] ?? 0);
    const words = model.feed(packets, timesMs);
    const readAtMs = kernel[0]?.readAtMs[round] ?? 0;
    const flows = flowsBySequence(model.table(readAtMs), scripts.length);
    for (const [place, owner] of owners.entries()) {
      const outcome = outcomes[owner] as Outcome;
      outcome.words[round] = words[place] as WireWord;
      outcome.sentAtMs[round] = timesMs[place] as number;
    }
    for (const [sequence, outcome] of outcomes.entries()) {
      outcome.flows[round] = flows[sequence] as FlowFacts[];
      outcome.readAtMs[round] = readAtMs;
    }
  }
  return outcomes;
}

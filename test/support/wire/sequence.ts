/**
 * Recorded sequences: packets between a few hosts, and what the kernel said of each. A file holds several,
 * each begun by a line `== name`, then its settings, then a packet a line:
 *
 *   == handshake
 *   family 4
 *   kernel 6.1
 *   set nf_conntrack_tcp_loose 0
 *   0 tcp a:1000>b:80 S seq=1 win=100 => new; tcp a:1000>b:80 b:80>a:1000 SYN_SENT 119 -
 *
 * `kernel` is the generation whose rules the sequence shows, 6.18 where it is absent.
 *
 * Before the packet, the milliseconds since the first; behind the arrow, the tracker's word and then every
 * flow the sequence has at that moment (flow-facts.ts). Lines that begin with `#` say something to the
 * reader.
 */
import { type Generation, GENERATIONS } from "../../../src/model/model.ts";
import { type FlowFacts, parseFacts, printFacts } from "./flow-facts.ts";
import { type PacketSpec, parsePacket, printPacket } from "./packet-spec.ts";
import type { Outcome, Script } from "./rounds.ts";
import { WIRE_WORDS, type WireWord } from "./wire.ts";

const USUAL: Generation = "6.18";

export interface Step {
  /** When it was sent, since the first. */
  atMs: number;
  packet: PacketSpec;
  word: WireWord;
  /** The table right after; absent where it was not read. */
  flows?: FlowFacts[];
}

export interface Sequence {
  name: string;
  family: 4 | 6;
  /** Of the kernel that said it; 6.18 when absent. */
  generation?: Generation;
  /** By their names below net.netfilter; what is not named is as the kernel begins. */
  settings: Readonly<Record<string, number>>;
  steps: Step[];
}

/** What a script and its outcome are as a sequence; rounds without a packet are left out. */
export function sequenceOf(
  name: string,
  script: Script,
  outcome: Outcome,
  settings: Readonly<Record<string, number>>,
  generation: Generation = USUAL,
): Sequence {
  const startMs = outcome.sentAtMs.find((atMs) => atMs !== undefined) ?? 0;
  const steps: Step[] = [];
  for (const [round, packet] of script.packets.entries()) {
    const word = outcome.words[round];
    const flows = outcome.flows[round];
    if (packet === undefined || word === undefined || flows === undefined) continue;
    steps.push({ atMs: (outcome.sentAtMs[round] ?? startMs) - startMs, packet, word, flows });
  }
  const sequence: Sequence = { name, family: script.family, settings, steps };
  if (generation !== USUAL) sequence.generation = generation;
  return sequence;
}

export function printSequence(sequence: Sequence): string {
  const lines = [`== ${sequence.name}`, `family ${sequence.family}`];
  if (sequence.generation !== undefined) lines.push(`kernel ${sequence.generation}`);
  for (const [name, value] of Object.entries(sequence.settings)) lines.push(`set ${name} ${value}`);
  for (const step of sequence.steps) {
    const flows = (step.flows ?? []).map((facts) => `; ${printFacts(facts)}`).join("");
    const nothing = step.flows?.length === 0 ? "; -" : "";
    lines.push(`${Math.round(step.atMs)} ${printPacket(step.packet)} => ${step.word}${flows}${nothing}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Reads a file of them. Throws an error that names the line. */
export function parseSequences(text: string): Sequence[] {
  const sequences: Sequence[] = [];
  let settings: Record<string, number> = {};
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("== ")) {
      settings = {};
      sequences.push({ name: line.slice(3), family: 4, settings, steps: [] });
      continue;
    }
    const sequence = sequences.at(-1);
    if (sequence === undefined) throw new Error(`Cannot read line ${index + 1}: it is in no sequence`);
    const [word, first, second] = line.split(" ");
    if (word === "family") sequence.family = first === "6" ? 6 : 4;
    else if (word === "kernel") sequence.generation = generationOf(first, index + 1);
    else if (word === "set") settings[first ?? ""] = Number(second);
    else sequence.steps.push(parseStep(line, index + 1));
  }
  return sequences;
}

function generationOf(word: string | undefined, number: number): Generation {
  const generation = GENERATIONS.find((known) => known === word);
  if (generation === undefined)
    throw new Error(`Cannot read line ${number}: no generation is called ${word}`);
  return generation;
}

function parseStep(line: string, number: number): Step {
  const [left = "", right] = line.split(" => ");
  const [said, ...flows] = (right ?? "").split("; ");
  const word = WIRE_WORDS.find((known) => known === said);
  const space = left.indexOf(" ");
  if (word === undefined || space < 0) throw new Error(`Cannot read line ${number}: ${JSON.stringify(line)}`);
  const step: Step = { atMs: Number(left.slice(0, space)), packet: parsePacket(left.slice(space + 1)), word };
  if (flows.length > 0) step.flows = flows.filter((text) => text !== "-").map((text) => parseFacts(text));
  return step;
}

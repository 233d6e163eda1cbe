/** What the kernel said against what the model said, round by round. */
import { differences } from "./flow-facts.ts";
import { printPacket } from "./packet-spec.ts";
import type { Outcome, Script } from "./rounds.ts";

/** By how much at most the age of a packet differed when the table was read after a round. */
function apartMs(one: Outcome, other: Outcome, round: number): number {
  let mostMs = 0;
  for (let sent = 0; sent <= round; sent++) {
    const ages = [one, other].map(
      ({ readAtMs, sentAtMs }) => (readAtMs[round] ?? 0) - (sentAtMs[sent] ?? readAtMs[round] ?? 0),
    );
    mostMs = Math.max(mostMs, Math.abs((ages[0] ?? 0) - (ages[1] ?? 0)));
  }
  return mostMs;
}

/** The first difference of a script as lines to read; empty when there is none. */
export function firstDifference(script: Script, kernel: Outcome, model: Outcome): string[] {
  for (const [round, packet] of script.packets.entries()) {
    const found: string[] = [];
    const [said, told] = [kernel.words[round], model.words[round]];
    if (said !== told) found.push(`kernel says ${said}, model says ${told}`);
    const apartSeconds = apartMs(kernel, model, round) / 1000;
    found.push(...differences(kernel.flows[round] ?? [], model.flows[round] ?? [], apartSeconds));
    if (found.length === 0) continue;
    const sent = script.packets.slice(0, round).filter((before) => before !== undefined);
    return [
      ...sent.map((before) => `  after ${printPacket(before)}`),
      `  ${packet === undefined ? "at rest" : printPacket(packet)}`,
      ...found.map((line) => `    ${line}`),
    ];
  }
  return [];
}

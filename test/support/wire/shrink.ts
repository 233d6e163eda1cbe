/**
 * The shortest and plainest script that still shows a difference. Candidates are tried side by side, many in
 * one run, so that a step costs as much as one sequence does.
 */
import type { PacketSpec } from "./packet-spec.ts";
import type { Rounds, Script } from "./rounds.ts";

/** Says of each script whether it still shows the difference. */
export type Check = (rounds: Rounds) => readonly boolean[];

interface Case {
  script: Script;
  gapsMs: readonly number[];
}

const STEPS_MAX = 60;

/** `found` must show the difference itself. */
export function shrink(found: Case, check: Check): Case {
  // What needs no wait is found many times faster without.
  let best = firstFailing(withoutWaits(found), check) ?? found;
  for (let step = 0; step < STEPS_MAX; step++) {
    const smaller = firstFailing(fewerPackets(best), check) ?? firstFailing(plainerPackets(best), check);
    if (smaller === undefined) return best;
    best = smaller;
  }
  return best;
}

function firstFailing(cases: readonly Case[], check: Check): Case | undefined {
  const first = cases[0];
  if (first === undefined) return undefined;
  const fails = check({ scripts: cases.map(({ script }) => script), gapsMs: first.gapsMs });
  return cases.find((_case, place) => fails[place] === true);
}

/** Without the last half, then without each packet. Waits stay where they are. */
function fewerPackets({ script, gapsMs }: Case): Case[] {
  const { packets } = script;
  const used = packets.flatMap((packet, round) => (packet === undefined ? [] : [round]));
  const without = (rounds: readonly number[]): Case => ({
    script: {
      ...script,
      packets: packets.map((packet, round) => (rounds.includes(round) ? undefined : packet)),
    },
    gapsMs,
  });
  const halves = [used.slice(used.length / 2), used.slice(0, used.length / 2)].filter(
    ({ length }) => length > 1,
  );
  const each = used.toReversed().map((round) => [round]);
  return [...halves, ...each].filter(({ length }) => length < used.length).map((rounds) => without(rounds));
}

function plainerPackets({ script, gapsMs }: Case): Case[] {
  const cases: Case[] = [];
  for (const [round, packet] of script.packets.entries()) {
    if (packet === undefined) continue;
    for (const plain of plainer(packet)) {
      cases.push({ script: { ...script, packets: script.packets.with(round, plain) }, gapsMs });
    }
  }
  return cases;
}

/** The packet with one field less, or nearer to a small number. */
function plainer(packet: PacketSpec): PacketSpec[] {
  const found: PacketSpec[] = [];
  for (const [name, value] of Object.entries(packet.fields)) {
    const { [name]: _left, ...fields } = packet.fields;
    found.push({ ...packet, fields });
    if (value > 1 && name === "len") found.push({ ...packet, fields: { ...packet.fields, len: 1 } });
  }
  if (packet.about !== undefined) {
    for (const about of plainer(packet.about)) found.push({ ...packet, about });
  }
  if ((packet.chunks?.length ?? 0) > 1) found.push({ ...packet, chunks: packet.chunks?.slice(0, 1) ?? [] });
  return found;
}

function withoutWaits({ script, gapsMs }: Case): Case[] {
  const isWaiting = gapsMs.some((gapMs) => gapMs > 0);
  return isWaiting ? [{ script, gapsMs: [] }] : [];
}

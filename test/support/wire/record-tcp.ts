/**
 * Records what the running kernel says of the TCP automaton and of the scenarios, as fixtures that are
 * replayed without root. Run by hand, as root, from the project's root:
 *
 *   node --disable-warning=ExperimentalWarning test/support/wire/record-tcp.ts
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { parsePacket } from "./packet-spec.ts";
import { runOnKernel } from "./rounds.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { printSequence, type Sequence, sequenceOf } from "./sequence.ts";
import { tcpCells } from "./tcp-cells.ts";
import { openWire, type Wire } from "./wire.ts";

const FOLDER = "test/fixtures/sequences";

/** Sequences of the same settings, family and waits go side by side. */
interface Group {
  settings: Readonly<Record<string, number>>;
  gapsMs: readonly number[];
  members: { file: string; name: string; family: 4 | 6; lines: readonly string[] }[];
}

function main(): void {
  const wire = openWire({ prefix: "hr-record" });
  const files = new Map<string, Sequence[]>();
  try {
    recordCells(wire, files);
    for (const group of groupsOf(SCENARIOS)) recordGroup(wire, group, files);
  } finally {
    wire.close();
  }
  mkdirSync(FOLDER, { recursive: true });
  for (const [file, sequences] of files) {
    const text = sequences.map((sequence) => printSequence(sequence)).join("\n");
    writeFileSync(`${FOLDER}/${file}.txt`, `# Recorded on ${release()}; see PROVENANCE.md.\n\n${text}`);
  }
  const total = [...files.values()].reduce((sum, sequences) => sum + sequences.length, 0);
  process.stdout.write(`${total} sequences in ${files.size} files of ${FOLDER}\n`);
}

function recordCells(wire: Wire, files: Map<string, Sequence[]>): void {
  const cells = tcpCells();
  const scripts = cells.map(({ packets }) => ({ family: 4 as const, packets }));
  const outcomes = runOnKernel(wire, { scripts });
  for (const [place, cell] of cells.entries()) {
    const script = scripts[place];
    const outcome = outcomes[place];
    if (script === undefined || outcome === undefined) continue;
    const file = `tcp-state-${cell.state.toLowerCase().replaceAll("_", "-")}`;
    keep(files, file, sequenceOf(cell.name, script, outcome, {}));
  }
}

function keep(files: Map<string, Sequence[]>, file: string, sequence: Sequence): void {
  const sequences = files.get(file);
  if (sequences === undefined) files.set(file, [sequence]);
  else sequences.push(sequence);
}

function groupsOf(scenarios: readonly Scenario[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { file, name, family = 4, settings = {}, lines } of scenarios) {
    const gapsMs: number[] = [];
    const packets: string[] = [];
    for (const line of lines) {
      if (line.startsWith("wait ")) gapsMs[packets.length] = Number(line.slice(5));
      else packets.push(line);
    }
    const key = JSON.stringify([settings, gapsMs]);
    const group = groups.get(key) ?? { settings, gapsMs, members: [] };
    groups.set(key, group);
    group.members.push({ file, name, family, lines: packets });
  }
  return [...groups.values()];
}

function recordGroup(wire: Wire, group: Group, files: Map<string, Sequence[]>): void {
  const { settings, gapsMs, members } = group;
  const restore = Object.keys(settings).map((name) => ({ name, value: wire.get(name) }));
  for (const [name, value] of Object.entries(settings)) wire.set(name, value);
  const scripts = members.map(({ family, lines }) => ({
    family,
    packets: lines.map((line) => parsePacket(line)),
  }));
  const outcomes = runOnKernel(wire, { scripts, gapsMs });
  for (const { name, value } of restore) wire.set(name, value);
  for (const [place, member] of members.entries()) {
    const script = scripts[place];
    const outcome = outcomes[place];
    if (script === undefined || outcome === undefined) continue;
    keep(files, member.file, sequenceOf(member.name, script, outcome, settings));
  }
}

main();

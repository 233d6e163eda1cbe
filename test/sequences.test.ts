/**
 * Recorded answers of a running kernel against the model, without root: the TCP automaton state by state, the
 * scenarios, and every sequence on which the two once differed. How the answers were recorded:
 * test/fixtures/sequences/PROVENANCE.md.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { differences } from "./support/wire/flow-facts.ts";
import { ModelSide } from "./support/wire/model-side.ts";
import { buildPacket } from "./support/wire/packet-build.ts";
import { printPacket } from "./support/wire/packet-spec.ts";
import { flowsBySequence, hostAddress } from "./support/wire/rounds.ts";
import { parseSequences, printSequence, type Sequence } from "./support/wire/sequence.ts";

const FOLDER = new URL("fixtures/sequences/", import.meta.url).pathname;
/** When the first packet of a sequence comes. Any instant would do. */
const START_MS = 1_700_000_000_000;
/** The table was read so long after a packet, give or take. */
const READ_AFTER_MS = 2;

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith(".txt"))) {
  const text = readFileSync(`${FOLDER}${file}`, "utf8");
  const sequences = parseSequences(text);

  test(`sequences: the model says what the kernel said in ${file} (${sequences.length})`, () => {
    const found = sequences.flatMap((sequence) => disagreement(sequence));
    assert.equal(found.join("\n"), "");
  });

  test(`sequences: ${file} is read as it was written`, () => {
    const written = sequences.map((sequence) => printSequence(sequence)).join("\n");
    const said = text.split("\n").filter((line) => !line.startsWith("#"));
    assert.equal(written.trim(), said.join("\n").trim());
  });
}

/** The first step of a sequence on which the two differ. */
function disagreement(sequence: Sequence): string[] {
  // A small table is walked faster.
  const settings = { nf_conntrack_buckets: 512, ...sequence.settings };
  const { generation = "6.18" } = sequence;
  const model = new ModelSide({ generation, settings, batchRows: 4 });
  for (const [place, step] of sequence.steps.entries()) {
    const packet = buildPacket(step.packet, (host) => hostAddress(sequence.family, 0, host));
    const atMs = START_MS + step.atMs;
    const [word] = model.feed([packet], [atMs]);
    const [flows = []] = flowsBySequence(model.table(atMs + READ_AFTER_MS), 1);
    const found = step.flows === undefined ? [] : differences(step.flows, flows);
    if (word !== step.word) found.unshift(`kernel ${step.word}, model ${word}`);
    if (found.length === 0) continue;
    const where = `${sequence.name}, step ${place + 1}: ${printPacket(step.packet)}`;
    return [where, ...found.map((line) => `  ${line}`)];
  }
  return [];
}

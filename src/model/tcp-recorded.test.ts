import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Side, TcpTalk } from "../../test/support/tcp-talk.ts";
import { TCP } from "../table/protocol.ts";
import { stateName, TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { FlowByte } from "./flow-rows.ts";
import type { Generation } from "./generation.ts";

/** Recorded from kernels of these generations; their heads say what the lines are. */
const RECORDED: readonly Generation[] = ["5.10", "6.1", "6.12", "6.18", "7.3"];

/** Fewer than these, and a file is not what it was. */
const SEQUENCES_LEAST = 30;

/** The flow as the fixture writes it, without its seconds. */
function flowText(talk: TcpTalk): string {
  if (talk.flow === 0) return "-";
  const hexadecimal = (at: number): string => talk.byte(at).toString(16).padStart(2, "0");
  const assured = (talk.status & Status.ASSURED) === 0 ? "" : "assured ";
  const flags = `${hexadecimal(FlowByte.FLAGS_ORIGINAL)}/${hexadecimal(FlowByte.FLAGS_REPLY)}`;
  const scales = `${talk.byte(FlowByte.SCALE_ORIGINAL)}/${talk.byte(FlowByte.SCALE_REPLY)}`;
  return `${talk.original} ${stateName(TCP, talk.state)} ${assured}${flags} ${scales}`;
}

/** What the lines of a sequence and the model do not agree upon. */
function differencesOf(generation: Generation, head: string, lines: readonly string[]): string[] {
  const settings = Object.fromEntries(
    head
      .split(" ")
      .slice(1)
      .map((setting) => setting.split("="))
      .map(([name = "", value]) => [name, Number(value)]),
  );
  const talk = new TcpTalk({ generation, settings });
  const differences: string[] = [];
  for (const line of lines) {
    const [segment = "", said = ""] = line.split(" : ");
    const [side = "", ...words] = segment.split(" ");
    if (side === "seconds") {
      talk.expires = talk.nowJiffies + Number(words[0]) * 250;
      continue;
    }
    if (side === "state") {
      talk.state = TcpState[words[0] as keyof typeof TcpState];
      continue;
    }
    const verdict = talk.send(side as Side, words.join(" "));
    const seconds = Number(/ (\d+) /.exec(said)?.[1] ?? 0);
    const wanted = said.replace(/ \d+ /, " ");
    const found = `${verdict} ${flowText(talk)}`;
    const left = talk.flow === 0 ? 0 : talk.secondsLeft;
    // The kernel's clock went on between the segment and the reading.
    if (found === wanted && left >= seconds && left <= seconds + 1) continue;
    differences.push(`${line}: found ${found}, ${left} s`);
  }
  return differences;
}

for (const generation of RECORDED) {
  test(`TCP: the model says what a kernel said of recorded random segments, ${generation}`, () => {
    const file = new URL(`../../test/fixtures/model/tcp-${generation}.txt`, import.meta.url);
    const sequences = readFileSync(file, "utf8")
      .split(/^sequence /m)
      .slice(1);
    assert.ok(sequences.length >= SEQUENCES_LEAST, "the recording is whole");
    for (const sequence of sequences) {
      const [head = "", ...lines] = sequence.trim().split("\n");
      assert.deepEqual(differencesOf(generation, head, lines), [], `sequence ${head}`);
    }
  });
}

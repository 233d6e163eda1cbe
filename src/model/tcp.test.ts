import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpTalk } from "../../test/support/tcp-talk.ts";
import {
  TCP_RESETS,
  TCP_SCENARIOS,
  TCP_WINDOWS,
  type TcpScenario,
} from "../../test/support/tcp-scenarios.ts";
import { textTable } from "../../test/support/text-table.ts";
import { FlowByte } from "./flow-rows.ts";
import { type Generation, GENERATIONS } from "./generation.ts";
import { tcpSettingsOf } from "./tcp.ts";
import { SideFlag } from "./tcp-segment.ts";

/** What a generation is known to say of each segment of a scenario. */
function wantedOf(scenario: TcpScenario, generation: Generation): string[] {
  const rows = textTable(["from", "segment", "verdict", "flow"], scenario.talk);
  const wanted = rows
    .filter(({ from }) => from !== "wait")
    .map(({ verdict, flow }) => `${verdict} ${flow ?? "-"}`);
  const age = (name: Generation): number => GENERATIONS.indexOf(name);
  for (const { since = "4.19", until = "7.3", rows: others } of scenario.otherwise ?? []) {
    if (age(generation) < age(since) || age(generation) > age(until)) continue;
    for (const [row, text] of Object.entries(others)) wanted[Number(row)] = text;
  }
  return wanted;
}

function heard(scenario: TcpScenario, generation: Generation): string[] {
  const talk = new TcpTalk({ generation, settings: scenario.settings ?? {} });
  const found: string[] = [];
  for (const { from, segment = "" } of textTable(["from", "segment", "verdict", "flow"], scenario.talk)) {
    if (from === "wait") talk.wait(Number(segment));
    else found.push(`${talk.send(from === "server" ? "server" : "client", segment)} ${talk.facts ?? "-"}`);
  }
  return found;
}

for (const scenario of [...TCP_SCENARIOS, ...TCP_RESETS, ...TCP_WINDOWS]) {
  test(`TCP: ${scenario.name}`, () => {
    for (const generation of GENERATIONS) {
      assert.deepEqual(heard(scenario, generation), wantedOf(scenario, generation), generation);
    }
  });
}

test("TCP: a flow that an ignored SYN took over knows only what that SYN and its answer offer", () => {
  const talk = new TcpTalk();
  const offers = "scale=7 sack-ok";
  for (const [from, segment] of [
    ["client", `SYN 1000 ${offers}`],
    ["server", `SYN+ACK 5000:1001 ${offers}`],
    ["client", "ACK 1001:5001"],
    ["server", "FIN+ACK 5001:1001"],
    ["client", "FIN+ACK 1001:5002"],
    ["client", "SYN 90000 scale=3"],
    ["server", "SYN+ACK 70000:90001 scale=20"],
  ] as const) {
    assert.equal(talk.send(from, segment), segment.startsWith("SYN 1000") ? "new" : "established");
  }
  assert.equal(talk.facts, "SYN_RECV 60 assured");
  assert.equal(talk.byte(FlowByte.FLAGS_ORIGINAL), SideFlag.WINDOW_SCALE);
  assert.equal(talk.byte(FlowByte.SCALE_ORIGINAL), 3);
  assert.equal(talk.byte(FlowByte.FLAGS_REPLY), SideFlag.WINDOW_SCALE | SideFlag.MAX_ACK_SET);
  assert.equal(talk.byte(FlowByte.SCALE_REPLY), 14);
});

test("TCP: a SYN sent again offers something else only when it has options at all", () => {
  const talk = new TcpTalk();
  const offered = (): number[] => [talk.byte(FlowByte.FLAGS_ORIGINAL), talk.byte(FlowByte.SCALE_ORIGINAL)];
  talk.send("client", "SYN 1000 scale=7 sack-ok");
  assert.deepEqual(offered(), [SideFlag.WINDOW_SCALE | SideFlag.SACK_PERMITTED, 7]);
  talk.send("client", "SYN 2000");
  assert.deepEqual(offered(), [SideFlag.WINDOW_SCALE | SideFlag.SACK_PERMITTED, 7]);
  talk.send("client", "SYN 3000 options");
  assert.deepEqual(offered(), [0, 0]);
});

test("TCP: the settings are jiffies by state, as long as a word holds", () => {
  const settings = tcpSettingsOf((key) => (key === "nf_conntrack_tcp_timeout_close" ? 20_000_000 : 1), 250);
  assert.deepEqual([...settings.timeouts], [0, 250, 250, 250, 250, 250, 250, 250, 0x7fff_ffff, 30_000]);
  assert.equal(settings.maxRetransmissions, 1);
  assert.equal(settings.loose, true);
});

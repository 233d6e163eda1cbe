import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { FakeTerminal } from "../../../test/support/terminal.ts";
import { ManualClock, systemClock } from "../../base/clock.ts";
import * as kernel from "../../kernel/kernel.ts";
import { BATCH_ROWS } from "../../packet/packet.ts";
import { type Context, lookOf } from "../context.ts";
import { type Run, runCapture, type RunRequest } from "./replay-run.ts";
import { readScenario, settingsAtStart } from "./replay-settings.ts";
import { VerdictWriter } from "./verdict-writer.ts";

const program = fileURLToPath(new URL("../main.ts", import.meta.url));
const captures = fileURLToPath(new URL("../../../test/fixtures/captures/", import.meta.url));

function contextOf(withThreads: boolean): Context {
  const terminal = new FakeTerminal();
  const clock = withThreads ? systemClock : new ManualClock(0);
  const deps = { clock, kernel: async () => kernel, ...(withThreads ? { program } : {}) };
  return { terminal, deps, look: lookOf(terminal, "never") };
}

function requestOf(name: string, lists: readonly string[], more: Partial<RunRequest> = {}): RunRequest {
  const specs = lists.map((list) => {
    const { label, changes } = readScenario("--compare", list);
    return {
      label,
      given: [],
      settings: settingsAtStart({}, changes),
      changes: changes.filter(({ at }) => at !== undefined),
      generation: "6.18" as const,
      helpers: [],
      seed: 1,
      batchRows: BATCH_ROWS,
      top: 20,
    };
  });
  const cuts = specs.flatMap(({ changes }) => changes.flatMap(({ at }) => (at === undefined ? [] : [at])));
  return {
    path: captures + name,
    origin: name,
    batches: { decoder: { seed: 1, ports: { udplite: true, dccp: false } }, cuts },
    specs,
    signal: new AbortController().signal,
    largeBytes: 0,
    ...more,
  };
}

/** All that two runs must have in common, whatever they ran on. */
function factsOf({ read, reports }: Run): unknown {
  return { read, reports };
}

const compared: readonly (readonly [string, readonly string[]])[] = [
  ["flood.pcap", ["max=300 max=350@+10s tcp_timeout_syn_sent=5s@+20s"]],
  ["hoard.pcap", ["max=300", "max=100 max=500@+15s", "tcp_timeout_syn_sent=3s", "nf_conntrack_buckets=512"]],
];
for (const [name, lists] of compared) {
  test(`runCapture() of ${name} with ${lists.join(", ")} is the same on several threads`, async () => {
    const until = { afterSeconds: 60 };
    const here = await runCapture(contextOf(false), requestOf(name, lists, { until }));
    const threads = await runCapture(contextOf(true), requestOf(name, lists, { until }));
    assert.equal(here.threads, 1);
    assert.ok(threads.threads > 1 || availableParallelism() === 1);
    assert.deepEqual(factsOf(threads), factsOf(here));
  });
}

test("runCapture() changes a setting between the packets before and after that time", async () => {
  const { reports } = await runCapture(contextOf(false), requestOf("flood.pcap", ["max=10 max=20@+10s"]));
  const [report] = reports;
  // 20 flows a second: full after 10, until it may be 20 from record 201 on.
  assert.deepEqual(report?.timeline.limits, [
    { fromMs: 1_700_000_000_000, capacityFlows: 10 },
    { fromMs: 1_700_000_010_000, capacityFlows: 20 },
  ]);
  assert.deepEqual(report.changes, [{ atMs: 1_700_000_010_000, key: "nf_conntrack_max", value: 20 }]);
  assert.deepEqual([report.flowsCreated, report.peakFlows, report.drops.tableFull], [20, 20, 580]);
});

test("runCapture() shows every batch with its verdicts, in order, from a thread too", async () => {
  const texts = await Promise.all(
    [false, true].map(async (withThreads) => {
      let text = "";
      const writer = new VerdictWriter({
        write: (chunk) => void (text += new TextDecoder().decode(chunk as Uint8Array)),
      });
      const onBatch: RunRequest["onBatch"] = (batch, verdicts) => writer.add(batch, verdicts);
      await runCapture(contextOf(withThreads), requestOf("office.pcap", ["max=3"], { onBatch }));
      writer.end();
      return text;
    }),
  );
  assert.equal(texts[0]?.split("\n").length, 19);
  assert.equal(texts[1], texts[0]);
});

for (const withThreads of [false, true]) {
  const where = withThreads ? "on threads" : "here";
  test(`runCapture() ${where} refuses what is no capture`, async () => {
    const refused = runCapture(contextOf(withThreads), requestOf("PROVENANCE.md", ["max=3", "max=4"]));
    await assert.rejects(refused, { name: "CaptureError", code: "not-a-capture" });
  });

  test(`runCapture() ${where} ends when it is interrupted`, async () => {
    const signal = AbortSignal.abort();
    const { read } = await runCapture(
      contextOf(withThreads),
      requestOf("hoard.pcap", ["max=3", "max=4"], { signal }),
    );
    assert.ok(read.counts.records <= 1800);
  });
}

test("runCapture() passes on what goes wrong where verdicts are written", async () => {
  const onBatch = (): void => {
    throw new RangeError("no room");
  };
  for (const withThreads of [false, true]) {
    const run = runCapture(contextOf(withThreads), requestOf("hoard.pcap", ["max=3"], { onBatch }));
    await assert.rejects(run, /no room/);
  }
});

test("runCapture() does without threads where there is no program for them", async () => {
  const context = contextOf(false);
  const { threads } = await runCapture(context, requestOf("office.pcap", ["max=3"]));
  assert.equal(threads, 1);
});

/**
 * A table that is really full, in the kernel and in the model: filled by SYN floods and by connections that
 * have been opened. Which chain a flow falls in is the kernel's secret, so what cannot be equal is compared
 * by how often it happens; what must hold of every table is asked of both: nothing ASSURED is evicted for a
 * new flow, there are never more flows than the limit, and every packet and flow is accounted for.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { formatAddress } from "../../src/table/address.ts";
import type { Flow } from "../../src/table/flow.ts";
import { Status } from "../../src/table/status.ts";
import { guardHostLimits } from "../support/wire/host-limits.ts";
import { ModelSide } from "../support/wire/model-side.ts";
import { buildPacket } from "../support/wire/packet-build.ts";
import { type PacketSpec, parsePacket } from "../support/wire/packet-spec.ts";
import { hostAddress } from "../support/wire/rounds.ts";
import { openWire, type WireWord } from "../support/wire/wire.ts";

const limits = guardHostLimits();
const wire = openWire({ prefix: "hr-full" });
after(() => {
  limits.restore();
  wire.close();
});

const [SYN, SYN_ACK, ACK] = [
  "tcp a:1000>b:80 S seq=1000 win=8192",
  "tcp b:80>a:1000 SA seq=5000 ack=1001 win=8192",
  "tcp a:1000>b:80 A seq=1001 ack=5001 win=8192",
].map((text) => parsePacket(text)) as [PacketSpec, PacketSpec, PacketSpec];

/** The same packets between other hosts each time; at most 65,536 of them. */
function bytes(packet: PacketSpec, hosts: number): Uint8Array {
  return buildPacket(packet, (host) => hostAddress(4, hosts % 65_536, host));
}

interface Load {
  name: string;
  capacityFlows: number;
  buckets: number;
  /** Connections that are open before the flood. */
  opened: number;
  flood: number;
  /** What the words of the flood are, when chance has no part in it. */
  every?: WireWord;
}

/** What a full table did. */
interface Fate {
  words: WireWord[];
  flows: readonly Flow[];
  occupancyFlows: number;
  /** By the tracker's own counters, of the flood alone. */
  drop: number;
  earlyDrop: number;
  insertFailed: number;
}

const REPETITIONS = 4;
const loads: readonly Load[] = [
  { name: "a flood, a flow a bucket", capacityFlows: 1000, buckets: 1024, opened: 0, flood: 3000 },
  { name: "a flood, few flows for many buckets", capacityFlows: 1000, buckets: 8192, opened: 0, flood: 3000 },
  { name: "a flood over open connections", capacityFlows: 1000, buckets: 1024, opened: 900, flood: 2000 },
  {
    name: "a flood over open connections, many buckets",
    capacityFlows: 1000,
    buckets: 8192,
    opened: 900,
    flood: 2000,
  },
  {
    name: "a flood into a table of open connections",
    capacityFlows: 1000,
    buckets: 1024,
    opened: 1000,
    flood: 500,
    every: "dropped",
  },
  {
    name: "a table that has room",
    capacityFlows: 4000,
    buckets: 1024,
    opened: 500,
    flood: 3000,
    every: "new",
  },
  { name: "chains that are too long", capacityFlows: 60_000, buckets: 1024, opened: 0, flood: 29_000 },
];
for (const load of loads) {
  test(`full table: ${load.name}`, () => {
    const kernel = times(REPETITIONS, (repetition) => checked(load, kernelFate(load, repetition)));
    const model = times(REPETITIONS, (repetition) => checked(load, modelFate(load, repetition)));
    assertAlike("packets dropped", load.flood, kernel.map(droppedOf), model.map(droppedOf));
    assertAlike("flows left", load.flood, kernel.map(leftOf), model.map(leftOf));
  });
}

function times<Item>(repetitions: number, make: (repetition: number) => Item): Item[] {
  return Array.from({ length: repetitions }, (_, repetition) => make(repetition));
}

function droppedOf(fate: Fate): number {
  return fate.words.filter((word) => word === "dropped").length;
}

function leftOf(fate: Fate): number {
  return fate.flows.length;
}

function openingOf(load: Load, repetition: number): Uint8Array[] {
  const first = 40_000 + repetition * 1000;
  return times(load.opened, (place) =>
    [SYN, SYN_ACK, ACK].map((packet) => bytes(packet, first + place)),
  ).flat();
}

function floodOf(load: Load, repetition: number): Uint8Array[] {
  return times(load.flood, (place) => bytes(SYN, repetition * 7919 + place));
}

function kernelFate(load: Load, repetition: number): Fate {
  wire.flush();
  limits.set(load.capacityFlows, load.buckets);
  wire.send(openingOf(load, repetition));
  const before = wire.counters();
  const { words } = wire.send(floodOf(load, repetition));
  const { flows, occupancyFlows } = quietTable();
  const now = wire.counters();
  const grown = (name: string): number => (now[name] ?? 0) - (before[name] ?? 0);
  const [drop, earlyDrop, insertFailed] = [grown("drop"), grown("early_drop"), grown("insert_failed")];
  return { words, flows, occupancyFlows, drop, earlyDrop, insertFailed };
}

/** The table and its size, at a time at which the collector did not come in between. */
function quietTable(): { flows: readonly Flow[]; occupancyFlows: number } {
  for (;;) {
    const occupancyFlows = wire.get("nf_conntrack_count");
    const { flows } = wire.table();
    if (wire.get("nf_conntrack_count") === occupancyFlows) return { flows, occupancyFlows };
  }
}

function modelOf(load: Load, repetition: number): ModelSide {
  const settings = { nf_conntrack_max: load.capacityFlows, nf_conntrack_buckets: load.buckets };
  return new ModelSide({ settings, seed: repetition + 1, hashSeed: repetition + 1 });
}

const START_MS = 1_700_000_000_000;

function modelFate(load: Load, repetition: number): Fate {
  const model = modelOf(load, repetition);
  const feed = (packets: readonly Uint8Array[], atMs: number): WireWord[] =>
    model.feed(
      packets,
      Float64Array.from({ length: packets.length }, (_, place) => atMs + place * 0.01),
    );
  feed(openingOf(load, repetition), START_MS);
  const before = { ...model.tracker.counters.total };
  const words = feed(floodOf(load, repetition), START_MS + 50);
  const now = model.tracker.counters.total;
  const grown = (name: "drop" | "earlyDrop" | "insertFailed"): number =>
    (now[name] ?? 0) - (before[name] ?? 0);
  const { occupancyFlows } = model.tracker;
  // At once: the collector is to come when it wants.
  const flows = model.table(START_MS);
  return {
    words,
    flows,
    occupancyFlows,
    drop: grown("drop"),
    earlyDrop: grown("earlyDrop"),
    insertFailed: grown("insertFailed"),
  };
}

/** Flows to which the collector makes room once packets were dropped. */
function collectedTo(load: Load): number {
  return Math.floor(load.capacityFlows / 100) * 95 - 1;
}

/** What holds of every table, whoever keeps it. */
function checked(load: Load, fate: Fate): Fate {
  const dropped = droppedOf(fate);
  assert.ok(fate.occupancyFlows <= load.capacityFlows, `${fate.occupancyFlows} flows, more than the limit`);
  assert.equal(fate.flows.length, fate.occupancyFlows);
  const assured = fate.flows.filter(({ status }) => ((status ?? 0) & Status.ASSURED) !== 0);
  assert.equal(assured.length, load.opened, "No open connection is evicted");
  assert.equal(
    new Set(fate.flows.map(({ original }) => formatAddress(original.source))).size,
    fate.flows.length,
  );
  assert.equal(fate.drop + fate.insertFailed, dropped, "Every dropped packet is counted");
  const made = load.flood - dropped;
  const collected = load.opened + made - fate.earlyDrop - fate.flows.length;
  // The collector, which counts nothing, comes before the table was read only where sending takes long.
  const mayCollect = dropped > 0 && fate.flows.length >= collectedTo(load);
  assert.ok(collected === 0 || (collected > 0 && mayCollect), `${collected} flows neither left nor evicted`);
  assert.ok(fate.words.every((word) => word === "new" || word === "dropped"));
  if (load.every !== undefined) assert.ok(fate.words.every((word) => word === load.every));
  return fate;
}

/** Standard deviations by which means may differ: wrong once in some millions of runs. */
const DEVIATIONS = 6;

/**
 * Two samples of something that happens so often in so many trials. Trials are not quite independent: an
 * eviction of several flows spares others; so the deviation is taken a little larger than the binomial one.
 */
function assertAlike(
  what: string,
  trials: number,
  kernel: readonly number[],
  model: readonly number[],
): void {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [one, other] = [mean(kernel), mean(model)];
  const share = (one + other) / 2 / trials;
  const deviation = 1.5 * Math.sqrt((trials * Math.max(share * (1 - share), 0) * 2) / REPETITIONS);
  const allowed = DEVIATIONS * deviation + 2;
  const both = `kernel ${kernel.join(" ")}, model ${model.join(" ")}`;
  const told = `${what}: ${both}, at most ${allowed.toFixed(0)} apart`;
  assert.ok(Math.abs(one - other) <= allowed, told);
}

test("full table: the collector makes room down to 95 % once packets were dropped", async () => {
  const load = { name: "", capacityFlows: 1000, buckets: 8192, opened: 900, flood: 2000 };
  const left = collectedTo(load);
  const fate = kernelFate(load, 0);
  assert.ok(droppedOf(fate) > 0);
  // The collector comes by at least once a minute.
  for (let waited = 0; waited < 150 && wire.get("nf_conntrack_count") > left; waited++) {
    assert.equal(wire.get("nf_conntrack_max"), load.capacityFlows, "Somebody else has changed the limit");
    await sleep(500);
  }
  assert.equal(wire.get("nf_conntrack_count"), left);
  assertCollected(wire.table().flows, load, left);

  const model = modelOf(load, 0);
  const packets = [...openingOf(load, 0), ...floodOf(load, 0)];
  model.feed(
    packets,
    Float64Array.from({ length: packets.length }, (_, place) => START_MS + place * 0.01),
  );
  assertCollected(model.table(START_MS + 75_000), load, left);
  assert.equal(model.tracker.occupancyFlows, left);
});

function assertCollected(flows: readonly Flow[], load: Load, left: number): void {
  const assured = flows.filter(({ status }) => ((status ?? 0) & Status.ASSURED) !== 0);
  assert.deepEqual([flows.length, assured.length], [left, load.opened]);
}

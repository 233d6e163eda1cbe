/**
 * Whole hours of watching with everything going wrong that can: by seeds, so that a failure can be repeated.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";

import { ManualClock } from "../base/clock.ts";
import { type Random, seededRandom } from "../base/random.ts";
import type { SettingKey } from "../table/settings.ts";
import {
  FakeRefusal,
  FakeWatchedHost,
  MemoryHistory,
  type Question,
} from "../../test/support/fake-watched-host.ts";
import { Watcher } from "./watcher.ts";

const SEEDS = Number(process.env["HEADROOM_SEEDS"] ?? 10);
const SECONDS = 900;
const QUESTIONS: readonly Question[] = ["read", "counts", "facts", "flows", "events", "suspects"];
const CODES = ["not-permitted", "not-found", "module-missing", "no-buffer-space", "io"];
const CHANGED: readonly SettingKey[] = [
  "nf_conntrack_max",
  "nf_conntrack_udp_timeout",
  "nf_conntrack_tcp_timeout_established",
];

class JumpingClock extends ManualClock {
  #offMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#offMs;
  }

  jump(byMs: number): void {
    this.#offMs += byMs;
  }
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  return values[random.below(values.length)] as Value;
}

/** One second's worth of trouble. */
function trouble(random: Random, host: FakeWatchedHost, history: MemoryHistory, clock: JumpingClock): void {
  const chance = (oneOf: number): boolean => random.below(oneOf) === 0;
  if (chance(20)) host.faults.set(pick(random, QUESTIONS), new FakeRefusal(pick(random, CODES)));
  if (chance(10)) host.faults.clear();
  if (chance(60)) history.fault = new FakeRefusal("disk-full");
  else if (chance(15)) history.fault = undefined;
  if (chance(50)) clock.jump((random.fraction() - 0.5) * 7_200_000);
  if (chance(40)) clock.advance(random.below(20_000));
  if (chance(50)) host.tracker = host.tracker === "none" ? "nf_conntrack" : "none";
  if (chance(25)) host.values = { ...host.values, [pick(random, CHANGED)]: 1 + random.below(100_000) };
  host.counted = chance(15) ? undefined : { drop: random.below(1000), insertFailed: random.below(5) };
  host.occupancyFlows = random.below(30_000);
  const { events_: events } = host;
  if (events === undefined) return;
  for (let made = random.below(200); made > 0; made--) {
    const id = random.below(5000);
    events.happen(chance(2) ? { kind: "new", id } : { kind: "destroy", id });
  }
  if (chance(20)) events.lose();
  events.fault = chance(50) ? new FakeRefusal("io") : undefined;
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`through trouble of seed ${seed} every second is kept, and none is wild`, async () => {
    const random = seededRandom(seed);
    const host = new FakeWatchedHost({ read: 0.001, flow: 2e-6, event: 4e-6 });
    const history = new MemoryHistory();
    const clock = new JumpingClock(Date.UTC(2026, 10, 20));
    const watcher = new Watcher({
      host,
      history,
      clock,
      cpuSeconds: () => host.cpuSeconds,
      pause: () => Promise.resolve(),
    });
    const [first] = [host.values];
    const times: number[] = [];
    const end = watcher.subscribe(({ kind }) => {
      if (kind === "sample" && random.below(300) === 0) throw new Error("A subscriber fell over");
    });
    for (let second = 0; second < SECONDS; second++) {
      // What there was at first was seen.
      if (second > 0) trouble(random, host, history, clock);
      times.push(clock.nowMs());
      await watcher.second();
      if (random.below(3) > 0) await watcher.settled();
      clock.advance(1000);
    }
    // All is well again: what waited is written, what changed unseen is told.
    host.faults.clear();
    history.fault = undefined;
    host.tracker = "nf_conntrack";
    for (let second = 0; second < 60; second++) {
      times.push(clock.nowMs());
      if (host.events_ !== undefined) host.events_.fault = undefined;
      await watcher.second();
      await watcher.settled();
      clock.advance(1000);
    }
    await watcher.stop();
    end();
    deepEqual(
      history.seconds.slice(0, -1).map(({ sample }) => sample.atMs),
      times,
    );
    for (const { sample } of history.seconds) {
      for (const [name, value] of Object.entries(sample.values)) {
        ok(Number.isFinite(value) && value >= 0, `${name} is ${value}`);
        if (name === "dropPerSecond") ok(value <= 1000, `${name} is ${value}`);
      }
    }
    const told = { ...first };
    for (const { key, from, to } of history.settingChanges()) {
      equal(told[key], from);
      Object.assign(told, { [key]: to });
    }
    deepEqual(told, host.values);
    const { length } = history.notes().filter(({ kind }) => kind.startsWith("sight"));
    ok(length < (SECONDS / 60) * 10, `${length} notes of sight`);
    equal(host.openReadings, 0);
    equal(watcher.listeners, 0);
    ok(host.events_?.isOpen === false);
  });
}

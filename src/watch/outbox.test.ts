import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { firingAlert, NOW_MS } from "../../test/support/alert-samples.ts";
import { seededRandom } from "../base/random.ts";
import type { Notice } from "./notice.ts";
import { type Delivery, Outbox, type OutboxState } from "./outbox.ts";

const everybody = { least: "warning", resolved: true } as const;

function notice(id: string, more: Partial<Notice> = {}): Notice {
  return { id, kind: "fired", atMs: NOW_MS, alert: firingAlert, worst: "critical", instance: "gw", ...more };
}

function outboxFor(...receivers: string[]): Outbox {
  const outbox = new Outbox(seededRandom(1), 5);
  outbox.subscribe(receivers.map((receiver) => ({ receiver, ...everybody })));
  return outbox;
}

/** The only delivery that is due. */
function one(outbox: Outbox, nowMs: number): Delivery {
  const [delivery, ...others] = outbox.due(nowMs);
  assert.ok(delivery !== undefined && others.length === 0);
  return delivery;
}

test("notices reach each receiver in order, one at a time", () => {
  const outbox = outboxFor("a", "b");
  for (const id of ["1", "2"]) outbox.put(notice(id));
  const due = outbox.due(NOW_MS);
  assert.deepEqual(
    due.map(({ receiver, notice: { id } }) => `${receiver}${id}`),
    ["a1", "b1"],
  );
  assert.deepEqual(outbox.due(NOW_MS), []);
  for (const delivery of due) outbox.delivered(delivery, NOW_MS);
  assert.deepEqual(
    outbox.due(NOW_MS).map(({ receiver, notice: { id } }) => `${receiver}${id}`),
    ["a2", "b2"],
  );
});

test("a receiver that is down is tried again, at most 5 minutes apart, and holds up nobody else", () => {
  const outbox = outboxFor("down", "up");
  outbox.put(notice("1"));
  let nowMs = NOW_MS;
  const [first, other] = outbox.due(nowMs);
  assert.ok(first !== undefined && other !== undefined);
  outbox.delivered(other, nowMs);
  outbox.failed(first, nowMs, "down", false);
  const waits: number[] = [];
  for (let attempt = 2; attempt <= 14; attempt += 1) {
    const waitMs = outbox.waitMs(nowMs) ?? Number.NaN;
    waits.push(waitMs);
    assert.deepEqual(outbox.due(nowMs + waitMs - 1), []);
    nowMs += waitMs;
    const delivery = one(outbox, nowMs);
    assert.equal(delivery.attempt, attempt);
    outbox.failed(delivery, nowMs, "down", false);
  }
  for (const [index, waitMs] of waits.entries()) {
    const longest = Math.min(300_000, 1000 * 2 ** index);
    assert.ok(waitMs > longest / 2 - 1 && waitMs <= longest, `${index}: ${waitMs}`);
  }
  assert.equal(outbox.standing()[0]?.failures, 14);
});

test("a clock that was set back an hour delays nothing for longer than the longest wait", () => {
  const outbox = outboxFor("a");
  outbox.put(notice("1"));
  outbox.failed(one(outbox, NOW_MS), NOW_MS, "down", false);
  assert.equal(outbox.due(NOW_MS - 3_600_000).length, 1);
});

test("a reminder that waits goes when something newer of its alert comes, all else stays", () => {
  const outbox = outboxFor("a");
  for (const [id, kind] of [
    ["1", "fired"],
    ["2", "reminder"],
    ["3", "reminder"],
    ["4", "resolved"],
  ] as const) {
    outbox.put(notice(id, { kind }));
  }
  assert.deepEqual(
    outbox.state().queues[0]?.waiting.map(({ id }) => id),
    ["1", "4"],
  );
});

test("beyond its bound the oldest is lost, counted, and said with the next one", () => {
  const outbox = outboxFor("a");
  for (let id = 1; id <= 8; id += 1) outbox.put(notice(String(id)));
  const delivery = one(outbox, NOW_MS);
  assert.deepEqual([delivery.notice.id, delivery.lost], ["4", 3]);
  outbox.put(notice("9"));
  outbox.delivered(delivery, NOW_MS);
  // What was on its way was kept, so another one had to go meanwhile.
  const next = one(outbox, NOW_MS);
  assert.deepEqual([next.notice.id, next.lost], ["6", 1]);
});

test("what a receiver refuses is given up after a day, what it cannot take is not", () => {
  const outbox = outboxFor("a");
  outbox.put(notice("1"));
  const late = NOW_MS + 90_000_000;
  assert.equal(outbox.failed(one(outbox, NOW_MS), NOW_MS, "it answered 400", true), false);
  assert.equal(outbox.failed(one(outbox, late), late, "no answer", false), false);
  assert.equal(outbox.failed(one(outbox, late * 2), late * 2, "it answered 400", true), true);
  assert.deepEqual(outbox.due(late * 3), []);
  assert.equal(outbox.standing()[0]?.lost, 1);
});

for (const [subscription, kind, level, worst, told] of [
  [{ least: "critical", resolved: true }, "fired", "warning", "warning", false],
  [{ least: "critical", resolved: true }, "worse", "critical", "critical", true],
  [{ least: "critical", resolved: true }, "resolved", "warning", "critical", true],
  [{ least: "critical", resolved: true }, "resolved", "warning", "warning", false],
  [{ least: "warning", resolved: false }, "resolved", "critical", "critical", false],
  [{ least: "warning", resolved: false }, "reminder", "warning", "warning", true],
  [{ least: "critical", resolved: false }, "test", "warning", "warning", true],
] as const) {
  const who = `least ${subscription.least}, resolved ${subscription.resolved}`;
  test(`${who}: ${kind} ${level}, worst ${worst}, is ${told ? "told" : "not told"}`, () => {
    const outbox = new Outbox(seededRandom(1));
    outbox.subscribe([{ receiver: "a", ...subscription }]);
    outbox.put(notice("1", { kind, worst, alert: { ...firingAlert, level } }));
    assert.equal(outbox.due(NOW_MS).length, told ? 1 : 0);
  });
}

test("what waits for a receiver that is gone from the file is kept for a day", () => {
  const outbox = outboxFor("a");
  outbox.put(notice("1"));
  outbox.subscribe([]);
  assert.deepEqual([outbox.due(NOW_MS), outbox.waitMs(NOW_MS)], [[], undefined]);
  outbox.subscribe([{ receiver: "a", ...everybody }]);
  assert.equal(one(outbox, NOW_MS).notice.id, "1");
  outbox.subscribe([]);
  outbox.due(NOW_MS + 90_000_000);
  assert.deepEqual(outbox.state().queues, []);
});

test("killed at any point, every notice reaches every receiver at least once, in order", () => {
  const step = fc.constantFrom("put", "deliver", "fail", "half", "save", "kill");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
      const make = (state: OutboxState): Outbox => {
        const outbox = new Outbox(seededRandom(seed));
        outbox.restore(state);
        outbox.subscribe(["a", "b"].map((receiver) => ({ receiver, ...everybody })));
        return outbox;
      };
      const seen: Record<string, number[]> = { a: [], b: [] };
      let [nowMs, put] = [NOW_MS, 0];
      let onDisk: OutboxState = { queues: [] };
      let outbox = make(onDisk);
      const arrives = ({ receiver, notice: { id } }: Delivery): void => void seen[receiver]?.push(Number(id));
      for (const what of steps) {
        nowMs += 400_000;
        if (what === "put") {
          put += 1;
          outbox.put(notice(String(put)));
          // Nothing is sent before it is on disk.
          onDisk = structuredClone(outbox.state());
        } else if (what === "kill") outbox = make(onDisk);
        else if (what === "save") onDisk = structuredClone(outbox.state());
        else {
          for (const delivery of outbox.due(nowMs)) {
            if (what !== "fail") arrives(delivery);
            // "half": it arrived, and the program was killed before it could write that down.
            if (what === "half") continue;
            if (what === "deliver") outbox.delivered(delivery, nowMs);
            else outbox.failed(delivery, nowMs, "down", false);
          }
          if (what === "half") outbox = make(onDisk);
        }
      }
      for (let round = 0; round <= put; round += 1) {
        nowMs += 400_000;
        for (const delivery of outbox.due(nowMs)) {
          arrives(delivery);
          outbox.delivered(delivery, nowMs);
        }
      }
      for (const ids of Object.values(seen)) {
        assert.deepEqual(
          [...new Set(ids)],
          Array.from({ length: put }, (_, index) => index + 1),
        );
      }
    }),
  );
});

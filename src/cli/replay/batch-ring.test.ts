import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { makeRing, RingFiller, type RingShare, RingUser, stopRing } from "./batch-ring.ts";

const ROWS = 8;

test("a ring gives every user every batch, in order, and ends", () => {
  const ring = makeRing(2, ROWS);
  const filler = new RingFiller(ring);
  const users = [new RingUser(ring, 0), new RingUser(ring, 1)];
  const seen: number[][] = [[], []];
  for (let lot = 0; lot < 30; lot += 1) {
    const batch = filler.next();
    assert.ok(batch !== undefined);
    batch.clear(lot + 1);
    filler.handOver();
    for (const [index, user] of users.entries()) {
      seen[index]?.push(user.take(0)?.firstRecord ?? 0);
      user.release();
      assert.equal(user.isEnded, false);
    }
  }
  filler.end();
  const all = Array.from({ length: 30 }, (_, lot) => lot + 1);
  assert.deepEqual(seen, [all, all]);
  for (const user of users) {
    assert.equal(user.take(0), undefined);
    assert.equal(user.isEnded, true);
  }
});

test("a ring is filled no further than its slowest user, until it is stopped", () => {
  const ring = makeRing(2, ROWS);
  const filler = new RingFiller(ring);
  const fast = new RingUser(ring, 0);
  for (let lot = 0; lot < ring.memory.length; lot += 1) {
    assert.ok(filler.next() !== undefined);
    filler.handOver();
    fast.take(0);
    fast.release();
  }
  stopRing(ring);
  assert.equal(filler.next(), undefined);
  filler.end();
  const slow = new RingUser(ring, 1);
  let left = 0;
  while (!slow.isEnded) {
    assert.ok(slow.take(0) !== undefined);
    slow.release();
    left += 1;
  }
  assert.equal(left, ring.memory.length, "what was handed over is still used up");
});

test("a user waits no longer than it is told", () => {
  const ring = makeRing(1, ROWS);
  const user = new RingUser(ring, 0);
  assert.equal(user.take(1), undefined);
  assert.equal(user.isEnded, false);
});

test("a ring joins two threads", async () => {
  const ring = makeRing(1, ROWS);
  const worker = new Worker(
    `import { workerData } from "node:worker_threads";
     const { RingFiller } = await import(workerData.module);
     const filler = new RingFiller(workerData.ring);
     for (let lot = 1; lot <= 500; lot += 1) {
       const batch = filler.next();
       batch.clear(lot);
       batch.count = lot % 8;
       filler.handOver();
     }
     filler.end();`,
    {
      eval: true,
      workerData: { ring, module: new URL("batch-ring.ts", import.meta.url).href } satisfies {
        ring: RingShare;
        module: string;
      },
    },
  );
  const exited = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  const user = new RingUser(ring, 0);
  let lots = 0;
  while (!user.isEnded) {
    const batch = user.take(50);
    if (batch === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    lots += 1;
    assert.deepEqual([batch.firstRecord, batch.count], [lots, lots % 8]);
    user.release();
  }
  assert.equal(lots, 500);
  assert.equal(await exited, 0);
});

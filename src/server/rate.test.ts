import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ManualClock } from "../base/clock.ts";
import { ApiProblem } from "./problem.ts";
import { clientOf, OneAtATime, RateLimit } from "./rate.ts";

function takes(limit: RateLimit, client: string): boolean {
  try {
    limit.take(client);
    return true;
  } catch (error) {
    assert.ok(error instanceof ApiProblem && error.code === "too-many-requests");
    assert.match(error.more.headers?.["retry-after"] ?? "", /^[1-9]\d*$/);
    return false;
  }
}

test("RateLimit: never more than what was saved and what came since, in any pattern of requests", () => {
  const pattern = fc.array(fc.record({ wait: fc.nat(2000), asks: fc.nat(20) }), { maxLength: 50 });
  fc.assert(
    fc.property(pattern, (steps) => {
      const clock = new ManualClock(0);
      const limit = new RateLimit({ perSecond: 5, atOnce: 10 }, clock);
      let taken = 0;
      for (const { wait, asks } of steps) {
        clock.advance(wait);
        for (let ask = 0; ask < asks; ask += 1) taken += takes(limit, "a") ? 1 : 0;
        assert.ok(taken <= 10 + (clock.elapsedMs() / 1000) * 5 + 1e-6);
      }
    }),
  );
});

test("RateLimit: clients do not take from each other, and those of long ago are forgotten", () => {
  const limit = new RateLimit({ perSecond: 1, atOnce: 1 }, new ManualClock(0));
  assert.equal(takes(limit, "a"), true);
  assert.equal(takes(limit, "a"), false);
  assert.equal(takes(limit, "b"), true);
  for (let client = 0; client < 10_000; client += 1) takes(limit, `c${client}`);
  assert.ok(limit.clients <= 4096);
});

test("RateLimit: checking takes nothing", () => {
  const limit = new RateLimit({ perSecond: 1, atOnce: 1 }, new ManualClock(0));
  limit.check("a");
  limit.check("a");
  assert.equal(takes(limit, "a"), true);
  assert.throws(() => limit.check("a"), ApiProblem);
});

for (const [address, client] of [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::9", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
] as const) {
  test(`clientOf: ${address} counts for ${client}`, () => assert.equal(clientOf(address), client));
}

test("OneAtATime: in order, one at a time, and no more than a few", async () => {
  const queue = new OneAtATime(2);
  const { signal } = new AbortController();
  let under = 0;
  const order: number[] = [];
  const work = (name: number) => async (): Promise<number> => {
    under += 1;
    assert.equal(under, 1);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(name);
    under -= 1;
    return name;
  };
  const all = [0, 1, 2, 3].map((name) => queue.run(signal, work(name)));
  const results = await Promise.allSettled(all);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "fulfilled", "rejected"],
  );
  assert.deepEqual(order, [0, 1, 2]);
  assert.equal(await queue.run(signal, work(4)), 4);
});

test("OneAtATime: what fails lets the next one in; who has gone is passed over", async () => {
  const queue = new OneAtATime(5);
  const gone = new AbortController();
  const { signal } = new AbortController();
  let ran = false;
  const first = queue.run(signal, () => Promise.reject(new Error("broken")));
  const second = queue.run(gone.signal, async () => (ran = true));
  const third = queue.run(signal, async () => "done");
  gone.abort();
  await assert.rejects(first, /broken/);
  await assert.rejects(second, /nobody waits/);
  assert.equal(await third, "done");
  assert.equal(ran, false);
});

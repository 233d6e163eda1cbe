import assert from "node:assert/strict";
import { test } from "node:test";

import { firingAlert, MemoryStore, NOW_MS, watchState } from "../../../test/support/alert-samples.ts";
import { ManualClock } from "../../base/clock.ts";
import { seededRandom } from "../../base/random.ts";
import { type Alert, AlertKeeper, DEFAULT_ALERT_OPTIONS } from "../../watch/watch.ts";
import { AlertDelivery } from "./delivery.ts";
import { type Receiver, ReceiverError, type Sending } from "./receivers/receiver.ts";

interface Post {
  delivery: AlertDelivery;
  keeper: AlertKeeper;
  clock: ManualClock;
  log: string[];
}

function postTo(...receivers: Receiver[]): Post {
  const clock = new ManualClock(NOW_MS);
  const log: string[] = [];
  const keeper = new AlertKeeper({
    store: new MemoryStore(),
    options: DEFAULT_ALERT_OPTIONS,
    receivers: receivers.map(({ name }) => ({ receiver: name, least: "warning", resolved: true })),
    random: seededRandom(1),
    nowMs: NOW_MS,
    instance: "gw",
  });
  const say = (text: string, fields: object = {}): void => void log.push(`${text} ${JSON.stringify(fields)}`);
  const delivery = new AlertDelivery({
    keeper,
    receivers,
    clock,
    instance: "gw",
    log: { info: say, warn: say },
  });
  return { delivery, keeper, clock, log };
}

function receiver(
  name: string,
  deliver: (sending: Sending) => Promise<undefined>,
  more: Partial<Receiver> = {},
): Receiver {
  return { name, kind: "test", where: "here", deliver, ...more };
}

/** Lets what was begun go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const FULL = { occupancyFlows: 10_000, dropPerSecond: 5 };

test("a receiver that is down for a while gets everything in order, and another nothing late", async () => {
  const got: Record<string, string[]> = { down: [], up: [] };
  let works = false;
  const { delivery, keeper, clock, log } = postTo(
    receiver("down", async ({ notice }) => {
      await Promise.resolve();
      if (!works) throw new ReceiverError("unreachable", "Cannot deliver: nobody listens there", "Start it");
      got["down"]?.push(`${notice.alert.code} ${notice.kind}`);
      return undefined;
    }),
    receiver("up", async ({ notice }) => {
      await Promise.resolve();
      got["up"]?.push(`${notice.alert.code} ${notice.kind}`);
      return undefined;
    }),
  );
  for (let second = 0; second < 600; second += 1) {
    keeper.evaluate(watchState(second < 60 ? FULL : {}, {}, clock.nowMs()), clock.nowMs());
    delivery.wake();
    await settle();
    clock.advance(1000);
    works = second > 500;
  }
  for (let turn = 0; turn < 10; turn += 1) {
    clock.advance(300_000);
    delivery.wake();
    await settle();
  }
  await delivery.stop();
  assert.deepEqual(got["up"]?.slice(0, 2), ["table-full fired", "near-full fired"]);
  assert.equal(got["up"].length, 4);
  assert.deepEqual(got["down"], got["up"]);
  assert.match(log.join("\n"), /will try again .*nobody listens there.*Start it/);
});

test("what fires is told again and again to who wants it, and a failure of that is logged once", async () => {
  const refreshed: (readonly Alert[])[] = [];
  const { delivery, keeper, clock, log } = postTo(
    receiver("am", () => Promise.resolve(undefined), {
      refresh: {
        everySeconds: 30,
        send: async (firing) => {
          await Promise.resolve();
          refreshed.push(firing);
          throw new ReceiverError("unreachable", "Cannot deliver to it");
        },
      },
    }),
  );
  for (let second = 0; second < 100; second += 1) {
    keeper.evaluate(watchState(FULL, {}, clock.nowMs()), clock.nowMs());
    delivery.wake();
    await settle();
    clock.advance(1000);
  }
  await delivery.stop();
  assert.deepEqual(
    refreshed.map((firing) => firing.length),
    [2, 2, 2],
  );
  assert.equal(log.filter((line) => line.startsWith("Alerts not refreshed")).length, 1);
});

test("stopping ends what is under way, and it is not counted as delivered", async () => {
  const { delivery, keeper } = postTo(
    receiver(
      "slow",
      async ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new ReceiverError("stopped", "Stopped")));
        }),
    ),
  );
  keeper.evaluate(watchState(FULL), NOW_MS);
  delivery.wake();
  await settle();
  await delivery.stop();
  assert.equal(keeper.receivers()[0]?.waiting, 1);
  assert.equal(firingAlert.state, "firing");
});

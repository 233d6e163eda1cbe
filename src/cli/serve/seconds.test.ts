import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock } from "../../base/clock.ts";
import { eachSecond } from "./seconds.ts";

interface Beaten {
  /** Wall clock at each beat, and seconds that fell out before it. */
  beats: [number, number][];
}

/** Beats `times` times; the work of each takes what `takes` says. Waking is `lateMs` late. */
async function beat(
  startMs: number,
  times: number,
  { takes = () => 0, lateMs = 0 }: { takes?: (beat: number) => number; lateMs?: number },
): Promise<Beaten> {
  const clock = new ManualClock(startMs);
  const beats: [number, number][] = [];
  let running = 0;
  await eachSecond({
    clock,
    isOver: () => beats.length >= times,
    wait: async (ms) => {
      await Promise.resolve();
      clock.advance(ms + lateMs);
    },
    work: async (missedSeconds) => {
      running += 1;
      assert.equal(running, 1, "never two at a time");
      beats.push([clock.nowMs(), missedSeconds]);
      await Promise.resolve();
      clock.advance(takes(beats.length));
      running -= 1;
    },
  });
  return { beats };
}

test("eachSecond() beats at whole seconds", async () => {
  const { beats } = await beat(1_700_000_000_250, 3, {});
  assert.deepEqual(beats, [
    [1_700_000_001_000, 0],
    [1_700_000_002_000, 0],
    [1_700_000_003_000, 0],
  ]);
});

test("eachSecond() does not drift when it wakes late", async () => {
  const { beats } = await beat(5000, 100, { lateMs: 7, takes: () => 300 });
  assert.deepEqual(beats.at(-1), [5000 + 99 * 1000 + 7, 0]);
});

test("eachSecond() counts the seconds that fell out, and goes on with whole ones", async () => {
  const { beats } = await beat(0, 4, { takes: (index) => (index === 2 ? 3400 : 10) });
  assert.deepEqual(beats, [
    [0, 0],
    [1000, 0],
    // 2000, 3000 and 4000 have passed; the last of them is made up for at once.
    [4400, 2],
    [5000, 0],
  ]);
});

test("eachSecond() rejects with what the work throws", async () => {
  const clock = new ManualClock(0);
  const work = (): never => {
    throw new Error("broken");
  };
  const wait = async (ms: number): Promise<void> => clock.advance(ms);
  await assert.rejects(eachSecond({ clock, wait, isOver: () => false, work }), /broken/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { exponential, never, readingsOf, type World } from "../../test/support/renewal.ts";
import { seededRandom } from "../base/random.ts";
import { LifeTable } from "./life-table.ts";

const flat = (length: number, flows: number): Uint32Array => new Uint32Array(length).fill(flows);

test("one reading: the flows younger than the timeout", () => {
  const second = Uint32Array.of(5, 4, 3, 2, 1);
  const table = new LifeTable({ second, seconds: 0, knownSeconds: 5, longestSeconds: 5 });
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((age) => table.upTo(age).flows),
    [0, 5, 9, 12, 14, 15],
  );
  assert.equal(table.followed, false);
});

test("one reading says nothing of ages nobody has: between leaving at the last rate and not at all", () => {
  const second = Uint32Array.from({ length: 40 }, (_, age) => Math.round(1000 * 0.95 ** age));
  const table = new LifeTable({ second, seconds: 0, knownSeconds: 40, longestSeconds: 80 });
  const known = table.upTo(40).flows;
  const { lowFlows, highFlows, flows } = table.upTo(80);
  // 0.95^40 of the sum once more, and the last ten ages four times more.
  assert.ok(Math.abs(lowFlows - known * (1 + 0.95 ** 40)) < 0.01 * known, `${lowFlows}`);
  assert.ok(highFlows > lowFlows && flows > lowFlows && flows < highFlows);
});

test("two readings of a table in balance where nobody leaves: as one reading", () => {
  const second = flat(100, 50);
  const table = new LifeTable({ first: second, second, seconds: 10, knownSeconds: 100, longestSeconds: 150 });
  assert.equal(table.followed, true);
  assert.ok(Math.abs(table.upTo(100).flows - 5000) < 1);
  assert.ok(Math.abs(table.upTo(150).flows - 7500) < 1);
  assert.ok(Math.abs(table.upTo(30).flows - 1500) < 1);
});

test("a table that fills up: entries times survival, not what there is by now", () => {
  const [first, second] = [new Uint32Array(600), new Uint32Array(600)];
  first.fill(100, 0, 30);
  second.fill(100, 0, 40);
  const table = new LifeTable({ first, second, seconds: 10, knownSeconds: 600, longestSeconds: 600 });
  const { flows } = table.upTo(600);
  assert.ok(Math.abs(flows - 60_000) < 1200, `${flows}`);
});

test("a batch nobody follows is not taken for a habit", () => {
  const [first, second] = [flat(60, 20), flat(60, 20)];
  first[30] = 5000;
  second[40] = 5000;
  const table = new LifeTable({ first, second, seconds: 10, knownSeconds: 60, longestSeconds: 60 });
  const { flows } = table.upTo(60);
  assert.ok(Math.abs(flows - 1200) < 60, `${flows}`);
});

test("a timeout shorter than the observation needs nobody to be followed", () => {
  const [first, second] = [flat(5, 900), flat(5, 100)];
  const table = new LifeTable({ first, second, seconds: 10, knownSeconds: 5, longestSeconds: 5 });
  assert.ok(Math.abs(table.upTo(5).flows - 500) < 5);
});

test("a hair between known ages and the time observed follows nobody: balance is assumed", () => {
  const ages = Uint32Array.of(185, 80, 75, 72, 0, 0);
  const at = (seconds: number): LifeTable =>
    new LifeTable({ first: ages, second: ages, seconds, knownSeconds: 4, longestSeconds: 6 });
  assert.equal(at(3.99).followed, false);
  assert.equal(at(3.99).upTo(6).flows, at(4.01).upTo(6).flows);
  assert.equal(at(3).followed, true);
});

test("nothing observed is nothing foretold", () => {
  const empty = new Uint32Array(50);
  const table = new LifeTable({
    first: empty,
    second: empty,
    seconds: 10,
    knownSeconds: 50,
    longestSeconds: 90,
  });
  assert.equal(table.upTo(90).flows, 0);
  assert.equal(table.upTo(0).variance, 0);
});

test("samples of different shares are weighed alike", () => {
  const table = new LifeTable({
    first: flat(100, 25),
    second: flat(100, 50),
    seconds: 10,
    knownSeconds: 100,
    longestSeconds: 100,
    firstWeight: 2,
  });
  assert.ok(Math.abs(table.upTo(100).flows - 5000) < 50);
});

test("days of timeout and seconds of observation: balance speaks, with its error", () => {
  const random = seededRandom(3);
  const length = 432_000;
  const [first, second] = [new Uint32Array(length), new Uint32Array(length)];
  // Nobody is ever followed by a packet: all are ten seconds older, a few have come.
  for (let flow = 0; flow < 100_000; flow++) {
    const age = random.below(length + 10) - 10;
    if (age >= 0) first[age] = (first[age] as number) + 1;
    if (age + 10 < length) second[age + 10] = (second[age + 10] as number) + 1;
  }
  const seen = { first, second, seconds: 10, knownSeconds: length, longestSeconds: length };
  const { flows, variance } = new LifeTable(seen).upTo(43_200);
  assert.ok(Math.abs(flows - 10_000) < 3 * Math.sqrt(variance), `${flows} ${Math.sqrt(variance)}`);
  assert.ok(Math.sqrt(variance) < 0.3 * flows, `${flows} ${Math.sqrt(variance)}`);
});

/** Flows that stay silent for ever, of these ages; the later reading is that of an age more. */
function silentFlows(flows: number, ageOf: (share: number) => number, seconds: number): Uint32Array[] {
  const random = seededRandom(7);
  const readings = [new Uint32Array(432_000), new Uint32Array(432_000)];
  for (let flow = 0; flow < flows; flow++) {
    const age = Math.floor(ageOf(random.fraction()));
    [age, age + seconds].forEach((at, index) => {
      const reading = readings[index] as Uint32Array;
      if (at >= 0 && at < reading.length) reading[at] = (reading[at] as number) + 1;
    });
  }
  return readings;
}

test("a hoard nobody was seen to join in five seconds may be joined at the rate of days", () => {
  const [first, second] = silentFlows(70_000, (share) => 40 + share * 400_000, 5) as [
    Uint32Array,
    Uint32Array,
  ];
  const seen = { first, second, seconds: 5, knownSeconds: 432_000, longestSeconds: 432_000 };
  const { lowFlows, highFlows, balanceFlows, variance } = new LifeTable(seen).upTo(432_000);
  const error = 2 * Math.sqrt(variance);
  assert.ok(lowFlows - error < 70_000 && highFlows + error > 75_600, `${lowFlows} ${highFlows} ${error}`);
  assert.ok(balanceFlows > 60_000, `${balanceFlows}`);
});

test("nobody is older than two days: none may live longer, or none had the time to", () => {
  const [first, second] = silentFlows(50_000, (share) => share * 172_800 - 10, 10) as [
    Uint32Array,
    Uint32Array,
  ];
  const table = new LifeTable({ first, second, seconds: 10, knownSeconds: 432_000, longestSeconds: 432_000 });
  const { lowFlows, highFlows, variance } = table.upTo(432_000);
  const error = 2 * Math.sqrt(variance);
  assert.ok(lowFlows - error < 50_000 && highFlows + error > 125_000, `${lowFlows} ${highFlows} ${error}`);
  assert.ok(Math.abs(table.unknownFromSeconds - 172_800) < 5000, `${table.unknownFromSeconds}`);
});

test("flows that are all closed by some age are not taken to live for ever", () => {
  const world = { kinds: [{ perSecond: 40, gapSeconds: () => 8, closeChance: 1, sinceSeconds: 0 }] };
  const [first, second] = readingsOf(world, 7440, [20, 30], seededRandom(1)) as [Uint32Array, Uint32Array];
  const seen = { first, second, seconds: 10, knownSeconds: 7440, longestSeconds: 7440 };
  const { flows, highFlows } = new LifeTable(seen).upTo(7440);
  assert.ok(Math.abs(flows - 320) < 40 && highFlows < 400, `${flows} ${highFlows}`);
});

test("a longer timeout never leaves fewer flows, and low to high holds what is said", () => {
  const counts = fc.uint8Array({ minLength: 12, maxLength: 40 });
  fc.assert(
    fc.property(counts, counts, fc.integer({ min: 1, max: 15 }), (one, other, seconds) => {
      const length = Math.min(one.length, other.length);
      const table = new LifeTable({
        first: Uint32Array.from(one.subarray(0, length)),
        second: Uint32Array.from(other.subarray(0, length)),
        seconds,
        knownSeconds: length,
        longestSeconds: 60,
      });
      const within = [0, 5, 10, 20, 40, 60].map((age) => table.upTo(age).flows);
      within.slice(1).forEach((flows, index) => assert.ok(flows >= (within[index] as number) - 1e-9));
      const { flows, lowFlows, highFlows, variance } = table.upTo(60);
      assert.ok(lowFlows <= flows + 1e-6 && flows <= highFlows + 1e-6 && variance >= 0);
    }),
  );
});

/** Simulated worlds, what a timeout was observed, and what another would be. */
const worlds: { name: string; world: World; atSeconds: number; before: number; after: readonly number[] }[] =
  [
    {
      name: "in balance",
      world: {
        kinds: [
          { perSecond: 20, gapSeconds: never, closeChance: 0 },
          { perSecond: 10, gapSeconds: exponential(8), closeChance: 0.2 },
          { perSecond: 30, gapSeconds: exponential(1), closeChance: 0.2 },
        ],
      },
      atSeconds: 100,
      before: 40,
      after: [15, 25, 40, 60],
    },
    {
      name: "filling up",
      world: {
        kinds: [
          { perSecond: 40, gapSeconds: never, closeChance: 0, sinceSeconds: 0 },
          { perSecond: 10, gapSeconds: exponential(3), closeChance: 0.2 },
        ],
      },
      atSeconds: 30,
      before: 60,
      after: [15, 30, 45],
    },
    {
      name: "with a batch",
      world: {
        kinds: [
          { perSecond: 20, gapSeconds: never, closeChance: 0 },
          { perSecond: 10, gapSeconds: exponential(8), closeChance: 0.2 },
        ],
        crowds: [{ flows: 800, atSeconds: 70, gapSeconds: never }],
      },
      atSeconds: 100,
      before: 60,
      after: [20, 35, 50],
    },
  ];

const RUNS = 100;

for (const { name, world, atSeconds, before, after } of worlds) {
  for (const timeout of after) {
    test(`${name}, ${before} s to ${timeout} s: unbiased, and the error is as large as it says`, () => {
      let [bias, truths, squares, variances, inRange] = [0, 0, 0, 0, 0];
      for (let run = 1; run <= RUNS; run++) {
        const random = seededRandom(run * 7919);
        const [first, second] = readingsOf(world, before, [atSeconds - 10, atSeconds], random);
        const longestSeconds = Math.max(before, timeout);
        const seen = { ...(first === undefined ? {} : { first }), second: second as Uint32Array };
        const table = new LifeTable({ ...seen, seconds: 10, knownSeconds: before, longestSeconds });
        const foretold = table.upTo(timeout);
        const later = readingsOf(world, timeout, [atSeconds + 100], seededRandom(run * 104_729));
        const truth = (later[0] as Uint32Array).reduce((sum, flows) => sum + flows, 0);
        const off = foretold.flows - truth;
        const error = Math.sqrt(foretold.variance + foretold.flows);
        bias += off / RUNS;
        truths += truth / RUNS;
        squares += off ** 2 / RUNS;
        variances += error ** 2 / RUNS;
        if (truth >= foretold.lowFlows - 2 * error && truth <= foretold.highFlows + 2 * error) inRange += 1;
      }
      const said = [bias, truths, Math.sqrt(squares), Math.sqrt(variances), inRange].join(" ");
      assert.ok(Math.abs(bias) < 0.03 * truths, said);
      assert.ok(squares < 1.5 ** 2 * variances && variances < 3 ** 2 * squares, said);
      assert.ok(inRange >= 0.9 * RUNS, said);
    });
  }
}

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { seededRandom } from "../base/random.ts";
import type { SeriesColumns } from "../table/series.ts";
import type { Grid } from "./forecast-grid.ts";
import { backtest, backtestOf, bandAt, emptyRecord, recordForecast } from "./forecast-record.ts";
import { withoutSteps } from "./forecast-step.ts";
import { type Forecast, type ForecastFacts, makeForecast } from "./forecast.ts";

const NOW_MS = Date.UTC(2026, 4, 4, 12);
const DAY = 86_400;

/** `spanSeconds` before now, by points of `stepSeconds`: flows by (negative) seconds; NaN is a gap. */
function series(
  spanSeconds: number,
  stepSeconds: number,
  flowsAt: (seconds: number) => number,
  endSeconds = 0,
): SeriesColumns {
  const count = Math.floor((spanSeconds - endSeconds) / stepSeconds);
  const atMs = Float64Array.from(
    { length: count },
    (_, at) => NOW_MS + (at * stepSeconds - spanSeconds) * 1000,
  );
  const avg = atMs.map((at) => flowsAt((at - NOW_MS) / 1000 + stepSeconds / 2));
  return { atMs, stepSeconds, columns: { occupancyFlows: { min: avg, avg, max: avg } } };
}

function noisy(flowsAt: (seconds: number) => number, seed = 1): (seconds: number) => number {
  const random = seededRandom(seed);
  return (seconds) => {
    const flows = flowsAt(seconds);
    return Math.round(flows + Math.sqrt(Math.max(0, flows)) * (random.fraction() + random.fraction() - 1));
  };
}

/** Weeks by a quarter of an hour, the last hours by half minutes, the last minutes by seconds. */
function kept(days: number, flowsAt: (seconds: number) => number): SeriesColumns[] {
  return [
    series(days * DAY, 900, flowsAt, 21_600),
    series(Math.min(21_600, days * DAY), 30, flowsAt, 600),
    series(600, 1, flowsAt),
  ];
}

function forecast(history: readonly SeriesColumns[], more: Partial<ForecastFacts> = {}): Forecast {
  return makeForecast({ nowMs: NOW_MS, history, capacityFlows: 262_144, ...more });
}

function isWithin(value: number | undefined, from: number, to: number): void {
  assert.ok(value !== undefined && value >= from && value <= to, `${value} is not within ${from} to ${to}`);
}

test("what never changes does not become full", () => {
  const found = forecast(
    kept(
      14,
      noisy(() => 80_000),
    ),
  );
  assert.equal(found.fullIn, undefined);
  assert.equal(found.unknown, undefined);
  const { expected, low, high } = bandAt(found, DAY);
  isWithin(expected, 79_500, 80_500);
  assert.ok(low > 78_000 && high < 82_000);
  assert.equal(found.horizonSeconds, 7 * DAY);
});

test("a flood of a minute is told, with the seconds that are left", () => {
  // 100,000 flows; 1,500 more each second for the last 18 s: full in 90 s.
  const flowsAt = noisy((at) => 100_000 + 1500 * Math.max(0, at + 18));
  const found = forecast(kept(14, flowsAt));
  assert.equal(found.method, "arrivals");
  isWithin(found.fullIn?.seconds, 75, 110);
  assert.ok((found.fullIn?.earliestSeconds ?? 0) <= (found.fullIn?.seconds ?? 0));
  assert.match(found.how, /1,[45]\d\d flows\/s/);
});

for (const ageSeconds of [40, 100, 200]) {
  test(`flows held for a minute, ${ageSeconds} s of them, end where arrivals times holding do`, () => {
    // 1,000 a second: 60,000 in the end.
    const flowsAt = noisy((at) => 100_000 + 60_000 * -Math.expm1(-Math.max(0, at + ageSeconds) / 60));
    const arrivals = { perSecond: 1100, standardErrorPerSecond: 20, holdingSeconds: 60 };
    const found = forecast(kept(14, flowsAt), { arrivals });
    assert.equal(found.method, "arrivals");
    assert.equal(found.fullIn?.seconds, undefined);
    isWithin(bandAt(found, 600).expected, 150_000, 185_000);
  });
}

test("holding times of other flows are not believed of a flood that does not bend", () => {
  // Straight for two minutes at 800 a second: flows of 5 s, as events have it, would have bent it long ago.
  const flowsAt = noisy((at) => 100_000 + 800 * Math.max(0, at + 120));
  const arrivals = { perSecond: 900, standardErrorPerSecond: 20, holdingSeconds: 5 };
  const found = forecast(kept(14, flowsAt), { arrivals });
  isWithin(found.fullIn?.seconds, 65, 110);
});

test("a hoard that grows for days is told days ahead", () => {
  // 8,000 a day for eleven days from 60,000: full in 114,144 / 8,000 = about 14 days; of 180,000 in four.
  const flowsAt = noisy((at) => 60_000 + (8000 * (at + 11 * DAY)) / DAY);
  const found = forecast(kept(11, flowsAt), { capacityFlows: 180_000 });
  isWithin(found.fullIn?.seconds, 3.2 * DAY, 6 * DAY);
  assert.ok((found.fullIn?.earliestSeconds ?? Infinity) <= 4.2 * DAY);
});

test("a peak of each day is foretold for tomorrow, and is no trend", () => {
  const flowsAt = noisy(
    (at) => 100_000 - 60_000 * Math.cos((2 * Math.PI * (at + 12 * 3600)) / DAY + Math.PI),
  );
  const found = forecast(kept(10, flowsAt), { capacityFlows: 150_000 });
  assert.equal(found.method, "daily");
  const truth = (ahead: number): number => flowsAt(ahead);
  for (const ahead of [3600, 6 * 3600, DAY / 2, DAY]) {
    isWithin(bandAt(found, ahead).expected, Math.min(150_000, truth(ahead)) - 6000, truth(ahead) + 6000);
  }
});

test("what is full now is full in no time", () => {
  const found = forecast(
    kept(3, () => 65_536),
    { capacityFlows: 65_536 },
  );
  assert.deepEqual([found.fullIn?.seconds, found.fullIn?.earliestSeconds], [0, 0]);
});

test("teeth of what waits for the collector are no surge", () => {
  const flowsAt = noisy((at) => 20_000 + 300 * (((at % 60) + 60) % 60));
  for (const capacityFlows of [45_000, 65_536]) {
    assert.notEqual(forecast(kept(3, flowsAt), { capacityFlows }).method, "arrivals");
  }
});

test("one wild reading is no surge", () => {
  const flowsAt = noisy(() => 50_000);
  const found = forecast(kept(7, (at) => (at > -1.2 ? 150_000 : flowsAt(at))));
  assert.notEqual(found.method, "arrivals");
  assert.equal(found.fullIn?.seconds, undefined);
});

test("after a step, as a reclaim makes it, the new level counts", () => {
  const flowsAt = noisy((at) => (at > -1800 ? 40_000 : 120_000));
  const found = forecast(kept(7, flowsAt));
  isWithin(bandAt(found, 300).expected, 37_000, 45_000);
  assert.equal(found.fullIn?.seconds, undefined);
});

test("two minutes of history tell of the next quarter of an hour, not of next week", () => {
  const found = forecast([
    series(
      120,
      1,
      noisy(() => 30_000),
    ),
  ]);
  assert.equal(found.unknown, undefined);
  isWithin(found.horizonSeconds, 600, 1200);
  assert.equal(found.fullIn, undefined);
});

test("two minutes of a rise are enough to tell when it is full", () => {
  const found = forecast([
    series(
      120,
      1,
      noisy((at) => 100_000 + 500 * (at + 120)),
    ),
  ]);
  isWithin(found.fullIn?.seconds, 150, 300);
});

test("what cannot be told is said, with the reason", () => {
  const young = series(5, 1, () => 100);
  const old = series(DAY, 30, () => 100, DAY / 2);
  const cases: [readonly SeriesColumns[], RegExp][] = [
    [[], /nothing is remembered/],
    [[series(DAY, 30, () => NaN)], /nothing is remembered/],
    [[young], /watched for 5 s only/],
    [[old], /not measured in the last minutes/],
  ];
  for (const [history, why] of cases) {
    const found = forecast(history);
    assert.equal(found.method, "none");
    assert.match(found.unknown ?? "", why);
    assert.deepEqual([found.band.atMs.length, found.fullIn], [0, undefined]);
  }
});

test("whatever the history, the band is in order and the times are", () => {
  const value = fc.oneof(fc.nat(300_000), fc.constant(NaN), fc.constant(0), fc.constant(262_144));
  const property = fc.property(
    fc.array(value, { minLength: 1, maxLength: 400 }),
    fc.nat(3),
    (flows, kind) => {
      const step = [1, 30, 900, 3600][kind] ?? 1;
      const history = [series(flows.length * step, step, (at) => flows[Math.floor(-at / step)] ?? NaN)];
      const { band, fullIn, horizonSeconds } = forecast(history);
      for (const [index, expected] of band.expected.entries()) {
        const [low = NaN, high = NaN] = [band.low[index], band.high[index]];
        assert.ok(
          low <= expected && expected <= high && low >= 0 && high <= 262_144,
          `${low} ${expected} ${high}`,
        );
        assert.ok((band.atMs[index] ?? 0) > (band.atMs[index - 1] ?? NOW_MS));
      }
      if (fullIn === undefined) return;
      const { earliestSeconds, seconds = Infinity, latestSeconds = Infinity } = fullIn;
      assert.ok(earliestSeconds >= 0 && earliestSeconds <= seconds && seconds <= latestSeconds);
      assert.ok(earliestSeconds <= horizonSeconds);
    },
  );
  fc.assert(property, { numRuns: 200, seed: 5 });
});

test("a record compares what was said with what came, and stays small", () => {
  let record = emptyRecord();
  for (let minute = 0; minute < 3 * 1440; minute += 1) {
    const madeAtMs = NOW_MS + minute * 60_000;
    const atMs = Array.from({ length: 200 }, (_, at) => madeAtMs + (at + 1) * 600_000);
    const [expected, low, high] = [1000, 900, 1050].map((flows) => atMs.map(() => flows));
    const said = { madeAtMs, horizonSeconds: 120_000, method: "trend", how: "" } as const;
    const band = { atMs, expected: expected ?? [], low: low ?? [], high: high ?? [] };
    const occupancyFlows = minute % 20 < 10 ? 1000 : 1100;
    record = recordForecast(record, { ...said, band }, { occupancyFlows, capacityFlows: 2000 });
  }
  assert.ok(record.pending.length <= 4 * 150);
  const backtested = backtestOf(record);
  assert.equal(backtested?.horizonSeconds, DAY);
  isWithin(backtested?.meanErrorShare, 0.02, 0.03);
  isWithin(backtested?.insideShare, 0.4, 0.6);
});

test("a backtest of a recorded past says how far off forecasts were at each distance", () => {
  const { byHorizon } = backtest(
    kept(
      14,
      noisy(() => 80_000),
    ),
    { nowMs: NOW_MS, capacityFlows: 262_144 },
  );
  assert.deepEqual(
    byHorizon.map(({ horizonSeconds }) => horizonSeconds).toSorted((a, b) => a - b),
    [600, 3600, 21_600, 86_400],
  );
  for (const { forecasts, meanErrorShare, insideShare } of byHorizon) {
    assert.ok(
      forecasts >= 15 && meanErrorShare < 0.002 && insideShare > 0.7,
      `${forecasts} ${meanErrorShare} ${insideShare}`,
    );
  }
});

for (const watchedSeconds of [30, 120, 600, 3600]) {
  for (const agoSeconds of [40, 60, 130, 300]) {
    test(`a burst that was over ${agoSeconds} s ago is no trend after ${watchedSeconds} s`, () => {
      // The watcher was restarted after it: half a minute is missing.
      const flowsAt = (seconds: number): number => {
        if (seconds < -agoSeconds) return 14_096;
        return seconds > 30 - agoSeconds && seconds < 45 - agoSeconds ? NaN : 74_096;
      };
      const span = watchedSeconds + agoSeconds;
      const near = Math.min(600, span);
      const history = [...(span > near ? [series(span, 10, flowsAt, near)] : []), series(near, 1, flowsAt)];
      const { fullIn, unknown } = forecast(history);
      assert.deepEqual([fullIn?.seconds, unknown], [undefined, undefined]);
      assert.ok((fullIn?.earliestSeconds ?? Infinity) > 400, JSON.stringify(fullIn));
    });
  }
}

for (const agoSeconds of [1, 3, 8, 15, 25]) {
  test(`a watcher that is young foretells nothing of a jump ${agoSeconds} s ago`, () => {
    const found = forecast([series(45, 1, (seconds) => (seconds < -agoSeconds ? 9 : 60_000))]);
    assert.equal(found.fullIn?.seconds, undefined, JSON.stringify(found.fullIn));
    const rising = forecast([series(45, 1, (seconds) => 100_000 + 3000 * (seconds + 45))]);
    isWithin(rising.fullIn?.seconds, 5, 60);
  });
}

test("steps that come again and again are not taken away", () => {
  const grid = (flowsAt: (slot: number) => number): Grid => ({
    stepSeconds: 10,
    belowFlows: 0,
    aboveFlows: 0,
    teethFlows: 0,
    flows: Float64Array.from({ length: 60 }, (_, slot) => flowsAt(slot)),
  });
  const stairs = grid((slot) => 6000 * Math.floor(slot / 10));
  assert.equal(withoutSteps(stairs, 3000), stairs);
  const once = withoutSteps(
    grid((slot) => (slot < 40 ? 7 : 6000)),
    3000,
  );
  assert.deepEqual(new Set(once.flows), new Set([6000]));
});

test("a history of two minutes with holes does not say that it is too short", () => {
  const found = forecast([series(119, 1, (seconds) => (seconds < -113 || seconds > -3 ? 5 : NaN))]);
  assert.match(found.unknown ?? "", /^of the last 119 s too little was measured/);
});

/** Occupancy by the second up to now. */
function secondBySecond(seconds: number, flowsAt: (second: number) => number): SeriesColumns {
  const atMs = Float64Array.from({ length: seconds }, (_, at) => NOW_MS - (seconds - at) * 1000);
  const flows = Float64Array.from({ length: seconds }, (_, at) => flowsAt(at));
  return { atMs, stepSeconds: 1, columns: { occupancyFlows: { min: flows, avg: flows, max: flows } } };
}

test("while it rises the forecast begins where occupancy is, not where it was on average", () => {
  const rise = (second: number): number => (second < 45 ? 300 : 300 + (second - 45) * 55);
  const facts = { nowMs: NOW_MS, capacityFlows: 4096, history: [secondBySecond(88, rise)] };
  const { band, fullIn } = makeForecast(facts);
  assert.ok((band.expected[0] ?? 0) > rise(87), String(band.expected[0]));
  assert.ok((fullIn?.seconds ?? 0) < 60, JSON.stringify(fullIn));
});

test("where it has come to stand, the forecast begins there", () => {
  const full = (second: number): number => Math.min(4096, second < 45 ? 300 : 300 + (second - 45) * 55);
  const facts = { nowMs: NOW_MS, capacityFlows: 4096, history: [secondBySecond(139, full)] };
  const { band, fullIn } = makeForecast(facts);
  assert.equal(band.expected[0], 4096);
  assert.equal(fullIn?.seconds, 0);
});

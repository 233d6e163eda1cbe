import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";

import { MemoryHistory } from "../../test/support/fake-watched-host.ts";
import type { SeriesQuery } from "./history.ts";
import { PastSeries } from "./watcher-forecast.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 20, 18);

class AskedHistory extends MemoryHistory {
  readonly asked: SeriesQuery[] = [];

  override series(query: SeriesQuery): ReturnType<MemoryHistory["series"]> {
    this.asked.push(query);
    return super.series(query);
  }
}

/** Seconds since now of the stretches that are asked for at this moment, and between two points. */
function askedAt(past: PastSeries, history: AskedHistory, seconds: number, setBySeconds = 0): number[][] {
  history.asked.length = 0;
  const atMs = NOW_MS + (seconds + setBySeconds) * 1000;
  past.until(history, { atMs, elapsedMs: seconds * 1000 });
  return history.asked.map(({ fromMs, toMs, points }) => [
    (fromMs - atMs) / 1000,
    (toMs - atMs) / 1000,
    (toMs - fromMs) / 1000 / points,
  ]);
}

test("the past is asked for without a gap, finer the nearer", () => {
  const asked = askedAt(new PastSeries(), new AskedHistory(), 0);
  equal(asked[0]?.[0], -28 * 86_400);
  asked.slice(1).forEach(([from], index) => equal(from, asked[index]?.[1]));
  ok((asked.at(-1)?.[1] ?? 0) > 0, "now is part of it");
  const steps = asked.map(([, , step = 0]) => step);
  deepEqual(
    steps,
    steps.toSorted((a, b) => b - a),
  );
  // A forecast divides the last hour by ten seconds; coarser points would hide how high moments went.
  for (const [, to = 0, step = 0] of asked) if (to > -3600) ok(step <= 10, `${step} s until ${to}`);
});

test("what is old is asked for again only now and then", () => {
  const [past, history] = [new PastSeries(), new AskedHistory()];
  equal(askedAt(past, history, 0).length, 4);
  equal(askedAt(past, history, 10).length, 1);
  equal(askedAt(past, history, 60).length, 2);
  equal(askedAt(past, history, 300).length, 3);
  equal(askedAt(past, history, 1800).length, 4);
});

test("a wall clock that was set back has all of it asked for again", () => {
  const [past, history] = [new PastSeries(), new AskedHistory()];
  askedAt(past, history, 0);
  const asked = askedAt(past, history, 10, -HOUR_MS / 1000);
  equal(asked.length, 4);
  equal(asked[0]?.[0], -28 * 86_400);
});

/** Values that a history is filled with in tests. */
import assert from "node:assert/strict";
import type { Census } from "../../src/census/census.ts";
import type { History, Incident, Second, StoreOptions } from "../../src/watch/watch.ts";
import { hoardCensus } from "./cli-samples.ts";

/** A census that can be told from others by its flows. */
export function aCensus(flows: number): Census {
  return { ...hoardCensus, flows };
}

export function anIncident(id: string, firedAtMs: number, resolvedAtMs?: number): Incident {
  return {
    id,
    alert: {
      id,
      code: "near-full",
      level: "warning",
      state: resolvedAtMs === undefined ? "firing" : "resolved",
      sinceMs: firedAtMs - 30_000,
      firedAtMs,
      ...(resolvedAtMs === undefined ? {} : { resolvedAtMs }),
      title: "The table is 92 % full",
      evidence: { occupancyFlows: 241_172, capacityFlows: 262_144 },
      meaning: "New connections fail when it is full.",
      remedy: [{ text: "Raise the limit", command: "headroom apply" }],
    },
    census: { atMs: firedAtMs, census: aCensus(241_172) },
  };
}

export const HISTORY_START = Date.UTC(2026, 2, 1);

/** Keeps every second for years, so that a test can ask for each. */
export const WHOLE_HISTORY: StoreOptions = { maxBytes: 1024 ** 3, keepSeconds: { 1: 1e9, 10: 1e9, 60: 1e9 } };

/** The second of that number: its values say which one it is. */
export function historySecond(second: number): Second {
  const atMs = HISTORY_START + second * 1000;
  const values = { occupancyFlows: second, capacityFlows: 262_144, arrivalsPerSecond: second / 3 };
  const census = second % 100 === 0 ? { census: { atMs, census: aCensus(second) } } : {};
  return { sample: { atMs, values }, ...census };
}

/**
 * How many seconds a history has from `from` on, each with its own value and none missing; throws when one
 * is missing or is another.
 */
export function wholeSeconds(history: History, from: number): number {
  const found = history.series({
    names: ["occupancyFlows"],
    fromMs: HISTORY_START + from * 1000,
    toMs: HISTORY_START + 1e12,
    points: 1_000_000,
  });
  assert.equal(found.stepSeconds, 1);
  found.columns.occupancyFlows?.avg.forEach((value, second) => assert.equal(value, from + second));
  return found.atMs.length;
}

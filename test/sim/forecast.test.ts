/**
 * Forecasts of simulated worlds, scored: the grid in test/golden/sim/forecast.txt is what they came to, and a
 * change for the worse shows as a changed number. Seeded, so the same on every machine.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertGolden } from "../support/golden.ts";
import { HORIZONS, type Score, scoreOf, type WorldScore } from "./score.ts";
import { courseOf, WORLDS } from "./series.ts";

const SEED = 7;

test("forecasts of simulated hosts are as good as they were, and better than what is used otherwise", () => {
  const scores = WORLDS.map((world) => ({ world, score: scoreOf(courseOf(world, SEED)) }));
  const total = totalOf(scores.map(({ score }) => score));
  assertGolden("sim/forecast.txt", [
    "Mean error in percent of capacity, by how far ahead; how often the truth lay in the band (aim: 90 %);",
    "how often the table became full, how often that was told at least 30 minutes before, and false alarms.",
    "line: a straight line through the last 60 samples of a minute. last: it stays as it is.",
    "",
    row(
      "world",
      "",
      HORIZONS.map(({ name }) => name),
      "mean",
      "inside",
      "full",
      "warned",
      "false",
    ),
    ...scores.flatMap(({ world, score }) => rowsOf(world.name, score)),
    ...rowsOf("all", total),
    "",
    `Mean error, ours to line: ${ratio(total.ours, total.line)}.`,
    `Mean error, ours to last: ${ratio(total.ours, total.last)}.`,
  ]);
  assert.ok(meanOf(total.ours) < meanOf(total.line) && meanOf(total.ours) < meanOf(total.last));
  assert.ok(total.ours.warned >= total.line.warned && total.ours.falseAlarms < total.line.falseAlarms);
});

function rowsOf(name: string, { ours, line, last, insideShares, events }: WorldScore): string[] {
  const one = (who: string, score: Score, inside: string): string =>
    row(
      who === "ours" ? name : "",
      who,
      score.errorShares.map(percent),
      percent(meanOf(score)),
      inside,
      who === "ours" ? String(events) : "",
      String(score.warned),
      String(score.falseAlarms),
    );
  const inside = insideShares.map((share) => (100 * share).toFixed(0)).join(" ");
  return [one("ours", ours, inside), one("line", line, ""), one("last", last, "")];
}

function row(
  name: string,
  who: string,
  errors: readonly string[],
  ...[mean, inside, full, warned, wrong]: string[]
): string {
  const cells = [...errors, mean ?? ""].map((cell) => cell.padStart(7)).join("");
  const counts = [full, warned, wrong].map((cell) => (cell ?? "").padStart(8)).join("");
  return `${name.padEnd(12)}${who.padEnd(5)}${cells}  ${(inside ?? "").padEnd(15)}${counts}`.trimEnd();
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

function meanOf({ errorShares }: Score): number {
  return errorShares.reduce((sum, share) => sum + share, 0) / errorShares.length;
}

function ratio(ours: Score, theirs: Score): string {
  return (meanOf(ours) / meanOf(theirs)).toFixed(2);
}

function totalOf(scores: readonly WorldScore[]): WorldScore {
  const mean = (values: readonly (readonly number[])[]): number[] =>
    HORIZONS.map((_, at) => values.reduce((sum, shares) => sum + (shares[at] ?? 0), 0) / values.length);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const all = (of: (score: WorldScore) => Score): Score => ({
    errorShares: mean(scores.map((score) => of(score).errorShares)),
    warned: sum(scores.map((score) => of(score).warned)),
    falseAlarms: sum(scores.map((score) => of(score).falseAlarms)),
  });
  return {
    ours: all(({ ours }) => ours),
    line: all(({ line }) => line),
    last: all(({ last }) => last),
    insideShares: mean(scores.map(({ insideShares }) => insideShares)),
    events: sum(scores.map(({ events }) => events)),
  };
}

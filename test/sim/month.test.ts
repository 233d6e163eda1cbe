/**
 * Days of a host, watched by what runs on a host, in seconds; a month with HEADROOM_MONTH=1, in a quarter of
 * an hour. What each came to is in test/golden/sim.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { roughDuration } from "../../src/table/duration.ts";
import { assertGolden } from "../support/golden.ts";
import { type MonthRun, runMonth } from "./month.ts";
import {
  alertScores,
  falseWarnings,
  type Fill,
  fillsOf,
  forecastScores,
  rolledScore,
  SAID_BEFORE_SECONDS,
  type Window,
} from "./month-score.ts";
import { MONTH, type Story, THREE_DAYS } from "./month-stories.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;
/** The rule of `near-full` waits for so long. */
const NEAR_FULL_SECONDS = 30;
/**
 * A flood of the day before makes a young history think once that the worst is over; a leak that begins is
 * told, doubted in the night and told again.
 */
const FLAPS: Readonly<Record<string, number>> = { filling: 2 };

test("three days: what is remembered is true, what is foretold is scored, who must know is told", (t) =>
  play(THREE_DAYS, "sim/three-days.txt", (line) => t.diagnostic(line)));

test("a month: remembered, foretold, told", async (t) => {
  if (process.env["HEADROOM_MONTH"] !== "1") return t.skip("takes a quarter of an hour: HEADROOM_MONTH=1");
  await play(MONTH, "sim/month.txt", (line) => t.diagnostic(line));
});

async function play(story: Story, golden: string, say: (line: string) => void): Promise<void> {
  const directory = mkdtempSync(`${existsSync("/dev/shm") ? "/dev/shm" : tmpdir()}/headroom-month-`);
  try {
    const run = await runMonth(story, directory);
    const megabytes = (bytes: number): string => `${(bytes / 1048576).toFixed(0)} MiB`;
    say(`history at most ${megabytes(run.sizeBytes)}, bound ${megabytes(run.boundBytes)}`);
    assertGolden(golden, reportOf(run));
    assert.ok(run.sizeBytes <= run.boundBytes);
    assertSound(run);
    run.history.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function assertSound(run: MonthRun): void {
  for (const window of windowsOf(run.story)) assert.equal(rolledScore(run, window).wrong, 0, window.name);
  for (const { flaps, code } of alertScores(run)) assert.ok(flaps <= (FLAPS[code] ?? 0), `${code} flaps`);
  for (const { riseSeconds, nearFullLead } of fillsOf(run)) {
    if (riseSeconds > 2 * NEAR_FULL_SECONDS) assert.ok((nearFullLead ?? 0) > 0, "told before it is full");
  }
  assert.deepEqual(happeningsMissed(run), []);
}

/** What happened and is not in the history. */
function happeningsMissed({ story, history, clock }: MonthRun): string[] {
  const notes = history.notes(0, clock.nowMs()).map(({ kind }) => kind);
  const changes = history.settingChanges(0, clock.nowMs());
  const count = (kind: string): number => notes.filter((note) => note === kind).length;
  const happened = (what: "gapSeconds" | "clockSeconds" | "rebootSeconds" | "set"): number =>
    story.happenings.filter((happening) => happening[what] !== undefined).length;
  const pairs: [string, number, number][] = [
    ["gap", count("gap"), happened("gapSeconds")],
    ["clock jump", count("clock-jump"), happened("clockSeconds")],
    ["start", count("started"), happened("rebootSeconds") + 1],
    ["setting", changes.length, happened("set")],
  ];
  return pairs.filter(([, found, wanted]) => found !== wanted).map(([what]) => what);
}

/** Stretches of every age, by points of every length. */
function windowsOf({ days }: Story): Window[] {
  const of = (name: string, fromSeconds: number, seconds: number, points: number): Window => ({
    name,
    fromSeconds,
    toSeconds: fromSeconds - seconds,
    points,
  });
  const all = days * DAY;
  return [
    of("the last two hours", 2 * HOUR, 2 * HOUR, 7200),
    of("an hour of yesterday", 30 * HOUR, HOUR, 3600),
    of("the last day", DAY, DAY, 8640),
    of("the first day", all, DAY, 8640),
    of("a third, by minutes", all * 0.8, all / 3, Math.round(all / 3 / 60)),
    of("all, by 1,000 points", all, all, 1000),
    of("all, by hours", all, all, days * 24),
  ];
}

function reportOf(run: MonthRun): string[] {
  const { story, truth, notices } = run;
  return [
    `${story.name}: ${truth.flows.length} seconds looked at, one each ${story.stepSeconds} s`,
    "",
    cells(["history", "step s", "spans", "empty", "wrong"]),
    ...windowsOf(story).map((window) => {
      const { stepSeconds, spans, empty, wrong } = rolledScore(run, window);
      return cells([window.name, stepSeconds, spans, empty, wrong]);
    }),
    "",
    cells(["forecast, ahead", "made", "error %", "inside %"]),
    ...forecastScores(run).map(({ horizonSeconds, forecasts, meanErrorShare, insideShare }) =>
      cells([
        roughDuration(horizonSeconds),
        forecasts,
        (100 * meanErrorShare).toFixed(1),
        (100 * insideShare).toFixed(0),
      ]),
    ),
    "",
    "What the forecast said so long before the table was full; how long before people were told.",
    cells([
      "full at",
      ...SAID_BEFORE_SECONDS.map((seconds) => roughDuration(seconds)),
      "near-full",
      "filling",
    ]),
    ...fillsOf(run).map(fillRow),
    "",
    cells(["alerts", "fired", "notices", "flaps"]),
    ...alertScores(run).map(({ code, fired, notices: told, flaps }) => cells([code, fired, told, flaps])),
    "",
    `Notices: ${notices.length}. Filling was told and did not come true: ${falseWarnings(run)}.`,
  ];
}

function fillRow({ atSeconds, said, nearFullLead, fillingLead }: Fill): string {
  const lead = (seconds: number | undefined): string =>
    seconds === undefined ? "not told" : roughDuration(seconds);
  return cells([
    momentOf(atSeconds),
    ...said.map(({ saidSeconds }) => {
      if (saidSeconds === undefined) return "?";
      return Number.isFinite(saidSeconds) ? roughDuration(Math.max(0, saidSeconds)) : "never";
    }),
    lead(nearFullLead),
    lead(fillingLead),
  ]);
}

function momentOf(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const [hours, minutes] = [two((seconds % DAY) / HOUR), two((seconds % HOUR) / 60)];
  return `day ${Math.floor(seconds / DAY) + 1}, ${hours}:${minutes}:${two(seconds % 60)}`;
}

function cells([first = "", ...rest]: readonly (string | number)[]): string {
  return `${String(first).padEnd(22)}${rest.map((cell) => String(cell).padStart(10)).join("")}`.trimEnd();
}

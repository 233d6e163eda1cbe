/**
 * How forecasts of simulated worlds turned out, beside what people use otherwise: a straight line through the
 * last 60 samples (predict_linear of Prometheus, and the like), and the last value.
 */
import { bandAt } from "../../src/plan/forecast-record.ts";
import { makeForecast } from "../../src/plan/plan.ts";
import { atMsOf, type Course, historyAt, STEP_SECONDS } from "./series.ts";

export const HORIZONS = [
  { name: "10 min", seconds: 600 },
  { name: "1 h", seconds: 3600 },
  { name: "6 h", seconds: 21_600 },
  { name: "1 d", seconds: 86_400 },
  { name: "3 d", seconds: 259_200 },
] as const;

/** Somebody is warned when it is foretold to be full within this. */
const WARNED_SECONDS = 6 * 3600;
/** In time: so long before it is full. */
const IN_TIME_SECONDS = 1800;
/** A warning is false when the table is not full within twice what was said. */
const FALSE_AFTER_SECONDS = 2 * WARNED_SECONDS;
/** Forecasts are made over these last days, about so often. */
const SCORED_SECONDS = 6 * 86_400;
const EVERY_SECONDS = 90 * 60;
const SAMPLES = 60;
const SAMPLE_STEPS = 60 / STEP_SECONDS;

export interface Score {
  /** Mean absolute error as a share of capacity, by horizon, in the order of HORIZONS. */
  errorShares: number[];
  warned: number;
  falseAlarms: number;
}

export interface WorldScore {
  ours: Score;
  line: Score;
  last: Score;
  /** Share of truth between low and high, by horizon. */
  insideShares: number[];
  /** How often the table became full. */
  events: number;
}

/** One method's forecasts: what it says for an instant ahead, and whether it warns. */
interface Said {
  step: number;
  flowsAt: (aheadSeconds: number) => number;
  warns: boolean;
  inside?: (aheadSeconds: number, flows: number) => boolean;
}

export function scoreOf(course: Course): WorldScore {
  const steps = originsOf(course);
  const events = eventsOf(course, steps[0] ?? 0);
  const ours = steps.map((step) => oursAt(course, step));
  const scored = (said: readonly Said[]): Score => ({
    errorShares: HORIZONS.map(({ seconds }, index) => errorShare(course, said, seconds, index)),
    ...alarmsOf(course, said, events),
  });
  return {
    ours: scored(ours),
    line: scored(steps.map((step) => lineAt(course, step))),
    last: scored(steps.map((step) => lastAt(course, step))),
    insideShares: HORIZONS.map(({ seconds }, index) => insideShare(course, ours, seconds, index)),
    events: events.length,
  };
}

function originsOf({ truth }: Course): number[] {
  const steps: number[] = [];
  const every = EVERY_SECONDS / STEP_SECONDS;
  for (let step = truth.length - SCORED_SECONDS / STEP_SECONDS; step < truth.length - 1; step += every) {
    // Never in step with the collector.
    steps.push(Math.min(truth.length - 2, step + ((steps.length * 7) % 13)));
  }
  return steps;
}

function oursAt(course: Course, step: number): Said {
  const forecast = makeForecast({
    nowMs: atMsOf(step + 1),
    history: historyAt(course, step),
    capacityFlows: course.world.table.capacityFlows,
  });
  const seconds = forecast.fullIn?.seconds ?? Infinity;
  // Where it says that it cannot tell, people have the last value.
  if (forecast.unknown !== undefined) return { ...lastAt(course, step), inside: () => false };
  return {
    step,
    warns: seconds <= WARNED_SECONDS,
    flowsAt: (ahead) => bandAt(forecast, ahead).expected,
    inside: (ahead, flows) => {
      const { low, high } = bandAt(forecast, ahead);
      return flows >= Math.floor(low) && flows <= Math.ceil(high);
    },
  };
}

function lineAt({ measured, world }: Course, step: number): Said {
  const { capacityFlows } = world.table;
  let [count, sumX, sumY, sumXX, sumXY] = [0, 0, 0, 0, 0];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const flows = measured[step - sample * SAMPLE_STEPS] ?? NaN;
    if (Number.isNaN(flows)) continue;
    const x = -sample * 60;
    count += 1;
    sumX += x;
    sumY += flows;
    sumXX += x * x;
    sumXY += x * flows;
  }
  const spread = count * sumXX - sumX * sumX;
  const slope = spread === 0 ? 0 : (count * sumXY - sumX * sumY) / spread;
  const now = count === 0 ? 0 : (sumY - slope * sumX) / count;
  const flowsAt = (ahead: number): number => Math.min(capacityFlows, Math.max(0, now + slope * ahead));
  return { step, flowsAt, warns: flowsAt(WARNED_SECONDS) >= capacityFlows };
}

function lastAt({ measured, world }: Course, step: number): Said {
  const from = Math.max(0, step - 3000);
  const flows = measured.subarray(from, step + 1).findLast((value) => !Number.isNaN(value)) ?? 0;
  return { step, flowsAt: () => flows, warns: flows >= world.table.capacityFlows };
}

function aheadOf(said: Said, seconds: number, index: number): number {
  return seconds + STEP_SECONDS * ((said.step * 5 + index * 3) % 11);
}

function errorShare({ truth, world }: Course, said: readonly Said[], seconds: number, index: number): number {
  let [sum, count] = [0, 0];
  for (const one of said) {
    const ahead = aheadOf(one, seconds, index);
    const flows = truth[one.step + 1 + ahead / STEP_SECONDS];
    if (flows === undefined) continue;
    sum += Math.abs(flows - one.flowsAt(ahead));
    count += 1;
  }
  return sum / count / world.table.capacityFlows;
}

function insideShare({ truth }: Course, said: readonly Said[], seconds: number, index: number): number {
  let [inside, count] = [0, 0];
  for (const one of said) {
    const ahead = aheadOf(one, seconds, index);
    const flows = truth[one.step + 1 + ahead / STEP_SECONDS];
    if (flows === undefined) continue;
    if (one.inside?.(ahead, flows) === true) inside += 1;
    count += 1;
  }
  return inside / count;
}

/** Steps at which the table became full after hours in which it was not, from `first` on. */
function eventsOf({ truth, world }: Course, first: number): number[] {
  const events: number[] = [];
  let fullAt = -Infinity;
  for (let step = first; step < truth.length; step += 1) {
    if ((truth[step] ?? 0) < world.table.capacityFlows) continue;
    if (step - fullAt > WARNED_SECONDS / STEP_SECONDS) events.push(step);
    fullAt = step;
  }
  return events;
}

function alarmsOf(
  { truth, world }: Course,
  said: readonly Said[],
  events: readonly number[],
): Pick<Score, "warned" | "falseAlarms"> {
  const warnings = said.filter(({ warns }) => warns).map(({ step }) => step);
  const warned = events.filter((event) =>
    warnings.some((step) => {
      const seconds = (event - step) * STEP_SECONDS;
      return seconds >= IN_TIME_SECONDS && seconds <= FALSE_AFTER_SECONDS;
    }),
  ).length;
  let [falseAlarms, before] = [0, -Infinity];
  for (const step of warnings) {
    const soon = truth.subarray(step, step + FALSE_AFTER_SECONDS / STEP_SECONDS);
    // What comes after the end of the world cannot be held against anybody.
    const isSeen = soon.length === FALSE_AFTER_SECONDS / STEP_SECONDS;
    if (!isSeen || soon.some((flows) => flows >= world.table.capacityFlows)) continue;
    // Warnings that follow each other are one alarm.
    if ((step - before) * STEP_SECONDS > 2 * EVERY_SECONDS) falseAlarms += 1;
    before = step;
  }
  return { warned, falseAlarms };
}

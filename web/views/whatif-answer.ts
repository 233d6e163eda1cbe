/** What `headroom whatif --json` prints; what the page reads and says of it. Pure. */
import type { WhatifJson } from "../../src/server/api-schema.ts";
import { formatCount, roughDuration } from "../words/figures.ts";

export interface WhatifFigures {
  before?: { flows: number; occupancyFlows?: number };
  immediately?: Immediately;
  after?: { flows: number; lowFlows: number; highFlows: number; occupancyFlows?: number };
  reachedAfterSeconds?: number;
  byState?: StateFigures[];
  breaks?: Break[];
  table?: { before?: TableFigures; after?: TableFigures };
  complete?: boolean;
  method?: string;
  observedSeconds?: number;
}

/** `goneFlows` are silent for longer than the timeout asked about; they keep what they were given. */
interface Immediately {
  flows: number;
  goneFlows: number;
  medianKeepSeconds?: number;
  longestKeepSeconds?: number;
}

export interface Break {
  code: string;
  why: string;
  flows: number;
  key?: string;
}

export interface StateFigures {
  protocol: string;
  state?: string;
  key?: string;
  before: number;
  after: number;
  inForceSeconds?: number;
  timeoutSeconds?: number;
}

interface TableFigures {
  capacityFlows?: number;
  useShare?: number;
  memoryBytes?: number;
  fullMemoryBytes?: number;
  bucketCount?: number;
  fullChainLossShare?: number;
  fullLoadFlowsPerBucket?: number;
}

/** States that change or weigh something, the greatest difference first. */
export function statesThatMatter(states: readonly StateFigures[], most = 8): StateFigures[] {
  return states
    .filter(({ before, after }) => before >= 1 || after >= 1)
    .toSorted((a, b) => Math.abs(b.before - b.after) - Math.abs(a.before - a.after) || b.before - a.before)
    .slice(0, most);
}

/** `ESTABLISHED` of tcp, `udp stream`, `gre`. */
export function stateName({ protocol, state, key }: StateFigures): string {
  if (state !== undefined) return `${protocol} ${state}`;
  return key?.endsWith("_stream") === true ? `${protocol} stream` : protocol;
}

/** Nothing goes at once: what becomes of flows that are silent for longer than the timeout asked about. */
export function keepsWords({ immediately }: WhatifFigures): string | undefined {
  const { goneFlows = 0, medianKeepSeconds, longestKeepSeconds } = immediately ?? {};
  if (goneFlows < 0.5) return undefined;
  const isOne = Math.round(goneFlows) === 1;
  const are = isOne ? "is silent for longer than that and keeps" : "are silent for longer than that and keep";
  const given = isOne ? "what it was given" : "what they were given";
  const last = longestKeepSeconds === undefined ? "" : roughDuration(longestKeepSeconds);
  const half = medianKeepSeconds === undefined ? last : roughDuration(medianKeepSeconds);
  const forWords = half === last ? `for ${last}` : `half of them for ${half}, the last for ${last}`;
  return (
    `Nothing ends at once. ${formatCount(goneFlows)} ${are} ${given}` +
    `${last === "" ? "" : `: ${forWords}`}.`
  );
}

/** What the answer rests on, and what it takes for granted. */
export function howKnown({ method, observedSeconds }: WhatifJson): string {
  return method === "life-table"
    ? `Known from idle ages read twice, ${roughDuration(observedSeconds)} apart: who came and who stayed ` +
        "silent in between. Holds as long as they go on like that."
    : "Known from idle ages read once. Right if as many flows come now as before.";
}

/** More than this share of the likely figure, either way: the range is the answer. */
const WIDE = 0.5;

/** The long run in words: as one figure, or as a range where it is too wide for one. */
export function longRunWords(after: NonNullable<WhatifFigures["after"]>): { figure: string; detail: string } {
  // What is expired and not yet collected counts, too.
  const expired = Math.max(0, (after.occupancyFlows ?? after.flows) - after.flows);
  const likely = formatCount(after.flows + expired);
  const [low, high] = [after.lowFlows + expired, after.highFlows + expired];
  const range = `${formatCount(low)} to ${formatCount(high)}`;
  return high - low > 2 * WIDE * (after.flows + expired) && high - low >= 100
    ? { figure: range, detail: `cannot be told closer; ${likely} if the middle is right` }
    : { figure: likely, detail: range };
}

/**
 * What would break, the worst first. That a limit below what is in the table drops new connections is told
 * here with for how long: the curve knows it.
 */
export function breaksOf({ curve }: Pick<WhatifJson, "curve">, figures: WhatifFigures): Break[] {
  const { before, breaks = [] } = figures;
  const now = before?.occupancyFlows ?? before?.flows ?? 0;
  const limit = curve.capacityFlows ?? Infinity;
  const rest = breaks.toSorted((a, b) => rankOf(a) - rankOf(b) || b.flows - a.flows);
  if (now <= limit) return rest;
  const over = { code: OVER_CAPACITY, why: overWords(curve, limit), flows: now - limit };
  return [over, ...rest.filter(({ code }) => code !== OVER_CAPACITY)];
}

const OVER_CAPACITY = "over-capacity";

export function isCritical({ code }: Break): boolean {
  return code === OVER_CAPACITY;
}

function rankOf(told: Break): number {
  return isCritical(told) ? 0 : 1;
}

function overWords({ afterSeconds, flows, high }: WhatifJson["curve"], limit: number): string {
  const fits = (values: readonly number[]): number | undefined =>
    afterSeconds[values.findIndex((value) => value <= limit)];
  const [likely, latest] = [fits(flows), fits(high)];
  const holds = "The table holds more than this limit: new connections are dropped";
  if (likely === undefined) return `${holds}, and it does not get below it`;
  const words = roughDuration(likely);
  const last = latest === undefined ? "perhaps much longer" : `perhaps ${roughDuration(latest)}`;
  return `${holds} for about ${words}${latest === likely ? "" : `, ${last}`}`;
}

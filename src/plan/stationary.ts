/**
 * How many flows a table will hold when given timeouts have been in force for long, regime by regime: what an
 * observation (one reading of the idle ages, or two some seconds apart) says by way of the life table.
 *
 * Taken to stay as observed: how many flows are refreshed per second in each regime, and how long they stay
 * silent. What another timeout changes in that is of second order: a flow that is gone when its next packet
 * comes is made anew by it.
 */
import type { Arrivals, Census, RegimeAges } from "../census/census.ts";
import { timeoutCandidates } from "../table/idle.ts";
import type { KernelRelease } from "../table/kernel-release.ts";
import type { SettingKey, Settings } from "../table/settings.ts";
import { type Estimate, LifeTable } from "./life-table.ts";
import type { RemainingSpan } from "./uncollected.ts";

/** One reading of idle ages. */
export interface AgesReading {
  regimes: readonly RegimeAges[];
  /** Flows counted, and how many they stand for: the same number unless it is a sample. */
  flowsRead: number;
  ofFlows: number;
}

/** What a flow that was counted stands for: 1 unless it is a sample. */
export function scaleOf({ flowsRead, ofFlows }: AgesReading): number {
  return flowsRead === 0 ? 1 : ofFlows / flowsRead;
}

/** What somebody observed of a table. Plain values: whoever reads makes it (cli/observe.ts). */
export interface Observation {
  /** The earlier reading, `seconds` before the other; absent when only one was made. */
  first?: AgesReading;
  second: AgesReading;
  /** Between the two readings of a flow; 0 with one reading. */
  seconds: number;
  /** In force while it was observed. */
  settings: Settings;
  release?: KernelRelease;
  /** Of the later reading. */
  census: Census;
  /** Flows made while it was observed, where events could be heard. */
  arrivals?: Arrivals;
}

/** A predicted count. Low and high are what it should lie between, 19 times of 20. */
export interface Predicted {
  flows: number;
  standardErrorFlows: number;
  lowFlows: number;
  highFlows: number;
}

/** One regime in the long run. */
export interface StationaryRegime extends Predicted {
  protocol: string;
  state?: string;
  key?: SettingKey;
  capped: boolean;
  /** The timeout then, and the one in force now; absent where none can be told. */
  timeoutSeconds?: number;
  inForceSeconds?: number;
  /** Flows now. */
  nowFlows: number;
  /** Flows refreshed or made per second, and how long each then stays on average. */
  entriesPerSecond: number;
  meanSeconds: number;
  /** Flows that reach their timeout, per second, in the long run. */
  expiriesPerSecond: number;
  /** Flows of the long run by what they have left. */
  remaining: readonly RemainingSpan[];
  /** What survival that is not known allows, without other errors: between these. */
  leastFlows: number;
  mostFlows: number;
  /** The part that is believed only because a table usually is in balance. */
  balanceFlows: number;
  /** What the life table's figures were multiplied by, so that it is in balance now; absent: not needed. */
  balanceFactor?: number;
  /** Whether two readings could follow the flows of this regime; otherwise balance is assumed. */
  followed: boolean;
  /** No flow has been silent for as long as the timeout then, only for so long; absent where one has. */
  unseenFromSeconds?: number;
  /** What it was read from; absent where no timeout can be told. */
  lifeTable?: LifeTable;
}

export interface StationaryFlows {
  total: Predicted;
  regimes: readonly StationaryRegime[];
}

/** Errors are multiplied by this for low and high. */
export const RANGE_ERRORS = 2;

/** The flows there will be under `wanted`; settings it does not name stay as they are. */
export function stationaryFlows(observation: Observation, wanted: Settings): StationaryFlows {
  return stationaryModel(observation)(wanted);
}

/**
 * The same for many choices: what is worked out for one is kept for the next. `longest` has the longest
 * timeouts that will be asked for.
 */
export function stationaryModel(
  observation: Observation,
  longest: Settings = {},
): (wanted: Settings) => StationaryFlows {
  return modelOf(observation, longest, (then) => then);
}

/**
 * The same for questions of "what if": a regime of which nothing can be told is taken to be in balance, so
 * that what nobody changes stays what it is. Whoever must not run out of room goes by the other.
 */
export function balancedModel(
  observation: Observation,
  longest: Settings = {},
): (wanted: Settings) => StationaryFlows {
  return modelOf(observation, longest, (then, inForce, regime) =>
    isUntellable(then, inForce, regime) ? inBalance(then, inForce) : then,
  );
}

type Belief = (then: StationaryRegime, inForce: StationaryRegime, regime: RegimeAges) => StationaryRegime;

function modelOf(
  observation: Observation,
  longest: Settings,
  belief: Belief,
): (wanted: Settings) => StationaryFlows {
  const models = observation.second.regimes.map((regime) =>
    regimeModel(observation, regime, longest, belief),
  );
  return (wanted) => {
    const regimes = models.map((model) => model(wanted));
    return { total: totalOf(regimes), regimes };
  };
}

/** The timeout flows of a regime would be given under `wanted`; undefined where none can be told. */
export function wantedTimeout(
  { settings, release }: Pick<Observation, "settings" | "release">,
  regime: RegimeAges,
  wanted: Settings,
): number | undefined {
  if (regime.timeoutSeconds === undefined) return undefined;
  const context = { settings: { ...settings, ...wanted }, ...(release === undefined ? {} : { release }) };
  const candidates = timeoutCandidates(context, regime.protocolNumber, regime.conversation);
  const own = typeof candidates === "string" ? regime.timeoutSeconds : (candidates[0] ?? 0);
  if (!regime.capped) return Math.max(0, own);
  const cap = (regime.key === undefined ? undefined : wanted[regime.key]) ?? regime.timeoutSeconds;
  return Math.max(0, Math.min(own, cap));
}

/**
 * Whether `wanted` changes the timeout of a regime of which none is known: those of a listing without its
 * host whose default is not the same in all kernels.
 */
export function isUntold(
  { settings, release }: Pick<Observation, "settings" | "release">,
  { timeoutSeconds, protocolNumber, conversation }: RegimeAges,
  wanted: Settings,
): boolean {
  if (timeoutSeconds !== undefined) return false;
  const candidates = (values: Settings): string =>
    JSON.stringify(
      timeoutCandidates(
        { settings: values, ...(release === undefined ? {} : { release }) },
        protocolNumber,
        conversation,
      ),
    );
  return candidates(settings) !== candidates({ ...settings, ...wanted });
}

function regimeModel(
  observation: Observation,
  regime: RegimeAges,
  longest: Settings,
  belief: Belief,
): (wanted: Settings) => StationaryRegime {
  const byTimeout = new Map<number | undefined, StationaryRegime>();
  let table: LifeTable | undefined;
  let reachSeconds = -1;
  return (wanted) => {
    const timeoutSeconds = wantedTimeout(observation, regime, wanted);
    if (isUntold(observation, regime, wanted)) {
      const counted = { ...asTheyAre(regime.flows), lowFlows: 0 };
      return stationaryRegime(observation.second, regime, undefined, undefined, counted);
    }
    const known = byTimeout.get(timeoutSeconds);
    if (known !== undefined) return known;
    if ((timeoutSeconds ?? 0) > reachSeconds) {
      const longestSeconds = wantedTimeout(observation, regime, longest);
      reachSeconds = Math.max(timeoutSeconds ?? 0, regime.timeoutSeconds ?? 0, longestSeconds ?? 0);
      table = lifeTableOf(observation, regime, reachSeconds);
    }
    const made = stationaryRegime(observation.second, regime, table, timeoutSeconds);
    const inForce = stationaryRegime(observation.second, regime, table, regime.timeoutSeconds);
    const believed = belief(made, inForce, regime);
    byTimeout.set(timeoutSeconds, believed);
    return believed;
  };
}

/** A range wider than this to either side, as a share of the figure, tells nothing. */
const UNTELLABLE_SHARE = 0.5;

/**
 * What is seen of a regime says neither how many there will be nor that they become more or fewer. Flows that
 * still have an older, longer timeout are another matter: those go.
 */
function isUntellable(
  then: StationaryRegime,
  { lowFlows, highFlows, nowFlows }: StationaryRegime,
  { unknown }: RegimeAges,
): boolean {
  const isWide = then.highFlows - then.lowFlows > 2 * UNTELLABLE_SHARE * then.flows;
  const hasLeftovers = unknown.some(({ why }) => why === "longer-than-setting");
  return isWide && !hasLeftovers && lowFlows <= nowFlows && nowFlows <= highFlows;
}

/**
 * Of such a regime it is taken that it is in balance: what it is now is what it will be, and another timeout
 * makes it more or less in the proportion that the life table says.
 */
function inBalance(then: StationaryRegime, inForce: StationaryRegime): StationaryRegime {
  if (then.timeoutSeconds === inForce.timeoutSeconds) {
    const { lifeTable: _stays, ...same } = then;
    return scaled({ ...same, ...asTheyAreNow(then.nowFlows) }, 1, then.nowFlows);
  }
  const factor = inForce.flows === 0 ? 1 : inForce.nowFlows / inForce.flows;
  return scaled(then, factor, then.flows * factor);
}

function asTheyAreNow(nowFlows: number): Predicted & Pick<StationaryRegime, "leastFlows" | "mostFlows"> {
  const still = rangeOf(nowFlows, Math.sqrt(nowFlows), nowFlows, nowFlows);
  return { ...still, leastFlows: nowFlows, mostFlows: nowFlows };
}

function scaled(regime: StationaryRegime, factor: number, balanceFlows: number): StationaryRegime {
  return {
    ...regime,
    flows: regime.flows * factor,
    standardErrorFlows: regime.standardErrorFlows * factor,
    lowFlows: regime.lowFlows * factor,
    highFlows: regime.highFlows * factor,
    leastFlows: regime.leastFlows * factor,
    mostFlows: regime.mostFlows * factor,
    expiriesPerSecond: regime.expiriesPerSecond * factor,
    remaining: regime.remaining.map((span) => ({ ...span, flows: span.flows * factor })),
    balanceFlows,
    balanceFactor: factor,
  };
}

function stationaryRegime(
  reading: AgesReading,
  regime: RegimeAges,
  table: LifeTable | undefined,
  timeoutSeconds: number | undefined,
  counted: Estimate = table === undefined
    ? asTheyAre(regime.flows)
    : regimeFlows(regime, table, timeoutSeconds ?? 0),
): StationaryRegime {
  const scale = scaleOf(reading);
  const predicted = predictedOf(counted, scale);
  const entriesPerSecond = (regime.ages[0] ?? 0) * scale;
  return {
    protocol: regime.protocol,
    ...(regime.state === undefined ? {} : { state: regime.state }),
    ...(regime.key === undefined ? {} : { key: regime.key }),
    capped: regime.capped,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(regime.timeoutSeconds === undefined ? {} : { inForceSeconds: regime.timeoutSeconds }),
    nowFlows: regime.flows * scale,
    entriesPerSecond,
    meanSeconds: entriesPerSecond === 0 ? 0 : predicted.flows / entriesPerSecond,
    leastFlows: counted.lowFlows * scale,
    mostFlows: counted.highFlows * scale,
    balanceFlows: counted.balanceFlows * scale,
    ...endsOf(table, timeoutSeconds ?? 0, scale),
    followed: table?.followed ?? false,
    ...(table === undefined ? {} : { lifeTable: table }),
    ...(table === undefined || (timeoutSeconds ?? 0) <= table.unknownFromSeconds
      ? {}
      : { unseenFromSeconds: table.unknownFromSeconds }),
    ...predicted,
  };
}

/** Where in its timeout the flows of a regime are: in so many parts. */
const SPANS = 8;

function endsOf(
  table: LifeTable | undefined,
  timeoutSeconds: number,
  scale: number,
): Pick<StationaryRegime, "expiriesPerSecond" | "remaining"> {
  if (table === undefined || timeoutSeconds <= 0) return { expiriesPerSecond: 0, remaining: [] };
  // The last second may be empty by chance: the last part stands for it where it is longer.
  const lastSeconds = Math.max(1, Math.floor(timeoutSeconds / SPANS));
  const edges = Array.from({ length: SPANS + 1 }, (_, part) => Math.round((timeoutSeconds * part) / SPANS));
  const upTo = [...edges, timeoutSeconds - lastSeconds].map((age) => table.upTo(age).flows);
  const last = (upTo[SPANS] as number) - (upTo[SPANS + 1] as number);
  const remaining = edges.slice(1).map((edge, part) => ({
    flows: ((upTo[part + 1] as number) - (upTo[part] as number)) * scale,
    fromSeconds: timeoutSeconds - edge,
    toSeconds: timeoutSeconds - (edges[part] as number),
  }));
  return { expiriesPerSecond: (Math.max(0, last) / lastSeconds) * scale, remaining };
}

function asTheyAre(flows: number): Estimate {
  return { flows, variance: 0, lowFlows: flows, highFlows: flows, balanceFlows: 0 };
}

/** Undefined for a regime without a timeout that is known. */
function lifeTableOf(
  { first, second, seconds }: Observation,
  regime: RegimeAges,
  longestSeconds: number,
): LifeTable | undefined {
  if (regime.timeoutSeconds === undefined) return undefined;
  const earlier = first?.regimes.find((other) => isSameRegime(other, regime));
  const empty = new Uint32Array(regime.ages.length);
  return new LifeTable({
    ...(first === undefined ? {} : { first: earlier?.ages ?? empty, firstWeight: weightOf(first, second) }),
    second: regime.ages,
    seconds,
    knownSeconds: regime.knownSeconds,
    longestSeconds,
  });
}

/** What a flow of the first reading stands for, in flows of the second: samples may differ in their share. */
function weightOf(first: AgesReading, second: AgesReading): number {
  if (first.flowsRead === 0 || second.flowsRead === 0) return 1;
  return scaleOf(first) / scaleOf(second);
}

function isSameRegime(one: RegimeAges, other: RegimeAges): boolean {
  return (
    one.protocol === other.protocol &&
    one.state === other.state &&
    one.key === other.key &&
    one.capped === other.capped &&
    one.timeoutSeconds === other.timeoutSeconds
  );
}

/**
 * Flows of a regime under a timeout: those of the table, and those that have a shorter timeout than the
 * regime's own (a cap), which only show as flows of unknown idle age.
 */
function regimeFlows(regime: RegimeAges, table: LifeTable, timeoutSeconds: number): Estimate {
  const { knownSeconds, timeoutSeconds: inForce = 0 } = regime;
  const unknown = (why: string): number => regime.unknown.find((row) => row.why === why)?.flows ?? 0;
  const leftovers = unknown("longer-than-setting");
  let ambiguous = unknown("capped-or-expiring");
  for (let age = knownSeconds; age < regime.ages.length; age++) ambiguous += regime.ages[age] as number;
  const others =
    regime.unknown.reduce((sum, { flows }) => sum + flows, 0) - leftovers - unknown("capped-or-expiring");
  const known = table.upTo(knownSeconds);
  const ending = Math.max(0, table.upTo(inForce).flows - known.flows);
  const capped = Math.max(0, ambiguous - ending);
  const asked = table.upTo(timeoutSeconds);
  // With one reading nothing is truer than what was counted.
  const excess = table.followed ? 0 : Math.max(0, ending - ambiguous);
  const past = ending === 0 ? 0 : Math.min(1, Math.max(0, asked.flows - known.flows) / ending);
  const more = capped * cappedShare(regime, timeoutSeconds) + others;
  return {
    flows: Math.max(0, asked.flows - excess * past + more + leftovers / 2),
    variance: asked.variance + capped + leftovers ** 2 / 12,
    lowFlows: Math.max(0, asked.lowFlows - excess * past + more),
    highFlows: asked.highFlows + more + leftovers,
    balanceFlows: asked.balanceFlows,
  };
}

/** A cap that is longer than the timeout caps nothing: then the timeout itself does. */
function cappedShare(
  { knownSeconds, timeoutSeconds: inForce = 0 }: RegimeAges,
  timeoutSeconds: number,
): number {
  const cap = Math.max(1, inForce - knownSeconds);
  return Math.min(1, timeoutSeconds / cap);
}

/** Counted flows scaled to the table; the count that will be met scatters by itself (Poisson). */
function predictedOf({ flows, variance, lowFlows, highFlows }: Estimate, scale: number): Predicted {
  const standardErrorFlows = Math.sqrt(variance * scale * scale + flows * scale);
  return rangeOf(flows * scale, standardErrorFlows, lowFlows * scale, highFlows * scale);
}

function rangeOf(flows: number, standardErrorFlows: number, low: number, high: number): Predicted {
  return {
    flows,
    standardErrorFlows,
    lowFlows: Math.max(0, low - RANGE_ERRORS * standardErrorFlows),
    highFlows: high + RANGE_ERRORS * standardErrorFlows,
  };
}

/** Errors of regimes are independent; what is unknown of survival may go the same way in all of them. */
function totalOf(regimes: readonly StationaryRegime[]): Predicted {
  const sum = (value: (regime: StationaryRegime) => number): number =>
    regimes.reduce((total, regime) => total + value(regime), 0);
  const standardErrorFlows = Math.sqrt(sum((regime) => regime.standardErrorFlows ** 2));
  const low = sum(({ leastFlows }) => leastFlows);
  const high = sum(({ mostFlows }) => mostFlows);
  return rangeOf(
    sum((regime) => regime.flows),
    standardErrorFlows,
    low,
    high,
  );
}

/**
 * What changed between two censuses: which protocols, states, addresses and services gained or lost flows.
 *
 * A key that one of them does not list is not zero there: it may stand below the last row. Its change is then
 * known only as a range, of which the end nearer to zero is given and marked `atLeast`.
 */
import type { Census, Count, Top } from "./shape.ts";

/** One key's change. */
export interface Change {
  /** What the key is, as in the census: `{ address }`, `{ protocol, port }`, ... */
  key: Readonly<Record<string, string | number>>;
  /** Absent where that census does not list the key. */
  beforeFlows?: number;
  afterFlows?: number;
  /** After minus before; with `atLeast`, at least so far from zero. */
  changeFlows: number;
  atLeast?: true;
  /** Standard error of the change, when one of the censuses is a sample. */
  standardErrorFlows?: number;
}

export interface CensusDifference {
  flows: Change;
  /** Each list: greatest change first, keys without a change left out. */
  byProtocol: readonly Change[];
  byState: readonly Change[];
  byStatus: readonly Change[];
  unanswered: readonly Change[];
  topSources: readonly Change[];
  topDestinations: readonly Change[];
  topSourcePrefixes: readonly Change[];
  topDestinationPrefixes: readonly Change[];
  topServices: readonly Change[];
  topPairs: readonly Change[];
  topUnansweredSources: readonly Change[];
}

/** The difference of two censuses of one table. */
export function compareCensus(before: Census, after: Census): CensusDifference {
  const top = (name: TopName): Change[] =>
    changes<Count>(listing<Count>(before[name]), listing<Count>(after[name]));
  const all = (name: "byProtocol" | "byState" | "unanswered"): Change[] =>
    changes<Count>(whole<Count>(before[name]), whole<Count>(after[name]));
  return {
    flows: change({}, countOfAll(before), countOfAll(after)),
    byProtocol: all("byProtocol"),
    byState: all("byState"),
    byStatus: changes(whole(statusRows(before)), whole(statusRows(after))),
    unanswered: all("unanswered"),
    topSources: top("topSources"),
    topDestinations: top("topDestinations"),
    topSourcePrefixes: top("topSourcePrefixes"),
    topDestinationPrefixes: top("topDestinationPrefixes"),
    topServices: top("topServices"),
    topPairs: top("topPairs"),
    topUnansweredSources: top("topUnansweredSources"),
  };
}

type TopName = Extract<keyof CensusDifference, `top${string}`>;

/** Rows, and the flows that a key without a row may have at most. */
interface Listing<Row> {
  rows: readonly Row[];
  unlistedFlows: number;
}

function whole<Row>(rows: readonly Row[]): Listing<Row> {
  return { rows, unlistedFlows: 0 };
}

function listing<Row extends Count>(top: Top<Row>): Listing<Row> {
  const complete = top.exact && top.distinct === top.rows.length;
  const last = top.rows.at(-1)?.flows ?? 0;
  const unlistedFlows = Math.max(last + top.errorBoundFlows, top.errorBoundFlows, top.missedBelowFlows ?? 0);
  return { rows: top.rows, unlistedFlows: complete ? 0 : unlistedFlows };
}

function statusRows({ byStatus }: Census): (Count & { status: string })[] {
  return Object.entries(byStatus).map(([status, count]) => ({ status, ...count }));
}

function countOfAll({ flows, standardErrorFlows }: Census): Count {
  return standardErrorFlows === undefined ? { flows } : { flows, standardErrorFlows };
}

function changes<Row extends Count>(before: Listing<Row>, after: Listing<Row>): Change[] {
  const earlier = new Map(before.rows.map((row) => [JSON.stringify(keyOf(row)), row]));
  const later = new Map(after.rows.map((row) => [JSON.stringify(keyOf(row)), row]));
  const names = new Set([...earlier.keys(), ...later.keys()]);
  return [...names]
    .map((name) => {
      const [first, second] = [earlier.get(name), later.get(name)];
      const key = keyOf((first ?? second) as Row);
      return change(key, first ?? before.unlistedFlows, second ?? after.unlistedFlows);
    })
    .filter(({ changeFlows }) => changeFlows !== 0)
    .sort((left, right) => Math.abs(right.changeFlows) - Math.abs(left.changeFlows));
}

function keyOf(row: Count): Change["key"] {
  const { flows: _flows, standardErrorFlows: _error, ...key } = row;
  return key;
}

/** A number stands for a key that is not listed and has at most so many flows. */
function change(key: Change["key"], before: Count | number, after: Count | number): Change {
  const [earliest, earlier] = typeof before === "number" ? [0, before] : [before.flows, before.flows];
  const [least, most] = typeof after === "number" ? [0, after] : [after.flows, after.flows];
  const [lowest, highest] = [least - earlier, most - earliest];
  const nearest = lowest > 0 ? lowest : Math.min(highest, 0);
  const errors = [before, after].map((count) =>
    typeof count === "number" ? 0 : (count.standardErrorFlows ?? 0),
  );
  const error = Math.hypot(...errors);
  return {
    key,
    ...(typeof before === "number" && before > 0 ? {} : { beforeFlows: earliest }),
    ...(typeof after === "number" && after > 0 ? {} : { afterFlows: least }),
    changeFlows: nearest,
    ...(lowest === highest ? {} : { atLeast: true as const }),
    ...(error === 0 ? {} : { standardErrorFlows: error }),
  };
}

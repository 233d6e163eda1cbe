/**
 * The machine form of a census: the fields of `headroom explain --json`. Names are fixed; others may be
 * added. What a count is uncertain by stands in the row itself; how a top list was counted is in `accuracy`,
 * under the list's name.
 */
import type { Census, Count, Top } from "./shape.ts";

const TOPS = [
  "byZone",
  "byMark",
  "byHelper",
  "topSources",
  "topDestinations",
  "topSourcePrefixes",
  "topDestinationPrefixes",
  "topServices",
  "topPairs",
  "topUnansweredSources",
] as const satisfies readonly (keyof Census)[];

/** Plain values for JSON.stringify; standard errors have one decimal. */
export function censusToJson(census: Census): Record<string, unknown> {
  const { byStatus, natUnknown, traffic, ageSeconds } = census;
  const errors = Object.entries(byStatus).flatMap(([name, { standardErrorFlows }]) =>
    standardErrorFlows === undefined ? [] : [[name, oneDecimal(standardErrorFlows)] as const],
  );
  return {
    flows: census.flows,
    ...(census.standardErrorFlows === undefined
      ? {}
      : { standardErrorFlows: oneDecimal(census.standardErrorFlows) }),
    flowsRead: census.flowsRead,
    complete: census.complete,
    ...(census.sampled === undefined ? {} : { sampled: census.sampled }),
    byFamily: counts(census.byFamily),
    byProtocol: counts(census.byProtocol),
    byState: counts(census.byState),
    byStatus: Object.fromEntries(Object.entries(byStatus).map(([name, { flows }]) => [name, flows])),
    ...(errors.length === 0 ? {} : { byStatusStandardErrorFlows: Object.fromEntries(errors) }),
    byNat: counts(census.byNat),
    ...(natUnknown === undefined ? {} : { natUnknownFlows: natUnknown.flows }),
    ...Object.fromEntries(TOPS.map((name) => [name, counts<Count>(census[name].rows)])),
    accuracy: Object.fromEntries(TOPS.map((name) => [name, accuracyOf(census[name])])),
    remainingSeconds: counts(census.remainingSeconds),
    idleSeconds: counts(census.idleSeconds),
    idleUnknown: counts(census.idleUnknown),
    establishedIdleSeconds: counts(census.establishedIdleSeconds),
    unanswered: counts(census.unanswered),
    ...(traffic === undefined ? {} : { traffic }),
    ...(ageSeconds === undefined ? {} : { ageSeconds: counts(ageSeconds) }),
    oddities: census.oddities,
  };
}

function accuracyOf(top: Top<unknown>): Omit<Top<unknown>, "rows"> {
  const { rows: _rows, ...accuracy } = top;
  return accuracy;
}

function counts<Row extends Count>(rows: readonly Row[]): Row[] {
  return rows.map((row) =>
    row.standardErrorFlows === undefined
      ? row
      : { ...row, standardErrorFlows: oneDecimal(row.standardErrorFlows) },
  );
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}

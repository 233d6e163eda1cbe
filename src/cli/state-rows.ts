/**
 * Flows by protocol and state as rows of a screen: what `check` names in a line and `explain` in a block.
 * Pure.
 */
import type { Census } from "../census/census.ts";

/** The parts a census is made of, by the names they have there. */
export type Count = Omit<Census["byFamily"][number], "family">;
export type HistogramBin = Census["remainingSeconds"][number];
export type Top<Kind> = Omit<Census["byZone"], "rows"> & { rows: readonly Kind[] };

export interface Row extends Count {
  label: string;
}

/**
 * Flows by protocol and state, most first. Protocols without states are a row each; so are flows that lack
 * theirs.
 */
export function stateRows(census: Census): Row[] {
  const rows: Row[] = [];
  for (const { protocol, flows, standardErrorFlows } of census.byProtocol) {
    const states = census.byState.filter((row) => row.protocol === protocol);
    let rest = flows;
    for (const row of states) {
      rows.push(rowOf(`${protocol} ${row.state}`, row));
      rest -= row.flows;
    }
    if (states.length === 0) {
      rows.push(
        rowOf(protocol, { flows, ...(standardErrorFlows === undefined ? {} : { standardErrorFlows }) }),
      );
    } else if (rest >= 0.5) rows.push({ label: `${protocol}, no state`, flows: rest });
  }
  return rows.toSorted((left, right) => right.flows - left.flows);
}

/** A row of a count, its error kept. */
export function rowOf(label: string, count: Count): Row {
  const { flows, standardErrorFlows } = count;
  return { label, flows, ...(standardErrorFlows === undefined ? {} : { standardErrorFlows }) };
}

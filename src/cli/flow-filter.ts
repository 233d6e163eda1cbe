/**
 * A filter as typed, made ready for a reading. The language is read in table/filter.ts, and only when there
 * is a filter.
 */
import { FlowColumns } from "../table/columns.ts";
import type { RowTruth } from "../table/filter-match.ts";
import type { IdleLookup } from "../table/idle.ts";

/** Makes the test for the rows of one reading: above 0 a row is meant, at 0 the source does not tell. */
export type FlowMatcher = (reading: { idle: IdleLookup; nowMs: number }) => RowTruth;

/** Reads a filter; undefined when everything matches. Throws FilterError, which points at the mistake. */
export async function readFilter(text: string): Promise<FlowMatcher | undefined> {
  if (text.trim() === "") return undefined;
  const { parseFilter } = await import("../table/filter.ts");
  const { compileTruth } = await import("../table/filter-match.ts");
  const filter = parseFilter(text);
  return filter.kind === "all" ? undefined : (reading) => compileTruth(filter, reading);
}

/** Thins batches out: the result holds the rows that match, and is overwritten by the next. */
export class MatchingRows {
  readonly #truth: RowTruth;
  #kept: FlowColumns | undefined;

  constructor(truth: RowTruth) {
    this.#truth = truth;
  }

  of(columns: FlowColumns): FlowColumns {
    let kept = this.#kept;
    if (kept === undefined || kept.capacity < columns.count) {
      kept = this.#kept = new FlowColumns(columns.capacity, columns.knownStatus);
    }
    kept.clear();
    kept.knownStatus = columns.knownStatus;
    for (let row = 0; row < columns.count; row += 1)
      if (this.#truth(columns, row) > 0) kept.append(columns, row);
    return kept;
  }
}

/**
 * Ending flows: who does it, and what became of those the kernel was asked to end.
 */
import type { FlowColumns } from "./columns.ts";

/** Counted by the kernel's answers. A request it says nothing against was carried out. */
export interface RemovalCounts {
  /** Flows the kernel was asked about. */
  askedFlows: number;
  /** Ended or shortened. */
  doneFlows: number;
  /** Not there any more, or another flow with the same tuple by now (ENOENT). */
  goneFlows: number;
  /** Their timeout is fixed (EPERM when shortening). */
  fixedFlows: number;
  /** In the hands of a flow table (EBUSY). */
  busyFlows: number;
  /** Anything else, by the name of the error number. */
  failed: Map<string, number>;
  /** Times the kernel had more answers than the socket holds: `doneFlows` is then too high. */
  overruns: number;
}

export function noRemovals(): RemovalCounts {
  return {
    askedFlows: 0,
    doneFlows: 0,
    goneFlows: 0,
    fixedFlows: 0,
    busyFlows: 0,
    failed: new Map(),
    overruns: 0,
  };
}

/** Ends flows that are given as rows of columns. */
export interface FlowRemover {
  readonly counts: Readonly<RemovalCounts>;
  /** Deletes the flows of `rows` from `from` up to, not including, `to`. Throws KernelError. */
  remove(columns: FlowColumns, rows: Uint16Array, from: number, to: number): void;
  /** Gives them so many seconds from now instead. */
  shorten(columns: FlowColumns, rows: Uint16Array, from: number, to: number, seconds: number): void;
  /**
   * Reads them again: those that are still there are put into `fresh`, which is emptied first, and
   * `origins` says which row of `columns` each of them was.
   */
  reread(
    columns: FlowColumns,
    rows: Uint16Array,
    from: number,
    to: number,
    into: { fresh: FlowColumns; origins: Uint16Array },
  ): void;
}

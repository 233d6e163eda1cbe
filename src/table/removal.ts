/**
 * What became of flows that the kernel was asked to end: counted by its answers. A request it says
 * nothing against was carried out.
 */

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

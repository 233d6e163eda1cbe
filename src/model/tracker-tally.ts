/**
 * What a tracker counts: what the kernel counts, under its names, and what one would like to know besides.
 */
import type { Counters } from "../table/counters.ts";
import { Verdict } from "./verdict.ts";

/** Verdicts are bytes. */
const VERDICTS = 256;
const CAUSES = 4;

export class TrackerTally {
  /** Packets by verdict (verdict.ts), DROP bit included. */
  readonly packetsByVerdict = new Float64Array(VERDICTS);
  /** Packets dropped by DropCause. */
  readonly droppedByCause = new Float64Array(CAUSES);
  flowsCreated = 0;
  peakFlows = 0;

  /** The kernel's counters. `drop` leaves out chains that are too long, as the kernel's does. */
  invalid = 0;
  icmpError = 0;
  drop = 0;
  earlyDrop = 0;
  insertFailed = 0;
  chainTooLong = 0;

  /** Counts anew; the flows there are now are the first peak. */
  restart(occupancyFlows: number): void {
    this.packetsByVerdict.fill(0);
    this.droppedByCause.fill(0);
    this.flowsCreated = 0;
    this.peakFlows = occupancyFlows;
    this.invalid = 0;
    this.icmpError = 0;
    this.drop = 0;
    this.earlyDrop = 0;
    this.insertFailed = 0;
    this.chainTooLong = 0;
  }

  /** Packets with a verdict, dropped ones included. */
  packets(verdict: number): number {
    return (
      (this.packetsByVerdict[verdict] as number) + (this.packetsByVerdict[verdict | Verdict.DROP] as number)
    );
  }

  /** The counters of /proc/net/stat/nf_conntrack, as one processor. */
  counters(occupancyFlows: number, expectedFlows: number): Counters {
    const total = {
      found: 0,
      invalid: this.invalid,
      insert: 0,
      insertFailed: this.insertFailed,
      drop: this.drop,
      earlyDrop: this.earlyDrop,
      icmpError: this.icmpError,
      expectNew: expectedFlows,
      searchRestart: 0,
      clashResolved: 0,
      chainTooLong: this.chainTooLong,
    };
    return {
      occupancyFlows,
      total,
      perCpu: [{ cpu: 0, values: total }],
      notCounted: [
        { name: "expectCreate", why: "the model does not count expectations made" },
        { name: "expectDelete", why: "the model does not count expectations removed" },
      ],
      unknown: [],
      source: "procfs",
    };
  }
}

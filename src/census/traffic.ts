/** Packets and bytes of flows that carry counters (nf_conntrack_acct), both directions together. */
import { type FlowColumns, Has } from "../table/columns.ts";

const COUNTERS = Has.originalCounters | Has.replyCounters;

export class TrafficTally {
  flowsCounted = 0;
  packets = 0;
  bytes = 0;
  /** Sums of squares per flow: what the error of a sample is computed from. */
  squaredPackets = 0;
  squaredBytes = 0;

  /** Counts rows `from` up to, not including, `to`; `given` are the bits of Has they have. */
  add(columns: FlowColumns, from: number, to: number, given: number): void {
    if ((given & COUNTERS) === 0) return;
    const { has } = columns;
    for (let row = from; row < to; row++) {
      const bits = has[row] as number;
      if (bits & COUNTERS) this.#addRow(columns, row, bits);
    }
  }

  #addRow(columns: FlowColumns, row: number, bits: number): void {
    let packets = 0;
    let bytes = 0;
    if (bits & Has.originalCounters) {
      packets += columns.originalPackets[row] as number;
      bytes += columns.originalBytes[row] as number;
    }
    if (bits & Has.replyCounters) {
      packets += columns.replyPackets[row] as number;
      bytes += columns.replyBytes[row] as number;
    }
    this.flowsCounted++;
    this.packets += packets;
    this.bytes += bytes;
    this.squaredPackets += packets * packets;
    this.squaredBytes += bytes * bytes;
  }

  merge(other: TrafficTally): void {
    this.flowsCounted += other.flowsCounted;
    this.packets += other.packets;
    this.bytes += other.bytes;
    this.squaredPackets += other.squaredPackets;
    this.squaredBytes += other.squaredBytes;
  }
}

/** What replays found, made up for screens: a table that overflows, and one that does not. */
import type { CaptureFigures, CourseReport, ReplayReport } from "../../src/cli/replay/replay-report.ts";
import { emptyCensus } from "./cli-samples.ts";

const START_MS = 1_700_000_000_000;
const STRETCHES = 300;

function column(flows: (second: number) => number): Float64Array {
  return Float64Array.from({ length: STRETCHES }, (_, second) => Math.floor(flows(second)));
}

const timeMs = column((second) => START_MS + second * 1000);

export const calmCapture: CaptureFigures = {
  origin: "gateway.pcap",
  summary: {
    format: "pcap, microseconds, little-endian",
    records: 300_000,
    snappedRecords: 0,
    timelessRecords: 0,
    oddLengthRecords: 0,
    interfaces: [{ linkType: 1, records: 300_000, snapLengthBytes: 262_144 }],
    linkTypes: [{ linkType: 1, records: 300_000 }],
    otherBlocks: [],
  },
  counts: {
    records: 300_000,
    notIp: 12,
    unknownLinkType: 0,
    refused: { header: 0, headerChecksum: 0, length: 0, options: 0, address: 0 },
    snapped: 0,
    badChecksums: 0,
    assumedLengths: 0,
    fragments: 40,
    datagramsWhole: 19,
    datagramsLost: 1,
  },
  firstMs: START_MS,
  lastMs: START_MS + 300_000,
};

export const calmCourse: CourseReport = {
  label: "",
  given: ["nf_conntrack_udp_timeout"],
  settings: {
    nf_conntrack_max: 65_536,
    nf_conntrack_buckets: 65_536,
    nf_conntrack_checksum: 1,
    nf_conntrack_udp_timeout: 60,
  },
  changes: [],
  packets: 299_948,
  flowsCreated: 40_000,
  flowsAtEnd: 12_345,
  peakFlows: 20_000,
  drops: { tableFull: 0, chainTooLong: 0, clash: 0, protocol: 0 },
  earlyDropFlows: 0,
  evictedFlows: 0,
  expiredFlows: 27_655,
  verdicts: { new: 60_000, established: 239_000, related: 900, invalid: 48, untracked: 0 },
  timeline: {
    timeMs,
    flows: column((second) => Math.min(20_000, second * 100)),
    dropped: column(() => 0),
    created: column(() => 133),
    endMs: START_MS + 300_000,
    limits: [{ fromMs: START_MS, capacityFlows: 65_536 }],
  },
  moments: [],
  left: {
    flows: 12_345,
    byState: [
      { protocol: "tcp", state: "ESTABLISHED", flows: 8000 },
      { protocol: "udp", flows: 2345 },
      { protocol: "tcp", state: "TIME_WAIT", flows: 2000 },
    ],
    topSources: [{ address: "192.0.2.7", flows: 6200, standardErrorFlows: 45 }],
    topServices: [{ protocol: "tcp", port: 443, flows: 10_000, standardErrorFlows: 36 }],
    sampledFlows: 9000,
  },
  modelBytes: 9_000_000,
};

/** The same under a limit of 8192. */
export const fullCourse: CourseReport = {
  ...calmCourse,
  label: "nf_conntrack_max=8192",
  settings: { nf_conntrack_max: 8192, nf_conntrack_buckets: 65_536, nf_conntrack_checksum: 1 },
  peakFlows: 8192,
  flowsAtEnd: 8192,
  drops: { tableFull: 1234, chainTooLong: 0, clash: 0, protocol: 0 },
  earlyDropFlows: 77,
  timeline: {
    timeMs,
    flows: column((second) => Math.min(8192, second * 100)),
    dropped: column((second) => (second < 82 ? 0 : second % 40)),
    created: column(() => 100),
    endMs: START_MS + 300_000,
    limits: [{ fromMs: START_MS, capacityFlows: 8192 }],
  },
  moments: [
    { fromMs: START_MS + 82_000, toMs: START_MS + 119_000, packets: 400, firstRecord: 81_000 },
    { fromMs: START_MS + 121_000, toMs: START_MS + 300_000, packets: 834, firstRecord: 121_000 },
  ],
  dropped: {
    ...emptyCensus,
    flows: 1234,
    flowsRead: 1234,
    topSources: {
      rows: [
        { address: "203.0.113.99", flows: 1000 },
        { address: "2001:db8::7", flows: 234 },
      ],
      distinct: 2,
      exact: true,
      errorBoundFlows: 0,
    },
    topServices: {
      rows: [{ protocol: "tcp", port: 443, flows: 1234 }],
      distinct: 1,
      exact: true,
      errorBoundFlows: 0,
    },
  },
};

export const calmReport: ReplayReport = {
  capture: calmCapture,
  generation: "6.18",
  helpers: [],
  courses: [calmCourse],
  seconds: 0.25,
  threads: 2,
};

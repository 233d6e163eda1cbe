/**
 * Machine output, written down: what each `--json` prints, as schemas that `headroom help COMMAND --schema`
 * shows and tests hold real output against.
 * Not loaded by any command. Names never change their meaning within a version; more may be added.
 */
import * as z from "zod/mini";

import { unseen } from "./schema-parts.ts";
import { FINDING_CODES } from "../table/finding.ts";
import { alertsOutputSchema } from "./alerts/alerts-schema.ts";
import { applySchema } from "./change/apply-schema.ts";
import { confirmSchema } from "./change/confirm-schema.ts";
import { historySchema } from "./change/history-schema.ts";
import { rollbackSchema } from "./change/rollback-schema.ts";
import { planSchema } from "./plan/plan-schema.ts";
import { reclaimSchema } from "./reclaim/reclaim-schema.ts";
import { recordSchema } from "./record/record-schema.ts";
import { serveSchema } from "./serve/serve-schema.ts";
import { verifySchema } from "./verify/verify-schema.ts";
import { whatifSchema } from "./whatif/whatif-schema.ts";

const count = z.number().check(z.nonnegative());
const whole = z.int().check(z.nonnegative());
const level = z.enum(["ok", "warning", "critical", "unknown"]);

const finding = z.strictObject({
  code: z.enum(FINDING_CODES),
  level,
  title: z.string(),
  evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  meaning: z.string(),
  remedy: z.array(z.strictObject({ text: z.string(), command: z.optional(z.string()) })),
});

const namespace = z.strictObject({
  inode: z.optional(whole),
  name: z.optional(z.string()),
  owner: z.optional(z.string()),
  pid: z.optional(whole),
  createdAtMs: z.optional(count),
  initial: z.boolean(),
  own: z.boolean(),
  occupancyFlows: z.optional(whole),
  capacityFlows: z.optional(whole),
  addresses: z.optional(z.array(z.string())),
  unseen: z.optional(z.string()),
});

const host = z.strictObject({
  kernelRelease: z.optional(z.string()),
  memoryBytes: z.optional(whole),
  availableBytes: z.optional(whole),
  cpus: z.optional(whole),
  uptimeSeconds: z.optional(count),
  pointerBytes: z.optional(z.union([z.literal(4), z.literal(8)])),
  pageBytes: z.optional(whole),
  hostname: z.optional(z.string()),
  namespaceInode: z.optional(whole),
  initialNamespace: z.optional(z.boolean()),
  tracker: z.enum(["nf_conntrack", "ip_conntrack", "none", "unknown"]),
  flowObjectBytes: z.optional(whole),
  flowSlotBytes: z.optional(whole),
  root: z.optional(z.string()),
  savedAtMs: z.optional(count),
});

const counterValues = z.record(z.string(), whole);

/** `headroom check --json`. */
export const checkSchema = z.strictObject({
  schema: z.literal("headroom/check/v1"),
  level,
  occupancyFlows: z.optional(whole),
  capacityFlows: z.optional(whole),
  bucketCount: z.optional(whole),
  useShare: z.optional(count),
  headroomFlows: z.optional(whole),
  flowsPerBucket: z.optional(count),
  findings: z.array(finding),
  drops: z.optional(z.record(z.string(), z.unknown())),
  dropsNow: z.optional(z.record(z.string(), z.unknown())),
  host,
  atMs: count,
  counters: z.optional(
    z.strictObject({
      source: z.enum(["procfs", "netlink"]),
      total: counterValues,
      later: z.optional(z.strictObject({ seconds: count, total: counterValues })),
      notCounted: z.array(z.strictObject({ name: z.string(), why: z.string() })),
      unknown: z.array(z.strictObject({ name: z.string(), total: whole })),
    }),
  ),
  expectations: z.optional(z.strictObject({ occupancyFlows: whole, capacityFlows: z.optional(whole) })),
  namespaces: z.optional(z.array(namespace)),
  kernelLog: z.optional(z.record(z.string(), z.unknown())),
  trackingInUse: z.optional(z.boolean()),
  unseen,
});

/** `headroom defaults --json`. */
export const defaultsSchema = z.strictObject({
  schema: z.literal("headroom/defaults/v1"),
  memoryBytes: whole,
  kernelRelease: z.string(),
  pointerBits: z.union([z.literal(32), z.literal(64)]),
  bucketCount: whole,
  capacityFlows: whole,
  generation: z.string(),
  formula: z.array(z.string()),
  present: z.optional(z.strictObject({ bucketCount: z.optional(whole), capacityFlows: z.optional(whole) })),
});

/** `headroom explain --all-netns --json` where the flows of no namespace could be read. */
export const namespacesSchema = z.strictObject({
  schema: z.literal("headroom/explain/v1"),
  occupancyFlows: whole,
  namespaces: z.array(namespace),
  unseen,
});

const withError = { flows: count, standardErrorFlows: z.optional(count) };
const bins = z.array(z.strictObject({ fromSeconds: count, toSeconds: z.optional(count), ...withError }));
const addresses = z.array(z.strictObject({ address: z.string(), ...withError }));
const prefixes = z.array(z.strictObject({ prefix: z.string(), ...withError }));
const accuracy = z.strictObject({
  distinct: whole,
  exact: z.boolean(),
  errorBoundFlows: count,
  missedBelowFlows: z.optional(count),
});

/** `headroom explain --json`. */
export const explainSchema = z.strictObject({
  schema: z.literal("headroom/explain/v1"),
  source: z.enum(["netlink", "procfs", "file"]),
  origin: z.string(),
  filter: z.optional(z.string()),
  occupancyFlows: z.optional(whole),
  occupancyAfterFlows: z.optional(whole),
  dyingFlows: z.optional(whole),
  capacityFlows: z.optional(whole),
  /** With --all-netns. */
  namespaces: z.optional(z.array(namespace)),
  /** A listing of events was read: flows are counted each time they changed. */
  events: z.optional(z.literal(true)),
  interrupted: z.optional(z.literal(true)),
  assumedTimeouts: z.optional(z.literal(true)),
  flows: count,
  standardErrorFlows: z.optional(count),
  flowsRead: whole,
  complete: z.boolean(),
  sampled: z.optional(z.strictObject({ flowsRead: whole, ofFlows: whole, method: z.string() })),
  byFamily: z.array(z.strictObject({ family: z.enum(["ipv4", "ipv6", "unknown"]), ...withError })),
  byProtocol: z.array(z.strictObject({ protocol: z.string(), ...withError })),
  byState: z.array(z.strictObject({ protocol: z.string(), state: z.string(), ...withError })),
  byStatus: z.record(z.string(), count),
  byStatusStandardErrorFlows: z.optional(z.record(z.string(), count)),
  byNat: z.array(z.strictObject({ nat: z.enum(["none", "source", "destination", "both"]), ...withError })),
  natUnknownFlows: z.optional(count),
  byZone: z.array(z.strictObject({ zone: whole, ...withError })),
  byMark: z.array(z.strictObject({ mark: whole, ...withError })),
  byHelper: z.array(z.strictObject({ helper: z.string(), ...withError })),
  topSources: addresses,
  topDestinations: addresses,
  topSourcePrefixes: prefixes,
  topDestinationPrefixes: prefixes,
  topServices: z.array(z.strictObject({ protocol: z.string(), port: whole, ...withError })),
  topPairs: z.array(
    z.strictObject({
      source: z.string(),
      destination: z.string(),
      protocol: z.string(),
      port: z.optional(whole),
      ...withError,
    }),
  ),
  topUnansweredSources: addresses,
  /** How each ranking was counted, by its name. */
  accuracy: z.record(z.string(), accuracy),
  remainingSeconds: bins,
  idleSeconds: bins,
  idleUnknown: z.array(z.strictObject({ why: z.string(), ...withError })),
  establishedIdleSeconds: bins,
  unanswered: z.array(z.strictObject({ protocol: z.string(), state: z.optional(z.string()), ...withError })),
  traffic: z.optional(
    z.strictObject({
      flowsCounted: count,
      packets: count,
      bytes: count,
      packetsStandardError: z.optional(count),
      bytesStandardError: z.optional(count),
    }),
  ),
  ageSeconds: z.optional(bins),
  oddities: z.record(z.string(), whole),
  owners: z.optional(z.array(z.strictObject({ owner: z.string(), ...withError }))),
  unseen,
});

const direction = z.strictObject({
  source: z.string(),
  destination: z.string(),
  sourcePort: z.optional(whole),
  destinationPort: z.optional(whole),
  type: z.optional(whole),
  code: z.optional(whole),
  id: z.optional(whole),
  sourceKey: z.optional(whole),
  destinationKey: z.optional(whole),
  packets: z.optional(count),
  bytes: z.optional(count),
  zone: z.optional(whole),
  verificationTag: z.optional(whole),
  windowScale: z.optional(whole),
  tcpFlags: z.optional(whole),
});

/** One line of `headroom list --json`. */
export const listSchema = z.strictObject({
  protocol: z.string(),
  protocolNumber: whole,
  state: z.optional(z.string()),
  timeoutSeconds: z.optional(whole),
  original: direction,
  reply: z.optional(direction),
  status: z.array(z.string()),
  mark: z.optional(whole),
  zone: z.optional(whole),
  use: z.optional(whole),
  id: z.optional(whole),
  idleSeconds: z.optional(count),
  ageSeconds: z.optional(count),
  startedAtMs: z.optional(count),
  stoppedAtMs: z.optional(count),
  helper: z.optional(z.string()),
  labels: z.optional(z.array(z.union([z.string(), whole]))),
  secmark: z.optional(whole),
  securityContext: z.optional(z.string()),
  greTimeoutSeconds: z.optional(whole),
  greStreamTimeoutSeconds: z.optional(whole),
  master: z.optional(z.record(z.string(), z.unknown())),
  dccp: z.optional(z.record(z.string(), z.unknown())),
  event: z.optional(z.enum(["new", "update", "destroy"])),
  eventAtMs: z.optional(count),
  unknownWords: z.optional(z.array(z.string())),
  /** With --all-netns. */
  namespace: z.optional(z.string()),
});

const courseFigures = {
  /** Packets that reached the tracker: whole datagrams. */
  trackedPackets: whole,
  flowsCreated: whole,
  flowsAtEnd: whole,
  peakFlows: whole,
  /** Packets by why they were dropped; `earlyDrop` are flows that were evicted, `invalid` were let by. */
  drops: z.strictObject({
    tableFull: whole,
    chainTooLong: whole,
    clash: whole,
    protocol: whole,
    earlyDrop: whole,
    invalid: whole,
  }),
  verdicts: z.strictObject({
    none: whole,
    new: whole,
    established: whole,
    related: whole,
    invalid: whole,
    untracked: whole,
  }),
  /** Flows that had to go for others, and those that ended by their timeout. */
  evictedFlows: whole,
  expiredFlows: whole,
  settingsInForce: z.record(z.string(), z.int()),
  settingsChanged: z.array(z.strictObject({ atMs: z.number(), key: z.string(), value: z.int() })),
  /** Columns of equal length: a stretch of time each, with its most flows, drops and new flows. */
  timeline: z.strictObject({
    timeMs: z.array(z.number()),
    flows: z.array(whole),
    dropped: z.array(whole),
    created: z.array(whole),
  }),
  endMs: z.number(),
  limits: z.array(z.strictObject({ fromMs: z.number(), capacityFlows: whole })),
  dropMoments: z.array(
    z.strictObject({ fromMs: z.number(), toMs: z.number(), packets: whole, firstRecord: whole }),
  ),
  droppedFrom: z.optional(z.array(z.strictObject({ address: z.string(), packets: whole }))),
  droppedTo: z.optional(z.array(z.strictObject({ protocol: z.string(), port: whole, packets: whole }))),
  left: z.strictObject({
    flows: whole,
    byState: z.array(z.strictObject({ protocol: z.string(), state: z.optional(z.string()), flows: whole })),
    topSources: addresses,
    topServices: z.array(z.strictObject({ protocol: z.string(), port: whole, ...withError })),
    /** Flows that the rankings go by, where these are not all. */
    sampledFlows: z.optional(whole),
  }),
  /** Of a record: what its events cannot tell, as a bound, and how near the model is to the kernel. */
  bound: z.optional(
    z.strictObject({
      uncertainFlows: whole,
      mostPeakFlows: z.optional(whole),
      mostFlowsAtEnd: z.optional(whole),
      /** A timeout is longer than recorded: flows that had ended before would still be there. */
      lacksEarlierFlows: z.optional(z.literal(true)),
      difference: z.optional(
        z.strictObject({ samples: whole, meanShare: z.number(), mostShare: z.number() }),
      ),
    }),
  ),
  /** Of the kernel's table at its peak, and how that is known. */
  memoryBytes: whole,
  memoryHow: z.string(),
  modelMemoryBytes: whole,
};

/** A record of flow events: what was in it. */
const recordFigures = z.strictObject({
  tableFlows: whole,
  newFlows: whole,
  endedFlows: whole,
  deletedFlows: whole,
  evictedFlows: whole,
  endedUnseenFlows: whole,
  leftOutFlows: whole,
  unknownAgeFlows: whole,
  toldWords: whole,
  reckonedWords: whole,
  events: whole,
  seconds: z.number(),
  losses: whole,
  lostEvents: z.optional(whole),
  oneOf: whole,
  coverage: z.optional(z.string()),
  kernelRelease: z.optional(z.string()),
  hostname: z.optional(z.string()),
  namespace: z.optional(z.string()),
  complete: z.boolean(),
});

const replayed = {
  schema: z.literal("headroom/replay/v1"),
  origin: z.string(),
  kernel: z.string(),
  helpers: z.array(z.string()),
  interrupted: z.optional(z.literal(true)),
  /** Records of the capture, whatever is in them. */
  packets: whole,
  capture: z.strictObject({
    notIpRecords: whole,
    unknownLinkTypeRecords: whole,
    /** IP packets with a header that no router forwards. */
    refusedPackets: z.strictObject({
      header: whole,
      headerChecksum: whole,
      length: whole,
      options: whole,
      address: whole,
    }),
    fragments: whole,
    datagramsWhole: whole,
    datagramsLost: whole,
    snappedPackets: whole,
    badChecksumPackets: whole,
    assumedLengthPackets: whole,
    record: z.optional(recordFigures),
    compression: z.optional(z.enum(["gzip", "zstd"])),
    brokenPacking: z.optional(z.literal(true)),
    firstMs: z.optional(z.number()),
    lastMs: z.optional(z.number()),
    /** Of live packets: those lost before they could be seen. */
    lostPackets: z.optional(whole),
    /** Of live packets: why no more came, where nobody asked for the end. */
    endedBy: z.optional(z.string()),
    format: z.optional(z.string()),
    snappedRecords: z.optional(whole),
    timelessRecords: z.optional(whole),
    oddLengthRecords: z.optional(whole),
    interfaces: z.optional(
      z.array(
        z.strictObject({
          linkType: whole,
          snapLengthBytes: z.optional(whole),
          name: z.optional(z.string()),
          records: whole,
        }),
      ),
    ),
    linkTypes: z.optional(z.array(z.strictObject({ linkType: whole, records: whole }))),
    otherBlocks: z.optional(
      z.array(z.strictObject({ type: z.optional(whole), name: z.string(), count: whole })),
    ),
    break: z.optional(
      z.strictObject({ kind: z.enum(["cut-off", "damaged"]), offsetBytes: whole, reason: z.string() }),
    ),
  }),
  seconds: count,
  packetsPerSecond: whole,
  threads: whole,
};

/** `headroom replay --json`. */
export const replaySchema = z.strictObject({ ...replayed, ...courseFigures });

/** `headroom replay --json` with `--compare`. */
export const comparedSchema = z.strictObject({
  ...replayed,
  compared: z.array(z.strictObject({ settings: z.string(), ...courseFigures })),
});

const byCommand: Readonly<Record<string, z.ZodMiniType>> = {
  check: checkSchema,
  explain: z.union([explainSchema, namespacesSchema]),
  list: listSchema,
  defaults: defaultsSchema,
  replay: z.union([replaySchema, comparedSchema]),
  whatif: whatifSchema,
  plan: planSchema,
  apply: applySchema,
  confirm: confirmSchema,
  rollback: rollbackSchema,
  history: historySchema,
  verify: verifySchema,
  reclaim: reclaimSchema,
  alerts: alertsOutputSchema,
  record: recordSchema,
  serve: serveSchema,
};

/** The JSON Schema (draft 2020-12) of what `COMMAND --json` prints; undefined where there is no `--json`. */
export function outputSchema(command: string): object | undefined {
  const schema = Object.hasOwn(byCommand, command) ? byCommand[command] : undefined;
  return schema === undefined ? undefined : z.toJSONSchema(schema);
}

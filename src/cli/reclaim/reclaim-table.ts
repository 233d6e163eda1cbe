/**
 * The table that flows are freed of: what is known of it, how it is read, and the sieve its flows go
 * through.
 */
import type { HostAccess } from "../../kernel/kernel.ts";
import { FLOOR_SECONDS, parseSshConnection, Protections, Sieve } from "../../reclaim/reclaim.ts";
import { IdleLookup } from "../../table/idle.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import type { FlowReading } from "../../table/source.ts";
import type { Session } from "../../table/session.ts";
import { timeoutsOf } from "../assumed-timeouts.ts";
import type { Context } from "../context.ts";
import { readFilter } from "../flow-filter.ts";
import { openPlace, openReading, type Place } from "../flow-source.ts";
import { subjectOf } from "../subject.ts";
import { UsageError } from "../usage-error.ts";
import type { ReclaimOptions } from "./reclaim-line.ts";

export interface ReclaimTable {
  place: Place;
  /** What is looked at, for people. */
  subject?: string;
  occupancyFlows?: number;
  capacityFlows?: number;
  floorSeconds: number;
  protections: Protections;
  idle: IdleLookup;
  nowMs: number;
  /** Whether idle ages go by default timeouts. */
  assumedTimeouts: boolean;
}

/** Opens what the options name. Close `place.host` in the end. */
export async function openTable(context: Context, options: ReclaimOptions): Promise<ReclaimTable> {
  refuseSaved(options);
  const place = await openPlace(context, options);
  const { host } = place;
  const nowMs = context.deps.clock.nowMs();
  const facts = host?.host();
  const values = host?.settings().values ?? {};
  const { settings, assumed } = timeoutsOf(host === undefined ? undefined : values);
  const release = facts?.kernelRelease === undefined ? undefined : parseKernelRelease(facts.kernelRelease);
  const floorSeconds = options.floorSeconds ?? FLOOR_SECONDS;
  const { nf_conntrack_count: occupancyFlows, nf_conntrack_max: capacityFlows } = values;
  const subject = subjectOf(facts, options);
  return {
    place,
    ...(subject === undefined ? {} : { subject }),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(capacityFlows === undefined ? {} : { capacityFlows }),
    floorSeconds,
    protections: new Protections({
      sessions: sessionsOf(context, host),
      networks: options.protect ?? [],
      floorSeconds,
      includeNat: options.includeNat === true,
    }),
    idle: new IdleLookup({ settings, nowMs, ...(release === undefined ? {} : { release }) }),
    nowMs,
    assumedTimeouts: assumed,
  };
}

/** A saved table has nothing to free; what would go can be said of it. */
function refuseSaved(options: ReclaimOptions): void {
  const { root, source = "kernel", dryRun } = options;
  if (source === "procfs") {
    throw new UsageError(
      "Cannot free flows by --source procfs: its lines have no ids, which keep a reused tuple safe",
      "Leave --source out",
    );
  }
  const saved = root ?? (source === "kernel" || source === "netlink" ? undefined : source);
  if (saved !== undefined && dryRun !== true) {
    throw new UsageError(
      `Cannot free flows of ${saved}: it is a saved table, and nothing is tracked there`,
      "Run it on the host itself, or add --dry-run to see what would go",
    );
  }
}

/** The sessions of this host, with the one that this command was typed in. */
function sessionsOf(context: Context, host: HostAccess | undefined): Session[] {
  const { sessions, connections } = host?.sessions() ?? { sessions: [], connections: [] };
  const own = context.terminal.environment["SSH_CONNECTION"];
  const texts = own === undefined ? connections : [own, ...connections];
  return [...sessions, ...texts.flatMap((text) => parseSshConnection(text) ?? [])];
}

/** What the filter and the options mean, as a sieve with counts of its own. */
export async function sieveOf(table: ReclaimTable, options: ReclaimOptions, filter: string): Promise<Sieve> {
  const { protections, idle, nowMs } = table;
  const matcher = await readFilter(filter);
  return new Sieve({
    protections,
    idle,
    ...(matcher === undefined ? {} : { match: matcher({ idle, nowMs }) }),
    ...(options.idleSeconds === undefined ? {} : { idleSeconds: options.idleSeconds }),
    ...(options.shortenToSeconds === undefined ? {} : { shortenToSeconds: options.shortenToSeconds }),
  });
}

/** A reading of the table; of the kernel's, over netlink, which alone tells ids. */
export async function readTable(
  context: Context,
  { place }: ReclaimTable,
  options: { sampleFlows?: number; prompt?: "slow" | "fast" } = {},
): Promise<FlowReading> {
  if (place.flows.kind === "host" && place.host !== undefined && place.host.host().root === undefined) {
    const flows = place.host.flows({ source: "netlink", ...options });
    if (flows.kind === "reading") return flows.reading;
  }
  return openReading(context, place, options.sampleFlows);
}

/**
 * Ways out, as the commands an operator would type on this kernel generation. They act on the running kernel
 * only and are gone after a reboot.
 *
 * Invariant: the capacity is never set without its buckets, and the buckets come first. A capacity alone
 * makes longer chains, and since 5.15 a long chain loses connections in silence.
 */
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { settingOf, type SettingKey } from "../table/settings.ts";
import type { Facts } from "./facts.ts";
import type { Remedy } from "../table/finding.ts";
import { extensionBytesOf, tableMemory, type TableMemory } from "./memory.ts";
import { defaultSizesOf, recommendedBuckets } from "../table/sizes.ts";
import { tableFigures } from "./table-figures.ts";
import { groupDigits, memoryText, percent } from "./wording.ts";
import { formatDuration } from "../table/duration.ts";

const INT_MAX = 2_147_483_647;

/**
 * A table that could take more than this share of the memory is not recommended, and is a finding where it
 * exists.
 */
export const MEMORY_SHARE_MAX = 0.25;

/** Buckets are taken at once, used or not. */
const BUCKET_MEMORY_SHARE_MAX = 0.05;

/** Why a command that changes a host-wide setting fails where we look from. */
const ON_THE_HOST = "Only the host itself can do this, not this network namespace. There: ";

/** What the table of these facts would cost with so many flows and buckets. */
export function memoryOf(facts: Facts, flows: number, buckets: number): TableMemory {
  const { host } = facts;
  return tableMemory({
    flows,
    buckets,
    extensionBytes: extensionBytesOf(facts.settings.values),
    ...(host.flowSlotBytes === undefined ? {} : { slotBytes: host.flowSlotBytes }),
    ...(host.pointerBytes === undefined ? {} : { pointerBytes: host.pointerBytes }),
    ...(host.kernelRelease === undefined ? {} : { kernelRelease: host.kernelRelease }),
  });
}

/** What this kernel would have chosen for this memory; undefined when either is unknown. */
export function defaultCapacityOf(facts: Facts): number | undefined {
  return defaultSizesOf(facts.host)?.capacityFlows;
}

/**
 * Raises the capacity to twice what it is, and at least to what this kernel would choose by itself. Without a
 * command when the table could then take more than MEMORY_SHARE_MAX of the memory.
 */
export function raiseCapacity(facts: Facts): readonly Remedy[] {
  const { capacityFlows } = tableFigures(facts);
  if (capacityFlows === undefined || capacityFlows <= 0) return [];
  const target = Math.min(INT_MAX, Math.max(capacityFlows * 2, defaultCapacityOf(facts) ?? 0));
  return setCapacity(facts, target);
}

/** Sets the capacity and the buckets that belong to it, in one command, buckets first. */
export function setCapacity(facts: Facts, capacityFlows: number): readonly Remedy[] {
  const buckets = Math.max(
    recommendedBuckets(capacityFlows, facts.host),
    tableFigures(facts).bucketCount ?? 0,
  );
  const memory = memoryOf(facts, capacityFlows, buckets);
  const { memoryBytes } = facts.host;
  const share = memoryBytes === undefined ? undefined : memory.bytes / memoryBytes;
  const ofMemory = share === undefined ? "" : `, ${percent(share)} of this host's memory`;
  const cost = `up to ${memoryText(memory.bytes)} when full${ofMemory} (${memory.how})`;
  if (share !== undefined && share > MEMORY_SHARE_MAX) {
    const text = `A capacity of ${groupDigits(capacityFlows)} flows would cost ${cost}: make room instead.`;
    return [{ text }];
  }
  const name = capacityName(facts);
  const way = bucketsWay(facts, buckets);
  const command = `${way.command} && sysctl -w ${name}=${capacityFlows}`;
  const what = `Set the capacity to ${groupDigits(capacityFlows)} flows with ${groupDigits(buckets)} buckets`;
  return [{ text: onTheHost(facts, `${what}; costs ${cost}.${way.note}`), command }];
}

/**
 * Sets the buckets alone, to what belongs to the present capacity (or occupancy, without a limit). Where that
 * would cost more than BUCKET_MEMORY_SHARE_MAX of the memory, the capacity is what is wrong, and is lowered
 * instead.
 */
export function setBuckets(facts: Facts): readonly Remedy[] {
  const { capacityFlows = 0, hostFlows = 0, occupancyFlows = 0, bucketCount = 0 } = tableFigures(facts);
  const buckets = recommendedBuckets(Math.max(capacityFlows, hostFlows), facts.host);
  if (buckets <= bucketCount) return [];
  const bytes = buckets * (facts.host.pointerBytes ?? 8);
  const { memoryBytes } = facts.host;
  if (memoryBytes !== undefined && bytes > memoryBytes * BUCKET_MEMORY_SHARE_MAX) {
    return setCapacity(facts, Math.max(2 * occupancyFlows, defaultCapacityOf(facts) ?? 0));
  }
  const way = bucketsWay(facts, buckets);
  const cost = memoryText(bytes);
  const text = `Give the table ${groupDigits(buckets)} buckets, one a flow; costs ${cost} at once.`;
  return [{ text: onTheHost(facts, `${text}${way.note}`), command: way.command }];
}

/**
 * Sets a timeout (or another per-namespace setting); without a command on 2.4, where timeouts are compiled
 * in.
 */
export function setTimeoutTo(facts: Facts, key: SettingKey, seconds: number, why: string): Remedy {
  const release = releaseOf(facts);
  const name = sysctlNameOf(facts, key);
  const text = `${why} (${formatDuration(seconds)})`;
  if (name === undefined || (release !== undefined && !isSince(release, "2.6.0"))) {
    return { text: `${text}. On this kernel the timeout is compiled in and cannot be set.` };
  }
  return { text: `${text}.`, command: `sysctl -w ${name}=${seconds}` };
}

/** Drops a source before it is tracked: it makes no flow and costs no room. It also cuts off what it had. */
export function dropBeforeTracking(address: string): Remedy {
  const tool = address.includes(":") ? "ip6tables" : "iptables";
  return {
    text: `If ${address} is an attacker, drop it before it is tracked. This cuts off everything from it.`,
    command: `${tool} -t raw -I PREROUTING -s ${address} -j DROP`,
  };
}

/** The command after which one knows what to do. */
export const lookCloser: Remedy = {
  text: "See what fills the table: states, sources, services and idle age.",
  command: "headroom explain",
};

/** Room at once, without a setting: what serves nobody goes. The old tracker has no way to end flows. */
export function freeNow(facts: Facts): Remedy | undefined {
  if (facts.host.tracker !== "nf_conntrack") return undefined;
  return {
    text: "Make room at once: it offers the three greatest cuts that are safe, and asks before it makes one.",
    command: "headroom reclaim --emergency",
  };
}

/** The flows that are silent now keep their old timeout; this ends them. */
export function freeSilent(facts: Facts, seconds: number): Remedy | undefined {
  if (facts.host.tracker !== "nf_conntrack") return undefined;
  const duration = formatDuration(seconds);
  return {
    text: `End those that have been silent for ${duration} now: it says which, and asks.`,
    command: `headroom reclaim --idle ${duration}`,
  };
}

/** Commands act on the running kernel only. */
export const keepAfterReboot: Remedy = {
  text:
    "These commands are gone after a reboot. To keep the values, write them to a file in /etc/sysctl.d and " +
    "have the module loaded before it is read, by a file in /etc/modules-load.d.",
};

/**
 * The sysctl name of a setting on this tracker; undefined for module parameters and names it does not have.
 */
export function sysctlNameOf(facts: Facts, key: SettingKey): string | undefined {
  const setting = settingOf(key);
  return facts.host.tracker === "ip_conntrack" ? setting.legacy?.[0] : setting.sysctl;
}

function capacityName(facts: Facts): string {
  // The only one of ip_conntrack's two names that 2.4 has as well.
  if (facts.host.tracker === "ip_conntrack") return "net.ipv4.ip_conntrack_max";
  return "net.netfilter.nf_conntrack_max";
}

/**
 * Buckets are a sysctl since 4.7, a file of the module since 2.6.15, and before that a parameter of its
 * loading.
 */
function bucketsWay(facts: Facts, buckets: number): { command: string; note: string } {
  const release = releaseOf(facts);
  const old = facts.host.tracker === "ip_conntrack";
  const module = old ? "ip_conntrack" : "nf_conntrack";
  if (release === undefined ? !old : isSince(release, "4.7")) {
    return { command: `sysctl -w net.netfilter.nf_conntrack_buckets=${buckets}`, note: "" };
  }
  if (release === undefined || isSince(release, "2.6.15")) {
    return { command: `echo ${buckets} > /sys/module/${module}/parameters/hashsize`, note: "" };
  }
  const file = isSince(release, "2.6.0") ? "/etc/modprobe.conf" : "/etc/modules.conf";
  return {
    command: `echo 'options ${module} hashsize=${buckets}' >> ${file}`,
    note: " This kernel takes the buckets only when the module is loaded next.",
  };
}

/** Says so where the command does not work from the namespace looked at. */
export function onTheHost(facts: Facts, text: string): string {
  // Whoever names a namespace to look at stands on the host.
  const isInside = facts.host.initialNamespace === false && facts.netns === undefined;
  return isInside ? `${ON_THE_HOST}${text}` : text;
}

function releaseOf(facts: Facts): ReturnType<typeof parseKernelRelease> {
  return facts.host.kernelRelease === undefined ? undefined : parseKernelRelease(facts.host.kernelRelease);
}

/**
 * Whether the sizes themselves are wrong: below what the kernel would choose, dearer than the host can pay,
 * or made by a parameter that was meant for something else.
 */
import type { Finding } from "../../table/finding.ts";
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";
import type { Facts } from "../facts.ts";
import { defaultCapacityOf, keepAfterReboot, MEMORY_SHARE_MAX, memoryOf, setCapacity } from "../remedies.ts";
import { HASHSIZE_FLOWS_PER_BUCKET } from "../../table/sizes.ts";
import { otherNamespaces, tableFigures, underPressure } from "../table-figures.ts";
import { amountOf, groupDigits, memoryText, percent } from "../wording.ts";
import { outlookOf, placeOf } from "./lasting.ts";
import { evidenceOf } from "./rule.ts";

/** The kernel rounds and its memory varies a little from boot to boot: less than this is below its choice. */
const BELOW_DEFAULT_SHARE = 0.9;

/** `limit-below-default`: somebody made the table smaller than the kernel would have. */
export function limitBelowDefault(facts: Facts): readonly Finding[] {
  const { capacityFlows, unlimited } = tableFigures(facts);
  const defaultFlows = defaultCapacityOf(facts);
  if (capacityFlows === undefined || unlimited || defaultFlows === undefined) return [];
  if (capacityFlows >= defaultFlows * BELOW_DEFAULT_SHARE) return [];
  return [
    {
      code: "limit-below-default",
      level: underPressure(facts) ? "warning" : "ok",
      title: `Capacity ${groupDigits(capacityFlows)}; the kernel would choose ${groupDigits(defaultFlows)}`,
      evidence: evidenceOf({
        capacityFlows,
        defaultCapacityFlows: defaultFlows,
        memoryBytes: facts.host.memoryBytes,
      }),
      meaning:
        "A setting made the table smaller than the kernel makes it for this much memory: perhaps an old " +
        "file that once raised it. Nothing is wrong while there is room.",
      remedy: [...setCapacity(facts, defaultFlows), keepAfterReboot],
    },
  ];
}

/**
 * `limit-costs-too-much`: a full table would take a large part of the memory, or all of it without a limit.
 */
export function limitCostsTooMuch(facts: Facts): readonly Finding[] {
  const { capacityFlows, unlimited, bucketCount = 0 } = tableFigures(facts);
  if (capacityFlows === undefined) return [];
  if (unlimited) return [noLimit(facts)];
  const { memoryBytes } = facts.host;
  if (memoryBytes === undefined || memoryBytes <= 0) return [];
  const one = memoryOf(facts, capacityFlows, bucketCount);
  const tables = 1 + otherNamespaces(facts).filter(({ occupancyFlows = 0 }) => occupancyFlows > 0).length;
  const allBytes = one.flowBytes * tables + one.bucketBytes;
  const shareOfOne = one.bytes / memoryBytes;
  const shareOfAll = allBytes / memoryBytes;
  if (shareOfOne <= MEMORY_SHARE_MAX && shareOfAll <= 1) return [];
  const dear = shareOfOne > MEMORY_SHARE_MAX;
  const title = dear
    ? `A full table takes ${memoryText(one.bytes)}, ${percent(shareOfOne)} of the memory`
    : `${amountOf(tables, "full table")} take ${memoryText(allBytes)}, ${percent(shareOfAll)} of the memory`;
  return [
    {
      code: "limit-costs-too-much",
      level: dear ? "warning" : "ok",
      title,
      evidence: evidenceOf({
        capacityFlows,
        bytesPerFlow: one.bytesPerFlow,
        tableBytes: one.bytes,
        namespacesInUse: tables,
        allTablesBytes: allBytes,
        memoryBytes,
        memoryShare: shareOfOne,
      }),
      meaning:
        "Flows are kernel memory that cannot be swapped out. Before the limit is reached the host may run " +
        `out of memory, which is worse than a full table. Reckoned with ${one.how}.`,
      remedy: dear ? lowerCapacity(facts) : [],
    },
  ];
}

function noLimit(facts: Facts): Finding {
  return {
    code: "limit-costs-too-much",
    level: "warning",
    title: "The table has no limit (nf_conntrack_max is 0)",
    evidence: evidenceOf({ capacityFlows: 0, memoryBytes: facts.host.memoryBytes }),
    meaning:
      "A flood of new connections takes kernel memory until there is none. Kernels from 6.19 on refuse 0 " +
      "as a limit.",
    remedy: lowerCapacity(facts),
  };
}

function lowerCapacity(facts: Facts): Finding["remedy"] {
  const target = Math.max(defaultCapacityOf(facts) ?? 0, 2 * (tableFigures(facts).occupancyFlows ?? 0));
  return target === 0 ? [] : [...setCapacity(facts, target), keepAfterReboot];
}

/**
 * `hashsize-raises-limit`: the capacity follows from `hashsize=` at the next boot, by the files; or is 8
 * times the buckets now, which is what the parameter makes of it at load, though somebody may have chosen the
 * same figures. Before 2.6.23 it is the default.
 */
export function hashsizeRaisesLimit(facts: Facts): readonly Finding[] {
  const { kernelRelease } = facts.host;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  if (release === undefined || !isSince(release, "2.6.23")) return [];
  const capacity = outlookOf(facts)?.rows.find(({ key }) => key === "nf_conntrack_max");
  if (capacity?.from === "hashsize") return hashsizeAtBoot(facts, capacity.after);
  // Another line gives the capacity: what it is now has its own reason.
  if (capacity?.winner !== undefined) return [];
  return hashsizeByFigures(facts);
}

function hashsizeAtBoot(facts: Facts, afterBoot: number | undefined): readonly Finding[] {
  const parameter = facts.boot?.settings.find(({ key }) => key === "hashsize")?.winner;
  if (parameter === undefined || afterBoot === undefined) return [];
  const buckets = groupDigits(afterBoot / HASHSIZE_FLOWS_PER_BUCKET);
  return [
    {
      code: "hashsize-raises-limit",
      level: "ok",
      title: `Capacity will be ${groupDigits(afterBoot)} at the next boot, 8 x hashsize (${buckets})`,
      evidence: evidenceOf({
        afterBootFlows: afterBoot,
        hashsize: parameter.value,
        place: placeOf(parameter),
        flowsPerBucketWhenFull: HASHSIZE_FLOWS_PER_BUCKET,
      }),
      meaning:
        `${placeOf(parameter)} gives hashsize, which sets the buckets when the module is loaded and makes ` +
        "the capacity eight times as large, whether or not that was wanted: no other line sets it.",
      remedy: [
        {
          text: "Give the capacity as well, as large as the buckets.",
          command: `headroom apply ${sizesOf(afterBoot / HASHSIZE_FLOWS_PER_BUCKET)}`,
        },
      ],
    },
  ];
}

function sizesOf(buckets: number): string {
  return `--set nf_conntrack_buckets=${buckets} --set nf_conntrack_max=${buckets}`;
}

function hashsizeByFigures(facts: Facts): readonly Finding[] {
  const { capacityFlows, bucketCount, unlimited } = tableFigures(facts);
  if (capacityFlows === undefined || bucketCount === undefined || unlimited) return [];
  if (capacityFlows !== bucketCount * HASHSIZE_FLOWS_PER_BUCKET) return [];
  return [
    {
      code: "hashsize-raises-limit",
      level: "ok",
      title: `Capacity is 8 x the buckets (${groupDigits(capacityFlows)} = 8 x ${groupDigits(bucketCount)})`,
      evidence: evidenceOf({ capacityFlows, bucketCount, flowsPerBucketWhenFull: HASHSIZE_FLOWS_PER_BUCKET }),
      meaning:
        "So it is when the module is loaded with hashsize=: the parameter sets the buckets and makes the " +
        "capacity eight times as large, whether or not that was wanted.",
      remedy: [
        {
          text: "Look for the parameter.",
          command: "grep -rs hashsize /etc/modprobe.d /etc/modprobe.conf /proc/cmdline",
        },
      ],
    },
  ];
}

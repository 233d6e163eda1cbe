/**
 * What every format of a plan begins with and is made of: a head that says where the values come from, and
 * the names this kernel has for them.
 */
import type { Host } from "../../table/host.ts";
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";
import { settingOf } from "../../table/settings.ts";
import type { Plan, PlannedSetting } from "../plan-shape.ts";
import { groupDigits, percent } from "../wording.ts";

/** What a format is made of. */
export interface FormattedPlan {
  plan: Plan;
  host: Host;
  /** Capacity in force, where the plan leaves it alone. */
  presentCapacityFlows?: number;
}

/** How this kernel takes the buckets. */
export type BucketsWay = "sysctl" | "module";

/** nf_conntrack_buckets can be written since 4.7; before that only the parameter hashsize of the module. */
export function bucketsWay({ kernelRelease, tracker }: Host): BucketsWay {
  if (tracker === "ip_conntrack") return "module";
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return release === undefined || isSince(release, "4.7") ? "sysctl" : "module";
}

/**
 * Whether this kernel is older than systemd and than `sysctl --system`, both of 2010 to 2012 (kernel 3.2 was
 * the first that both came with: Debian 7).
 */
export function isBeforeSystemd({ kernelRelease }: Host): boolean {
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return release !== undefined && !isSince(release, "3.2");
}

/** The module: `ip_conntrack` until 2.6.21. */
export function moduleOf({ tracker }: Host): "nf_conntrack" | "ip_conntrack" {
  return tracker === "ip_conntrack" ? "ip_conntrack" : "nf_conntrack";
}

/** The sysctl name of a setting on this tracker. */
export function sysctlName(host: Host, key: PlannedSetting["key"]): string | undefined {
  const { sysctl, legacy } = settingOf(key);
  return host.tracker === "ip_conntrack" ? legacy?.[0] : sysctl;
}

/** What is set by sysctl, buckets first. Those that this kernel takes another way are left out. */
export function sysctlSettings(formatted: FormattedPlan): { name: string; value: number; reason: string }[] {
  const { plan, host, presentCapacityFlows } = formatted;
  const rows = plan.settings.flatMap(({ key, to, reason }) => {
    if (key === "nf_conntrack_buckets" && bucketsWay(host) === "module") return [];
    const name = sysctlName(host, key);
    return name === undefined ? [] : [{ name, value: to, reason }];
  });
  const capacity = sysctlName(host, "nf_conntrack_max");
  const loaded =
    hashsizeOf(formatted) !== undefined && !plan.settings.some(({ key }) => key === "nf_conntrack_max");
  if (loaded && capacity !== undefined && presentCapacityFlows !== undefined) {
    const reason = "With hashsize alone the module would make it 8 times as large.";
    rows.push({ name: capacity, value: presentCapacityFlows, reason });
  }
  return rows;
}

/** The buckets, where this kernel takes them from its module's parameter. */
export function hashsizeOf({ plan, host }: FormattedPlan): number | undefined {
  if (bucketsWay(host) === "sysctl") return undefined;
  return plan.settings.find(({ key }) => key === "nf_conntrack_buckets")?.to;
}

/** Whose plan it is, and what it comes to. */
export function headLines({ plan, host }: FormattedPlan): string[] {
  const { predicted, capacityFlows } = plan;
  const whose = host.hostname === undefined ? "" : ` for ${host.hostname}`;
  const kernel = host.kernelRelease === undefined ? "" : `, kernel ${host.kernelRelease}`;
  const lines = [`Connection tracking as planned by Headroom${whose}${kernel}.`];
  if (predicted !== undefined && capacityFlows !== undefined) {
    const { occupancyFlows, useShare } = predicted.peak;
    lines.push(
      `At the peak ${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)} flows are expected, ` +
        `${percent(useShare)}.`,
    );
  }
  if (plan.settings.length === 0) lines.push("Nothing needs to be changed.");
  return lines;
}

/** Text as the inside of a comment: one line, whatever a host calls itself. */
export function commentText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

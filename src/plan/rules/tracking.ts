/**
 * Whether there is anything to judge: no tracker, a tracker nobody needs, or one that may not be looked at.
 */
import type { Finding } from "../../table/finding.ts";
import type { Facts } from "../facts.ts";
import { tableFigures, underPressure } from "../table-figures.ts";
import { amountOf } from "../wording.ts";
import { evidenceOf } from "./rule.ts";

/** Whether no tracker is loaded: the table does not exist and cannot fill. */
export function isTrackingOff(facts: Facts): boolean {
  if (facts.host.tracker !== "unknown") return facts.host.tracker === "none";
  return (
    tableFigures(facts).occupancyFlows === undefined &&
    facts.unseen.some(({ cause }) => cause === "not-loaded")
  );
}

/** `tracking-off`: as monitoring expects, a host without a tracker is in order. */
export function trackingOff(facts: Facts): readonly Finding[] {
  if (!isTrackingOff(facts)) return [];
  return [
    {
      code: "tracking-off",
      level: "ok",
      title: "Connection tracking is not loaded: there is no table that could fill",
      evidence: evidenceOf({ tracker: facts.host.tracker }),
      meaning:
        "The kernel loads it with the first firewall rule that needs it. Settings made before that do not " +
        "exist yet and fail; after loading they have their defaults.",
      remedy: [
        {
          text: "If settings are meant to be in force at boot, load the tracker before they are read.",
          command: "echo nf_conntrack > /etc/modules-load.d/nf_conntrack.conf",
        },
      ],
    },
  ];
}

/** `tracking-not-needed`: no rule of this host asks for tracking, and yet there is a table. */
export function trackingNotNeeded(facts: Facts): readonly Finding[] {
  if (facts.trackingInUse !== false || isTrackingOff(facts)) return [];
  const { occupancyFlows, capacityFlows } = tableFigures(facts);
  const held = occupancyFlows === undefined ? "" : `; it holds ${amountOf(occupancyFlows, "flow")}`;
  return [
    {
      code: "tracking-not-needed",
      level: underPressure(facts) ? "warning" : "ok",
      title: `Nothing on this host needs connection tracking${held}`,
      evidence: evidenceOf({ occupancyFlows, capacityFlows }),
      meaning:
        "No firewall rule and no NAT asks for it. Old kernels (4.4 and before) track every packet all the " +
        "same once the module is loaded; those from 4.10 on let the table run empty.",
      remedy: [
        {
          text: "Unload it; the command refuses while something uses it.",
          command: `modprobe -r ${facts.host.tracker === "ip_conntrack" ? "ip_conntrack" : "nf_conntrack"}`,
        },
      ],
    },
  ];
}

/** `not-permitted`: what could not be seen for want of rights; unknown when it leaves nothing to judge. */
export function notPermitted(facts: Facts): readonly Finding[] {
  const denied = facts.unseen.filter(({ cause }) => cause === "not-permitted");
  if (denied.length === 0) return [];
  const { occupancyFlows, capacityFlows } = tableFigures(facts);
  const blind = !isTrackingOff(facts) && (occupancyFlows === undefined || capacityFlows === undefined);
  const what = denied.map((unseen) => unseen.what).join(", ");
  const help = [...new Set(denied.flatMap((unseen) => unseen.help ?? []))];
  return [
    {
      code: "not-permitted",
      level: blind ? "unknown" : "ok",
      title: `Not permitted to see: ${what}`,
      evidence: evidenceOf({ deniedSources: denied.length, what }),
      meaning: blind
        ? "Without occupancy and capacity nothing can be judged."
        : `The verdict is made from the rest: ${amountOf(denied.length, "source")} could not be read.`,
      remedy: help.length === 0 ? [asRoot] : help.map((text) => ({ text })),
    },
  ];
}

const asRoot = {
  text: "Run it as root, or give the program CAP_NET_ADMIN (flows) and CAP_SYSLOG (kernel log).",
  command: "sudo headroom check",
};

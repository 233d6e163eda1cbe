/**
 * Who sets the values, and by which names: as far as the running values tell. What files would set at the
 * next boot is not among the facts yet.
 */
import type { Finding } from "../../table/finding.ts";
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";
import { SETTING_KEYS, settingOf } from "../../table/settings.ts";
import type { Facts } from "../facts.ts";
import { tableFigures, underPressure } from "../table-figures.ts";
import { amountOf, groupDigits } from "../wording.ts";
import { evidenceOf } from "./rule.ts";

/** kube-proxy's defaults: capacity a core and at least, and the two timeouts it sets. */
const KUBE_PROXY = {
  flowsPerCpu: 32_768,
  flowsMin: 131_072,
  establishedSeconds: 86_400,
  closeWaitSeconds: 3600,
} as const;

/** tuned's openshift and atomic profiles set both sizes to this. */
const TUNED_FLOWS = 1_048_576;

/**
 * `set-by-another-owner`: the values are those of a program that will set them again. Said only while the
 * table is short of room, when somebody is about to change them. The signature proves nothing; it says where
 * to look.
 */
export function setByAnotherOwner(facts: Facts): readonly Finding[] {
  if (!underPressure(facts)) return [];
  const owner = likelyOwner(facts);
  if (owner === undefined) return [];
  const { capacityFlows, bucketCount } = tableFigures(facts);
  return [
    {
      code: "set-by-another-owner",
      level: "ok",
      title: `The values look like those of ${owner.name}, which will set them again`,
      evidence: evidenceOf({ owner: owner.name, capacityFlows, bucketCount, cpus: facts.host.cpus }),
      meaning: `What is changed by hand lasts until ${owner.name} starts again. Change it there.`,
      remedy: [owner.remedy],
    },
  ];
}

interface Owner {
  name: string;
  remedy: { text: string; command?: string };
}

function likelyOwner(facts: Facts): Owner | undefined {
  const { values } = facts.settings;
  const { capacityFlows, bucketCount } = tableFigures(facts);
  const { cpus } = facts.host;
  const kubeProxyFlows =
    cpus === undefined ? undefined : Math.max(KUBE_PROXY.flowsMin, cpus * KUBE_PROXY.flowsPerCpu);
  if (
    capacityFlows !== undefined &&
    capacityFlows === kubeProxyFlows &&
    values.nf_conntrack_tcp_timeout_established === KUBE_PROXY.establishedSeconds &&
    values.nf_conntrack_tcp_timeout_close_wait === KUBE_PROXY.closeWaitSeconds
  ) {
    return {
      name: "kube-proxy",
      remedy: {
        text: "Set conntrack.maxPerCore and conntrack.min in its configuration; 0 leaves values alone.",
        command: "kubectl -n kube-system get configmap kube-proxy -o yaml",
      },
    };
  }
  if (capacityFlows === TUNED_FLOWS && bucketCount === TUNED_FLOWS) {
    return {
      name: "tuned",
      remedy: {
        text: "Look which profile is active, and override it in one of your own.",
        command: "tuned-adm active",
      },
    };
  }
  return undefined;
}

/**
 * `unknown-key`: settings of the tracker on this host that Headroom does not know, or whose value is no
 * number.
 */
export function unknownKey(facts: Facts): readonly Finding[] {
  const { unknownKeys, unreadable } = facts.settings;
  const names = [...unknownKeys, ...unreadable.map(({ name }) => name)];
  if (names.length === 0) return [];
  const some = names.length > 3 ? `${names.slice(0, 3).join(", ")}, ...` : names.join(", ");
  return [
    {
      code: "unknown-key",
      level: "ok",
      title: `${amountOf(names.length, "setting")} that Headroom cannot judge: ${some}`,
      evidence: evidenceOf({
        unknownKeys: unknownKeys.length,
        unreadableKeys: unreadable.length,
        names: names.join(" "),
      }),
      meaning:
        "The kernel is newer than this release of Headroom, or was changed. The settings it knows are " +
        "judged as usual.",
      remedy: [],
    },
  ];
}

/**
 * `legacy-key`: values that were read by the names of ip_conntrack, which kernels from 4.9 on do not have.
 */
export function legacyKey(facts: Facts): readonly Finding[] {
  const legacy = SETTING_KEYS.filter((key) => {
    const origin = (facts.settings.origins[key] ?? "").replaceAll("/", ".");
    return (settingOf(key).legacy ?? []).some((name) => endsWithName(origin, name));
  });
  const [first] = legacy;
  if (first === undefined) return [];
  const { kernelRelease } = facts.host;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const onlyNames =
    facts.host.tracker === "ip_conntrack" || (release !== undefined && !isSince(release, "2.6.20"));
  return [
    {
      code: "legacy-key",
      level: "ok",
      title: `${groupDigits(legacy.length)} settings have the old names of ip_conntrack`,
      evidence: evidenceOf({ legacyKeys: legacy.length, first: settingOf(first).legacy?.[0] ?? first }),
      meaning: onlyNames
        ? "This kernel has no others: commands of recent guides (net.netfilter...) fail on it."
        : "Kernels from 4.9 on lack these names: what sets them fails in silence after an upgrade.",
      remedy: onlyNames
        ? []
        : [
            {
              text: "Find the files with old names, and write net.netfilter.nf_conntrack_... instead.",
              command: "grep -rns ip_conntrack /etc/sysctl.conf /etc/sysctl.d",
            },
          ],
    },
  ];
}

/** Whether an origin, its slashes made dots, is this sysctl name or a path that ends in it. */
function endsWithName(origin: string, name: string): boolean {
  return origin === name || origin.endsWith(`.${name}`) || origin.includes(`${name} `);
}

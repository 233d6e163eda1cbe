/** Changes over the hosts of test/fixtures/hosts, composed as the command does it. */
import { fileURLToPath } from "node:url";
import { forecastBoot } from "../../src/boot/boot.ts";
import {
  type Change,
  type ChangeFacts,
  composeChange,
  type Composition,
  type Making,
  overlayFiles,
} from "../../src/change/change.ts";
import type { Settings } from "../../src/table/settings.ts";
import { loadHost, MemoryBootFiles, type MemoryHost } from "./memory-host.ts";

export const HOST_NAMES = [
  "debian-12",
  "ubuntu-ufw",
  "rhel-9-tuned",
  "kube-proxy-node",
  "linux-2.6",
] as const;

export const by = { user: "root", sudoUser: "ann", tty: "pts/0", command: "headroom apply --set a=1" };

export const making: Making = { by, nowMs: () => Date.UTC(2026, 10, 22, 18, 15, 3) };

export function hostNamed(name: string): MemoryHost {
  return loadHost(fileURLToPath(new URL(`../fixtures/hosts/${name}`, import.meta.url)));
}

/** Facts as they are of this host, forecasts by its files. */
export function factsOf(host: MemoryHost, more: Partial<ChangeFacts> = {}): ChangeFacts {
  const kernelRelease = host.text("/proc/sys/kernel/osrelease")?.trim() ?? "6.1.0";
  const old = host.readValue("/proc/sys/net/ipv4/netfilter/ip_conntrack_max") !== undefined;
  return {
    kernelRelease,
    tracker: old ? "ip_conntrack" : "nf_conntrack",
    savedTree: !host.live,
    bucketsFor: (capacityFlows) => Math.ceil(capacityFlows / 512) * 512,
    forecast: (edits) => {
      const files = overlayFiles(new MemoryBootFiles(host.copy()), edits);
      return forecastBoot({ files, kernelRelease, cpus: 16 });
    },
    ...more,
  };
}

export function compose(
  host: MemoryHost,
  wanted: Settings,
  more: Partial<ChangeFacts> & { persist?: boolean } = {},
): Composition {
  const { persist = true, ...facts } = more;
  return composeChange(wanted, factsOf(host, facts), host, { persist });
}

/** The change, where there is one. */
export function changeOf(composition: Composition): Change {
  if (composition.kind === "change") return composition.change;
  throw new Error(`no change: ${JSON.stringify(composition)}`);
}

/**
 * Values that are those of kube-proxy, where its files do not tell: a hint where to look, never a proof.
 */
import type { SettingKey } from "../../table/settings.ts";
import type { Facts } from "../facts.ts";
import { tableFigures } from "../table-figures.ts";

/** kube-proxy's defaults: capacity a core and at least, and the two timeouts it sets. */
const KUBE_PROXY = {
  flowsPerCpu: 32_768,
  flowsMin: 131_072,
  establishedSeconds: 86_400,
  closeWaitSeconds: 3600,
} as const;

/** What it sets. */
export const KUBE_PROXY_KEYS: ReadonlySet<SettingKey> = new Set([
  "nf_conntrack_max",
  "nf_conntrack_buckets",
  "nf_conntrack_tcp_timeout_established",
  "nf_conntrack_tcp_timeout_close_wait",
]);

export function isKubeProxySignature(facts: Facts): boolean {
  const { values } = facts.settings;
  const { cpus } = facts.host;
  const flows = cpus === undefined ? undefined : Math.max(KUBE_PROXY.flowsMin, cpus * KUBE_PROXY.flowsPerCpu);
  return (
    tableFigures(facts).capacityFlows === flows &&
    flows !== undefined &&
    values.nf_conntrack_tcp_timeout_established === KUBE_PROXY.establishedSeconds &&
    values.nf_conntrack_tcp_timeout_close_wait === KUBE_PROXY.closeWaitSeconds
  );
}

/**
 * A plan as the `conntrack` part of a KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), and beside
 * it, in comments, the file of the host that belongs to it. kube-proxy sets what is named there each time it
 * starts, whatever sysctl files say.
 *
 * - The capacity is maxPerCore x cores, or min if that is more; since 1.36 a product above 1,048,576 is cut
 *   to that, whatever min says. So maxPerCore is 1, and min decides everywhere.
 * - Buckets are raised to a quarter of the capacity, never more: they must be set by the host.
 * - 1.23 to 1.28 lower nothing: what the host has set shorter stays, what it has longer as well. All others
 *   set what differs. So timeouts stand in both places.
 * - A field that a release does not know (those of UDP before 1.29) is left out with a warning in its log.
 *
 * Sources, read in the history of Kubernetes: staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go,
 * cmd/kube-proxy/app/conntrack.go, later pkg/proxy/conntrack/sysctls.go (pull requests 103174 and its revert
 * 120448, 137002, 142035), loadConfig in cmd/kube-proxy/app/options.go (82927, 84143), the change log of 1.29
 * (120354, 120808).
 */
import { formatDuration } from "../../table/duration.ts";
import type { SettingKey } from "../../table/settings.ts";
import { commentText, type FormattedPlan, headLines } from "./format-lines.ts";
import { sysctlFile } from "./sysctl-file.ts";

/** Timeouts kube-proxy has a field for. */
const TIMEOUT_FIELDS: readonly { key: SettingKey; field: string; since?: string }[] = [
  { key: "nf_conntrack_tcp_timeout_established", field: "tcpEstablishedTimeout" },
  { key: "nf_conntrack_tcp_timeout_close_wait", field: "tcpCloseWaitTimeout" },
  { key: "nf_conntrack_udp_timeout", field: "udpTimeout", since: "1.29" },
  { key: "nf_conntrack_udp_timeout_stream", field: "udpStreamTimeout", since: "1.29" },
];

/** Lines of the configuration. */
export function kubeProxyConfiguration(formatted: FormattedPlan): string[] {
  const { plan, host, presentCapacityFlows } = formatted;
  const capacityFlows = plan.capacityFlows ?? presentCapacityFlows;
  const fields = [
    ...(capacityFlows === undefined ? [] : capacityFields(capacityFlows)),
    ...TIMEOUT_FIELDS.flatMap(({ key, field, since }) => {
      const planned = plan.settings.find((setting) => setting.key === key);
      if (planned === undefined) return [];
      const version = since === undefined ? "" : ` Since Kubernetes ${since}; older ones leave it out.`;
      return [`# ${commentText(planned.reason)}${version}`, `${field}: ${goDuration(planned.to)}`];
    }),
  ];
  const ofHost = {
    plan: { ...plan, settings: plan.settings.filter(({ key }) => key !== "nf_conntrack_max") },
    host,
    ...(capacityFlows === undefined ? {} : { presentCapacityFlows: capacityFlows }),
  };
  return [
    ...headLines(formatted).map((line) => `# ${commentText(line)}`),
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1",
    "kind: KubeProxyConfiguration",
    fields.length === 0 ? "conntrack: {}" : "conntrack:",
    ...fields.map((line) => `  ${line}`),
    ...(ofHost.plan.settings.length === 0 ? [] : hostLines(ofHost)),
  ];
}

function capacityFields(capacityFlows: number): string[] {
  return [
    "# The capacity is the greater of maxPerCore x cores and min: with 1, min decides.",
    "maxPerCore: 1",
    `min: ${capacityFlows}`,
  ];
}

function hostLines(ofHost: FormattedPlan): string[] {
  return [
    "# The rest belongs into a file of each host: kube-proxy has no field for it, gives the table a bucket",
    "# for every four flows at most, and lowers no value in 1.23 to 1.28.",
    ...sysctlFile(ofHost, "sysctl.d")
      .filter((line) => line !== "")
      .slice(headLines(ofHost).length)
      .map((line) => (line.startsWith("#") ? line : `#   ${line}`)),
  ];
}

/** As time.ParseDuration of Go reads it, which knows no days: `24h`, `1m30s`. */
export function goDuration(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const rest = seconds % 3600;
  return hours === 0 ? formatDuration(rest) : `${hours}h${rest === 0 ? "" : formatDuration(rest)}`;
}

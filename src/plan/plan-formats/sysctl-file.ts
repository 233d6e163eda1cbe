/**
 * A plan as a file of sysctl settings, for sysctl(8) and systemd-sysctl: every line is `name = value`, and
 * what a file of settings cannot do (loading the module, its parameter) stands in comments as the commands
 * that do it.
 *
 * Sources: sysctl.conf(5) of procps, sysctl.d(5) and modules-load.d(5) of systemd, modprobe.d(5).
 */
import type { Host } from "../../table/host.ts";
import {
  commentText,
  type FormattedPlan,
  hashsizeOf,
  headLines,
  isBeforeSystemd,
  moduleOf,
  sysctlSettings,
} from "./format-lines.ts";

export type SysctlPlace = "sysctl.d" | "sysctl.conf";

const PATH = "/etc/sysctl.d/90-headroom.conf";

/** Where the lines go, and what puts them in force. */
function placeLines(host: Host, place: SysctlPlace): string[] {
  if (place === "sysctl.conf") {
    return [
      "For the end of /etc/sysctl.conf (cp -p /etc/sysctl.conf /etc/sysctl.conf.org first), then: sysctl -p",
    ];
  }
  if (!isBeforeSystemd(host)) return [`A file of its own: ${PATH}, then: sysctl --system`];
  return [
    `A file of its own: ${PATH}, then: sysctl -p ${PATH}`,
    "Where the boot reads no sysctl.d (RHEL 5), lines of /etc/sysctl.conf: --format sysctl.conf",
  ];
}

/** How the module comes to be loaded before settings are read. */
function moduleLines(host: Host): string[] {
  const module = moduleOf(host);
  const first =
    "The names are there once the module is loaded. At boot it must be loaded before this file is read:";
  if (!isBeforeSystemd(host)) {
    return [
      first,
      `  echo ${module} > /etc/modules-load.d/headroom.conf    (without systemd: >> /etc/modules)`,
    ];
  }
  const script = "/etc/sysconfig/modules/conntrack.modules";
  return [
    first,
    `  Debian: echo ${module} >> /etc/modules`,
    `  RHEL: echo '/sbin/modprobe ${module}' > ${script}; chmod +x ${script}`,
  ];
}

/** Lines of the file. */
export function sysctlFile(formatted: FormattedPlan, place: SysctlPlace): string[] {
  const settings = sysctlSettings(formatted);
  const hashsize = hashsizeOf(formatted);
  const comments = [
    ...headLines(formatted),
    ...(settings.length === 0 ? [] : placeLines(formatted.host, place)),
  ];
  const module = moduleOf(formatted.host);
  if (settings.length > 0) comments.push(...moduleLines(formatted.host));
  if (hashsize !== undefined) {
    comments.push(
      `This kernel takes the ${hashsize} buckets from its module, now and at boot:`,
      `  echo ${hashsize} > /sys/module/${module}/parameters/hashsize`,
      `  echo 'options ${module} hashsize=${hashsize}' > /etc/modprobe.d/headroom.conf`,
    );
  }
  return [
    ...comments.map((line) => `# ${commentText(line)}`),
    ...settings.flatMap(({ name, value, reason }) => ["", `# ${commentText(reason)}`, `${name} = ${value}`]),
  ];
}

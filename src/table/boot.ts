/**
 * What the next boot will make of the settings: every place that gives one a value, in the order in which it
 * is read, and what comes of it. Plain values; src/boot works them out, others judge, show and change by
 * them.
 */
import type { SettingKey } from "./settings.ts";
import type { Unseen } from "./unseen.ts";

/**
 * Who reads a place, in the order of a boot: the kernel its command line, modprobe the parameters of the
 * module (in the initramfs and afterwards), systemd-sysctl (in the initramfs and afterwards) or, without
 * systemd, sysctl(8) its files; then services. The last ones set values at run time, again and again.
 */
export const DEFINITION_READERS = [
  "kernel-command-line",
  "initramfs",
  "modprobe",
  "systemd-sysctl",
  "procps",
  "ufw",
  "rc-local",
  "tuned",
  "kube-proxy",
  "k3s",
  "rke",
  "docker",
] as const;

export type DefinitionReader = (typeof DEFINITION_READERS)[number];

/** One place that gives a setting a value: a line of a file, or a field of a program's configuration. */
export interface Definition {
  /** As written: `net.netfilter.nf_conntrack_max`, `nf_conntrack.hashsize`, `conntrack.maxPerCore`. */
  name: string;
  /** Absent: a name of the tracker that no kernel has, or that the registry does not know. */
  key?: SettingKey;
  /** The value as written. */
  text: string;
  /** The value it comes to; absent when the text is no whole number or cannot be reckoned. */
  value?: number;
  reader: DefinitionReader;
  /** Path on the host (without the root of a saved tree), and the line, from 1. */
  path: string;
  line?: number;
  /** A leading `-`: systemd-sysctl keeps quiet when this line fails. */
  optional?: true;
}

/** What becomes of a definition at the next boot. */
export type DefinitionFate =
  /** Its value is the one in force when the boot is over. */
  | "wins"
  /** It is set, and a later one sets another value (or the same). */
  | "overridden"
  /** It is read before the tracker is there: the name does not exist yet. */
  | "too-early"
  /** Nobody reads the file at boot: masked, shadowed by a file of the same name, or not in any list. */
  | "not-read"
  /** The kernel will not take it: no such name, not a number, out of range, read-only. */
  | "refused"
  /** Sets it at run time, whatever the boot made of it. */
  | "sets-again";

export interface BootDefinition {
  definition: Definition;
  fate: DefinitionFate;
  /** Why, for people: `masked by /etc/sysctl.d/60-x.conf`, `the module is loaded only later, by iptables`. */
  why?: string;
}

/** One setting after the next boot. */
export interface BootSetting {
  key: SettingKey;
  /** Absent: nobody sets it, or who does cannot be reckoned; the kernel's default applies then. */
  value?: number;
  /** The definition that wins; absent when the value is a consequence (8 x hashsize) or there is none. */
  winner?: Definition;
  /** `hashsize`: the capacity follows from the module's parameter. */
  because?: "hashsize";
  /** Every place that names it, in the order of reading, run-time owners last. */
  definitions: readonly BootDefinition[];
}

/** When the tracker is there. */
export interface TrackerLoad {
  /** `builtin`: always; `early`: before settings are read; `late`: by whoever needs it first; `unknown`. */
  when: "builtin" | "early" | "late" | "unknown";
  /** What loads it: `/etc/modules-load.d/nf.conf:1`, `iptables rules of ufw`. */
  by?: string;
}

export interface BootForecast {
  tracker: TrackerLoad;
  /** Which program reads the sysctl files at boot. */
  sysctlReader: "systemd-sysctl" | "procps" | "unknown";
  /** Settings that anybody names. */
  settings: readonly BootSetting[];
  /** Definitions of the tracker's names that no setting of the registry has. */
  unknown: readonly BootDefinition[];
  /** What could not be looked at (an initramfs image, a directory not permitted). */
  unseen: readonly Unseen[];
}

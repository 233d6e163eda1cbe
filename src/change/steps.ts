/**
 * A change before it is made: what is written at run time and in which order, which files are edited and how,
 * and what has to be said about it. Plain values; compose.ts makes them, apply.ts carries them out.
 */
import type { BootForecast } from "../table/boot.ts";
import type { SettingKey, Settings } from "../table/settings.ts";
import type { FileImage } from "./change-host.ts";

/** One value written at run time. A setting with several names that are different files has several. */
export interface Step {
  key: SettingKey;
  /** As an operator says it: `net.netfilter.nf_conntrack_max`, `hashsize` of a module by its file. */
  name: string;
  /** Its file: `/proc/sys/net/netfilter/nf_conntrack_max`, `/sys/module/nf_conntrack/parameters/hashsize`. */
  path: string;
  /** What it is now. Absent: the module that has it is loaded first, and tells. */
  from?: number;
  to: number;
  /** In a saved tree: the file in which a running kernel would show the value by itself. */
  mirror?: true;
}

/** What becomes of one line of a file. Bytes that are no UTF-8 are shown as U+FFFD here, and kept there. */
export type LineEdit =
  | { kind: "replace"; line: number; from: string; to: string }
  /** A new last line. */
  | { kind: "append"; to: string };

export interface FileEdit {
  /** As the operator knows it: `/etc/sysctl.conf`. */
  path: string;
  /** The file that is written: where a link leads, otherwise the same. */
  target: string;
  /** Absent: the file is new. */
  before?: FileImage;
  after: FileImage;
  /** The copy of `before` that is made first: `/etc/sysctl.conf.org`. Absent for a new file. */
  backup?: string;
  /** Directories that are not there yet, outermost first. */
  directories: readonly string[];
  lines: readonly LineEdit[];
  /** What the file is to the change: `sysctl`, `module options`, `module load`. */
  purpose: "sysctl" | "modprobe" | "modules-load";
}

/** A wanted setting that will not be in force after the next boot, or not for long. */
export interface NotLasting {
  key: SettingKey;
  wanted: number;
  /** What it would be; absent: the kernel's default, or not known. */
  forecast?: number;
  /** Who or what is in the way, for people. */
  why: string;
  /** What to change where, when a program sets it again. */
  change?: string;
}

export interface Change {
  /** What it comes to: what was asked for, and what belongs to it. */
  wanted: Settings;
  /** Settings that were added to what was asked for, and why. */
  added: readonly { key: SettingKey; value: number; why: string }[];
  /** The module loaded before anything else. */
  module?: string;
  steps: readonly Step[];
  files: readonly FileEdit[];
  /** False: run time only. */
  persist: boolean;
  /** With `persist`: empty when the boot, simulated on the edited files, gives every wanted value. */
  notLasting: readonly NotLasting[];
  /** Sentences for people, in the order of importance. */
  notes: readonly string[];
}

export type RefusalCode =
  /** This kernel has no such setting. */
  | "no-such-setting"
  | "read-only"
  /** The setting is the host's, and this is another namespace. */
  | "other-namespace"
  | "out-of-range"
  /** No file was found, or may be edited, by which the next boot would give the value. */
  | "cannot-last"
  | "not-writable"
  /** A value or a file is no longer what it was. */
  | "moved"
  /** An earlier change was interrupted, or waits to be confirmed. */
  | "unfinished-change"
  /** A newer change touches the same; it goes first. */
  | "newer-change"
  | "no-such-change"
  | "already-taken-back"
  /** Confirming what does not wait. */
  | "not-waiting"
  /** Somebody else is changing something now. */
  | "busy"
  /** The receipt could not be written, so nothing was. */
  | "no-receipt"
  /** The guard that would take the change back could not be started. */
  | "no-guard";

/** Why nothing was done. Nothing was written. */
export interface Refusal {
  code: RefusalCode;
  /** What was tried, on what, what was found. */
  message: string;
  /** What to do. */
  help?: string;
  key?: SettingKey;
  path?: string;
}

export type Composition =
  | { kind: "change"; change: Change }
  /** Every value is right already, now and (with `persist`) at the next boot but for `notLasting`. */
  | { kind: "nothing-to-do"; notLasting: readonly NotLasting[]; notes: readonly string[] }
  | { kind: "refused"; refusal: Refusal };

/** A file as the boot simulation is to see it. */
export interface OverlaidFile {
  /** The file itself, no link. */
  path: string;
  bytes: Uint8Array;
  /** Of a new file; absent: as it is. */
  executable?: boolean;
}

/** What a change is composed from. */
export interface ChangeFacts {
  /** `uname -r`. */
  kernelRelease?: string;
  tracker: "nf_conntrack" | "ip_conntrack" | "none" | "unknown";
  /** Absent when it cannot be told; it is taken as the initial one then. */
  initialNamespace?: boolean;
  /** A saved tree: modules cannot be loaded, and what is not there cannot be written. */
  savedTree: boolean;
  /** Sizes that this kernel chooses itself, where that is known: what a boot gives if nobody sets them. */
  ownSizes?: Settings;
  /** Buckets that belong to a capacity. */
  bucketsFor(capacityFlows: number): number;
  /** The boot of this host with these files in place of its own, or besides them: see overlayFiles. */
  forecast(edits: readonly OverlaidFile[]): BootForecast;
}

export interface ChangeWishes {
  /** False: run time only (`--no-persist`). */
  persist: boolean;
}

/**
 * Which names of settings a kernel has, and what it takes for them.
 */
import { isSince, type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type SettingKey, settingOf, sysctlNames } from "../table/settings.ts";
import type { BootFiles } from "./boot-input.ts";
import { wholeNumber } from "./kernel-number.ts";

/** First kernels with the names of the new generation, and the first without those of the old one. */
const MODERN_SINCE = "2.6.20";
const LEGACY_UNTIL = "4.9";
const BUCKETS_WRITABLE_SINCE = "4.7";
/** Since then the capacity has bounds; before, a negative number was a very large one. */
const CAPACITY_BOUND_SINCE = "6.16";
const CAPACITY_NOT_ZERO_SINCE = "6.19";
/** Since then a switch is 0 or 1 (or 2); before, any number. */
const SWITCHES_BOUND_SINCE = "5.13";

const INT_MAX = 2_147_483_647;

/** Where the tracker has names, under /proc/sys. */
const DIRECTORIES = ["net", "net/netfilter", "net/ipv4", "net/ipv4/netfilter"] as const;

const keyByTarget: ReadonlyMap<string, SettingKey> = new Map(
  SETTING_KEYS.flatMap((key) =>
    sysctlNames(settingOf(key)).map((name): [string, SettingKey] => [name.replaceAll(".", "/"), key]),
  ),
);

/** The setting behind a path under /proc/sys. */
export function keyOfTarget(target: string): SettingKey | undefined {
  return keyByTarget.get(target);
}

/** Whether a name means the tracker, known or not. */
export function isTrackerName(target: string): boolean {
  return keyByTarget.has(target) || /(^|[/.])((nf|ip)_conntrack|nf_flowtable)/.test(target);
}

/** The kernel of the next boot, as far as its names go. */
export class TrackerNames {
  readonly #release: KernelRelease | undefined;
  readonly #files: BootFiles;
  readonly #sinces = new Map<string, boolean>();
  #targets: ReadonlySet<string> | undefined;

  constructor(files: BootFiles, kernelRelease: string | undefined) {
    this.#files = files;
    this.#release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  }

  /** Every path under /proc/sys that the tracker of this kernel has: what a pattern can match. */
  all(): readonly string[] {
    const known = [...keyByTarget.keys()].filter((target) => this.has(target));
    const others = [...this.#seen()].filter((target) => isTrackerName(target));
    return [...new Set([...known, ...others])].toSorted();
  }

  /** What /proc/sys has where the tracker has its names: listed, for one look is cheaper than a hundred. */
  #seen(): ReadonlySet<string> {
    this.#targets ??= new Set(
      DIRECTORIES.flatMap((directory) => {
        const listing = this.#files.list(`/proc/sys/${directory}`);
        return "names" in listing ? listing.names.map((name) => `${directory}/${name}`) : [];
      }),
    );
    return this.#targets;
  }

  /** Whether this kernel has it: seen in /proc/sys, or by release. */
  has(target: string): boolean {
    const key = keyByTarget.get(target);
    if (this.#seen().has(target)) return true;
    if (key === undefined) return false;
    const setting = settingOf(key);
    const legacy = setting.legacy?.includes(target.replaceAll("/", ".")) === true;
    if (legacy) return this.#isBefore(LEGACY_UNTIL);
    return (
      this.#isFrom(setting.since) &&
      this.#isFrom(MODERN_SINCE) &&
      (setting.until === undefined || this.#isBefore(setting.until))
    );
  }

  /** Why the kernel does not take a value for a path under /proc/sys; undefined when it does. */
  refusal(target: string, text: string): string | undefined {
    if (!this.has(target)) return this.#missing(target);
    const key = keyByTarget.get(target);
    if (key === undefined) return undefined;
    const { readOnly, min, max, unit } = settingOf(key);
    if (readOnly === true) return "it can only be read";
    if (key === "nf_conntrack_buckets" && this.#isBefore(BUCKETS_WRITABLE_SINCE)) {
      return `it can only be read before ${BUCKETS_WRITABLE_SINCE}; hashsize of the module sets it`;
    }
    const value = wholeNumber(text);
    if (value === undefined) return text === "" ? "it has no value" : `${shown(text)} is not a whole number`;
    if (key === "nf_conntrack_max") return this.#capacityRefusal(value);
    const bound = unit === "flag" || key === "nf_conntrack_events" || key === "nf_conntrack_log_invalid";
    if (bound && this.#isBefore(SWITCHES_BOUND_SINCE)) return undefined;
    // A timeout below zero is taken, and means that flows have expired when they begin.
    const least = unit === "seconds" ? -max : min;
    return value < least || value > max ? `${value} is not within ${least} to ${max}` : undefined;
  }

  #capacityRefusal(value: number): string | undefined {
    const min = this.#isFrom(CAPACITY_NOT_ZERO_SINCE) && this.#release !== undefined ? 1 : 0;
    if (value > INT_MAX) return `${value} is above ${INT_MAX}`;
    if (value >= min || this.#isBefore(CAPACITY_BOUND_SINCE)) return undefined;
    return `${value} is below ${min}`;
  }

  #missing(target: string): string {
    const name = target.replaceAll("/", ".");
    const which = this.#release === undefined ? "the kernel" : `kernel ${this.#release.text}`;
    return keyByTarget.has(target) ? `${which} has no ${name}` : `no kernel has ${name}`;
  }

  #isFrom(since: string): boolean {
    return this.#release === undefined || this.#isSince(this.#release, since);
  }

  #isBefore(until: string): boolean {
    return this.#release !== undefined && !this.#isSince(this.#release, until);
  }

  /** A hundred names have a handful of kernels between them. */
  #isSince(release: KernelRelease, since: string): boolean {
    const known = this.#sinces.get(since);
    if (known !== undefined) return known;
    const found = isSince(release, since);
    this.#sinces.set(since, found);
    return found;
  }
}

function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

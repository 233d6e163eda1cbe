/**
 * What is written at run time: which files of /proc/sys and /sys a setting has on this kernel, what is in
 * them, and in which order they are written.
 */
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import {
  settingOf,
  type Setting,
  type SettingKey,
  type Settings,
  sysctlNames,
  sysctlPath,
} from "../table/settings.ts";
import type { ChangeHost } from "./change-host.ts";
import { readNumber } from "./standing.ts";
import type { ChangeFacts, Refusal, Step } from "./steps.ts";

/** Since then `nf_conntrack_buckets` can be written; before, only the module's parameter. */
const BUCKETS_WRITABLE_SINCE = "4.7";
/**
 * A table without a limit grows until the kernel has no memory left, by whoever sends enough; and a file that
 * says 0 is refused by the next kernel that is installed (a minimum of 1 in nf_conntrack_standalone.c).
 */
const NO_LIMIT =
  "0 is no limit up to kernel 6.18, so that flows can take all memory, and is refused since 6.19";
const NO_LIMIT_HELP = "Give the number of flows; `headroom plan` finds one for this host";

/** A setting under one of its names. */
export interface Place {
  name: string;
  path: string;
}

/** Whether the bucket count is set by `hashsize`, at run time and at boot. */
export function bucketsByParameter({ kernelRelease, tracker }: ChangeFacts): boolean {
  if (tracker === "ip_conntrack") return true;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  return release !== undefined && !isSince(release, BUCKETS_WRITABLE_SINCE);
}

/**
 * Where a setting can be written on this host, the name of choice first. Names of one variable are one place
 * on a running kernel; in a saved tree they are files of their own, and each is written.
 */
export function placesOf(key: SettingKey, facts: ChangeFacts, host: ChangeHost): readonly Place[] {
  const found = candidatesOf(key, facts).filter(({ path }) => host.readValue(path) !== undefined);
  const native = found.filter(
    ({ name }) => name.includes("ip_conntrack") === (facts.tracker === "ip_conntrack"),
  );
  return native.length > 0 ? [...native, ...found.filter((place) => !native.includes(place))] : found;
}

function candidatesOf(key: SettingKey, facts: ChangeFacts): readonly Place[] {
  const names = sysctlNames(settingOf(key)).map((name) => ({ name, path: sysctlPath(name) }));
  if (key !== "nf_conntrack_buckets") return names;
  const parameters = parameterPlaces();
  if (facts.savedTree)
    return bucketsByParameter(facts) ? [...parameters, ...names] : [...names, ...parameters];
  return bucketsByParameter(facts) ? parameters : names;
}

function parameterPlaces(): readonly Place[] {
  const { moduleParameter }: Setting = settingOf("hashsize");
  if (moduleParameter === undefined) return [];
  const { path, legacyPath } = moduleParameter;
  return (legacyPath === undefined ? [path] : [path, legacyPath]).map((each) => ({ name: each, path: each }));
}

/** The name to write into a file for the next boot: one that is here now, else by the kernel's age. */
export function nameOfChoice(key: SettingKey, facts: ChangeFacts, host: ChangeHost): string {
  const names = sysctlNames(settingOf(key));
  const here = placesOf(key, facts, host).find(({ path }) => path.startsWith("/proc/sys/"));
  if (here !== undefined) return here.name;
  const wanted = names.find((name) => name.includes("ip_conntrack") === (facts.tracker === "ip_conntrack"));
  return wanted ?? names[0] ?? key;
}

/**
 * The module that has the settings, the likeliest first. Until 4.18 the timeouts came with its IPv4 half; but
 * RHEL 8.3 joined the two in its 4.18, so what the kernel's directory has counts for more than its age.
 */
export function modulesOf({ tracker, kernelRelease }: ChangeFacts, host: ChangeHost): readonly string[] {
  if (tracker === "ip_conntrack") return ["ip_conntrack"];
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  if (release === undefined || isSince(release, "4.19")) return ["nf_conntrack"];
  if (!isSince(release, "2.6.20")) return ["ip_conntrack"];
  const there = host.list(`/lib/modules/${kernelRelease}/kernel/net/ipv4/netfilter`);
  const joined = there.length > 0 && !there.some((name) => name.startsWith("nf_conntrack_ipv4.ko"));
  return joined ? ["nf_conntrack"] : ["nf_conntrack_ipv4", "nf_conntrack"];
}

/** What the running kernel has for a setting; undefined when it has no such thing. */
export function presentValue(key: SettingKey, facts: ChangeFacts, host: ChangeHost): number | undefined {
  const [place] = placesOf(key, facts, host);
  return place === undefined ? undefined : readNumber(host, place.path);
}

/** Why a setting cannot be written here at all. */
export function whyNotSettable(
  key: SettingKey,
  to: number,
  facts: ChangeFacts,
  host: ChangeHost,
): Refusal | undefined {
  const setting = settingOf(key);
  const tried = `Cannot set ${key} to ${to}`;
  if (setting.readOnly === true) return { code: "read-only", message: `${tried}: it is read-only`, key };
  if (!Number.isInteger(to) || to < setting.min || to > setting.max) {
    const message = `${tried}: it takes whole numbers from ${setting.min} to ${setting.max}`;
    return { code: "out-of-range", message, key };
  }
  if (key === "nf_conntrack_max" && to === 0) {
    return { code: "out-of-range", message: `${tried}: ${NO_LIMIT}`, help: NO_LIMIT_HELP, key };
  }
  if (setting.scope === "host" && facts.initialNamespace === false) {
    const why = "it is one value for the whole host and cannot be written in this network namespace";
    const message = `${tried}: ${why}`;
    return { code: "other-namespace", message, help: "Run headroom on the host itself", key };
  }
  if (placesOf(key, facts, host).length > 0 || settableOnceLoaded(key, facts)) return undefined;
  const kernel = facts.kernelRelease === undefined ? "this kernel" : `kernel ${facts.kernelRelease}`;
  return { code: "no-such-setting", message: `${tried}: ${kernel} has no such setting`, key };
}

/** Not there now, but it will be when the module is: by the kernel's age. */
function settableOnceLoaded(key: SettingKey, facts: ChangeFacts): boolean {
  if (!facts.savedTree && facts.tracker !== "none") return false;
  const release = facts.kernelRelease === undefined ? undefined : parseKernelRelease(facts.kernelRelease);
  if (release === undefined) return true;
  const { since, until } = settingOf(key);
  return isSince(release, since) && (until === undefined || !isSince(release, until));
}

/** The steps, in a safe order; values that are right already are left out. */
export function runSteps(
  wanted: Settings,
  facts: ChangeFacts,
  host: ChangeHost,
): { steps: readonly Step[]; module?: string } {
  let module: string | undefined;
  const steps = keysInOrder(wanted, facts, host).flatMap((key): readonly Step[] => {
    const to = wanted[key];
    if (to === undefined) return [];
    const places = placesOf(key, facts, host);
    if (places.length > 0) return stepsAt(key, to, places, facts, host);
    if (facts.savedTree) return [];
    module = modulesOf(facts, host)[0];
    const [place] = candidatesOf(key, facts);
    return place === undefined ? [] : [{ key, ...place, to }];
  });
  return { steps, ...(module === undefined ? {} : { module }) };
}

function stepsAt(
  key: SettingKey,
  to: number,
  places: readonly Place[],
  facts: ChangeFacts,
  host: ChangeHost,
): readonly Step[] {
  return places.flatMap((place, index): readonly Step[] => {
    const from = readNumber(host, place.path);
    if (from === undefined || isRight(key, from, to, facts)) return [];
    const step = { key, ...place, from, to };
    return key === "nf_conntrack_buckets" && index > 0 ? [{ ...step, mirror: true }] : [step];
  });
}

/** The kernel makes whole pages of a bucket count; what it would make of it is right, too. */
export function isRight(key: SettingKey, found: number, wanted: number, facts: ChangeFacts): boolean {
  if (found === wanted) return true;
  return (key === "nf_conntrack_buckets" || key === "hashsize") && found === facts.bucketsFor(wanted);
}

/**
 * Buckets before the capacity, so that chains are never longer than before or after; but a capacity that is
 * lowered goes first. Everything else in the order of the registry.
 */
export function keysInOrder(wanted: Settings, facts: ChangeFacts, host: ChangeHost): readonly SettingKey[] {
  const keys = Object.keys(wanted) as SettingKey[];
  const sizes: SettingKey[] = ["nf_conntrack_buckets", "nf_conntrack_max"];
  const present = presentValue("nf_conntrack_max", facts, host);
  const lowered = isLowered(present, wanted.nf_conntrack_max);
  const first = (lowered ? sizes.toReversed() : sizes).filter((key) => keys.includes(key));
  return [...first, ...keys.filter((key) => !sizes.includes(key))];
}

/** Down from what it is, where 0 is no limit, and more than any. */
export function isLowered(present: number | undefined, wanted: number | undefined): boolean {
  if (present === undefined || wanted === undefined) return false;
  return wanted < (present || Infinity);
}

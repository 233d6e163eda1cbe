/**
 * From wanted settings to a change. Reads through the host and writes nothing. What is right already is left
 * alone, now and at the next boot; a capacity is given the buckets that belong to it; what another
 * program sets again is said with what to change there; and where nothing could be written that was to last,
 * it is refused.
 */
import { settingOf, type SettingKey, type Settings, sysctlNames } from "../table/settings.ts";
import type { ChangeHost } from "./change-host.ts";
import { bootValue, type Lasting, makeLasting } from "./lasting.ts";
import { bucketsByParameter, isLowered, presentValue, runSteps, whyNotSettable } from "./run-steps.ts";
import { readNumber } from "./standing.ts";
import type {
  Change,
  ChangeFacts,
  ChangeWishes,
  Composition,
  FileEdit,
  NotLasting,
  Refusal,
  Step,
} from "./steps.ts";

const NOTHING: Lasting = { files: [], notLasting: [], notes: [], isWritten: true };

const FOR_NOW = "With --no-persist it is set for now only";

const WITH_HASHSIZE =
  "The capacity is kept as it is by a line of its own: hashsize at load makes it 8 times the buckets";

const COUNTS = [
  "/proc/sys/net/netfilter/nf_conntrack_count",
  "/proc/sys/net/ipv4/netfilter/ip_conntrack_count",
];

/** The change that brings the wanted values about, or why there is none. */
export function composeChange(
  asked: Settings,
  facts: ChangeFacts,
  host: ChangeHost,
  { persist }: ChangeWishes,
): Composition {
  const wanted = withoutHashsize(asked);
  for (const key of Object.keys(wanted) as SettingKey[]) {
    const refusal = whyNotSettable(key, wanted[key] ?? 0, facts, host);
    if (refusal !== undefined) return { kind: "refused", refusal };
  }
  const buckets = bucketsThatBelong(wanted, facts, host, persist);
  const all: Settings = buckets === undefined ? wanted : { ...wanted, nf_conntrack_buckets: buckets.value };
  const run = runSteps(all, facts, host);
  const atBoot = withCapacity(all, facts, host);
  const lasting = persist ? makeLasting(atBoot, facts, host) : NOTHING;
  const { files } = lasting;
  // Where there is neither a place for the buckets now nor a file for them, they were not added.
  const isHeld = run.steps.some(isBuckets) || files.some(namesBuckets);
  const added = buckets === undefined || !isHeld ? [] : [buckets];
  const notLasting =
    added.length === 0 &&
    buckets !== undefined &&
    presentValue("nf_conntrack_buckets", facts, host) === undefined
      ? lasting.notLasting.filter((row) => !isBuckets(row))
      : lasting.notLasting;
  const blocked = notLasting.find(({ change }) => change === undefined);
  if (blocked !== undefined && files.length === 0 && !lasting.isWritten)
    return { kind: "refused", refusal: cannotLast(blocked) };
  if (run.steps.length + files.length === 0) {
    return { kind: "nothing-to-do", notLasting, notes: lasting.notes };
  }
  const change: Change = {
    wanted: all,
    added,
    ...run,
    files,
    persist,
    notLasting,
    notes: [
      ...notesOf(all, run.steps, facts, host),
      ...(atBoot !== all && writesCapacity(lasting) ? [WITH_HASHSIZE] : []),
      ...files.flatMap((file) => linkNotes(file, host)),
      ...lasting.notes,
    ],
  };
  return { kind: "change", change };
}

/** The module's parameter and the sysctl are one number; the sysctl's name stands for both. */
function withoutHashsize(asked: Settings): Settings {
  const { hashsize, ...rest } = asked;
  if (hashsize === undefined || rest.nf_conntrack_buckets !== undefined) return rest;
  return { ...rest, nf_conntrack_buckets: hashsize };
}

/**
 * The buckets that belong to a capacity, unless they were asked for, or are there already: one for each flow.
 * Long chains cost time, and since 5.15 they lose new flows in silence.
 */
function bucketsThatBelong(
  wanted: Settings,
  facts: ChangeFacts,
  host: ChangeHost,
  persist: boolean,
): Change["added"][number] | undefined {
  const capacity = wanted.nf_conntrack_max;
  if (capacity === undefined || wanted.nf_conntrack_buckets !== undefined) return undefined;
  const present = presentValue("nf_conntrack_max", facts, host);
  if (isLowered(present, capacity)) return undefined;
  const forecast = persist ? facts.forecast([]) : undefined;
  const capacityAtBoot = forecast && bootValue("nf_conntrack_max", forecast, facts);
  // Neither now nor at boot is it any more than it was.
  if (present === capacity && (!persist || capacityAtBoot === capacity)) return undefined;
  const key = "nf_conntrack_buckets";
  const needed = facts.bucketsFor(capacity);
  const buckets = presentValue(key, facts, host);
  const why = "one for each flow of the new capacity";
  if (buckets === undefined || buckets < needed) return { key, value: needed, why };
  if (forecast === undefined) return undefined;
  // They are there now; whether they are after a boot is another question.
  const atBoot = bootValue(key, forecast, facts);
  return atBoot !== undefined && atBoot >= needed ? undefined : { key, value: buckets, why };
}

/** `hashsize` at load also sets the capacity, 8 flows a bucket: so the capacity is written with it. */
function withCapacity(wanted: Settings, facts: ChangeFacts, host: ChangeHost): Settings {
  if (wanted.nf_conntrack_buckets === undefined || wanted.nf_conntrack_max !== undefined) return wanted;
  if (!bucketsByParameter(facts)) return wanted;
  const present = presentValue("nf_conntrack_max", facts, host);
  return present === undefined ? wanted : { ...wanted, nf_conntrack_max: present };
}

function cannotLast({ key, wanted, forecast, why }: NotLasting): Refusal {
  const sysctl = sysctlNames(settingOf(key))[0] ?? key;
  const then = forecast === undefined ? "" : ` (the next boot would make it ${forecast})`;
  return {
    code: "cannot-last",
    message: `Cannot make ${sysctl} = ${wanted} last: ${why}${then}`,
    help: `${FOR_NOW}; headroom verify ${key} shows every place that sets it`,
    key,
  };
}

/** A file is put in place by renaming: its other names would have to be written in place, in halves. */
function linkNotes({ path, target, before }: FileEdit, host: ChangeHost): readonly string[] {
  const look = before === undefined ? undefined : host.look(target);
  const more = (look?.kind === "file" ? (look.links ?? 1) : 1) - 1;
  if (more < 1) return [];
  const names =
    more === 1 ? "another name (a hard link), which keeps" : `${more} more hard links, which keep`;
  return [`${path} has ${names} the old content, and is a file of its own afterwards`];
}

function notesOf(
  wanted: Settings,
  steps: readonly Step[],
  facts: ChangeFacts,
  host: ChangeHost,
): readonly string[] {
  const notes: string[] = [];
  const capacity = wanted.nf_conntrack_max;
  const occupancy = COUNTS.map((path) => readNumber(host, path)).find((count) => count !== undefined);
  if (capacity !== undefined && occupancy !== undefined && occupancy >= capacity) {
    notes.push(
      `The table holds ${grouped(occupancy)} flows: ` +
        `at a capacity of ${grouped(capacity)} new ones are dropped`,
    );
  }
  if (steps.some(({ key }) => settingOf(key).unit === "seconds")) {
    notes.push("Flows that are there keep their old timeout until their next packet");
  }
  const keys = Object.keys(wanted) as SettingKey[];
  if (facts.savedTree && keys.every((key) => presentValue(key, facts, host) === undefined)) {
    notes.push("This tree has no running values: only files are changed");
  }
  return notes;
}

function isBuckets({ key }: { key: SettingKey }): boolean {
  return key === "nf_conntrack_buckets";
}

function namesBuckets({ lines }: FileEdit): boolean {
  return lines.some(({ to }) => /hashsize|_buckets/.test(to));
}

function writesCapacity({ files }: Lasting): boolean {
  return files.some(({ lines }) => lines.some(({ to }) => to.includes("_conntrack_max")));
}

/** `1,210,856`. */
function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/**
 * What the next boot makes of the values in force: which are lost, and which files of the operator's have no
 * effect because they are read too early.
 */
import type { Definition } from "../../table/boot.ts";
import { formatDuration } from "../../table/duration.ts";
import type { Finding, Remedy } from "../../table/finding.ts";
import { type SettingKey, settingOf, sysctlNames } from "../../table/settings.ts";
import {
  bootOutlook,
  type BootOutlook,
  isDifferent,
  isWithoutEffect,
  type OutlookRow,
  ownerOf,
  tooEarly,
} from "../boot-outlook.ts";
import type { Facts } from "../facts.ts";
import { tableFigures } from "../table-figures.ts";
import { groupDigits } from "../wording.ts";
import { isKubeProxySignature, KUBE_PROXY_KEYS } from "./kube-proxy-signature.ts";
import { shellWord } from "../../table/shell-word.ts";
import { ownerName, ownerRemedy } from "./owner-remedy.ts";
import { evidenceOf } from "./rule.ts";

/**
 * `lost-at-boot`: a value in force will be another after the next boot. A warning only where nothing keeps a
 * size or a timeout that somebody chose; what differs otherwise is worth knowing.
 */
export function lostAtBoot(facts: Facts): readonly Finding[] {
  const outlook = outlookOf(facts);
  if (outlook === undefined) return [];
  const rows = outlook.rows.filter((row) => isLost(facts, row)).toSorted(byWeight);
  const [first] = rows;
  if (first === undefined) return [];
  const early = tooEarly(first);
  return [
    {
      code: "lost-at-boot",
      level: isCertain(facts) && rows.some(isGrave) ? "warning" : "ok",
      title: titleOf(rows, first),
      evidence: evidenceOf({
        settings: rows.length,
        key: first.key,
        now: first.now,
        afterBoot: first.after,
        ...(early === undefined ? {} : { path: placeOf(early), wanted: early.value }),
        keys: rows.map(({ key }) => key).join(" "),
      }),
      meaning: meaningOf(facts, first),
      remedy: [...keepValues(facts, rows), ...ownerRemedies(rows), lookAtBoot(facts)],
    },
  ];
}

/** The outlook of the next boot; undefined where none was made or the namespace has no boot of its own. */
export function outlookOf(facts: Facts): BootOutlook | undefined {
  const { boot, host, settings } = facts;
  if (boot === undefined || host.initialNamespace === false) return undefined;
  return bootOutlook({ boot, host, settings });
}

/** `headroom verify`, for whoever wants to see all of it. */
export function lookAtBoot(facts: Facts): Remedy {
  return {
    text: "See who sets what at the next boot, in the order in which it is read.",
    command: `headroom verify${rootOption(facts)}`,
  };
}

/** Leads a command to the same saved host. */
function rootOption({ host }: Facts): string {
  return host.root === undefined ? "" : ` --root ${shellWord(host.root)}`;
}

/** `/etc/sysctl.d/60-x.conf:2`. */
export function placeOf({ path, line }: Definition): string {
  return line === undefined ? path : `${path}:${line}`;
}

/** The name people know a setting by: its sysctl without the path. */
export function shortName(key: SettingKey): string {
  const [name = key] = sysctlNames(settingOf(key));
  return name.replace(/^.*\./, "");
}

/** `262,144`, `1d`. */
export function valueText(key: SettingKey, value: number): string {
  return settingOf(key).unit === "seconds" ? formatDuration(value) : groupDigits(value);
}

function isLost(facts: Facts, row: OutlookRow): boolean {
  // Values of a kube-proxy whose configuration could not be found are not lost: it sets them again.
  const unseenOwner = row.definitions.length === 0 && KUBE_PROXY_KEYS.has(row.key);
  if (unseenOwner && isKubeProxySignature(facts)) return false;
  return isDifferent(row) || isWithoutEffect(row);
}

/** A size that will be smaller, a timeout that will be another, a file without effect. */
function isGrave(row: OutlookRow): boolean {
  const isSize = row.key === "nf_conntrack_max" || row.key === "nf_conntrack_buckets";
  if (!isSize && settingOf(row.key).unit !== "seconds") return false;
  if (isWithoutEffect(row)) return true;
  const { now = 0, after = 0 } = row;
  return isSize ? now > after : row.troubles.includes("lost");
}

/** Whether every file that could keep a value was there to be read. */
function isCertain({ boot }: Facts): boolean {
  return !(boot?.unseen ?? []).some(({ cause }) => cause === "not-permitted" || cause === "incomplete");
}

/** Grave ones first, then the order of the registry, in which the sizes lead. */
function byWeight(one: OutlookRow, other: OutlookRow): number {
  return Number(isGrave(other)) - Number(isGrave(one));
}

function titleOf(rows: readonly OutlookRow[], first: OutlookRow): string {
  const name = shortName(first.key);
  if (rows.length > 1) return `${rows.length} settings change at the next boot: ${name}, ...`;
  const { now, after } = first;
  if (now !== undefined && after !== undefined && now !== after) {
    const [present, next] = [valueText(first.key, now), valueText(first.key, after)];
    return `After the next boot ${name} is ${next}, not ${present}`;
  }
  if (first.isNoMore === true && now !== undefined)
    return `After the next boot ${name} is no longer ${valueText(first.key, now)}`;
  const early = tooEarly(first);
  const value = early?.value === undefined ? "" : ` = ${valueText(first.key, early.value)}`;
  return `Set too early, so without effect: ${name}${value}`;
}

function meaningOf(facts: Facts, row: OutlookRow): string {
  const early = tooEarly(row);
  if (early !== undefined) {
    const by = facts.boot?.tracker.by;
    const until = by === undefined ? "by whoever needs it first" : `by ${by}`;
    return (
      `${placeOf(early)} is read before the tracker is there: the module is loaded only later, ${until}, ` +
      "and until then the name does not exist."
    );
  }
  const name = shortName(row.key);
  if (row.from === "default") return `Nothing sets ${name} at boot, so the kernel's default comes back.`;
  if (row.from === "hashsize")
    return "The capacity follows from hashsize, which makes it 8 times the buckets.";
  const { winner } = row;
  if (winner === undefined) return `Nothing that can be seen here sets ${name} to that at boot.`;
  const owner = ownerOf(row);
  const when = owner === undefined ? "at boot" : `whenever ${ownerName(owner.reader)} starts`;
  return `${placeOf(winner)} sets it to ${setText(row, winner)} ${when}; the value in force was set since.`;
}

/** What it comes to, with the text where that is another number: of one processor, as hex. */
function setText({ key, after }: OutlookRow, { name, text, value }: Definition): string {
  if (after === undefined) return text;
  const said = value === undefined || text === String(value) ? "" : ` (${name} ${text})`;
  return `${valueText(key, after)}${said}`;
}

/** A file of the host does not keep what a service sets again. */
function ownerRemedies(rows: readonly OutlookRow[]): readonly Remedy[] {
  const owners = rows.flatMap((row) => (isDifferent(row) ? (ownerOf(row) ?? []) : []));
  const byPath = new Map(owners.map((owner) => [`${owner.reader} ${owner.path}`, owner]));
  return [...byPath.values()].map((owner) => ownerRemedy(owner));
}

/** One command that keeps what is in force, and brings about what a file wants where nothing is lost. */
function keepValues(facts: Facts, rows: readonly OutlookRow[]): readonly Remedy[] {
  const ours = rows.filter((row) => ownerOf(row) === undefined);
  const wanted = ours.flatMap((row) => {
    const value = isDifferent(row) ? row.now : tooEarly(row)?.value;
    return value === undefined ? [] : [{ key: row.key, value }];
  });
  const kept = ours.filter((row) => isDifferent(row)).length;
  // The capacity is never set without its buckets.
  const { bucketCount } = tableFigures(facts);
  const alone = wanted.some(({ key }) => key === "nf_conntrack_max") && !wanted.some(isBuckets);
  if (alone && bucketCount !== undefined) wanted.unshift({ key: "nf_conntrack_buckets", value: bucketCount });
  if (wanted.length === 0) return [];
  const words = wanted.map(({ key, value }) => `--set ${shortName(key)}=${value}`);
  const what = kept === 0 ? "Set what the files want" : "Keep the values";
  const others = kept > 0 && kept < ours.length ? ", and set what files want besides" : "";
  return [
    {
      text: `${what}${others}, for this boot and the next.`,
      command: `headroom apply${rootOption(facts)} ${words.join(" ")}`,
    },
  ];
}

function isBuckets({ key }: { key: SettingKey }): boolean {
  return key === "nf_conntrack_buckets";
}

/**
 * Rules for settings: one has another value than it had, or one that somebody chose is gone after a boot.
 */
import { groupDigits } from "../plan/plan.ts";
import { formatDuration } from "../table/duration.ts";
import { type SettingKey, settingOf } from "../table/settings.ts";
import type { AlertFacts, Condition } from "./alert-condition.ts";
import { figuresOf } from "./alert-figures.ts";
import type { AlertOptions } from "./alert-options.ts";
import type { SettingChange } from "./history.ts";

/** A value as people read it: `5d` for seconds, `262,144` for the others. */
function valueText(key: SettingKey, value: number): string {
  return settingOf(key).unit === "seconds" ? formatDuration(value) : groupDigits(value);
}

/** A change is told for so long; the alert then stays for its `clearSeconds`. */
const CHANGE_SEEN_MS = 60_000;

/** Changes of one setting that belong together: from a value on, until that is back or nobody touches it. */
interface Course {
  first: SettingChange;
  last: SettingChange;
  changes: number;
}

/** The last course of changes; changes farther apart than `quietMs` do not belong together. */
function courseOf(changes: readonly SettingChange[], quietMs: number): Course | undefined {
  let course: Course | undefined;
  for (const last of changes) {
    const begins =
      course === undefined || course.first.from === course.last.to || last.atMs - course.last.atMs > quietMs;
    course =
      begins || course === undefined
        ? { first: last, last, changes: 1 }
        : { first: course.first, last, changes: course.changes + 1 };
  }
  return course;
}

/**
 * `setting-changed`: an event; it is told for a while and then over, and at once when the setting has the
 * value again that it had before. The suspects are its evidence.
 */
export function settingChanged(facts: AlertFacts, options: AlertOptions): readonly Condition[] {
  const byKey = Map.groupBy(
    facts.changes.toSorted((one, two) => one.atMs - two.atMs),
    ({ key }) => key,
  );
  // The module's parameter is the same variable as the sysctl of the buckets.
  if (byKey.has("nf_conntrack_buckets")) byKey.delete("hashsize");
  const quietMs = options.rules["setting-changed"].clearSeconds * 1000 + CHANGE_SEEN_MS;
  return [...byKey.values()].flatMap((changes): readonly Condition[] => {
    const course = courseOf(changes, quietMs);
    if (course === undefined) return [];
    const { first, last } = course;
    const found = facts.state.facts.settings.values[first.key];
    const isBack =
      first.from !== undefined &&
      (first.from === last.to || (found === first.from && facts.nowMs - last.atMs > CHANGE_SEEN_MS));
    if (isBack) return [backAgain(course)];
    return facts.nowMs - last.atMs <= CHANGE_SEEN_MS ? [changedBy(course)] : [];
  });
}

function changedBy({ first, last, changes }: Course): Condition {
  const { key, from } = first;
  const { to, suspects } = last;
  const was = from === undefined ? undefined : valueText(key, from);
  const is = to === undefined ? "gone" : valueText(key, to);
  const title =
    was === undefined
      ? `${key} is there now: ${is}`
      : `${key} ${to === undefined ? `is gone; it was ${was}` : `changed from ${was} to ${is}`}`;
  const times =
    changes === 1 ? "" : ` Changed ${changes} times, from ${clockText(first)} to ${clockText(last)}.`;
  const [likeliest, ...others] = suspects;
  const whose =
    likeliest === undefined
      ? "Nothing points to who did it."
      : `What points to who did it: ${[likeliest, ...others.slice(0, 2)].join("; ")}.`;
  return {
    code: "setting-changed",
    subject: key,
    level: "warning",
    keeps: "warning",
    happenedMs: last.atMs,
    title,
    evidence: figuresOf({
      key,
      from,
      to,
      atMs: last.atMs,
      ...(changes === 1 ? {} : { changes, firstAtMs: first.atMs }),
      suspect: likeliest,
      suspects: suspects.length,
    }),
    meaning: `${settingOf(key).about}.${times} ${whose}`,
    remedy:
      from === undefined
        ? []
        : [
            { text: "See who sets it, now and at the next boot.", command: "headroom verify --all" },
            {
              text: "If it was not meant, put it back; it is kept across boots.",
              command: `headroom apply --set ${key}=${from}`,
            },
          ],
  };
}

function backAgain({ first, last, changes }: Course): Condition {
  const { key, from = 0 } = first;
  const between = first.to === undefined ? "gone" : valueText(key, first.to);
  return {
    code: "setting-changed",
    subject: key,
    level: "ok",
    keeps: "ok",
    over: true,
    title: `${key} is ${valueText(key, from)} again`,
    evidence: figuresOf({ key, from, to: from, atMs: last.atMs, changes, firstAtMs: first.atMs }),
    meaning: `It became ${between} at ${clockText(first)} and has the value of before again.`,
    remedy: [],
  };
}

/** `14:02:03 UTC`. */
function clockText({ atMs }: SettingChange): string {
  return `${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}

/** `setting-lost`: until the value is back, or somebody has chosen another one. */
export function settingLost(facts: AlertFacts): readonly Condition[] {
  return facts.lost.flatMap((lost): readonly Condition[] => {
    const { key, wanted, changeId } = lost;
    const found = facts.state.facts.settings.values[key];
    if (found === wanted) return [];
    const is = found === undefined ? "not there" : valueText(key, found);
    const whose =
      changeId === undefined ? "It was in force before the boot." : `It was set by change ${changeId}.`;
    return [
      {
        code: "setting-lost",
        subject: key,
        level: "warning",
        keeps: "warning",
        title: `${key} is ${is} since the boot; ${valueText(key, wanted)} was lost`,
        evidence: figuresOf({ key, wanted, found, changeId }),
        meaning: `${settingOf(key).about}. ${whose}`,
        remedy: [
          { text: "See why the boot did not set it.", command: "headroom verify" },
          {
            text: "Set it again so that it stays.",
            command: `headroom apply --set ${key}=${wanted}`,
          },
        ],
      },
    ];
  });
}

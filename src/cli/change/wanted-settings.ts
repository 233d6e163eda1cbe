/**
 * What shall be changed: from `--set`, or from the file that `headroom plan --json` printed. A plan names
 * the value it was made for; where that is no longer so, nothing is changed.
 */
import { readFileSync } from "node:fs";
import * as z from "zod/mini";

import { type SettingKey, settingKeyFor, settingOf, type Settings } from "../../table/settings.ts";
import type { KernelDoor } from "../context.ts";
import { formatCount } from "../figures.ts";
import { settingName, settingValueText, type WantedSetting } from "../setting-words.ts";
import { UsageError } from "../usage-error.ts";

export interface WantedSettings {
  wanted: Settings;
  /** What a plan found when it was made. */
  foundByPlan: Settings;
}

const planHead = z.object({ schema: z.optional(z.string()) });

/** What is read of a plan; the rest of it is for people. */
const planFile = z.object({
  schema: z.optional(z.string()),
  settings: z.array(z.object({ key: z.string(), from: z.optional(z.number()), to: z.number() })),
});

/** The settings of `--set`. Throws UsageError when one is given twice with different values. */
export function wantedFromWords(words: readonly WantedSetting[]): WantedSettings {
  const wanted = new Map<SettingKey, WantedSetting>();
  for (const word of words) {
    const other = wanted.get(word.key);
    if (other !== undefined && other.value !== word.value) {
      throw new UsageError(`Cannot use \`--set ${word.text}\`: \`--set ${other.text}\` says something else`);
    }
    wanted.set(word.key, word);
  }
  const entries = [...wanted.values()].map(({ key, value }) => [key, value] as const);
  return { wanted: Object.fromEntries(entries), foundByPlan: {} };
}

/** The text of a plan file, or of standard input. Throws UsageError. */
export function readPlanText(kernel: KernelDoor, path: string): string {
  if (path !== "-") return readPlanFile(path);
  const decoder = new TextDecoder();
  let text = "";
  for (const chunk of kernel.openBytes("-")) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

const readFailures: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

function readPlanFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why = readFailures[code] ?? code;
    throw new UsageError(
      `Cannot read the plan ${path}: ${why}`,
      "headroom plan --json > plan.json makes one",
    );
  }
}

/** The settings of a plan. Throws UsageError that says what is wrong with it. */
export function wantedFromPlan(path: string, text: string): WantedSettings {
  const plan = parsePlan(path, text);
  const wanted: { [key in SettingKey]?: number } = {};
  const foundByPlan: { [key in SettingKey]?: number } = {};
  for (const { key: name, from, to } of plan.settings) {
    const key = keyOfPlan(path, name);
    if (key in wanted && wanted[key] !== to) {
      throw new UsageError(`Cannot use the plan ${path}: it gives ${name} twice`);
    }
    wanted[key] = checkedValue(path, key, to);
    if (from !== undefined) foundByPlan[key] = from;
  }
  return { wanted, foundByPlan };
}

/** What of a plan can be set in a network namespace of its own, and what is one value for the whole host. */
export function ofNamespace(wanted: Settings): { wanted: Settings; left: Settings } {
  const entries = Object.entries(wanted) as [SettingKey, number][];
  const isOwn = ([key]: [SettingKey, number]): boolean => settingOf(key).scope === "namespace";
  return {
    wanted: Object.fromEntries(entries.filter(isOwn)),
    left: Object.fromEntries(entries.filter((entry) => !isOwn(entry))),
  };
}

/** Settings as words of a command line. */
export function setWords(settings: Settings): string {
  return Object.entries(settings)
    .map(([key, value]) => `--set ${key}=${value}`)
    .join(" ");
}

function parsePlan(path: string, text: string): z.infer<typeof planFile> {
  const help = "Wanted is what headroom plan --json prints";
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`Cannot read the plan ${path}: it is not JSON (${why})`, help);
  }
  const { schema } = z.safeParse(planHead, value).data ?? {};
  if (schema !== undefined && schema !== "headroom/plan/v1") {
    throw new UsageError(`Cannot use the plan ${path}: its schema is ${schema}, not headroom/plan/v1`, help);
  }
  const parsed = z.safeParse(planFile, value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue === undefined || issue.path.length === 0 ? "it" : issue.path.join(".");
    throw new UsageError(`Cannot use the plan ${path}: ${place}: ${issue?.message ?? "not a plan"}`, help);
  }
  return parsed.data;
}

function keyOfPlan(path: string, name: string): SettingKey {
  const key = settingKeyFor(name);
  if (key === undefined) throw new UsageError(`Cannot use the plan ${path}: there is no setting ${name}`);
  if (key === "hashsize") return "nf_conntrack_buckets";
  if (settingOf(key).readOnly === true)
    throw new UsageError(`Cannot use the plan ${path}: ${name} is read-only`);
  return key;
}

function checkedValue(path: string, key: SettingKey, value: number): number {
  const { min, max } = settingOf(key);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const limits = `${formatCount(min)} to ${settingValueText(key, max)}`;
  throw new UsageError(`Cannot use the plan ${path}: ${settingName(key)} takes ${limits}, not ${value}`);
}

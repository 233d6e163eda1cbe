/**
 * What is wrong with a setting, as one sentence, and the command that mends it. Pure.
 */
import type { BootForecast, Definition, DefinitionReader } from "../../table/boot.ts";
import { ownerEdit } from "../../change/change.ts";
import {
  contradictions,
  fileDefeated,
  type OutlookRow,
  type OutlookTrouble,
  ownerOf,
  tooEarly,
} from "../../plan/plan.ts";
import { settingName, settingValueText } from "../setting-words.ts";

export interface Trouble {
  trouble: OutlookTrouble;
  sentence: string;
  command?: string;
}

/**
 * One trouble a setting, the worst; a contradiction that another trouble explains is not told twice.
 * `rootOption` leads the command to the same place: ` --root DIR`.
 */
export function troubleOf(row: OutlookRow, boot: BootForecast, rootOption: string): Trouble | undefined {
  const [trouble] = row.troubles;
  if (trouble === undefined) return undefined;
  const command = commandOf(row, trouble, rootOption);
  return { trouble, sentence: sentenceOf(row, trouble, boot), ...(command === undefined ? {} : { command }) };
}

/** `/etc/sysctl.d/60-x.conf:2`. */
export function placeText({ path, line }: Definition): string {
  return line === undefined ? path : `${path}:${line}`;
}

/** Readers as people call them. */
export function readerText(reader: DefinitionReader): string {
  const names: { readonly [reader in DefinitionReader]?: string } = {
    "kernel-command-line": "kernel",
    "rc-local": "rc.local",
    procps: "sysctl",
    rke: "rke2",
  };
  return names[reader] ?? reader;
}

function sentenceOf(row: OutlookRow, trouble: OutlookTrouble, boot: BootForecast): string {
  switch (trouble) {
    case "lost":
      return `${lostReason(row, boot)} ${comesBack(row)}`;
    case "changes":
      return changeReason(row);
    case "unknown":
      return unknownReason(row);
    case "set-again":
      return defeatReason(row);
    case "too-early": {
      const early = tooEarly(row);
      return early === undefined ? "" : earlyReason(row, early, boot);
    }
    case "refused":
      return refusedReason(row);
    case "contradicting": {
      const said = contradictions(row).map((each) => `${valueOf(row, each.value)} in ${placeText(each)}`);
      return `Files disagree: ${said.join(", ")}. The last one wins.`;
    }
  }
}

function comesBack({ key, now, after }: OutlookRow): string {
  if (after !== undefined) return `The kernel's default of ${settingValueText(key, after)} comes back.`;
  const present = now === undefined ? "value" : settingValueText(key, now);
  return `No file sets the ${present} in force, and no kernel chooses it by itself.`;
}

function lostReason(row: OutlookRow, boot: BootForecast): string {
  const early = tooEarly(row) ?? row.definitions.find(({ fate }) => fate === "too-early")?.definition;
  if (early !== undefined) return earlyReason(row, early, boot);
  const unread = row.definitions.find(({ fate }) => fate === "not-read" || fate === "refused");
  if (unread === undefined) return "Nothing sets it at boot.";
  return `${placeText(unread.definition)} does not count: ${unread.why ?? unread.fate}.`;
}

function earlyReason(row: OutlookRow, early: Definition, { tracker }: BootForecast): string {
  const by = tracker.by === undefined ? "by whoever needs it first" : `by ${tracker.by}`;
  const value = early.value === undefined ? early.text : valueOf(row, early.value);
  const why = tracker.when === "unknown" ? "nothing here loads it at boot" : `it is loaded only later, ${by}`;
  return `${placeText(early)} says ${value}, but is read before the tracker is there: ${why}.`;
}

function changeReason(row: OutlookRow): string {
  const { winner, from, now, key } = row;
  if (from === "hashsize") return "It follows from hashsize, which makes the capacity 8 times the buckets.";
  if (winner === undefined) return "It will be another.";
  const owner = ownerOf(row);
  if (owner !== undefined && now !== undefined) {
    const value = settingValueText(key, now);
    return (
      `${readerText(owner.reader)} sets it whenever it starts (${placeText(owner)}). ` +
      `To keep ${value}, ${ownerEdit(owner, now)}.`
    );
  }
  const present = now === undefined ? "" : `; the ${settingValueText(key, now)} in force was set since`;
  return `${placeText(winner)} sets it${present}.`;
}

function unknownReason({ key, winner, from, definitions }: OutlookRow): string {
  if (from === "namespace") {
    return (
      "It is this network namespace's own and ends with it: no file sets it at boot, " +
      "and whoever makes the namespace again has to set it again."
    );
  }
  if (winner !== undefined) {
    const said = `${winner.name} = ${winner.text}`;
    return `${placeText(winner)} sets it, to a value that cannot be reckoned: ${said}.`;
  }
  const named = definitions.at(-1);
  if (named !== undefined) {
    const { definition, why } = named;
    const said = definition.value === undefined ? definition.text : settingValueText(key, definition.value);
    const perhaps = why === undefined ? "" : ` Perhaps not: ${why}.`;
    const place = placeText(definition);
    return `${place} says ${said}; whether that counts cannot be told from the files here.${perhaps}`;
  }
  return "Nothing seen here sets it at boot, and what else may is not known.";
}

function defeatReason(row: OutlookRow): string {
  const file = fileDefeated(row);
  const { winner } = row;
  if (file === undefined || winner === undefined) return "";
  return (
    `${readerText(winner.reader)} sets it whenever it starts (${winner.name} in ${placeText(winner)}): ` +
    `the ${valueOf(row, file.value)} of ${placeText(file)} has no effect. Change it there.`
  );
}

function refusedReason({ definitions }: OutlookRow): string {
  const refused = definitions.find(({ fate }) => fate === "refused");
  return refused === undefined
    ? ""
    : `${placeText(refused.definition)} has no effect: ${refused.why ?? "refused"}.`;
}

function commandOf(row: OutlookRow, trouble: OutlookTrouble, rootOption: string): string | undefined {
  const value = trouble === "too-early" ? tooEarly(row)?.value : row.now;
  // A file of the host has no effect on what a service sets again.
  if (trouble !== "too-early" && ownerOf(row) !== undefined) return undefined;
  if (value === undefined || !["lost", "changes", "too-early"].includes(trouble)) return undefined;
  return `headroom apply${rootOption} --set ${settingName(row.key)}=${value}`;
}

function valueOf({ key }: OutlookRow, value: number | undefined): string {
  return value === undefined ? "unknown" : settingValueText(key, value);
}

/**
 * Machine output of `headroom verify`: `headroom/verify/v1`.
 */
import type { BootDefinition } from "../../table/boot.ts";
import { outlookLevel, type OutlookRow } from "../../plan/plan.ts";
import { settingOf } from "../../table/settings.ts";
import { settingName } from "../setting-words.ts";
import type { VerifyReport } from "./verify-report.ts";
import { troubleOf } from "./verify-trouble.ts";

export function verifyToJson(report: VerifyReport): object {
  const { boot, holds, settingsInForce, settingsUnknown, rows, unseen, subject } = report;
  return {
    schema: "headroom/verify/v1",
    ...(subject === undefined ? {} : { subject }),
    level: outlookLevel(rows),
    holds,
    settingsInForce,
    settingsUnknown,
    tracker: boot.tracker,
    sysctlReader: boot.sysctlReader,
    settings: rows.map((row) => settingToJson(row, report)),
    unknown: boot.unknown.map(definitionToJson),
    unseen,
  };
}

function settingToJson(row: OutlookRow, report: VerifyReport): object {
  const { key, now, after, from, winner, troubles, definitions } = row;
  const trouble = troubleOf(row, report.boot, report.rootOption);
  return {
    key,
    name: settingName(key),
    unit: settingOf(key).unit,
    ...(now === undefined ? {} : { now }),
    ...(after === undefined ? {} : { afterBoot: after }),
    from,
    ...(winner === undefined ? {} : { setBy: winner }),
    troubles,
    ...(trouble === undefined ? {} : { meaning: trouble.sentence }),
    ...(trouble?.command === undefined ? {} : { command: trouble.command }),
    definitions: definitions.map(definitionToJson),
  };
}

function definitionToJson({ definition, fate, why }: BootDefinition): object {
  return { fate, ...(why === undefined ? {} : { why }), ...definition };
}

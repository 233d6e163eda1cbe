/**
 * What several rules of alerts start from: the figures of this second, and the words of judgement.
 */
import { freeNow, keepAfterReboot, lookCloser, raiseCapacity } from "../plan/plan.ts";
import type { Finding, FindingCode, Remedy } from "../table/finding.ts";
import type { AlertFacts } from "./alert-condition.ts";

/** The finding of this code, for its words. */
export function findingOf(facts: AlertFacts, code: FindingCode): Finding | undefined {
  return facts.state.verdict.findings.find((finding) => finding.code === code);
}

interface Use {
  occupancyFlows: number;
  capacityFlows: number;
  useShare: number;
}

/** Of the watched table this second; undefined where it has no limit or cannot be read. */
export function useOf(facts: AlertFacts): Use | undefined {
  const { occupancyFlows, capacityFlows } = facts.state.sample?.values ?? {};
  if (occupancyFlows === undefined || capacityFlows === undefined || capacityFlows <= 0) return undefined;
  return { occupancyFlows, capacityFlows, useShare: occupancyFlows / capacityFlows };
}

/** What helps against a table that is full or will be. */
export function waysOut(facts: AlertFacts): readonly Remedy[] {
  const { facts: judged } = facts.state;
  const free = freeNow(judged);
  return [lookCloser, ...raiseCapacity(judged), ...(free === undefined ? [] : [free]), keepAfterReboot];
}

/** Evidence without the figures that are not known, and without digits that mean nothing. */
export function figuresOf(
  figures: Readonly<Record<string, number | string | undefined>>,
): Readonly<Record<string, number | string>> {
  const known: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(figures)) {
    if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) continue;
    const whole = typeof value !== "number" || Number.isInteger(value);
    known[name] = whole ? value : Number(value.toPrecision(4));
  }
  return known;
}

/**
 * What a rule is: facts in, findings out. Almost every rule returns one finding or none; one that judges
 * several namespaces may return more. A rule whose facts are missing returns none: it never guesses.
 */
import type { Finding, Remedy } from "../../table/finding.ts";
import type { Facts } from "../facts.ts";

export type Rule = (facts: Facts) => readonly Finding[];

export type Evidence = Readonly<Record<string, number | string>>;

/** Evidence without the figures that are not known, and without digits that mean nothing. */
export function evidenceOf(figures: Readonly<Record<string, number | string | undefined>>): Evidence {
  const evidence: Record<string, number | string> = {};
  for (const [name, value] of Object.entries(figures)) {
    if (typeof value === "number")
      evidence[name] = Number.isInteger(value) ? value : Number(value.toPrecision(4));
    else if (value !== undefined) evidence[name] = value;
  }
  return evidence;
}

/** Remedies without repetitions, in their order. */
export function remediesOf(
  ...groups: readonly (Remedy | readonly Remedy[] | undefined)[]
): readonly Remedy[] {
  return groups.flatMap((group) => group ?? []);
}

/** Evidence by which a present loss is recognised: a finding that has it comes first among its level. */
export const LOSING_NOW = "lostPacketsPerSecond";

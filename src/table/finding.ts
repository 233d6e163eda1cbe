/**
 * Findings: coded judgements. A code never changes its meaning; each has a page docs/findings/<code>.md.
 */

export const FINDING_CODES = [
  "table-full",
  "near-full",
  "filling",
  "full-in-the-past",
  "full-in-another-namespace",
  "idle-established-hoard",
  "one-source-hoards",
  "unanswered-flood",
  "time-wait-churn",
  "udp-churn",
  "buckets-too-few",
  "chain-too-long",
  "insert-clash",
  "expectations-full",
  "allocation-failed",
  "limit-below-default",
  "limit-costs-too-much",
  "lost-at-boot",
  "set-by-another-owner",
  "contradicting-definitions",
  "hashsize-raises-limit",
  "unknown-key",
  "legacy-key",
  "timeout-below-rfc-floor",
  "timeouts-longer-than-needed",
  "old-entries-keep-old-timeout",
  "tracking-not-needed",
  "not-permitted",
  "tracking-off",
] as const;

export type FindingCode = (typeof FINDING_CODES)[number];

/** As monitoring plugins have it: exit codes 0, 1, 2, 3. */
export type Level = "ok" | "warning" | "critical" | "unknown";

/** A way out: a sentence, and the command that does it where there is one. */
export interface Remedy {
  text: string;
  command?: string;
}

export interface Finding {
  code: FindingCode;
  level: Level;
  /** One line for people, with its figures. */
  title: string;
  /** Numbers (and a few names) that prove it, by camelCase name with the unit last. */
  evidence: Readonly<Record<string, number | string>>;
  /** What it means for the operator, one or two sentences. */
  meaning: string;
  remedy: readonly Remedy[];
}

export interface Verdict {
  level: Level;
  /** Most important first. */
  findings: readonly Finding[];
}

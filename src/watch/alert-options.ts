/**
 * What alerts go by: thresholds of each code, how long something must hold, how often it is told again. The
 * defaults stand here alone; docs/alerts.md and headroom.toml say the same, and a test holds them together.
 */
import type { AlertCode } from "./alert.ts";

/** What every code has. */
export interface RuleOptions {
  enabled: boolean;
  /** It must hold for so long before it fires. */
  forSeconds: number;
  /** And must not hold for so long before it is resolved. */
  clearSeconds: number;
}

export interface ShareThresholds {
  /** Of capacity. */
  warningShare: number;
  criticalShare: number;
  /** A level is left only when the share is so much below its threshold. */
  hysteresisShare: number;
}

export interface FillingThresholds {
  /** Likely full within so many seconds. */
  warningSeconds: number;
  criticalSeconds: number;
  /** A table below this share of capacity does not alarm, whatever the forecast says. */
  leastUseShare: number;
}

export interface SourceThresholds {
  /** Of the flows of the table, made by one address. */
  warningShare: number;
  /** Of capacity, held by one address. */
  criticalCapacityShare: number;
  /** Fewer flows never alarm, and neither does less than a tenth of capacity. */
  leastFlows: number;
}

export interface AlertRules {
  "near-full": RuleOptions & ShareThresholds;
  filling: RuleOptions & FillingThresholds;
  "table-full": RuleOptions;
  "early-drop": RuleOptions & { flowsPerMinute: number };
  "insert-clash": RuleOptions & { packetsPerMinute: number };
  "chain-too-long": RuleOptions & { packetsPerMinute: number };
  "expectations-full": RuleOptions;
  "allocation-failed": RuleOptions;
  "one-source-hoards": RuleOptions & SourceThresholds;
  /** Its `clearSeconds` is for how long a change stays an alert. */
  "setting-changed": RuleOptions;
  "setting-lost": RuleOptions;
  "namespace-near-full": RuleOptions & ShareThresholds;
  "watching-impaired": RuleOptions;
}

export interface AlertOptions {
  /** After a notice about a code and subject, a new alert of the same is told only so much later. */
  cooldownSeconds: number;
  /** While it fires it is told again after so long; 0: never. */
  repeatSeconds: number;
  rules: AlertRules;
}

const MINUTE = 60;
const HOUR = 3600;

function rule(forSeconds: number, clearSeconds: number): RuleOptions {
  return { enabled: true, forSeconds, clearSeconds };
}

const SHARES: ShareThresholds = { warningShare: 0.8, criticalShare: 0.9, hysteresisShare: 0.05 };

export const DEFAULT_ALERT_OPTIONS: AlertOptions = {
  cooldownSeconds: 15 * MINUTE,
  repeatSeconds: 4 * HOUR,
  rules: {
    "near-full": { ...rule(30, 5 * MINUTE), ...SHARES },
    filling: {
      ...rule(5 * MINUTE, 30 * MINUTE),
      warningSeconds: 48 * HOUR,
      criticalSeconds: 2 * HOUR,
      leastUseShare: 0.3,
    },
    "table-full": rule(0, 5 * MINUTE),
    "early-drop": { ...rule(30, 5 * MINUTE), flowsPerMinute: 10 },
    "insert-clash": { ...rule(2 * MINUTE, 10 * MINUTE), packetsPerMinute: 60 },
    "chain-too-long": { ...rule(0, 10 * MINUTE), packetsPerMinute: 1 },
    "expectations-full": rule(30, 10 * MINUTE),
    "allocation-failed": rule(0, 10 * MINUTE),
    "one-source-hoards": {
      ...rule(2 * MINUTE, 10 * MINUTE),
      warningShare: 0.5,
      criticalCapacityShare: 0.5,
      leastFlows: 1000,
    },
    "setting-changed": rule(0, HOUR),
    "setting-lost": rule(0, 0),
    "namespace-near-full": { ...rule(30, 5 * MINUTE), ...SHARES },
    "watching-impaired": rule(MINUTE, 5 * MINUTE),
  },
};

/** The rule of a code, without its thresholds. */
export function ruleOf(options: AlertOptions, code: AlertCode): RuleOptions {
  return options.rules[code];
}

/**
 * The sections [alerts] and [[alerts.receivers]] of headroom.toml as schemas: what is watched for, and who is
 * told. Names are those of the file; `alertOptionsOf` gives them to the rules.
 */
import * as z from "zod/mini";

import { type AlertOptions, type AlertRules, DEFAULT_ALERT_OPTIONS } from "../../watch/watch.ts";
import { countOption, durationOption, type Meaning, shareOption } from "../serve/option-values.ts";

const DAY = 86_400;
const standard = DEFAULT_ALERT_OPTIONS;

/** A duration whose default is given in seconds. */
function duration(seconds: number, most = 30 * DAY): z.ZodMiniPrefault<Meaning<number>> {
  return z.prefault(durationOption(`a duration up to ${most / DAY}d`, { least: 0, most }), seconds);
}

function share(value: number, least = 0): z.ZodMiniPrefault<Meaning<number>> {
  const from = least === 0 ? "0%" : `${least * 100}%`;
  return z.prefault(
    shareOption(`a share from ${from} to 100%`, { least, most: 1 }),
    `${Math.round(value * 100)}%`,
  );
}

type Timing = { enabled: boolean; forSeconds: number; clearSeconds: number };

/** What every code has in the file. */
function timing({ enabled, forSeconds, clearSeconds }: Timing) {
  return {
    enabled: z.prefault(z.boolean(), enabled),
    for: duration(forSeconds, DAY),
    clear: duration(clearSeconds, DAY),
  };
}

function sharesOf(code: "near-full" | "namespace-near-full") {
  const rule = standard.rules[code];
  return z.strictObject({
    ...timing(rule),
    warning: share(rule.warningShare, 0.01),
    critical: share(rule.criticalShare, 0.01),
    hysteresis: share(rule.hysteresisShare),
  });
}

type Plain = "table-full" | "expectations-full" | "allocation-failed" | "setting-changed" | "setting-lost";

function plain(code: Plain | "watching-impaired") {
  return z.prefault(z.strictObject(timing(standard.rules[code])), {});
}

function paced(code: "insert-clash" | "chain-too-long") {
  const rule = standard.rules[code];
  const packets_per_minute = z.prefault(countOption(1, 1_000_000_000), rule.packetsPerMinute);
  return z.prefault(z.strictObject({ ...timing(rule), packets_per_minute }), {});
}

const filling = standard.rules.filling;
const hoard = standard.rules["one-source-hoards"];
const evicting = standard.rules["early-drop"];

/** One receiver has one name; it stands in `headroom alerts test NAME` and in the log. */
const receiverName = z.string().check(
  z.regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, {
    error: "wanted a short name of small letters, digits, - and _",
  }),
);

const webAddress = z.string().check(
  z.refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    error: "wanted an address that begins with http:// or https://",
  }),
);

const inOneLine = z.string().check(
  // oxlint-disable-next-line no-control-regex -- that there are none is what is asked for
  z.regex(/^[^\u0000-\u001f\u007f]*$/, { error: "wanted text in one line" }),
);

const whom = {
  name: receiverName,
  /** Notices of this level and above. */
  least: z.prefault(z.enum(["warning", "critical"]), "warning"),
  timeout: z.prefault(durationOption("a duration from 1s to 5m", { least: 1, most: 300 }), "10s"),
  /** Also told when it is over. */
  resolved: z.prefault(z.boolean(), true),
};

const overTls = {
  /** PEM: a certificate authority to trust besides the system's; a certificate and key to show. */
  ca: z.prefault(z.string(), ""),
  certificate: z.prefault(z.string(), ""),
  key: z.prefault(z.string(), ""),
};

const headerNames = z.record(
  z.string().check(z.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, { error: "wanted the name of a header" })),
  // RFC 9110, 5.5: octets, which stand for letters of ISO 8859-1.
  inOneLine.check(z.regex(/^[^\u0100-\uffff]*$/, { error: "wanted Latin letters: no header has others" })),
);

export const receiverSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    ...whom,
    ...overTls,
    kind: z.literal("webhook"),
    url: webAddress,
    /** File with the key of the signature in the header Headroom-Signature. */
    secret_file: z.prefault(z.string(), ""),
    headers: z.prefault(headerNames, {}),
  }),
  z.strictObject({
    ...whom,
    kind: z.literal("command"),
    /** Program and arguments; no shell is asked. */
    command: z.array(z.string()).check(z.minLength(1, { error: "wanted a program" })),
  }),
  z.strictObject({
    ...whom,
    kind: z.literal("mail"),
    to: z.array(inOneLine).check(z.minLength(1, { error: "wanted at least one address" })),
    from: z.prefault(inOneLine, ""),
    sendmail: z.prefault(z.string(), "/usr/sbin/sendmail"),
  }),
  z.strictObject({
    ...whom,
    ...overTls,
    kind: z.literal("alertmanager"),
    /** All of them are told: they find out by themselves who speaks. */
    urls: z.array(webAddress).check(z.minLength(1, { error: "wanted at least one address" })),
    labels: z.prefault(z.record(z.string(), z.string()), {}),
    headers: z.prefault(headerNames, {}),
    refresh: z.prefault(durationOption("a duration from 5s to 5m", { least: 5, most: 300 }), "60s"),
  }),
]);

export type ReceiverOptions = z.infer<typeof receiverSchema>;

/** `[alerts]`, `[alerts.CODE]` and `[[alerts.receivers]]`. */
export const alertsSchema = z.strictObject({
  enabled: z.prefault(z.boolean(), true),
  cooldown: duration(standard.cooldownSeconds),
  /** 0: told once. */
  repeat: duration(standard.repeatSeconds),
  /** Where people reach the dashboard; links in notices begin with it. Empty: the address served. */
  dashboard_url: z.prefault(z.union([z.literal(""), webAddress]), ""),
  "near-full": z.prefault(sharesOf("near-full"), {}),
  filling: z.prefault(
    z.strictObject({
      ...timing(filling),
      warning: duration(filling.warningSeconds),
      critical: duration(filling.criticalSeconds),
      least_use: share(filling.leastUseShare),
    }),
    {},
  ),
  "table-full": plain("table-full"),
  "early-drop": z.prefault(
    z.strictObject({
      ...timing(evicting),
      flows_per_minute: z.prefault(countOption(1, 1_000_000_000), evicting.flowsPerMinute),
    }),
    {},
  ),
  "insert-clash": paced("insert-clash"),
  "chain-too-long": paced("chain-too-long"),
  "expectations-full": plain("expectations-full"),
  "allocation-failed": plain("allocation-failed"),
  "one-source-hoards": z.prefault(
    z.strictObject({
      ...timing(hoard),
      warning: share(hoard.warningShare, 0.01),
      critical_of_capacity: share(hoard.criticalCapacityShare, 0.01),
      least_flows: z.prefault(countOption(1, 1_000_000_000), hoard.leastFlows),
    }),
    {},
  ),
  "setting-changed": plain("setting-changed"),
  "setting-lost": plain("setting-lost"),
  "namespace-near-full": z.prefault(sharesOf("namespace-near-full"), {}),
  "watching-impaired": plain("watching-impaired"),
  receivers: z.prefault(z.array(receiverSchema), []),
});

export type AlertsSection = z.infer<typeof alertsSchema>;

/** The options of the rules. `enabled = false` for all turns every rule off. */
export function alertOptionsOf(section: AlertsSection): AlertOptions {
  return { cooldownSeconds: section.cooldown, repeatSeconds: section.repeat, rules: rulesOf(section) };
}

function rulesOf(section: AlertsSection): AlertRules {
  const timed = (code: keyof AlertRules): Timing => ({
    enabled: section.enabled && section[code].enabled,
    forSeconds: section[code].for,
    clearSeconds: section[code].clear,
  });
  const shares = (code: "near-full" | "namespace-near-full"): AlertRules["near-full"] => ({
    ...timed(code),
    warningShare: section[code].warning,
    criticalShare: section[code].critical,
    hysteresisShare: section[code].hysteresis,
  });
  const pace = (code: "insert-clash" | "chain-too-long"): AlertRules["insert-clash"] => ({
    ...timed(code),
    packetsPerMinute: section[code].packets_per_minute,
  });
  const source = section["one-source-hoards"];
  return {
    "near-full": shares("near-full"),
    filling: {
      ...timed("filling"),
      warningSeconds: section.filling.warning,
      criticalSeconds: section.filling.critical,
      leastUseShare: section.filling.least_use,
    },
    "table-full": timed("table-full"),
    "early-drop": { ...timed("early-drop"), flowsPerMinute: section["early-drop"].flows_per_minute },
    "insert-clash": pace("insert-clash"),
    "chain-too-long": pace("chain-too-long"),
    "expectations-full": timed("expectations-full"),
    "allocation-failed": timed("allocation-failed"),
    "one-source-hoards": {
      ...timed("one-source-hoards"),
      warningShare: source.warning,
      criticalCapacityShare: source.critical_of_capacity,
      leastFlows: source.least_flows,
    },
    "setting-changed": timed("setting-changed"),
    "setting-lost": timed("setting-lost"),
    "namespace-near-full": shares("namespace-near-full"),
    "watching-impaired": timed("watching-impaired"),
  };
}

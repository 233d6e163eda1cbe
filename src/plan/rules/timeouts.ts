/**
 * Timeouts: below what the RFCs ask of a NAT, longer than the table can afford, and changed while old flows
 * keep theirs.
 */
import type { Finding } from "../../table/finding.ts";
import { formatDuration } from "../../table/duration.ts";
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";
import { type SettingKey, SETTING_KEYS, settingOf } from "../../table/settings.ts";
import type { Facts } from "../facts.ts";
import { rfcFloors } from "../rfc-floors.ts";
import { keepAfterReboot, lookCloser, setTimeoutTo } from "../remedies.ts";
import { underPressure } from "../table-figures.ts";
import { flowsText, percent, sumFlows } from "../wording.ts";
import { cutEstablished, idleEstablishedHoard } from "./contents.ts";
import { evidenceOf, remediesOf } from "./rule.ts";

/** A timeout of days is longer than needed: two of TCP's keepalives (2 h each) fit many times into one. */
const ESTABLISHED_LONG_SECONDS = 86_400;

/** Where the flows were counted: a smaller part of them is not what makes room scarce. */
const ESTABLISHED_SHARE_MIN = 0.25;

/** `timeout-below-rfc-floor`: timeouts below the floor and below what this kernel would use. */
export function timeoutBelowRfcFloor(facts: Facts): readonly Finding[] {
  const below = rfcFloors.flatMap((floor) => {
    const seconds = facts.settings.values[floor.key];
    const usual = defaultOf(facts, floor.key);
    if (seconds === undefined || seconds >= floor.seconds) return [];
    return usual === undefined || seconds < usual ? [{ ...floor, inForce: seconds, usual }] : [];
  });
  const [worst, ...rest] = below;
  if (worst === undefined) return [];
  const inForce = `${worst.key} is ${formatDuration(Math.max(0, worst.inForce))}`;
  const more = rest.length === 0 ? "" : `, and ${rest.length} more`;
  return [
    {
      code: "timeout-below-rfc-floor",
      level: below.some(({ breaks }) => breaks === true) ? "warning" : "ok",
      title: `Below ${worst.rfc}'s floor of ${formatDuration(worst.seconds)}: ${inForce}${more}`,
      evidence: evidenceOf(
        Object.fromEntries(
          below.flatMap(({ key, inForce: value, seconds }) => [
            [`${camelCase(key)}Seconds`, value],
            [`${camelCase(key)}FloorSeconds`, seconds],
          ]),
        ),
      ),
      meaning:
        "Connections that are silent for longer lose their flow: behind NAT they hang or are reset " +
        "although both ends are fine. TCP keepalives come every 2 hours by default.",
      remedy: [
        ...below.map(({ key, seconds, usual }) =>
          setTimeoutTo(facts, key, Math.min(seconds, usual ?? seconds), `Raise ${key}`),
        ),
        keepAfterReboot,
      ],
    },
  ];
}

/**
 * `timeouts-longer-than-needed`: days of silence allowed while the table is short of room, and their idle age
 * is not known.
 */
export function timeoutsLongerThanNeeded(facts: Facts): readonly Finding[] {
  const inForce = facts.settings.values.nf_conntrack_tcp_timeout_established;
  if (inForce === undefined || inForce <= ESTABLISHED_LONG_SECONDS || !underPressure(facts)) return [];
  if (idleEstablishedHoard(facts).length > 0) return [];
  const established = facts.census?.byState.find(
    ({ protocol, state }) => protocol === "tcp" && state === "ESTABLISHED",
  );
  const shareOfFlows =
    facts.census === undefined ? undefined : (established?.flows ?? 0) / Math.max(1, facts.census.flows);
  if (shareOfFlows !== undefined && shareOfFlows < ESTABLISHED_SHARE_MIN) return [];
  const usual = defaultOf(facts, "nf_conntrack_tcp_timeout_established") === inForce ? " (the default)" : "";
  const held = established === undefined ? "" : `; ${flowsText(established, "established flow")}`;
  return [
    {
      code: "timeouts-longer-than-needed",
      level: "ok",
      title: `Short of room, and silent connections stay for ${formatDuration(inForce)}${usual}${held}`,
      evidence: evidenceOf({
        establishedTimeoutSeconds: inForce,
        establishedFlows: established?.flows,
        shareOfFlows,
      }),
      meaning:
        "A connection whose end was never seen (a host that died, a path that changed) holds its room for " +
        "that long. A day is more than enough for anything that sends keepalives.",
      remedy: [cutEstablished(facts, ESTABLISHED_LONG_SECONDS), lookCloser],
    },
  ];
}

/** `old-entries-keep-old-timeout`: flows with more time left than any timeout in force gives. */
export function oldEntriesKeepOldTimeout(facts: Facts): readonly Finding[] {
  const { census } = facts;
  const established = facts.settings.values.nf_conntrack_tcp_timeout_established;
  if (census === undefined || established === undefined) return [];
  const greatest = Math.max(...timeoutsInForce(facts));
  const held = sumFlows(census.remainingSeconds.filter(({ fromSeconds }) => fromSeconds > greatest));
  if (held.flows <= 0) return [];
  const shareOfFlows = held.flows / Math.max(1, census.flows);
  return [
    {
      code: "old-entries-keep-old-timeout",
      level: underPressure(facts) ? "warning" : "ok",
      title: `At least ${flowsText(held)} (${percent(shareOfFlows)}) have more time left than they get now`,
      evidence: evidenceOf({
        flows: held.flows,
        shareOfFlows,
        standardErrorFlows: held.standardErrorFlows,
        greatestTimeoutSeconds: greatest,
      }),
      meaning:
        "A timeout was shortened, and a flow takes the new one only with its next packet. Those that are " +
        "silent keep their room for the old time: the occupancy will not fall before.",
      remedy: remediesOf(lookCloser),
    },
  ];
}

function timeoutsInForce(facts: Facts): number[] {
  return SETTING_KEYS.filter((key) => settingOf(key).unit === "seconds").map(
    (key) => facts.settings.values[key] ?? defaultOf(facts, key) ?? 0,
  );
}

/** What this kernel uses when nobody sets it; the newest known default when the release is unknown. */
function defaultOf(facts: Facts, key: SettingKey): number | undefined {
  const { defaults } = settingOf(key);
  const { kernelRelease } = facts.host;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const row =
    release === undefined ? defaults?.at(-1) : defaults?.findLast(({ since }) => isSince(release, since));
  return row?.value;
}

function camelCase(key: string): string {
  return key.replace(/^nf_conntrack_/, "").replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

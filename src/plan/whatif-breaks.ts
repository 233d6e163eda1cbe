/** What would stop working under other settings. */
import type { SilentService } from "../census/census.ts";
import { TCP } from "../table/protocol.ts";
import type { SettingKey, Settings } from "../table/settings.ts";
import { floorsCrossed } from "./rfc-floors.ts";
import { isUntold, scaleOf, wantedTimeout } from "./stationary.ts";
import type { WhatIfFacts } from "./whatif-facts.ts";
import { bucketsTooFew, LEAST_LOSS_SHARE, type TableState } from "./whatif-table.ts";
import { groupDigits, percent } from "./wording.ts";

type BreakCode =
  | "silent-flows"
  | "translated-flows"
  | "not-picked-up"
  | "own-session"
  | "login-sessions"
  | "below-rfc-floor"
  | "over-capacity"
  | "buckets-too-few";

/** Something that would stop working. */
export interface Break {
  code: BreakCode;
  why: string;
  flows: number;
  key?: SettingKey;
}

/** What would break under `wanted`: of `peakFlows` at most, in the table before and after. */
export function breaksOf(
  facts: WhatIfFacts,
  wanted: Settings,
  { peakFlows, before, after }: { peakFlows: number; before: TableState; after: TableState },
): Break[] {
  const { observation, silentServices, settings } = facts;
  const scale = scaleOf(observation.second);
  const sum = (of: (service: SilentService) => number): number =>
    silentServices.reduce((total, service) => total + of(service), 0) * scale;
  const silent = sum(({ flows }) => flows);
  const translated = sum(({ translatedFlows }) => translatedFlows);
  const breaks: Break[] = silentSessions(facts, wanted);
  const loose = (wanted.nf_conntrack_tcp_loose ?? settings.nf_conntrack_tcp_loose) !== 0;
  if (silent > 0) {
    breaks.push({
      code: "silent-flows",
      why:
        "answered flows are silent for longer; whether they are still in use nobody can see, and the next " +
        "packet of those that are finds no flow",
      flows: silent,
    });
  }
  if (translated > 0) {
    breaks.push({
      code: "translated-flows",
      why:
        "of these are translated: they are not picked up again, or with another port; the connection hangs " +
        "or is reset",
      flows: translated,
    });
  }
  const tcp = silentServices.filter(({ protocol }) => protocol === "tcp");
  const tcpFlows =
    tcp.reduce((total, { flows, translatedFlows }) => total + flows - translatedFlows, 0) * scale;
  if (!loose && tcpFlows > 0) {
    breaks.push({
      code: "not-picked-up",
      why: "of these are TCP, and tcp_loose is 0: their packets are invalid from then on",
      flows: tcpFlows,
    });
  }
  breaks.push(...belowFloors(facts, wanted));
  return [...breaks, ...overCapacity(facts, peakFlows, after), ...fewBuckets(facts, before, after)];
}

/** More flows than the table may hold: in the long run, or, where it then fits, until they are gone. */
function overCapacity(
  { observation, occupancyFlows = observation.second.ofFlows }: WhatIfFacts,
  peakFlows: number,
  { capacityFlows = 0 }: TableState,
): Break[] {
  if (capacityFlows <= 0) return [];
  const over = { code: "over-capacity", key: "nf_conntrack_max" } as const;
  if (peakFlows > capacityFlows) {
    const why = "flows more than the table can hold: new connections are dropped";
    return [{ ...over, why, flows: peakFlows - capacityFlows }];
  }
  if (occupancyFlows <= capacityFlows) return [];
  const why = "flows more than the table can hold at first: until they are gone new connections are dropped";
  return [{ ...over, why, flows: occupancyFlows - capacityFlows }];
}

/** A limit that was raised without its buckets: what a full table would lose in silence. */
function fewBuckets(facts: WhatIfFacts, before: TableState, after: TableState): Break[] {
  const found = bucketsTooFew(facts, before, after);
  if (found === undefined) return [];
  const key = facts.settings.nf_conntrack_buckets === undefined ? "hashsize" : "nf_conntrack_buckets";
  const { bucketCount, loadFlowsPerBucket, lossShare, flows } = found;
  const lost =
    lossShare < LEAST_LOSS_SHARE
      ? "every packet then searches long chains"
      : `up to ${percent(lossShare)} of new connections are then refused in silence for a long chain`;
  return [
    {
      code: "buckets-too-few",
      why:
        `flows more than buckets when the table is full, ${loadFlowsPerBucket.toFixed(1)} a bucket: ` +
        `${lost}; to this limit belong ${groupDigits(bucketCount)} buckets: --set ${key}=${bucketCount}`,
      flows,
      key,
    },
  ];
}

/** Half-open TCP never carries a session: the timeout of ESTABLISHED decides. */
function silentSessions({ sessions, observation }: WhatIfFacts, wanted: Settings): Break[] {
  const established = observation.second.regimes.find(
    ({ protocolNumber, state, capped }) => protocolNumber === TCP && state === "ESTABLISHED" && !capped,
  );
  if (established === undefined || sessions === undefined) return [];
  const then = wantedTimeout(observation, established, wanted) ?? Number.POSITIVE_INFINITY;
  const silent = (idle: readonly (number | undefined)[]): number =>
    idle.filter((seconds) => seconds !== undefined && seconds > then).length;
  const rows: Break[] = [
    { code: "own-session", why: "your own SSH session is silent for longer", flows: silent(sessions.own) },
    {
      code: "login-sessions",
      why: "flows of login sessions on this host, perhaps yours, are silent for longer",
      flows: silent(sessions.others),
    },
  ];
  return rows.filter(({ flows }) => flows > 0);
}

/** Floors that the change goes below, or further below. */
function belowFloors({ observation, settings }: WhatIfFacts, wanted: Settings): Break[] {
  const scale = scaleOf(observation.second);
  return floorsCrossed(settings, wanted).map(({ key, to, why }) => {
    const governed = observation.second.regimes.filter(
      (regime) => regime.key === key || isUntold(observation, regime, { [key]: to }),
    );
    const flows = governed.reduce((sum, each) => sum + each.flows, 0) * scale;
    return { code: "below-rfc-floor" as const, why, flows, key };
  });
}

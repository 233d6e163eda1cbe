/**
 * What judgement asks about a host, answered for a tracker of the model: the same values a reader of the
 * running kernel gives.
 */
import type { Counters } from "../table/counters.ts";
import type { Host, SettingsReading } from "../table/host.ts";
import { SETTING_KEYS, type SettingKey } from "../table/settings.ts";
import type { Unseen } from "../table/unseen.ts";
import type { TrackerSettings } from "./tracker-settings.ts";

/** A part of what `judge` takes (plan/facts.ts). */
export interface ModelFacts {
  host: Host;
  settings: SettingsReading;
  atMs: number;
  counters: Counters;
  trackingInUse: boolean;
  unseen: readonly Unseen[];
}

export function trackerFacts(settings: TrackerSettings, counters: Counters, atMs: number): ModelFacts {
  const { values } = settings;
  const known = SETTING_KEYS.filter((key) => values[key] !== undefined);
  const origins = Object.fromEntries(known.map((key): [SettingKey, string] => [key, "model"]));
  const occupancy = counters.occupancyFlows ?? 0;
  return {
    host: {
      kernelRelease: settings.generation,
      pointerBytes: 8,
      pageBytes: 4096,
      initialNamespace: true,
      tracker: "nf_conntrack",
    },
    settings: {
      values: { ...values, nf_conntrack_count: occupancy },
      origins: { ...origins, nf_conntrack_count: "model" },
      unknownKeys: [],
      unreadable: [],
    },
    atMs,
    counters,
    trackingInUse: true,
    unseen: [],
  };
}

/**
 * What happens on a simulated host in days or in a month: its traffic, and what people and machines do to it.
 * A day begins at midnight; the first one is a Monday.
 */
import type { Settings } from "../../src/table/settings.ts";
import type { Habit } from "./flows.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Something that happens once. */
export interface Happening {
  atSeconds: number;
  /** Settings get other values. */
  set?: Settings;
  /** The share of flows that somebody frees. */
  freed?: number;
  /** The machine is off for so long: flows are gone, settings are what they were at the beginning. */
  rebootSeconds?: number;
  /** The watcher does not get to run for so long. */
  gapSeconds?: number;
  /** The wall clock is set by so much. */
  clockSeconds?: number;
}

export interface Story {
  name: string;
  days: number;
  /** Between two looks of the watcher. */
  stepSeconds: number;
  capacityFlows: number;
  habits: readonly Habit[];
  /** By time. */
  happenings: readonly Happening[];
  /** Of the history. */
  maxBytes: number;
  /** Between forecasts while nothing rises fast. */
  forecastSeconds: number;
}

function dayShape(seconds: number): number {
  const phase = ((seconds % DAY) / DAY) * 2 * Math.PI;
  return 1 - 0.55 * Math.cos(phase) - 0.15 * Math.cos(2 * phase);
}

/** Saturday and Sunday are quiet, and no two days are alike. */
function weekShape(seconds: number): number {
  const day = Math.floor(seconds / DAY);
  const unlike = 1 + 0.06 * (((Math.imul(day + 77, 0x9e3779b1) >>> 8) % 2001) / 1000 - 1);
  return dayShape(seconds) * unlike * (day % 7 >= 5 ? 0.4 : 1);
}

/** Short connections that leave TIME_WAIT behind, and names asked for over UDP. */
function web(perSecond: (seconds: number) => number): Habit[] {
  return [
    { perSecond, holding: { kind: "exponential", seconds: 20 } },
    { perSecond: (at) => 0.9 * perSecond(at - 20), holding: { kind: "fixed", seconds: 120 } },
    { perSecond: (at) => 0.5 * perSecond(at), holding: { kind: "fixed", seconds: 30 } },
  ];
}

/** Connections that nobody closes, `perSecond` of them from `from` to `to`. */
function hoard(perSecond: number, from: number, to: number): Habit {
  return {
    perSecond: (at) => (at >= from && at < to ? perSecond : 0),
    holding: { kind: "fixed", seconds: 5 * DAY },
  };
}

/** SYNs nobody answers: more and more within `riseSeconds`, then `perSecond`, until `to`. */
function flood(perSecond: number, from: number, riseSeconds: number, to: number): Habit {
  return {
    perSecond: (at) => (at >= from && at < to ? perSecond * Math.min(1, (at - from) / riseSeconds) : 0),
    holding: { kind: "fixed", seconds: 120 },
  };
}

/** A limit that was raised by hand and is gone after the reboot; everything else that goes wrong, once. */
export const THREE_DAYS: Story = {
  name: "three days",
  days: 3,
  stepSeconds: 3,
  capacityFlows: 65_536,
  maxBytes: 32 * 1024 * 1024,
  forecastSeconds: 300,
  habits: [
    ...web((at) => 110 * dayShape(at)),
    flood(700, DAY + 10 * HOUR, 600, DAY + 11 * HOUR),
    hoard(1.6, 2 * DAY + 5 * HOUR, 3 * DAY),
  ],
  happenings: [
    { atSeconds: 9 * HOUR, set: { nf_conntrack_max: 81_920 } },
    { atSeconds: 15 * HOUR, gapSeconds: 40 * 60 },
    { atSeconds: DAY + 2 * HOUR + 1800, clockSeconds: -HOUR },
    { atSeconds: DAY + 20 * HOUR, clockSeconds: HOUR },
    { atSeconds: 2 * DAY + 4 * HOUR, rebootSeconds: 180 },
    { atSeconds: 2 * DAY + 17 * HOUR, freed: 0.7 },
  ],
};

/** Four weeks of an office and two days, with a leak, a flood, a crowd, and an unlucky operator. */
export const MONTH: Story = {
  name: "a month",
  days: 30,
  stepSeconds: 1,
  capacityFlows: 65_536,
  maxBytes: 256 * 1024 * 1024,
  forecastSeconds: 300,
  habits: [
    ...web((at) => 110 * weekShape(at)),
    hoard(0.03, 0, 30 * DAY),
    // From a release on Monday to its repair on Wednesday.
    hoard(0.25, 14 * DAY + 9 * HOUR, 16 * DAY + 20 * HOUR),
    flood(700, 9 * DAY + 3 * HOUR, 600, 9 * DAY + 4 * HOUR),
    flood(3000, 23 * DAY + 13 * HOUR, 10, 23 * DAY + 13 * HOUR + 600),
  ],
  happenings: [
    { atSeconds: 3 * DAY + 14 * HOUR, set: { nf_conntrack_tcp_timeout_established: 86_400 } },
    { atSeconds: 5 * DAY + 2 * HOUR, rebootSeconds: 240 },
    { atSeconds: 8 * DAY + 11 * HOUR, gapSeconds: 40 * 60 },
    { atSeconds: 11 * DAY + 2 * HOUR, clockSeconds: -HOUR },
    { atSeconds: 11 * DAY + 20 * HOUR, clockSeconds: HOUR },
    { atSeconds: 16 * DAY + 20 * HOUR, freed: 0.8 },
    { atSeconds: 20 * DAY + 9 * HOUR, set: { nf_conntrack_max: 81_920 } },
    { atSeconds: 26 * DAY + 4 * HOUR, rebootSeconds: 180 },
  ],
};

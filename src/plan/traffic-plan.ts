/**
 * A plan for a host that does not exist yet: from page views (or connections) a second and the time each
 * holds a flow, by Little's law (flows = arrivals a second x seconds held), to the settings of a kernel and a
 * memory size. What nobody set is what that kernel chooses by itself.
 */
import { formatDuration, roughDuration } from "../table/duration.ts";
import type { Host } from "../table/host.ts";
import { isSince, type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type SettingKey, settingOf, type Settings } from "../table/settings.ts";
import type { ExpectedFlows, Plan, PlanGoal } from "./plan-shape.ts";
import { propose } from "./proposal.ts";
import { usualSizes } from "./proposal-sizes.ts";
import { rateText } from "./proposal-timeouts.ts";
import { amountOf } from "./wording.ts";

export type TrafficProtocol = "tcp" | "udp";

export interface Traffic {
  /** Page views, or whatever makes connections, in a second. */
  viewsPerSecond: number;
  /** As given, for people: `100,000 page views an hour`, and what they are: `page views`. */
  viewsText: string;
  viewsWhat: string;
  connectionsPerView: number;
  /** How long a flow stays after its connection is over; absent: the timeout of the state it ends in. */
  holdSeconds?: number;
  /** How long a connection is kept open before; 0 when it is closed at once. */
  keepaliveSeconds: number;
  protocol: TrafficProtocol;
}

export interface PaperHost {
  memoryBytes: number;
  kernelRelease: string;
  pointerBytes: 4 | 8;
}

export interface TrafficPlan {
  plan: Plan;
  host: Host;
  settings: Settings;
  /** Seconds a flow lives, and what of. */
  heldSeconds: number;
  heldText: string;
  /** One line each: rate, connections of each view if there are several, flows. */
  derivation: readonly string[];
  /** Of what the rates are: `page views`. */
  viewsWhat: string;
  /** What the capacity this kernel chooses by itself is full at; absent where it chooses none. */
  defaultHolds?: { capacityFlows: number; viewsPerHour: number };
}

/** What a flow lives for after the last packet: the timeout of the state a closed connection ends in. */
const LINGER: Readonly<Record<TrafficProtocol, SettingKey>> = {
  tcp: "nf_conntrack_tcp_timeout_time_wait",
  udp: "nf_conntrack_udp_timeout",
};

/** Works it out. Undefined for a kernel without a tracker (before 2.4.0). */
export function planTraffic(paper: PaperHost, traffic: Traffic, goal: PlanGoal): TrafficPlan | undefined {
  const release = parseKernelRelease(paper.kernelRelease);
  const host = hostOnPaper(paper, release);
  const usual = usualSizes(host);
  if (usual === undefined || release === undefined) return undefined;
  const settings: Settings = {
    ...defaultTimeouts(release),
    nf_conntrack_max: usual.capacityFlows,
    nf_conntrack_buckets: usual.buckets,
  };
  const key = LINGER[traffic.protocol];
  const linger = settings[key] ?? 0;
  const held = traffic.keepaliveSeconds + (traffic.holdSeconds ?? linger);
  const perSecond = traffic.viewsPerSecond * traffic.connectionsPerView;
  const plan = propose({
    host,
    settings,
    goal,
    expected: (wanted) => expectedOf({ key, linger, perSecond, held }, traffic, wanted),
    onPaper: true,
    how: "arithmetic from the traffic given; nothing was measured",
    namespacesInUse: 1,
    otherFlows: 0,
  });
  return {
    plan,
    host,
    settings,
    heldSeconds: held,
    heldText: heldText(traffic, key, linger),
    derivation: derivationOf(traffic, perSecond, held),
    viewsWhat: traffic.viewsWhat,
    defaultHolds: {
      capacityFlows: usual.capacityFlows,
      viewsPerHour: (usual.capacityFlows / held / traffic.connectionsPerView) * 3600,
    },
  };
}

interface Holding {
  key: SettingKey;
  linger: number;
  perSecond: number;
  held: number;
}

/**
 * A shorter timeout shortens the part of the life that is the timeout's; a hold that was given is at most
 * that long.
 */
function expectedOf(
  { key, linger, perSecond, held }: Holding,
  { holdSeconds = linger }: Traffic,
  wanted: Settings,
): ExpectedFlows {
  const lingering = Math.min(linger, holdSeconds);
  const shorter = Math.min(lingering, wanted[key] ?? lingering);
  const heldSeconds = held - lingering + shorter;
  const flows = perSecond * heldSeconds;
  return { flows, parts: [{ key, flows, arrivalsPerSecond: perSecond, heldSeconds }] };
}

function derivationOf(traffic: Traffic, perSecond: number, held: number): string[] {
  const { viewsPerSecond, viewsText, viewsWhat, connectionsPerView } = traffic;
  const rate = rateText(viewsPerSecond);
  const isPerSecond = viewsText.endsWith("a second");
  const one = connectionsPerView === 1 && viewsWhat !== "connections" ? ", one connection each" : "";
  const flowsLine = `${rateText(perSecond)} new flows a second x ${formatDuration(held)} = `;
  return [
    (isPerSecond ? viewsText : `${viewsText} = ${rate} a second`) + one,
    ...(connectionsPerView === 1
      ? []
      : [
          `${rate} a second x ${rateText(connectionsPerView)} connections each = ` +
            `${rateText(perSecond)} new flows a second`,
        ]),
    flowsLine + amountOf(perSecond * held, "flow"),
  ];
}

function heldText(
  { holdSeconds, keepaliveSeconds, protocol }: Traffic,
  key: SettingKey,
  linger: number,
): string {
  const open = keepaliveSeconds === 0 ? "closed at once" : `kept open for ${roughDuration(keepaliveSeconds)}`;
  if (holdSeconds !== undefined) return `${open}, then ${roughDuration(holdSeconds)} as given`;
  const name = key.replace("nf_conntrack_", "");
  const what = protocol === "tcp" ? "TIME_WAIT" : "the flow";
  return `${open}, then ${roughDuration(linger)} until ${what} ends (${name})`;
}

function hostOnPaper(paper: PaperHost, release: KernelRelease | undefined): Host {
  const old = release !== undefined && !isSince(release, "2.6.20");
  return { ...paper, tracker: old ? "ip_conntrack" : "nf_conntrack" };
}

/** Every timeout this kernel has, as it is when nobody sets it. */
function defaultTimeouts(release: KernelRelease): Settings {
  const timeouts: { -readonly [key in SettingKey]?: number } = {};
  for (const key of SETTING_KEYS) {
    const { unit, defaults, since, until } = settingOf(key);
    if (unit !== "seconds" || !isSince(release, since)) continue;
    if (until !== undefined && isSince(release, until)) continue;
    const row = defaults?.findLast((one) => isSince(release, one.since));
    if (row !== undefined) timeouts[key] = row.value;
  }
  return timeouts;
}

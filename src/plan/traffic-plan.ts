/**
 * A plan for a load that does not exist yet: from page views (or connections) a second and the time each
 * holds a flow, by Little's law (flows = arrivals a second x seconds held), to the settings of a kernel and a
 * memory size. What nobody set is what that kernel chooses by itself; where there is a host already, what is
 * in force there counts, and the plan changes that.
 */
import { formatDuration, roughDuration } from "../table/duration.ts";
import type { Host } from "../table/host.ts";
import { isSince, type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type SettingKey, settingOf, type Settings } from "../table/settings.ts";
import type { ExpectedFlows, Plan, PlanGoal, PlannedSetting } from "./plan-shape.ts";
import { propose } from "./proposal.ts";
import { defaultSizesOf } from "../table/sizes.ts";
import { gentleStepOf, rateText } from "./proposal-timeouts.ts";
import { amountOf } from "./wording.ts";

export type TrafficProtocol = "tcp" | "udp";

export interface Traffic {
  /** Page views, or whatever makes connections, in a second. */
  viewsPerSecond: number;
  /** As given, for people: `100,000 page views an hour`, and what they are: `page views`. */
  viewsText: string;
  viewsWhat: string;
  connectionsPerView: number;
  /**
   * How long a flow stays after its connection is over, whatever holds it: no timeout is counted on to
   * shorten it. Absent: the timeout of the state it ends in.
   */
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

/** A host that is there already, and the values in force. */
export interface PresentHost {
  host: Host;
  settings: Settings;
}

export interface TrafficPlan {
  plan: Plan;
  host: Host;
  /** In force, or what the kernel would choose. */
  settings: Settings;
  /** There is no host yet: no setting of the plan says what it is changed from. */
  onPaper: boolean;
  /** Seconds a flow lives, and what of. */
  heldSeconds: number;
  heldText: string;
  /** One line each: rate, connections of each view if there are several, flows. */
  derivation: readonly string[];
  /** Of what the rates are: `page views`. */
  viewsWhat: string;
  /** The rate as given: `100,000 page views an hour`. */
  viewsText: string;
  /** Use of what the kernel would choose, at this rate. */
  fullShare: number;
  /** What the capacity this kernel chooses by itself is full at; absent where it chooses none. */
  defaultHolds?: { capacityFlows: number; viewsPerHour: number };
  /** What it would choose where the kernel reports less than the memory it was sold with. */
  soldCapacityFlows?: number;
}

/** Of 1 GiB a kernel reports about 985,600 KiB (MemTotal): it keeps the rest for itself and the firmware. */
const REPORTED_SHARE = 985_600 / 1_048_576;

/** What a flow lives for after the last packet: the timeout of the state a closed connection ends in. */
const LINGER: Readonly<Record<TrafficProtocol, SettingKey>> = {
  tcp: "nf_conntrack_tcp_timeout_time_wait",
  udp: "nf_conntrack_udp_timeout",
};

/**
 * Works it out: for the host that is `present`, or for one on paper. Undefined for a kernel without a tracker
 * (before 2.4.0).
 */
export function planTraffic(
  paper: PaperHost,
  traffic: Traffic,
  goal: PlanGoal,
  present?: PresentHost,
): TrafficPlan | undefined {
  const release = parseKernelRelease(paper.kernelRelease);
  const host = { ...present?.host, ...hostOnPaper(paper, release) };
  const usual = defaultSizesOf(host);
  if (usual === undefined || release === undefined) return undefined;
  const inForce = inForceOf(present);
  const settings: Settings = {
    ...defaultTimeouts(release),
    nf_conntrack_max: usual.capacityFlows,
    nf_conntrack_buckets: usual.buckets,
    ...inForce,
  };
  const key = LINGER[traffic.protocol];
  const linger = settings[key] ?? 0;
  const held = traffic.keepaliveSeconds + (traffic.holdSeconds ?? linger);
  const perSecond = traffic.viewsPerSecond * traffic.connectionsPerView;
  const proposed = propose({
    host,
    settings,
    goal,
    expected: (wanted) => expectedOf({ key, linger, perSecond, held }, traffic, wanted),
    ...(present === undefined ? { onPaper: true as const } : {}),
    isReckoned: true,
    how: "arithmetic from the traffic given; nothing was measured",
    namespacesInUse: 1,
    otherFlows: 0,
  });
  const plan: Plan = {
    ...proposed,
    settings: proposed.settings.map((setting) => changedFrom(setting, inForce)),
    notes: [...proposed.notes, ...shorterNotes(proposed, host, { key, linger, perSecond, held }, traffic)],
  };
  const sold = soldCapacityOf(host, usual.capacityFlows, present === undefined);
  return {
    plan,
    host,
    settings,
    onPaper: present === undefined,
    ...(sold === undefined ? {} : { soldCapacityFlows: sold }),
    heldSeconds: held,
    heldText: heldText(traffic, key, linger),
    derivation: derivationOf(traffic, perSecond, held),
    viewsWhat: traffic.viewsWhat,
    viewsText: traffic.viewsText,
    fullShare: (perSecond * held) / usual.capacityFlows,
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

/** What is in force, the buckets by one name: before 4.7 they are the module's hashsize. */
function inForceOf(present: PresentHost | undefined): Settings {
  if (present === undefined) return {};
  const { settings } = present;
  const bucketCount = settings.nf_conntrack_buckets ?? settings.hashsize;
  return bucketCount === undefined ? settings : { ...settings, nf_conntrack_buckets: bucketCount };
}

/** What nobody read is not said to be changed from anything. */
function changedFrom({ from: _, ...setting }: PlannedSetting, inForce: Settings): PlannedSetting {
  const from = inForce[setting.key];
  return from === undefined ? setting : { ...setting, from };
}

/** A shorter timeout as an alternative where the hold was given and may be the timeout's. */
function shorterNotes(
  { settings }: Plan,
  host: Host,
  { key, linger, perSecond }: Holding,
  { holdSeconds }: Traffic,
): string[] {
  const shorter = gentleStepOf(host, key);
  if (settings.length === 0 || holdSeconds === undefined || shorter === undefined) return [];
  if (holdSeconds > linger || holdSeconds <= shorter) return [];
  const saved = amountOf(perSecond * (holdSeconds - shorter), "flow");
  return [
    `If the ${formatDuration(holdSeconds)} given are those of ${key.replace("nf_conntrack_", "")}, ` +
      `${formatDuration(shorter)} there would save ${saved}; the plan does not count on it.`,
  ];
}

/** Undefined where it makes no difference, or the memory is what a kernel reports. */
function soldCapacityOf(host: Host, capacityFlows: number, onPaper: boolean): number | undefined {
  const { memoryBytes = 0 } = host;
  if (!onPaper || !Number.isInteger(Math.log2(memoryBytes))) return undefined;
  const reported = defaultSizesOf({ ...host, memoryBytes: Math.round(memoryBytes * REPORTED_SHARE) });
  return reported?.capacityFlows === capacityFlows ? undefined : reported?.capacityFlows;
}

/** A shorter timeout shortens the part of the life that is the timeout's; a hold that was given stays. */
function expectedOf(
  { key, linger, perSecond, held }: Holding,
  { holdSeconds }: Traffic,
  wanted: Settings,
): ExpectedFlows {
  if (holdSeconds !== undefined) return { flows: perSecond * held };
  const heldSeconds = held - linger + Math.min(linger, wanted[key] ?? linger);
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

/**
 * From what is known now to what holds: one rule for each code. Where judgement has a finding of the same
 * code, its words and ways out are used; the figures are those of this second.
 */
import { amountOf, groupDigits, keepAfterReboot, lookCloser, percent, raiseCapacity } from "../plan/plan.ts";
import type { Remedy } from "../table/finding.ts";
import { roughDuration } from "../table/duration.ts";
import { isLookedAt, type NamespaceFacts } from "../table/host.ts";
import type { AlertOptions, ShareThresholds } from "./alert-options.ts";
import type { Alert, AlertCode } from "./alert.ts";
import type { AlertFacts, AlertRule, Condition } from "./alert-condition.ts";
import { figuresOf, findingOf, useOf, waysOut } from "./alert-figures.ts";
import {
  allocationFailed,
  chainTooLong,
  earlyDrop,
  expectationsFull,
  insertClash,
  tableFull,
} from "./alert-losses.ts";
import { namespaceLabel } from "./second.ts";
import { settingChanged, settingLost } from "./alert-settings.ts";

/** In order of importance, for alerts of the same level. */
export const alertRules: ReadonlyMap<AlertCode, AlertRule> = new Map<AlertCode, AlertRule>([
  ["table-full", tableFull],
  ["chain-too-long", chainTooLong],
  ["allocation-failed", allocationFailed],
  ["near-full", nearFull],
  ["filling", filling],
  ["early-drop", earlyDrop],
  ["namespace-near-full", namespaceNearFull],
  ["one-source-hoards", oneSourceHoards],
  ["insert-clash", insertClash],
  ["expectations-full", expectationsFull],
  ["setting-lost", settingLost],
  ["setting-changed", settingChanged],
  ["watching-impaired", watchingImpaired],
]);

function levelByShare(share: number, by: ShareThresholds, lowerBy: number): Condition["level"] {
  if (share >= by.criticalShare - lowerBy) return "critical";
  return share >= by.warningShare - lowerBy ? "warning" : "ok";
}

/** `near-full`: occupancy as a share of capacity, with hysteresis. */
function nearFull(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const use = useOf(facts);
  if (use === undefined) return undefined;
  const by = options.rules["near-full"];
  const keeps = levelByShare(use.useShare, by, by.hysteresisShare);
  if (keeps === "ok") return [];
  const { occupancyFlows, capacityFlows, useShare } = use;
  const headroomFlows = Math.max(0, capacityFlows - occupancyFlows);
  const held = `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)} flows`;
  const found = findingOf(facts, "near-full") ?? findingOf(facts, "table-full");
  return [
    {
      code: "near-full",
      level: levelByShare(useShare, by, 0),
      keeps,
      title: `Table ${percent(useShare)} full: ${held}`,
      evidence: figuresOf({ occupancyFlows, capacityFlows, useShare, headroomFlows }),
      meaning:
        `Room for ${amountOf(headroomFlows, "more flow")}. When the table is full, the first packets of ` +
        "new connections are dropped; existing ones go on.",
      remedy: found?.remedy ?? waysOut(facts),
    },
  ];
}

/** A forecast is made every ten seconds or so; an old one speaks of another table. */
const FORECAST_AGE_MAX_SECONDS = 1800;
/** A level of `filling` is left when the table is likely full only so many times later. */
const FILLING_SLACK = 1.5;
/** Who waits to be sure waits no longer than this part of the time that is left. */
const FILLING_WAIT_SHARE = 0.1;

/** `filling`: by the forecast, and only where it can tell. */
function filling(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const { forecast } = facts.state;
  const use = useOf(facts);
  if (forecast === undefined || use === undefined || forecast.unknown !== undefined) return undefined;
  const ageSeconds = (facts.nowMs - forecast.madeAtMs) / 1000;
  if (Math.abs(ageSeconds) > FORECAST_AGE_MAX_SECONDS) return undefined;
  const fromNow = (fromThen: number): number => Math.max(0, fromThen - ageSeconds);
  const by = options.rules.filling;
  const { fullIn } = forecast;
  // A full table is not filling any more, and has alerts of its own.
  if (fullIn?.seconds === undefined || use.useShare < by.leastUseShare || use.useShare >= 1) return [];
  const seconds = fromNow(fullIn.seconds);
  const levelFor = (factor: number): Condition["level"] => {
    if (seconds <= by.criticalSeconds * factor) return "critical";
    return seconds <= by.warningSeconds * factor ? "warning" : "ok";
  };
  const keeps = levelFor(FILLING_SLACK);
  if (keeps === "ok") return [];
  const earliest = fromNow(fullIn.earliestSeconds);
  const latest = fullIn.latestSeconds === undefined ? undefined : fromNow(fullIn.latestSeconds);
  return [
    {
      code: "filling",
      level: levelFor(1),
      keeps,
      firesAfterSeconds: seconds * FILLING_WAIT_SHARE,
      title: `Table full in about ${roughDuration(seconds)} (now ${percent(use.useShare)})`,
      evidence: figuresOf({
        ...use,
        secondsToFull: seconds,
        earliestSecondsToFull: earliest,
        latestSecondsToFull: latest,
        method: forecast.method,
        meanErrorShare: forecast.backtest?.meanErrorShare,
      }),
      meaning:
        `Between ${roughDuration(earliest)} and ${latest === undefined ? "later" : roughDuration(latest)}, ` +
        `9 times of 10. ${forecast.how}`,
      remedy: findingOf(facts, "near-full")?.remedy ?? waysOut(facts),
    },
  ];
}

/** What is most of an almost empty table is no alert. */
const CAPACITY_SHARE_MIN = 0.1;
/** A source is left behind when it has so much less than the threshold. */
const SOURCE_SLACK = 0.8;

/** `one-source-hoards`: one address made a large part of all flows, by the last census. */
function oneSourceHoards(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const { census } = facts.state;
  if (census === undefined) return undefined;
  const by = options.rules["one-source-hoards"];
  const { flows, topSources } = census.census;
  const capacityFlows = useOf(facts)?.capacityFlows;
  return topSources.rows.flatMap((row): readonly Condition[] => {
    const shareOfFlows = flows <= 0 ? 0 : row.flows / flows;
    const shareOfCapacity = capacityFlows === undefined ? undefined : row.flows / capacityFlows;
    const levelFor = (factor: number): Condition["level"] => {
      const least = Math.max(by.leastFlows, (capacityFlows ?? 0) * CAPACITY_SHARE_MIN) * factor;
      if (row.flows < least) return "ok";
      if ((shareOfCapacity ?? 0) >= by.criticalCapacityShare * factor) return "critical";
      return shareOfFlows >= by.warningShare * factor ? "warning" : "ok";
    };
    const keeps = levelFor(SOURCE_SLACK);
    if (keeps === "ok") return [];
    const found = facts.state.verdict.findings.find(
      ({ code, evidence }) => code === "one-source-hoards" && evidence["address"] === row.address,
    );
    const about = row.standardErrorFlows === undefined ? "" : "about ";
    return [
      {
        code: "one-source-hoards",
        subject: row.address,
        level: levelFor(1),
        keeps,
        title: `${row.address} has ${about}${amountOf(row.flows, "flow")}, ${percent(shareOfFlows)} of all`,
        evidence: figuresOf({
          address: row.address,
          flows: Math.round(row.flows),
          standardErrorFlows: row.standardErrorFlows,
          shareOfFlows,
          shareOfCapacity,
          capacityFlows,
        }),
        meaning:
          found?.meaning ??
          "One address can take all the room there is: a proxy or a NAT gateway in front of many users, a " +
            "client that opens and never closes, or a scan.",
        remedy: found?.remedy ?? [
          { text: "See what it does.", command: `headroom list 'src=${row.address}' --limit 20` },
          lookCloser,
        ],
      },
    ];
  });
}

/** Tables of so many namespaces are told of, the fullest first. */
const NAMESPACES_TOLD = 20;

/** `namespace-near-full`: the table of another namespace, which has the same limit and its own flows. */
function namespaceNearFull(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const { namespaces, facts: judged } = facts.state;
  const inode = judged.host.namespaceInode;
  const shared = useOf(facts)?.capacityFlows;
  const by = options.rules["namespace-near-full"];
  const used = namespaces.flatMap((namespace) => {
    const { occupancyFlows, capacityFlows = shared } = namespace;
    if (isLookedAt(namespace, inode) || occupancyFlows === undefined || capacityFlows === undefined)
      return [];
    const useShare = capacityFlows <= 0 ? 0 : occupancyFlows / capacityFlows;
    return [{ namespace, occupancyFlows, capacityFlows, useShare }];
  });
  const fullest = used.toSorted((one, two) => two.useShare - one.useShare).slice(0, NAMESPACES_TOLD);
  const near = fullest.flatMap(
    ({ namespace, occupancyFlows, capacityFlows, useShare }): readonly Condition[] => {
      const keeps = levelByShare(useShare, by, by.hysteresisShare);
      if (keeps === "ok") return [];
      const subject = namespaceLabel(namespace);
      const flows = `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)} flows`;
      return [
        {
          code: "namespace-near-full",
          subject,
          level: levelByShare(useShare, by, 0),
          keeps,
          title: `Table of namespace ${subject} ${percent(useShare)} full: ${flows}`,
          evidence: figuresOf({ namespaceInode: namespace.inode, occupancyFlows, capacityFlows, useShare }),
          meaning:
            "Every network namespace has a table of its own under the same limit. When this one is full, " +
            "its new connections are dropped, whatever room the others have.",
          remedy: [...lookInto(namespace), ...raiseCapacity(judged), keepAfterReboot],
        },
      ];
    },
  );
  return [...near, ...namespacesGone(facts)];
}

/** Alerts of namespaces that are not there any more: nothing is full where nothing is. */
function namespacesGone({ state: { alerts, namespaces } }: AlertFacts): readonly Condition[] {
  // Before they were counted, and while they cannot be, none is known to be gone.
  if (namespaces.length === 0) return [];
  const isThere = ({ subject, evidence }: Alert): boolean =>
    namespaces.some(
      (namespace) => namespace.inode === evidence["namespaceInode"] || namespaceLabel(namespace) === subject,
    );
  const gone = alerts.filter((alert) => alert.code === "namespace-near-full" && !isThere(alert));
  return gone.map(({ code, subject = "", evidence }) => ({
    code,
    subject,
    level: "ok",
    keeps: "ok",
    over: true,
    title: `Namespace ${subject} is gone`,
    evidence,
    meaning: "Its table went with it.",
    remedy: [],
  }));
}

function lookInto({ name, pid }: NamespaceFacts): readonly Remedy[] {
  const handle = name ?? (pid === undefined ? undefined : String(pid));
  if (handle === undefined) return [];
  const word = /^[\w.:@%+,/=-]+$/.test(handle) ? handle : `'${handle.replaceAll("'", "'\\''")}'`;
  return [{ text: "See what fills its table.", command: `headroom explain --netns ${word}` }];
}

/** `watching-impaired`: what the watcher needs and does not have. */
function watchingImpaired(facts: AlertFacts): readonly Condition[] {
  return facts.impairments.map(({ what, why, help, command }) => ({
    code: "watching-impaired",
    subject: what,
    level: "warning",
    keeps: "warning",
    title: `Cannot watch ${what}`,
    evidence: { what },
    meaning:
      `${why.replace(/[.\s]+$/, "")}. Alerts that need it say nothing while it is not there, and the ` +
      "history has a gap.",
    remedy: [
      ...(help === undefined ? [] : [{ text: help, ...(command === undefined ? {} : { command }) }]),
      ...(command !== undefined
        ? []
        : [{ text: "See what this host shows and what it does not.", command: "headroom check --verbose" }]),
    ],
  }));
}

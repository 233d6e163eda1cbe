/** How it stands and what comes, in words. Pure. */
import type { StatusJson } from "../../src/server/api-schema.ts";
import { roughDuration } from "./figures.ts";

export type LevelName = StatusJson["level"];
type Outlook = NonNullable<StatusJson["forecast"]>;

export const LEVEL_WORDS: Readonly<Record<LevelName, string>> = {
  ok: "All well",
  warning: "Warning",
  critical: "Critical",
  unknown: "Unknown",
};

/** Time to full: the figure, and what is said beneath it. */
export interface TimeToFull {
  figure: string;
  detail: string;
  /** Whether it is known to fill up within the horizon. */
  fills: boolean;
}

/** What a forecast says of when the table is full; `isFull`: it is already. */
export function timeToFull(outlook: Outlook | undefined, isFull: boolean): TimeToFull {
  if (isFull) return { figure: "full now", detail: "new connections are dropped", fills: true };
  if (outlook === undefined)
    return { figure: "not known", detail: "no forecast yet: it needs some minutes of history", fills: false };
  if (outlook.unknown !== undefined) return { figure: "not known", detail: outlook.unknown, fills: false };
  const { fullIn, horizonSeconds } = outlook;
  const horizon = roughDuration(horizonSeconds);
  if (fullIn === undefined)
    return { figure: `not within ${horizon}`, detail: methodWords(outlook), fills: false };
  const { seconds, earliestSeconds, latestSeconds } = fullIn;
  if (seconds === undefined)
    // A lower bound is no headline: most likely it does not fill up at all.
    return {
      figure: "not expected",
      detail: `within ${horizon}; in the worst case in ${roughDuration(earliestSeconds)}`,
      fills: false,
    };
  const earliest = roughDuration(earliestSeconds);
  const detail =
    latestSeconds === undefined
      ? `not before ${earliest}, perhaps not within ${horizon}`
      : `between ${earliest} and ${roughDuration(latestSeconds)}`;
  return { figure: roughDuration(seconds), detail, fills: true };
}

const METHODS: Readonly<Record<Outlook["method"], string>> = {
  trend: "by the trend",
  daily: "by trend and time of day",
  weekly: "by trend, time of day and weekday",
  arrivals: "by arrivals and holding time",
  none: "",
};

/** What the forecast rests on. */
export function methodWords(outlook: Pick<Outlook, "method">): string {
  return METHODS[outlook.method];
}

type Judged = StatusJson["findings"][number] | StatusJson["alerts"][number];

const RANK: Readonly<Record<LevelName, number>> = { critical: 0, warning: 1, unknown: 2, ok: 3 };

/** What needs attention, the worst first: alerts, and findings that no alert tells of already. */
export function attentionOf({ alerts, findings }: Pick<StatusJson, "alerts" | "findings">): Judged[] {
  const open = alerts.filter(({ state }) => state !== "resolved");
  const codes = new Set(open.map(({ code }): string => code));
  const rest = findings.filter(({ code, level }) => level !== "ok" && !codes.has(code));
  return [...open, ...rest].toSorted((a, b) => RANK[a.level] - RANK[b.level]);
}

/** What is wrong with the table of another namespace: true, but not of the figures beside it. */
const ELSEWHERE: ReadonlySet<string> = new Set(["namespace-near-full", "full-in-another-namespace"]);

/** The most important thing, for the head of the page; and how this table is, where that is of another. */
export interface Headline {
  title: string;
  here?: string;
}

export function headlineOf(status: StatusJson): Headline {
  const { level } = status;
  if (level === "ok") return { title: ROOM };
  const worst = attentionOf(status).filter((judged) => judged.level === level);
  const told = worst.find(({ code }) => !ELSEWHERE.has(code)) ?? worst[0];
  if (told === undefined) return { title: "What is wrong could not be told" };
  if (!ELSEWHERE.has(told.code)) return { title: told.title };
  return {
    title: told.title,
    here: `Elsewhere on this host; ${ownLevelOf(status) === "ok" ? HERE_ROOM : HERE_NOT}`,
  };
}

const ROOM = "The table has room";
const HERE_ROOM = "the table watched here has room.";
const HERE_NOT = "for the table watched here see below.";

/** How the table that is watched stands, whatever is wrong elsewhere. */
export function ownLevelOf(status: StatusJson): LevelName {
  const own = attentionOf(status).filter(({ code }) => !ELSEWHERE.has(code));
  const worst = own.find((judged) => !("state" in judged) || judged.state === "firing");
  const isElsewhere = attentionOf(status).some(({ code }) => ELSEWHERE.has(code));
  return worst?.level ?? (isElsewhere ? "ok" : status.level);
}

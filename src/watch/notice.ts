/**
 * A notice: what a receiver is told of an alert, as a plain value. Its text is bounded and holds no control
 * characters, whoever chose the names in it.
 */
import type { Census } from "../census/census.ts";
import type { Alert } from "./alert.ts";
import type { AlertLevel } from "./alert-condition.ts";

export type NoticeKind =
  | "fired"
  /** Fires already, and its level has risen. */
  | "worse"
  /** What it tells of has happened once more. */
  | "again"
  /** Still fires. */
  | "reminder"
  | "resolved"
  /** Sent by hand, to see whether it arrives. */
  | "test";

export interface Notice {
  /** Of one notice; a receiver that is told twice can see it by this. */
  id: string;
  kind: NoticeKind;
  /** When it was written; it may arrive later. */
  atMs: number;
  alert: Alert;
  /** The worst level this alert was told with. */
  worst: AlertLevel;
  /** The host, and the namespace where it is not the host's own: `gw1`, `gw1, namespace blue`. */
  instance: string;
  /** What fills the table, where the alert is about that; by the census nearest to its moment. */
  filledBy?: FilledBy;
  /** Flows in the table when it was written, where the alert is about them. */
  occupancyFlows?: number;
  /** It waits until then, and no longer, for a census of its moment. */
  notBeforeMs?: number;
}

export interface FilledBy {
  atMs: number;
  flows: number;
  /** It is reckoned from so many flows; absent: all were read. */
  sampleFlows?: number;
  /** Of each the greatest, with their share of `flows`. */
  states: readonly Part[];
  sources: readonly Part[];
  services: readonly Part[];
}

export interface Part {
  name: string;
  flows: number;
  share: number;
}

const PARTS = 3;
/** Less than this, beside the greatest, is noise. */
const LEAST_SHARE = 0.01;
/** A census of so many more or fewer flows is of another moment. */
const OTHER_SHARE = 0.1;

/** Whether a census of `flows` tells who fills a table of `occupancyFlows`. */
export function isOfMoment(flows: number, occupancyFlows: number | undefined): boolean {
  if (occupancyFlows === undefined) return true;
  return Math.abs(flows - occupancyFlows) <= OTHER_SHARE * Math.max(flows, occupancyFlows);
}

/** The greatest of each kind. */
export function filledBy(atMs: number, census: Census): FilledBy {
  const { flows } = census;
  const part = (name: string, of: number): Part => ({
    name: plainLine(name, 60),
    flows: Math.round(of),
    share: flows <= 0 ? 0 : of / flows,
  });
  const states = census.byState.map((row) => part(`${row.protocol} ${row.state}`, row.flows));
  const stateless = census.byProtocol
    .filter(({ protocol }) => !census.byState.some((row) => row.protocol === protocol))
    .map((row) => part(row.protocol, row.flows));
  return {
    atMs,
    flows: Math.round(flows),
    ...(census.flowsRead < flows ? { sampleFlows: census.flowsRead } : {}),
    states: greatest([...states, ...stateless]),
    sources: greatest(census.topSources.rows.map((row) => part(row.address, row.flows))),
    services: greatest(census.topServices.rows.map((row) => part(`${row.protocol}/${row.port}`, row.flows))),
  };
}

function greatest(parts: readonly Part[]): readonly Part[] {
  return parts
    .toSorted((one, two) => two.flows - one.flows)
    .filter(({ flows, share }, index) => flows > 0 && (index === 0 || share >= LEAST_SHARE))
    .slice(0, PARTS);
}

const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]+/gu;

/** One line of at most `most` characters without control characters; what is cut off ends in `...`. */
export function plainLine(text: string, most: number): string {
  const line = text.replaceAll(UNSAFE, " ").trim();
  const characters = [...line];
  return characters.length <= most ? line : `${characters.slice(0, most - 3).join("")}...`;
}

const [TITLE_MAX, TEXT_MAX, COMMAND_MAX, FIGURES_MAX, REMEDIES_MAX] = [200, 1200, 500, 30, 8];

/** The alert with every text bounded and plain. */
export function plainAlert(alert: Alert): Alert {
  const { subject, evidence, remedy } = alert;
  const figures = Object.entries(evidence).slice(0, FIGURES_MAX);
  return {
    ...alert,
    ...(subject === undefined ? {} : { subject: plainLine(subject, TITLE_MAX) }),
    title: plainLine(alert.title, TITLE_MAX),
    meaning: plainLine(alert.meaning, TEXT_MAX),
    evidence: Object.fromEntries(
      figures.map(([name, value]) => [
        plainLine(name, 60),
        typeof value === "number" ? value : plainLine(value, TITLE_MAX),
      ]),
    ),
    remedy: remedy.slice(0, REMEDIES_MAX).map(({ text, command }) => ({
      text: plainLine(text, TEXT_MAX),
      ...(command === undefined ? {} : { command: plainLine(command, COMMAND_MAX) }),
    })),
  };
}

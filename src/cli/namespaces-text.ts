/**
 * The network namespaces of a host as lines. They share one limit and one hash, but each is counted by
 * itself: a host may be full in one of them only. Pure.
 */
import type { NamespaceFacts } from "../table/host.ts";
import { countOf, formatCount, formatShare } from "./figures.ts";
import { bar, type Look, tone } from "./look.ts";
import { fit, padLeft, padRight, visible, widthOf, wrap } from "./plain-text.ts";

const NAMESPACE_BAR = 10;

/** A table of namespaces, fullest first: count, share of the limit they all have, owner. */
export function namespaceLines(namespaces: readonly NamespaceFacts[], look: Look): string[] {
  const rows = namespaces.toSorted(
    (left, right) => (right.occupancyFlows ?? -1) - (left.occupancyFlows ?? -1),
  );
  const total = occupancyOf(rows);
  const names = rows.map(namespaceName);
  const width = Math.min(32, Math.max("Namespace".length, ...names.map(widthOf)));
  const flowsWidth = Math.max("flows".length, ...rows.map((row) => occupancyText(row).length));
  const head = `${padRight("Namespace", width)}  ${padLeft("flows", flowsWidth)}   full`;
  return [
    tone(look, "bold", `${countOf(total, "flow")} in ${countOf(rows.length, "network namespace")}`),
    ...wrap("Each may hold as many as nf_conntrack_max says: the limit is one value for all.", look.columns),
    "",
    tone(look, "bold", `${padRight(head, width + flowsWidth + NAMESPACE_BAR + 11)}owner`),
    ...rows.map((row, index) =>
      namespaceLine(row, padRight(fit(names[index] ?? "", width), width), flowsWidth, look),
    ),
  ];
}

/** Flows of all namespaces together, by the kernel's counts. */
export function occupancyOf(namespaces: readonly NamespaceFacts[]): number {
  return namespaces.reduce((sum, { occupancyFlows }) => sum + (occupancyFlows ?? 0), 0);
}

/** What to type to look into the fullest namespace; undefined when all are empty. */
export function fullestOptions(namespaces: readonly NamespaceFacts[]): string | undefined {
  const [fullest] = namespaces.toSorted(byOccupancy);
  if (fullest === undefined || (fullest.occupancyFlows ?? 0) === 0) return undefined;
  if (fullest.own) return "";
  const target = fullest.name ?? fullest.pid;
  return target === undefined ? undefined : ` --netns ${target}`;
}

function byOccupancy(left: NamespaceFacts, right: NamespaceFacts): number {
  return (right.occupancyFlows ?? -1) - (left.occupancyFlows ?? -1);
}

function namespaceName({ name, initial, inode, own }: NamespaceFacts): string {
  const text = name ?? (initial ? "initial" : inodeText(inode));
  return visible(own ? `${text} (this one)` : text);
}

function inodeText(inode: number | undefined): string {
  return inode === undefined ? "without a name" : `inode ${inode}`;
}

function occupancyText({ occupancyFlows }: NamespaceFacts): string {
  return occupancyFlows === undefined ? "?" : formatCount(occupancyFlows);
}

function namespaceLine(row: NamespaceFacts, name: string, flowsWidth: number, look: Look): string {
  const { occupancyFlows, capacityFlows, owner, unseen } = row;
  const share =
    occupancyFlows === undefined || capacityFlows === undefined || capacityFlows === 0
      ? undefined
      : occupancyFlows / capacityFlows;
  const drawn = share === undefined ? "" : bar(look, share, NAMESPACE_BAR);
  const full = padLeft(share === undefined ? "" : formatShare(share), 5);
  const flows = padLeft(occupancyText(row), flowsWidth);
  const figures = `${name}  ${flows}  ${full}  ${padRight(drawn, NAMESPACE_BAR)}  `;
  const who = owner ?? (unseen === undefined ? "" : `(${unseen})`);
  return fit(`${figures}${visible(who)}`, look.columns).trimEnd();
}

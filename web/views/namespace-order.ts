/** Which namespace is worst. Pure. */
import type { NamespacesJson } from "../../src/server/api-schema.ts";

export type NamespaceRow = NamespacesJson["namespaces"][number];

/** Use as a share of 1; undefined where count or limit is not known. */
export function shareOf({ occupancyFlows, capacityFlows }: NamespaceRow): number | undefined {
  if (occupancyFlows === undefined || capacityFlows === undefined || capacityFlows === 0) return undefined;
  return occupancyFlows / capacityFlows;
}

/** The fullest first; those that could not be read after all others that have flows. */
export function fullestFirst(rows: readonly NamespaceRow[]): NamespaceRow[] {
  const key = (row: NamespaceRow): number => shareOf(row) ?? (row.occupancyFlows ?? -1) * 1e-12 - 1e-9;
  return rows.toSorted((a, b) => key(b) - key(a) || a.label.localeCompare(b.label));
}

/** As `headroom check` judges: near full from 80 %, critical from 90 %. */
export function levelOfUse(share: number | undefined): "ok" | "warning" | "critical" | "unknown" {
  if (share === undefined) return "unknown";
  if (share >= 0.9) return "critical";
  return share >= 0.8 ? "warning" : "ok";
}

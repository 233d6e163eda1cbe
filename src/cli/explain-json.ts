/**
 * `headroom explain --json`: schema headroom/explain/v1. The census keeps its own names; around it stands
 * what was looked at and how.
 */
import { censusToJson } from "../census/census.ts";
import { formatAddress } from "../table/address.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import type { ExplainText } from "./explain-text.ts";

/** What `explain --json` prints. `source` is the fixed name of where flows came from. */
export function explainToJson(report: ExplainText, source: string): object {
  const { census, interrupted, assumedTimeouts, owners, filter } = report;
  const { occupancyFlows, occupancyAfterFlows, dyingFlows, capacityFlows } = report;
  return {
    schema: "headroom/explain/v1",
    source,
    origin: report.origin,
    ...(filter === undefined ? {} : { filter }),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(occupancyAfterFlows === undefined ? {} : { occupancyAfterFlows }),
    ...(dyingFlows === undefined ? {} : { dyingFlows }),
    ...(capacityFlows === undefined ? {} : { capacityFlows }),
    ...(interrupted === true ? { interrupted } : {}),
    ...(assumedTimeouts === true ? { assumedTimeouts } : {}),
    ...censusToJson(census),
    ...(owners === undefined
      ? {}
      : { owners: owners.map(({ label, ...count }) => ({ owner: label, ...count })) }),
    unseen: report.unseen,
  };
}

/** What `explain --all-netns --json` prints: counts by namespace instead of a census. */
export function namespacesToJson(namespaces: readonly NamespaceFacts[], unseen: readonly Unseen[]): object {
  return {
    schema: "headroom/explain/v1",
    flows: namespaces.reduce((sum, { occupancyFlows }) => sum + (occupancyFlows ?? 0), 0),
    namespaces: namespaces.map(({ addresses, ...rest }) => ({
      ...rest,
      ...(addresses === undefined ? {} : { addresses: addresses.map(formatAddress) }),
    })),
    unseen,
  };
}

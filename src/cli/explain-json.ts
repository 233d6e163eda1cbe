/**
 * `headroom explain --json`: schema headroom/explain/v1. The census keeps its own names; around it stands
 * what was looked at and how.
 */
import { censusToJson } from "../census/census.ts";
import { formatAddress } from "../table/address.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import type { ExplainText } from "./explain-text.ts";
import { occupancyOf } from "./namespaces-text.ts";

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
    ...(report.events === true ? { events: true } : {}),
    ...(interrupted === true ? { interrupted } : {}),
    ...(assumedTimeouts === true ? { assumedTimeouts } : {}),
    ...censusToJson(census),
    ...(owners === undefined
      ? {}
      : { owners: owners.map(({ label, ...count }) => ({ owner: label, ...count })) }),
    unseen: report.unseen,
  };
}

/**
 * What `explain --all-netns --json` prints: the namespaces, and the census of all of them together where any
 * could be read. `occupancyFlows` is the sum of the kernel's counts.
 */
export function namespacesToJson(
  namespaces: readonly NamespaceFacts[],
  explained: object | undefined,
  unseen: readonly Unseen[],
): object {
  return {
    ...(explained ?? { schema: "headroom/explain/v1", occupancyFlows: occupancyOf(namespaces), unseen }),
    namespaces: namespaces.map(({ addresses, ...rest }) => ({
      ...rest,
      ...(addresses === undefined ? {} : { addresses: addresses.map(formatAddress) }),
    })),
  };
}

/** Namespaces as bars, the fullest first. */
import type { JSX } from "preact";

import type { NamespacesJson } from "../../src/server/api-schema.ts";
import { Empty } from "../parts/panel.tsx";
import { formatCount, formatShare } from "../words/figures.ts";
import { type NamespaceRow, fullestFirst, levelOfUse, shareOf } from "./namespace-order.ts";

export function NamespaceStrip({
  namespaces,
  most,
}: {
  namespaces: NamespacesJson["namespaces"];
  most: number;
}): JSX.Element {
  if (namespaces.length === 0) return <NoNamespace />;
  const sorted = fullestFirst(namespaces);
  const rest = sorted.length - most;
  return (
    <>
      <ul class="strip">
        {sorted.slice(0, most).map((row) => (
          <li key={row.label}>
            <NamespaceBar row={row} />
          </li>
        ))}
      </ul>
      {rest > 0 && <p class="quiet">and {rest} more with less in use</p>}
    </>
  );
}

/** Why there may be none: nobody asked for them, or they are not found yet. */
export function NoNamespace(): JSX.Element {
  return (
    <Empty title="No namespace is counted">
      They are looked for every few seconds, unless <code>watch.namespaces</code> is off.
    </Empty>
  );
}

export function NamespaceBar({ row }: { row: NamespaceRow }): JSX.Element {
  const share = shareOf(row);
  const { occupancyFlows, capacityFlows, unseen } = row;
  return (
    <div class={`ns-bar level-${levelOfUse(share)}`}>
      <span class="ns-name">
        {row.name ?? row.label}
        {row.owner !== undefined && row.owner !== (row.name ?? row.label) && <small> {row.owner}</small>}
      </span>
      <span class="ns-figure">
        {occupancyFlows === undefined
          ? (unseen ?? "not seen")
          : formatCount(occupancyFlows) +
            (capacityFlows === undefined ? "" : ` of ${formatCount(capacityFlows)}`)}
        {share !== undefined && <b> {formatShare(share)}</b>}
      </span>
      <span class="ns-track" aria-hidden="true">
        <span style={{ "--share": String(Math.min(1, share ?? 0)) }} />
      </span>
    </div>
  );
}

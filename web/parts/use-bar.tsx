/** The table as one bar: what fills it, by state, and the room that is left. */
import type { JSX } from "preact";

import type { LiveCensus } from "../../src/server/api-schema.ts";
import { formatCount, formatShare } from "../words/figures.ts";

type StateCount = LiveCensus["byState"][number];

export interface BarPart {
  label: string;
  flows: number;
}

/** How many states are named; the rest is `other`. */
const NAMED = 5;

/** The greatest states, scaled to the occupancy, which counts what a census cannot see as well. */
export function partsOf(
  byState: readonly StateCount[],
  byProtocol: readonly { protocol: string; flows: number }[],
  occupancyFlows: number,
): BarPart[] {
  const states = byState.map(({ protocol, state, flows }) => ({ label: `${protocol} ${state}`, flows }));
  const stateful = new Set(byState.map(({ protocol }) => protocol));
  const plain = byProtocol
    .filter(({ protocol }) => !stateful.has(protocol))
    .map(({ protocol, flows }) => ({ label: protocol, flows }));
  const all = [...states, ...plain].toSorted((a, b) => b.flows - a.flows);
  const sum = all.reduce((total, { flows }) => total + flows, 0);
  if (sum === 0) return [];
  const scale = occupancyFlows / sum;
  const named = all.slice(0, NAMED).map(({ label, flows }) => ({ label, flows: flows * scale }));
  const rest = occupancyFlows - named.reduce((total, { flows }) => total + flows, 0);
  return rest >= 0.5 ? [...named, { label: "other", flows: rest }] : named;
}

interface UseBarProps {
  occupancyFlows: number;
  capacityFlows: number | undefined;
  parts: readonly BarPart[];
}

export function UseBar({ occupancyFlows, capacityFlows, parts }: UseBarProps): JSX.Element {
  const whole = Math.max(capacityFlows ?? occupancyFlows, occupancyFlows, 1);
  const shown = parts.length === 0 ? [{ label: "flows", flows: occupancyFlows }] : parts;
  return (
    <div class="use">
      <div
        class="use-bar"
        role="img"
        aria-label={
          capacityFlows === undefined
            ? `${formatCount(occupancyFlows)} flows, the limit is not known`
            : `${formatCount(occupancyFlows)} of ${formatCount(capacityFlows)} flows in use`
        }
      >
        {shown.map(({ label, flows }, index) => (
          <span key={label} class={`use-part part-${index}`} style={{ "--share": String(flows / whole) }} />
        ))}
      </div>
      {parts.length > 0 && (
        <ul class="use-legend">
          {parts.map(({ label, flows }, index) => (
            <li key={label}>
              <span class={`swatch part-${index}`} aria-hidden="true" />
              {label} <b>{formatShare(flows / Math.max(1, occupancyFlows))}</b>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Names and figures of a drawing's lines at the cursor, or now. */
import type { JSX } from "preact";

import { nearestPoint } from "./scale.ts";
import type { PlotSpec } from "./plot-options.ts";

interface LegendProps {
  spec: PlotSpec;
  /** Seconds since 1970; undefined: the newest figure of each. */
  at: number | undefined;
  words: (value: number) => string;
  /** Names of lines that have no place here. */
  without?: readonly string[];
}

export function Legend({ spec, at, words, without = [] }: LegendProps): JSX.Element {
  const index = at === undefined ? -1 : nearestPoint(spec.x, at);
  return (
    <ul class="legend">
      {spec.series
        .filter(({ label, values, isAhead }) => {
          // What lies ahead has a name only where something does.
          return !without.includes(label) && (isAhead !== true || values.some((value) => value !== null));
        })
        .map(({ label, values, colour, dash, isAhead }) => {
          const newest = isAhead === true ? null : values.findLast((one) => one !== null);
          const value = index < 0 ? newest : values[index];
          return (
            <li key={label}>
              <svg
                class="legend-line"
                viewBox="0 0 18 6"
                aria-hidden="true"
                style={{ color: `var(${colour})` }}
              >
                <path d="M0 3h18" stroke-dasharray={(dash ?? []).join(" ")} />
              </svg>
              <span>{label}</span>
              {(index >= 0 || isAhead !== true) && (
                <b>{value === null || value === undefined ? "–" : words(value)}</b>
              )}
            </li>
          );
        })}
    </ul>
  );
}

const ROWS = 24;

/** The drawing as columns of text, thinned out to a readable number of rows. */
export function AsText({
  spec,
  timeWords,
  words,
  title,
}: {
  spec: PlotSpec;
  timeWords: (seconds: number) => string;
  words: (value: number) => string;
  title: string;
}): JSX.Element {
  const step = Math.max(1, Math.ceil(spec.x.length / ROWS));
  const rows = spec.x.map((at, index) => ({ at, index })).filter(({ index }) => index % step === 0);
  return (
    <details class="as-text">
      <summary>{title} as text</summary>
      <div class="scroller" tabIndex={0} role="region" aria-label={`${title} as text`}>
        <table>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {spec.series.map(({ label }) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ at, index }) => (
              <tr key={at}>
                <th scope="row">{timeWords(at)}</th>
                {spec.series.map(({ label, values }) => {
                  const value = values[index];
                  return <td key={label}>{value === null || value === undefined ? "–" : words(value)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** The figures of a finding in words: their names end in their units. Pure. */
import { formatBytes, formatCount, formatError, formatRate, roughDuration } from "./figures.ts";
import { pointInTime } from "./times.ts";

const UNITS: readonly (readonly [ending: RegExp, words: (value: number, nowMs: number) => string])[] = [
  [/share$/i, (value) => `${Number((value * 100).toFixed(1))} %`],
  [/SecondsAgo$/, (value) => `${roughDuration(value)} ago`],
  [/PerSecond$/, formatRate],
  [/Seconds$/, roughDuration],
  [/AtMs$/, pointInTime],
  [/Bytes$/, formatBytes],
  // A number that is a name has no groups.
  [/(?:inode|port|pid|zone)$/i, String],
];

/** `idleEstablishedFlows` as `idle established flows`; a unit that the figure says anyway is left out. */
export function evidenceName(name: string): string {
  return nameWords(name.replace(/(?<=.)(?:Share|SecondsAgo|PerSecond|Seconds|AtMs|Bytes)$/, ""));
}

/** `flowEvents` as `flow events`. */
export function nameWords(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, " ").toLowerCase();
}

export function evidenceWords(name: string, value: number | string, nowMs: number): string {
  if (typeof value === "string") return value;
  const unit = UNITS.find(([ending]) => ending.test(name));
  if (unit !== undefined) return unit[1](value, nowMs);
  return Number.isInteger(value) ? formatCount(value) : String(Number(value.toPrecision(3)));
}

export interface EvidenceRow {
  name: string;
  words: string;
}

/** What a sampled figure is uncertain by. */
const ERROR = "standardErrorFlows";

/** All figures of a finding in words; what is of a sample says by how much it may be off. */
export function evidenceRows(
  evidence: Readonly<Record<string, number | string>>,
  nowMs: number,
): EvidenceRow[] {
  const error = Number(evidence[ERROR] ?? 0);
  return Object.entries(evidence)
    .filter(([name]) => name !== ERROR)
    .map(([name, value]) => {
      const words = evidenceWords(name, value, nowMs);
      const isSampled = name === "flows" && error > 0;
      return {
        name: evidenceName(name),
        words: isSampled ? `about ${words} ${formatError(error)}, by a sample` : words,
      };
    });
}

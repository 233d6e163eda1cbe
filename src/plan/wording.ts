/**
 * Figures in the sentences of findings: digits in groups, percent that never rounds a difference away, and
 * counts from a sample with their error.
 */

/** `1234567` as `1,234,567`; fractions are rounded away. */
export function groupDigits(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 flow`, `1,200 flows`. */
export function amountOf(value: number, one: string, many = `${one}s`): string {
  return `${groupDigits(value)} ${Math.round(value) === 1 ? one : many}`;
}

/** A share of 1 in percent: `83 %`, one digit below ten, and never `0 %` or `100 %` for what is not. */
export function percent(share: number): string {
  if (share <= 0) return "0 %";
  if (share < 0.0001) return "less than 0.01 %";
  if (share < 0.01) return `${(share * 100).toFixed(2)} %`;
  if (share < 0.0995) return `${(share * 100).toFixed(1)} %`;
  if (share >= 0.995 && share < 1) return "more than 99 %";
  return `${Math.round(share * 100)} %`;
}

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `64 MiB`, `1.5 GiB`. */
export function memoryText(bytes: number): string {
  const index = Math.min(byteUnits.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** index;
  return `${value.toFixed(index === 0 || value >= 10 ? 0 : 1)} ${byteUnits[index] ?? "B"}`;
}

/** A count that may come from a sample. */
export interface SampledFlows {
  flows: number;
  standardErrorFlows?: number;
}

/** `14,471 flows`, or `about 14,500 flows (standard error 230)` when counted in a sample. */
export function flowsText(count: SampledFlows, noun = "flow"): string {
  const text = amountOf(count.flows, noun);
  if (count.standardErrorFlows === undefined) return text;
  return `about ${text} (standard error ${groupDigits(count.standardErrorFlows)})`;
}

/** Adds counts; their errors are taken as independent. */
export function sumFlows(counts: readonly SampledFlows[]): SampledFlows {
  let flows = 0;
  let variance = 0;
  let sampled = false;
  for (const count of counts) {
    flows += count.flows;
    variance += (count.standardErrorFlows ?? 0) ** 2;
    sampled ||= count.standardErrorFlows !== undefined;
  }
  return sampled ? { flows, standardErrorFlows: Math.sqrt(variance) } : { flows };
}

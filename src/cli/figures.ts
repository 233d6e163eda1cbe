/**
 * Figures as people read them: `14,471`, `83 %`, `31.5 MB`. Never used in machine output.
 */

/** `1234567` as `1,234,567`; fractions are rounded away. */
export function formatCount(value: number): string {
  const text = String(Math.round(Math.abs(value)));
  const grouped = text.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return value < 0 && text !== "0" ? `-${grouped}` : grouped;
}

/**
 * A share of 1 in percent that never rounds a difference away: `100 %` is all of it, `0 %` is nothing, what
 * lies between is at least `<1 %` and at most `>99 %`.
 */
export function formatShare(share: number): string {
  if (share <= 0) return "0 %";
  if (share < 0.005) return "<1 %";
  if (share >= 0.995 && share < 1) return ">99 %";
  return `${Math.round(share * 100)} %`;
}

/** `some flows`: `1 flow`, `2 flows`. */
export function countOf(value: number, one: string, many = `${one}s`): string {
  return `${formatCount(value)} ${Math.round(value) === 1 ? one : many}`;
}

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Bytes in the greatest binary unit that keeps a digit before the point: `1.5 GiB`, `512 B`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let index = 0;
  while (value >= 1024 && index < byteUnits.length - 1) {
    value /= 1024;
    index += 1;
  }
  const digits = index === 0 || value >= 100 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${byteUnits[index] ?? "B"}`;
}

const memoryFactors: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/**
 * Reads `1G`, `512M`, `1.5 GiB`, `8589934592`: binary units, as memory is sold. Undefined when it is not a
 * size.
 */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * (memoryFactors[(match[2] ?? "").toLowerCase()] ?? 1));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Figures as people read them, in the words of the command line: `14,471`, `83 %`, `31.5 MiB`. Pure. */

/** `1234567` as `1,234,567`; fractions are rounded away. */
export function formatCount(value: number): string {
  const text = String(Math.round(Math.abs(value)));
  const grouped = text.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return value < 0 && text !== "0" ? `-${grouped}` : grouped;
}

/** `some flows`: `1 flow`, `2 flows`. */
export function countOf(value: number, one: string, many = `${one}s`): string {
  return `${formatCount(value)} ${Math.round(value) === 1 ? one : many}`;
}

/** A share of 1 in percent that never rounds a difference away: what lies between is `<1 %` to `>99 %`. */
export function formatShare(share: number): string {
  if (share <= 0) return "0 %";
  if (share < 0.005) return "<1 %";
  if (share >= 0.995 && share < 1) return ">99 %";
  return `${Math.round(share * 100)} %`;
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

/** For axes: `0`, `500`, `20k`, `1.5M`. */
export function shortCount(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${trimmed(value / 1e6)}M`;
  if (size >= 1e3) return `${trimmed(value / 1e3)}k`;
  return trimmed(value);
}

/** For sizes that double: `16k`, `256k`, `1M`, in steps of 1,024; `1.2M` for what lies between. */
export function shortSize(value: number): string {
  const [unit, size] = value >= 2 ** 20 ? ["M", 2 ** 20] : ["k", 1024];
  return `${Number((value / size).toFixed(1))}${unit}`;
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) >= 100 ? 0 : 2)));
}

/** `120 /s`, `0.4 /s`: a rate keeps the digits that tell it from zero. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0 /s";
  if (perSecond < 0.01) return "<0.01 /s";
  if (perSecond < 10) return `${Number(perSecond.toFixed(perSecond < 1 ? 2 : 1))} /s`;
  return `${formatCount(perSecond)} /s`;
}

/**
 * What a sampled figure is uncertain by: `± 120` for a standard error of 61; two of them hold 95 of 100.
 * Empty when nothing was estimated.
 */
export function formatError(standardError: number | undefined): string {
  if (standardError === undefined || standardError <= 0) return "";
  return `± ${formatCount(Math.max(1, 2 * standardError))}`;
}

/** A value of a setting in its unit: `5d`, `262,144`, `off`. */
export function formatSetting(value: number, unit: string): string {
  if (unit === "seconds") return formatDuration(value);
  if (unit === "flag" && value <= 1) return value === 0 ? "off" : "on";
  return formatCount(value);
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
];

/** `43200` as `12h`, `129600` as `1d12h`: exact, and what the command line reads back. */
export function formatDuration(seconds: number): string {
  let rest = Math.round(seconds);
  if (rest === 0) return "0s";
  let text = "";
  for (const [unit, size] of UNITS) {
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text;
}

/** About how long, for sentences: `45 s`, `12 min`, `3 h 20 min`, `5 days`. */
export function roughDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 100) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 100) return `${minutes} min`;
  const rounded = Math.round(minutes / (minutes < 600 ? 5 : 60)) * (minutes < 600 ? 5 : 60);
  const hours = Math.floor(rounded / 60);
  if (hours < 48) return rounded % 60 === 0 ? `${hours} h` : `${hours} h ${rounded % 60} min`;
  const days = Math.round((whole / 86_400) * 2) / 2;
  return `${days >= 10 ? Math.round(days) : days} days`;
}

/** Reads `43200`, `90s`, `12h`, `1d12h` as seconds; undefined when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  const trimmedText = text.trim().replaceAll(/\s+/g, "");
  if (/^\d+$/.test(trimmedText)) return Number(trimmedText);
  if (!/^(\d+[smhd])+$/.test(trimmedText)) return undefined;
  let seconds = 0;
  for (const [, amount = "", unit = ""] of trimmedText.matchAll(/(\d+)([smhd])/g)) {
    seconds += Number(amount) * (UNITS.find(([name]) => name === unit)?.[1] ?? 0);
  }
  return seconds;
}

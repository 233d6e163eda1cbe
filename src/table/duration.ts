/**
 * Durations readable both ways: `12h` and 43200. Settings are whole seconds; people think in hours and days.
 */

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Reads `43200`, `90s`, `12h`, `1d12h`, `2w` as whole seconds; undefined when `text` is not a duration. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return Number(trimmed);
  if (!/^(\d+[smhdw])+$/.test(trimmed)) return undefined;
  let seconds = 0;
  for (const [, amount = "", unit = ""] of trimmed.matchAll(/(\d+)([smhdw])/g)) {
    seconds += Number(amount) * (unitSeconds[unit] ?? 0);
  }
  return seconds;
}

/**
 * `43200` as `12h`, `129600` as `1d12h`, `0` as `0s`: exact, and read back by parseDuration as the same
 * number.
 */
export function formatDuration(seconds: number): string {
  let rest = Math.round(seconds);
  if (rest === 0) return "0s";
  let text = "";
  for (const unit of ["d", "h", "m", "s"]) {
    const size = unitSeconds[unit] ?? 1;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text;
}

/** About how long, in at most two units: `5d`, `3h20m`, `45s`; for sentences, not for settings. */
export function roughDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole}s`;
  if (whole < 7200) return formatDuration(Math.round(whole / 60) * 60);
  if (whole < 172_800) return formatDuration(whole - (whole % (whole < 36_000 ? 300 : 3600)));
  return formatDuration(whole - (whole % (whole < 864_000 ? 3600 : 86_400)));
}

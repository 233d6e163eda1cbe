/** Where sliders rest: durations people think in, and powers of two. Pure. */
import { formatDuration, shortSize } from "./figures.ts";

const DAY = 86_400;
const HOUR = 3600;

/** From short to long, so that to the right is more; with the value in force and the default among them. */
export function durationStops(...own: readonly (number | undefined)[]): number[] {
  const stops = [
    [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800],
    [HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 5 * DAY],
  ].flat();
  return merged(stops, own);
}

/** The established timeout: nobody wants less than five minutes of it. */
export function establishedStops(...own: readonly (number | undefined)[]): number[] {
  const least = Math.min(300, ...own.filter((value) => value !== undefined));
  return durationStops(...own).filter((value) => value >= least);
}

/** Powers of two around what is in force: down to a quarter of it, up to 16 million. */
export function sizeStops(inForce: number | undefined, ...own: readonly (number | undefined)[]): number[] {
  const least = Math.max(10, Math.floor(Math.log2(inForce ?? 65_536)) - 4);
  const stops = Array.from({ length: 25 - least }, (_, index) => 2 ** (least + index));
  return merged(stops, [inForce, ...own]);
}

function merged(stops: readonly number[], own: readonly (number | undefined)[]): number[] {
  const wanted = own.filter((value) => value !== undefined && value > 0) as number[];
  return [...new Set([...stops, ...wanted])].toSorted((a, b) => a - b);
}

/** The stop nearest to a value, by ratio. */
export function nearestStop(stops: readonly number[], value: number): number {
  let best = 0;
  for (const [index, stop] of stops.entries()) {
    const distance = Math.abs(Math.log(stop) - Math.log(Math.max(1, value)));
    if (distance < Math.abs(Math.log(stops[best] ?? 1) - Math.log(Math.max(1, value)))) best = index;
  }
  return best;
}

/** Words under a slider: at about six stops, as many as have room. */
export function tickWords(stops: readonly number[], unit: string): string[] {
  const step = Math.max(1, Math.ceil(stops.length / 7));
  return stops.map((stop, index) => {
    if ((stops.length - 1 - index) % step !== 0) return "";
    return unit === "seconds" ? formatDuration(stop) : shortSize(stop);
  });
}

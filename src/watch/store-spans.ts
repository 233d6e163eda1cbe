/**
 * Samples and points put together into spans of one length: what rolls up, and what answers a query. The
 * mean of a span is over the samples behind it, so it does not matter in how many steps they were put
 * together.
 */
import { kept, type PointColumns, type Points } from "./store-points.ts";

export class Spans {
  readonly startMs: number;
  readonly stepMs: number;
  readonly length: number;
  readonly series = new Map<string, PointColumns>();

  /** `length` spans of `stepMs` from `startMs` on; what is outside of them is left out. */
  constructor(startMs: number, stepMs: number, length: number) {
    this.startMs = startMs;
    this.stepMs = stepMs;
    this.length = length;
  }

  addPoints(points: Points): void {
    const rows = points.atMs.length;
    const spans = new Int32Array(rows);
    for (let row = 0; row < rows; row += 1) spans[row] = this.#spanOf(points.atMs[row] as number);
    for (const [name, columns] of points.series) this.#addColumns(this.#of(name), columns, spans);
  }

  /** Of the values those of `names`, as far as there are any. */
  addSample(atMs: number, values: Readonly<Record<string, number>>, names: Iterable<string>): void {
    const span = this.#spanOf(atMs);
    if (span < 0) return;
    for (const name of names) {
      const value = values[name];
      if (value !== undefined) addTo(this.#of(name), span, { count: 1, sum: value, min: value, max: value });
    }
  }

  /** The spans in which there is something. */
  toPoints(): Points {
    const rows = Array.from({ length: this.length }, (_, span) => span).filter((span) =>
      this.series.values().some(({ count }) => (count[span] as number) > 0),
    );
    const pick = (column: Float64Array): Float64Array =>
      Float64Array.from(rows, (span) => kept(column[span] as number));
    return {
      atMs: Float64Array.from(rows, (span) => this.startMs + span * this.stepMs),
      series: new Map(
        this.series.entries().map(([name, { count, sum, min, max }]) => {
          return [name, { count: pick(count), sum: pick(sum), min: pick(min), max: pick(max) }];
        }),
      ),
    };
  }

  #spanOf(atMs: number): number {
    const span = Math.floor((atMs - this.startMs) / this.stepMs);
    return span >= 0 && span < this.length ? span : -1;
  }

  #of(name: string): PointColumns {
    const found = this.series.get(name);
    if (found !== undefined) return found;
    const made = {
      count: new Float64Array(this.length),
      sum: new Float64Array(this.length).fill(Number.NaN),
      min: new Float64Array(this.length).fill(Number.NaN),
      max: new Float64Array(this.length).fill(Number.NaN),
    };
    this.series.set(name, made);
    return made;
  }

  #addColumns(to: PointColumns, { count, sum, min, max }: PointColumns, spans: Int32Array): void {
    for (let row = 0; row < spans.length; row += 1) {
      const span = spans[row] as number;
      const samples = count[row] as number;
      if (span < 0 || samples === 0) continue;
      const point = {
        count: samples,
        sum: sum[row] as number,
        min: min[row] as number,
        max: max[row] as number,
      };
      addTo(to, span, point);
    }
  }
}

function addTo(
  to: PointColumns,
  span: number,
  { count, sum, min, max }: { count: number; sum: number; min: number; max: number },
): void {
  const before = to.count[span] as number;
  to.count[span] = before + count;
  if (before === 0) {
    to.sum[span] = sum;
    to.min[span] = min;
    to.max[span] = max;
    return;
  }
  to.sum[span] = (to.sum[span] as number) + sum;
  if (min < (to.min[span] as number)) to.min[span] = min;
  if (max > (to.max[span] as number)) to.max[span] = max;
}

/** The mean of each span; NaN where there is nothing. Never outside of least and greatest by rounding. */
export function meansOf({ count, sum, min, max }: PointColumns): Float64Array {
  return count.map((samples, span) =>
    samples === 0
      ? Number.NaN
      : Math.min(Math.max((sum[span] as number) / samples, min[span] as number), max[span] as number),
  );
}

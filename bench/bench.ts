/**
 * What a benchmark is: a file bench/<name>.bench.ts that exports the members of Bench one by one (`export
 * const name`, `export function run` and so on). Absolute times depend on the machine, so what counts are
 * ratios between things measured in the same run, and what was computed: every benchmark also runs with its
 * small size in the unit tests, which compare the result it reports.
 */

/** Where a benchmark puts what it found. */
export interface BenchOutput {
  /** A measured figure with its unit, for people: seconds, bytes, flows per second. */
  figure(name: string, value: number, unit: string): void;
  /** `value` relative to a twin measured in this run; `atMost` is the promise, when there is one. */
  ratio(name: string, value: number, atMost?: number): void;
  /** What was computed, so that it cannot be left out: the same for the same size on every machine. */
  result(value: string | number): void;
  /** What people must know of the figures: a part that was left out, and why. */
  note(text: string): void;
  /** Nothing can be measured here; says why. */
  skip(reason: string): void;
}

export interface Bench<Size = never> {
  readonly name: string;
  /** One sentence: what is compared with what. */
  readonly about: string;
  /** For the unit tests: done in a moment. */
  readonly small: Size;
  /** What `result` must get for the small size. */
  readonly smallResult: string | number;
  /** For people: what the promise is about. */
  readonly large: Size;
  run(size: Size, out: BenchOutput): Promise<void> | void;
}

/** Milliseconds `work` takes: the median of `runs`, after one run that does not count. */
export function medianMs(runs: number, work: () => void): number {
  work();
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
  return median(times);
}

/** The same for work that is waited for. */
export async function medianMsAsync(runs: number, work: () => Promise<void>): Promise<number> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return median(times);
}

/** The middle value; the mean of the two middle ones when their number is even. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error("Cannot take the median of no values");
  return (upper + lower) / 2;
}

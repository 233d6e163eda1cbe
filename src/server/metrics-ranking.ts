/**
 * Who is shown by name: the K greatest, and who was among them not long ago. A name that comes and goes with
 * every census would leave a trail of series behind; so whoever is in leaves only when it was out of the K
 * greatest for some censuses in a row.
 */
import type { Ranked } from "./metrics-family.ts";

/** Rows of a census: whoever waits to leave should still be found in it. */
const LEAST_CENSUS_ROWS = 20;

export function censusRowsFor(top: number): number {
  return Math.max(LEAST_CENSUS_ROWS, 2 * top);
}

/** Censuses in a row that a name must be out of the greatest to leave. */
const PATIENCE = 6;

export class Ranking<Row extends Ranked> {
  readonly #most: number;
  /** Censuses in a row that each was out of the greatest. */
  readonly #outFor = new Map<string, number>();
  #shown: readonly Row[] = [];
  #source: unknown;

  /** At most `most` are the greatest, and at most as many more wait to leave. */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Who is shown now, in the order of `rows`: the greatest first. `source` is what the rows were made of:
   * while it is the same object nothing is new. Whoever stays and is not among the rows is not shown.
   */
  of(source: unknown, rows: () => readonly Row[]): readonly Row[] {
    if (source === this.#source) return this.#shown;
    this.#source = source;
    const found = rows();
    const greatest = new Set(found.slice(0, this.#most).map(({ name }) => name));
    for (const [name, times] of this.#outFor) this.#outFor.set(name, times + 1);
    for (const name of greatest) this.#outFor.set(name, 0);
    this.#letGo();
    this.#shown = found.filter(({ name }) => this.#outFor.has(name));
    return this.#shown;
  }

  #letGo(): void {
    const waiting = [...this.#outFor].filter(([, times]) => times > 0).toSorted(([, a], [, b]) => a - b);
    for (const [index, [name, times]] of waiting.entries()) {
      if (times >= PATIENCE || index >= this.#most) this.#outFor.delete(name);
    }
  }
}

/**
 * All small inputs instead of some random ones. A test asks for choices as if they were random; it is run
 * again and again until every combination of answers has been given once.
 *
 *     for (const choose of exhaustive()) {
 *       const packets = choose.list(3, () => choose.of(["syn", "ack", "rst"]));
 *       // ... 1 + 3 + 9 + 27 runs
 *     }
 */

export interface Choose {
  /** An integer from 0 up to and with `last`. */
  upTo(last: number): number;
  /** One of `options`. */
  of<T>(options: readonly T[]): T;
  boolean(): boolean;
  /** A list of 0 up to and with `longest` items. */
  list<T>(longest: number, item: () => T): readonly T[];
}

/** More runs than this are a mistake in the test: it would not end while somebody waits. */
const RUNS_MAX = 1_000_000;

/**
 * Yields once per combination of choices. Each run must make the same choices in the same order as its twin.
 */
export function* exhaustive(runsMax: number = RUNS_MAX): Generator<Choose> {
  // Digits of a number whose bases are found out while running: the answers of this run, and their limits.
  const answers: number[] = [];
  const lasts: number[] = [];
  for (let run = 0; ; run += 1) {
    if (run >= runsMax) throw new Error(`Cannot try all inputs: more than ${runsMax} combinations`);
    let asked = 0;
    yield choices((last) => {
      if (asked === answers.length) answers.push(0);
      lasts[asked] = last;
      const answer = answers[asked] ?? 0;
      asked += 1;
      return answer;
    });
    answers.length = asked;
    while (answers.length > 0 && answers.at(-1) === lasts[answers.length - 1]) answers.pop();
    if (answers.length === 0) return;
    answers.push((answers.pop() ?? 0) + 1);
  }
}

function choices(upTo: (last: number) => number): Choose {
  return {
    upTo,
    of: (options) => {
      if (options.length === 0) throw new Error("Cannot choose from no options");
      return options[upTo(options.length - 1)] as (typeof options)[number];
    },
    boolean: () => upTo(1) === 1,
    list: (longest, item) => Array.from({ length: upTo(longest) }, item),
  };
}

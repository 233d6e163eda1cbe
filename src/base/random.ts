/**
 * Seeded randomness. The same seed gives the same numbers on every machine, so a failure can be repeated;
 * nothing here is fit for secrets.
 */

/** A stream of pseudo-random numbers. */
export interface Random {
  /** An unsigned 32-bit integer. */
  next(): number;
  /** An integer from 0 up to, not including, `limit` (1 to 2^32). */
  below(limit: number): number;
  /** A number in [0, 1). */
  fraction(): number;
}

/**
 * A generator of 32-bit state ("mulberry32", public domain, T. Ettinger 2017), good enough for tests and
 * simulation.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    next,
    below: (limit) => Math.floor((next() / 0x1_0000_0000) * limit),
    fraction: () => next() / 0x1_0000_0000,
  };
}

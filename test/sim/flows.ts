/**
 * A table of flows in numbers: flows come by chance at a rate that may change, are held for a time by what
 * they are, expire, and count until the collector comes. Flows of one second are counted together, never
 * one by one, so that a month of a busy host takes a moment. Seeded: the same numbers on every machine.
 */
import type { Random } from "../../src/base/random.ts";

/** Flows of one habit. */
export interface Habit {
  /** Flows made per second, `seconds` since the beginning. */
  perSecond(seconds: number): number;
  /** How long they are held: always so long, or as chance has it with this mean. */
  holding: { kind: "fixed" | "exponential"; seconds: number };
}

export interface FlowTable {
  habits: readonly Habit[];
  capacityFlows: number;
  /** Between two passes of the collector; expired flows count until it comes. */
  collectorSeconds: number;
}

/** What one step was like. */
export interface StepCounts {
  occupancyFlows: number;
  arrivals: number;
  departures: number;
  /** Flows that were not let in because the table was full. */
  refused: number;
}

/** A table that is advanced step by step. */
export class SimulatedTable {
  readonly #table: FlowTable;
  readonly #random: Random;
  readonly #stepSeconds: number;
  readonly #held: { flows: number; ring: Float64Array }[];
  #expired = 0;
  #collectedUntil = 0;
  #step = 0;

  constructor(table: FlowTable, random: Random, stepSeconds: number) {
    this.#table = table;
    this.#random = random;
    this.#stepSeconds = stepSeconds;
    this.#held = table.habits.map(({ holding }) => ({
      flows: 0,
      ring: new Float64Array(
        holding.kind === "fixed" ? Math.max(1, Math.round(holding.seconds / stepSeconds)) : 0,
      ),
    }));
  }

  get occupancyFlows(): number {
    return this.#held.reduce((sum, { flows }) => sum + flows, this.#expired);
  }

  /** Time passes by one step; `share` of all flows is taken out first (a reclaim, a reboot). */
  advance(share = 0): StepCounts {
    const { habits, capacityFlows, collectorSeconds } = this.#table;
    const seconds = this.#step * this.#stepSeconds;
    this.#step += 1;
    if (share > 0) this.#takeOut(share);
    if (seconds >= this.#collectedUntil) {
      this.#expired = 0;
      // It goes by an average of what flows have left, which moves a little.
      this.#collectedUntil = seconds + collectorSeconds * (0.85 + 0.3 * this.#random.fraction());
    }
    const counts = { arrivals: 0, departures: 0, refused: 0 };
    for (const [index, habit] of habits.entries()) {
      const held = this.#held[index];
      if (held === undefined) continue;
      const gone = this.#end(habit, held);
      counts.departures += gone;
      const come = poisson(this.#random, habit.perSecond(seconds) * this.#stepSeconds);
      const taken = Math.min(come, Math.max(0, capacityFlows - this.occupancyFlows));
      if (held.ring.length > 0) held.ring[(this.#step - 1) % held.ring.length] = taken;
      held.flows += taken;
      counts.arrivals += taken;
      counts.refused += come - taken;
    }
    return { ...counts, occupancyFlows: this.occupancyFlows };
  }

  #end(habit: Habit, held: { flows: number; ring: Float64Array }): number {
    const { holding } = habit;
    const gone =
      holding.kind === "fixed"
        ? (held.ring[(this.#step - 1) % held.ring.length] ?? 0)
        : binomial(this.#random, held.flows, -Math.expm1(-this.#stepSeconds / holding.seconds));
    held.flows -= gone;
    // A flow that ends by its timeout counts on; others are closed.
    if (holding.kind === "fixed") this.#expired += gone;
    return gone;
  }

  #takeOut(share: number): void {
    for (const held of this.#held) {
      if (held.ring.length === 0) held.flows = Math.round(held.flows * (1 - share));
      for (let at = 0; at < held.ring.length; at += 1) {
        held.ring[at] = Math.round((held.ring[at] ?? 0) * (1 - share));
      }
      if (held.ring.length > 0) held.flows = held.ring.reduce((sum, flows) => sum + flows, 0);
    }
    this.#expired = 0;
  }
}

/** Above this mean the normal distribution is as good. */
const EXACT_UNTIL = 30;

/** How many come, when `mean` come on average. */
export function poisson(random: Random, mean: number): number {
  if (!(mean > 0)) return 0;
  if (mean > EXACT_UNTIL) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const least = Math.exp(-mean);
  let count = 0;
  for (let product = random.fraction(); product > least; product *= random.fraction()) count += 1;
  return count;
}

function binomial(random: Random, count: number, share: number): number {
  const mean = count * share;
  if (mean <= EXACT_UNTIL) return Math.min(count, poisson(random, mean));
  const spread = Math.sqrt(mean * (1 - share));
  return Math.min(count, Math.max(0, Math.round(mean + spread * normal(random))));
}

/** A sum of twelve is normal enough; exact to the last bit everywhere, which logarithms are not. */
function normal(random: Random): number {
  let sum = -6;
  for (let turn = 0; turn < 12; turn += 1) sum += random.fraction();
  return sum;
}

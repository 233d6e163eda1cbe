/**
 * Simulated tables whose truth is known: flows that come at random or together, and talk after random gaps.
 * What a reading would show at an instant is computed from when each flow talked last.
 */
import type { Random } from "../../src/base/random.ts";

export interface Kind {
  /** New flows per second. */
  perSecond: number;
  /** Seconds to the next packet; Infinity: never. */
  gapSeconds: (random: Random) => number;
  /** Chance that a packet is the last, and the flow is closed. */
  closeChance: number;
  /** When the first of them came; the table has been there for ever when left out. */
  sinceSeconds?: number;
}

export interface Crowd {
  flows: number;
  atSeconds: number;
  gapSeconds: (random: Random) => number;
}

export interface World {
  kinds: readonly Kind[];
  crowds?: readonly Crowd[];
}

export const never = (): number => Number.POSITIVE_INFINITY;

export function exponential(meanSeconds: number): (random: Random) => number {
  return (random) => -Math.log(1 - random.fraction()) * meanSeconds;
}

/**
 * Flows by whole second of silence at each of the instants, under a timeout. A packet to a flow that has
 * expired makes it anew, as the kernel does.
 */
export function readingsOf(
  world: World,
  timeoutSeconds: number,
  atSeconds: readonly number[],
  random: Random,
): Uint32Array[] {
  const readings = atSeconds.map(() => new Uint32Array(timeoutSeconds));
  const end = Math.max(...atSeconds);
  const live = (from: number, gap: () => number, closeChance: number): void => {
    for (let last = from, isOpen = true; last <= end && isOpen;) {
      const next = last + gap();
      const until = Math.min(next, last + timeoutSeconds);
      atSeconds.forEach((at, index) => {
        if (last > at || at >= until) return;
        const reading = readings[index] as Uint32Array;
        const age = Math.floor(at - last);
        reading[age] = (reading[age] as number) + 1;
      });
      last = next;
      isOpen = random.fraction() >= closeChance;
    }
  };
  for (const { perSecond, gapSeconds, closeChance, sinceSeconds = -200 } of world.kinds) {
    const between = exponential(1 / perSecond);
    for (let at = sinceSeconds + between(random); at <= end; at += between(random)) {
      live(at, () => gapSeconds(random), closeChance);
    }
  }
  for (const { flows, atSeconds: at, gapSeconds } of world.crowds ?? []) {
    for (let flow = 0; flow < flows; flow++) {
      live(at + 2 * random.fraction(), () => gapSeconds(random), 0);
    }
  }
  return readings;
}

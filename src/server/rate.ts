/**
 * Bounds on what clients may ask: token buckets by client, and a queue for what reads the table. Pure but for
 * the clock that is given.
 */
import type { Clock } from "../base/clock.ts";
import { ApiProblem } from "./problem.ts";

/** Clients that are remembered; the one that was quiet for longest is forgotten first. */
const MOST_CLIENTS = 4096;

export interface Rate {
  perSecond: number;
  atOnce: number;
}

/** A bucket of tokens for each client; each request takes one, and they come back with time. */
export class RateLimit {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; elapsedMs: number }>();

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** Clients that are remembered. */
  get clients(): number {
    return this.#buckets.size;
  }

  /** Takes a token; throws ApiProblem with Retry-After where there is none. */
  take(client: string): void {
    this.check(client);
    const bucket = this.#buckets.get(client);
    if (bucket !== undefined) bucket.tokens -= 1;
  }

  /** Throws as `take` does, but takes nothing. */
  check(client: string): void {
    const waitSeconds = this.#waitSeconds(client);
    if (waitSeconds > 0) throw tooMany(waitSeconds);
  }

  #waitSeconds(client: string): number {
    const elapsedMs = this.#clock.elapsedMs();
    const { perSecond, atOnce } = this.#rate;
    const before = this.#buckets.get(client) ?? { tokens: atOnce, elapsedMs };
    const grown = ((elapsedMs - before.elapsedMs) / 1000) * perSecond;
    const tokens = Math.min(atOnce, before.tokens + Math.max(0, grown));
    this.#buckets.delete(client);
    this.#buckets.set(client, { tokens, elapsedMs });
    this.#forget();
    return tokens >= 1 ? 0 : (1 - tokens) / perSecond;
  }

  #forget(): void {
    for (const client of this.#buckets.keys()) {
      if (this.#buckets.size <= MOST_CLIENTS) return;
      this.#buckets.delete(client);
    }
  }
}

function tooMany(waitSeconds: number): ApiProblem {
  const seconds = Math.max(1, Math.ceil(waitSeconds));
  return new ApiProblem("too-many-requests", "Cannot answer: too many requests from this address", {
    help: `Ask again in ${seconds} s`,
    headers: { "retry-after": String(seconds) },
  });
}

/** Whom requests of an address are counted for: an IPv6 host has a whole /64. */
export function clientOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => "0");
  const all = tail === undefined ? groups : [...groups, ...zeros, ...rest];
  return `${all.slice(0, 4).join(":")}::/64`;
}

/** One at a time, a few waiting, no more: readings of the table cost the watcher its budget. */
export class OneAtATime {
  readonly #mostWaiting: number;
  #tail: Promise<unknown> = Promise.resolve();
  #under = 0;

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting;
  }

  /** Runs `work` after those before it; throws ApiProblem when too many wait, or nobody waits any more. */
  async run<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    if (this.#under > this.#mostWaiting) {
      throw new ApiProblem("busy", "Cannot read the table now: other readings are under way", {
        help: "Ask again in a few seconds",
        headers: { "retry-after": "3" },
      });
    }
    this.#under += 1;
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#tail = promise;
    try {
      await before;
      if (signal.aborted) throw new ApiProblem("busy", "Cannot answer: nobody waits for the answer any more");
      return await work();
    } finally {
      this.#under -= 1;
      resolve(undefined);
    }
  }
}

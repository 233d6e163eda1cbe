/**
 * The greatest flows of a stream by one figure, in bounded memory: twice as many as wanted are gathered, then
 * the lower half is forgotten.
 */
import type { Flow } from "../table/flow.ts";
import type { ListedFlow } from "./flow-writer.ts";
import type { SortKey } from "./options.ts";

/** Flows kept at most: some 50 MB of them. */
export const SORTED_FLOWS_MAX = 100_000;

export class SortedFlows {
  readonly #key: SortKey;
  readonly #wanted: number;
  #kept: { figure: number; listed: ListedFlow }[] = [];

  /** Whether any flow had the figure. */
  hasFigures = false;

  /** Keeps the `wanted` greatest by `key`. */
  constructor(key: SortKey, wanted: number) {
    this.#key = key;
    this.#wanted = wanted;
  }

  add(listed: ListedFlow): void {
    const figure = figureOf(this.#key, listed);
    if (figure >= 0) this.hasFigures = true;
    this.#kept.push({ figure, listed });
    if (this.#kept.length >= this.#wanted * 2) this.#forget();
  }

  /** What was kept, greatest first; flows without the figure come last, in the order they came. */
  result(): readonly ListedFlow[] {
    this.#forget();
    return this.#kept.map(({ listed }) => listed);
  }

  #forget(): void {
    this.#kept.sort((left, right) => right.figure - left.figure);
    this.#kept.length = Math.min(this.#kept.length, this.#wanted);
  }
}

/** The figure to sort by; below all others when the flow does not have it. */
function figureOf(key: SortKey, { flow, idleSeconds }: ListedFlow): number {
  switch (key) {
    case "idle":
      return idleSeconds ?? -1;
    case "remaining":
      return flow.timeoutSeconds ?? -1;
    case "age":
      return flow.ageSeconds ?? startFigure(flow);
    case "bytes":
      return carried(flow, "bytes");
    case "packets":
      return carried(flow, "packets");
  }
}

/** Netlink gives the start instead of the age; the earlier it was, the greater. */
function startFigure({ startedAtMs }: Flow): number {
  return startedAtMs === undefined ? -1 : Number.MAX_SAFE_INTEGER - startedAtMs;
}

function carried({ originalTraffic, replyTraffic }: Flow, unit: "bytes" | "packets"): number {
  if (originalTraffic === undefined && replyTraffic === undefined) return -1;
  return (originalTraffic?.[unit] ?? 0) + (replyTraffic?.[unit] ?? 0);
}

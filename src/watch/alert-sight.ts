/**
 * What the watcher needs and does not have, from second to second. What could not be seen when it began is
 * no news: only what was lost since is.
 */
import type { Impairment } from "./alert-condition.ts";
import { shellWord } from "../table/shell-word.ts";
import { StoreError } from "./store-error.ts";
import type { WatchState } from "./watch-state.ts";

/** The history cannot be written. */
export function historyImpaired(error: Error): Impairment {
  const { code, path } = error instanceof StoreError ? error : {};
  const impairment = { what: "history", why: error.message };
  if (code !== "disk-full" || path === undefined) return impairment;
  const directory = path.replace(/\/[^/]*$/, "");
  const help = `Make room where ${directory} is, or name another directory under [history].`;
  return { ...impairment, help, command: `df -h ${shellWord(directory)}` };
}

/** Flow events lost so many times within a minute: their rates are worth little. */
const LOSSES_A_MINUTE = 5;
const MINUTE_MS = 60_000;

export class LostSight {
  /** What was not seen at the beginning, and has not been since. */
  #never: Set<string> | undefined;
  #losses: { atMs: number; lossTimes: number }[] = [];

  /** What is impaired now. */
  impairments(state: WatchState, nowMs: number): readonly Impairment[] {
    const unseen = state.facts.unseen.map(({ what, why, help }) => ({ what, why, ...(help && { help }) }));
    const now = new Set(unseen.map(({ what }) => what));
    this.#never = this.#never === undefined ? now : this.#never.intersection(now);
    const lost = unseen.filter(({ what }) => this.#never?.has(what) !== true);
    return [...lost, ...this.#blind(state, lost), ...this.#deaf(state, nowMs)];
  }

  /** The count itself is not there, and nothing else says why. */
  #blind(state: WatchState, lost: readonly Impairment[]): readonly Impairment[] {
    const { sample, facts } = state;
    if (sample === undefined || sample.values.occupancyFlows !== undefined || lost.length > 0) return [];
    if (facts.host.tracker === "none") return [];
    return [{ what: "the table", why: "its count of flows cannot be read" }];
  }

  #deaf({ events }: WatchState, nowMs: number): readonly Impairment[] {
    if (events === undefined) {
      this.#losses = [];
      return [];
    }
    const { lossTimes } = events;
    const last = this.#losses.at(-1);
    if (last !== undefined && (last.atMs > nowMs || last.lossTimes > lossTimes)) this.#losses = [];
    if (last?.lossTimes !== lossTimes || this.#losses.length === 0) {
      this.#losses.push({ atMs: nowMs, lossTimes });
    }
    // The one before the minute is where it began.
    while ((this.#losses[1]?.atMs ?? Infinity) < nowMs - MINUTE_MS) this.#losses.shift();
    const first = this.#losses.find(({ atMs }) => atMs <= nowMs - MINUTE_MS) ?? this.#losses[0];
    const lately = lossTimes - (first?.lossTimes ?? lossTimes);
    if (lately < LOSSES_A_MINUTE) return [];
    return [
      {
        what: "flow events",
        why: `they were lost ${lately} times in the last minute, so rates by events are too low`,
        help: "Give the watcher a greater budget, or have it follow fewer flows.",
      },
    ];
  }
}

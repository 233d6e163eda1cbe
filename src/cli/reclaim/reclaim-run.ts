/**
 * The going of flows, wired: a reading on one socket, their ends on another, the file of what goes,
 * progress, and an ear for ^C.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { Pace, reclaimFlows, type Sieve } from "../../reclaim/reclaim.ts";
import type { Context } from "../context.ts";
import { countOf, formatCount } from "../figures.ts";
import { roughDuration } from "../../table/duration.ts";
import { netlinkLineStyle } from "../line-style.ts";
import { Progress, turnOfTheLoop, TURN_MS } from "../progress.ts";
import { UsageError } from "../usage-error.ts";
import type { ReclaimOptions } from "./reclaim-line.ts";
import { readTable, type ReclaimTable } from "./reclaim-table.ts";
import type { Removal, Wish } from "./reclaim-text.ts";
import { defaultRemovedPath, RemovedFile } from "./removed-file.ts";

/** Longest wait without looking whether ^C was pressed. */
const WAIT_MS = 100;

export interface RemovalRequest {
  table: ReclaimTable;
  options: ReclaimOptions;
  wish: Wish;
  sieve: Sieve;
  /** Flows that are expected to go, where a preview told. */
  expectedFlows?: number;
  /** Ends the work after so long. */
  mostMs?: number;
}

export function removedPathOf(table: ReclaimTable, options: ReclaimOptions): string {
  return options.removed ?? defaultRemovedPath(table.nowMs);
}

/** Frees what the sieve chooses, until the end of the table, ^C, or what the options bound. */
export async function runRemoval(context: Context, request: RemovalRequest): Promise<Removal> {
  const { table, options, wish, sieve } = request;
  const { host } = table.place;
  if (host === undefined) throw new UsageError("Cannot free flows: no host was named");
  const { clock } = context.deps;
  const remover = host.flowRemoval();
  const file = new RemovedFile(
    removedPathOf(table, options),
    options.removed === undefined,
    netlinkLineStyle(host, table.nowMs),
  );
  const signal = context.terminal.interruption();
  const openedMs = clock.elapsedMs();
  const listener = new Turns(context, request, () => remover.counts.doneFlows);
  try {
    const reading = await readTable(context, table, { prompt: wish.rate === Infinity ? "fast" : "slow" });
    const batches = reading.batches();
    if (!(Symbol.iterator in batches))
      throw new UsageError("Cannot free flows: they are not read from the kernel");
    const end = await reclaimFlows({
      batches,
      ageMs: () => reading.ageMs?.() ?? Infinity,
      sieve,
      remover,
      pace: new Pace(wish.rate),
      clock,
      ...(wish.shortenToSeconds === undefined ? {} : { shortenToSeconds: wish.shortenToSeconds }),
      ...(wish.mostFlows === undefined ? {} : { mostFlows: wish.mostFlows }),
      keep: (columns, rows, from, to) => file.write(columns, rows, from, to),
      wait: (ms) => listener.wait(ms, signal),
      isOver: () => signal.aborted || clock.elapsedMs() - openedMs > (request.mostMs ?? Infinity),
    });
    return {
      wish,
      counts: sieve.counts,
      removal: remover.counts,
      end,
      interrupted: signal.aborted,
      complete: reading.complete,
      disturbed: (reading.oddities.interrupted ?? 0) > 0,
      seconds: (clock.elapsedMs() - openedMs) / 1000,
      ...(file.isMade ? { removedPath: file.path } : {}),
      ...occupancyAfter(request.table),
    };
  } finally {
    listener.clear();
    file.close();
    remover.close();
  }
}

/** The kernel's count afterwards, and its limit. */
function occupancyAfter(table: ReclaimTable): Pick<Removal, "occupancyFlows" | "capacityFlows"> {
  const occupancyFlows = table.place.host?.occupancy();
  return {
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(table.capacityFlows === undefined ? {} : { capacityFlows: table.capacityFlows }),
  };
}

/** Waiting with an ear for ^C and a line of progress. */
class Turns {
  readonly #context: Context;
  readonly #request: RemovalRequest;
  readonly #doneFlows: () => number;
  readonly #progress: Progress;
  readonly #startedMs: number;
  #turnedMs: number;

  constructor(context: Context, request: RemovalRequest, doneFlows: () => number) {
    this.#context = context;
    this.#request = request;
    this.#doneFlows = doneFlows;
    this.#progress = new Progress(context.terminal, context.deps.clock);
    this.#startedMs = this.#turnedMs = context.deps.clock.elapsedMs();
  }

  wait(ms: number, signal: AbortSignal): Promise<void> | undefined {
    const nowMs = this.#context.deps.clock.elapsedMs();
    if (ms === 0 && nowMs - this.#turnedMs < TURN_MS) return undefined;
    return this.#wait(ms, signal);
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context.deps;
    const untilMs = clock.elapsedMs() + ms;
    this.#progress.show(() => this.#text());
    if (ms === 0) await turnOfTheLoop();
    for (let left = ms; left > 0 && !signal.aborted; left = untilMs - clock.elapsedMs()) {
      await sleep(Math.min(left, WAIT_MS));
    }
    this.#turnedMs = clock.elapsedMs();
  }

  clear(): void {
    this.#progress.clear();
  }

  #text(): string {
    const { expectedFlows, wish, sieve, table } = this.#request;
    const done = this.#doneFlows();
    const verb = wish.shortenToSeconds === undefined ? "removed" : "shortened";
    const seconds = Math.max(0.001, (this.#context.deps.clock.elapsedMs() - this.#startedMs) / 1000);
    const perSecond = done / seconds;
    const rate = `${formatCount(perSecond)} a second`;
    if (expectedFlows !== undefined && perSecond > 0) {
      const left = roughDuration(Math.max(0, expectedFlows - done) / perSecond);
      const of = `${formatCount(done)} of about ${formatCount(expectedFlows)} flows ${verb}`;
      return `${of}, ${rate}, ${left} left; ^C stops`;
    }
    const { occupancyFlows } = table;
    const read = sieve.counts.readFlows;
    const of = occupancyFlows === undefined ? "" : ` of about ${formatCount(occupancyFlows)}`;
    return `${countOf(done, "flow")} ${verb}, ${rate}; ${formatCount(read)}${of} looked at; ^C stops`;
  }
}

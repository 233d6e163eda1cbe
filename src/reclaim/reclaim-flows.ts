/**
 * Freeing flows while the table is read: what a batch has that may go goes before the next batch is
 * asked for.
 *
 * The kernel cannot be told "delete this flow if it is still silent": between reading and deleting, a
 * packet may wake it, and its tuple may even be taken by a flow that looks the same to the kernel (see
 * kernel/flow-removal.ts). So that time is kept short. What was read longer than STALE_MS ago is read
 * again, and goes only when it is the same flow, has heard no packet since and is still one that may
 * go. That is asked once more after its lines were written, for a disk may take its time.
 */
import type { Clock } from "../base/clock.ts";
import { FlowColumns, Has } from "../table/columns.ts";
import type { FlowRemover } from "../table/removal.ts";
import type { Pace } from "./pace.ts";
import type { Sieve } from "./sieve.ts";

/**
 * Longest time between reading a flow and ending it, usual are a few milliseconds: what was read longer
 * ago is read again. A measured rate leaves the time to do so early. Without one, all that can wait in
 * the ring of netlink-ahead.ts is read again in less than this, so one hold-up does not make everything
 * after it stale.
 */
export const STALE_MS = 10;
export const HURRIED_STALE_MS = 30;
/** Flows that are read again at once: few enough that ending them follows within a millisecond. */
const REREAD_FLOWS = 32;

export interface ReclaimRequest {
  batches: Iterable<FlowColumns>;
  /** How long ago the present batch was made, at most. */
  ageMs: () => number;
  sieve: Sieve;
  remover: FlowRemover;
  pace: Pace;
  clock: Clock;
  /** Flows are given so much time instead of being deleted. */
  shortenToSeconds?: number;
  /** Stop after so many. */
  mostFlows?: number;
  /** Gets the rows that are about to go, before they do. */
  keep: (columns: FlowColumns, rows: Uint16Array, from: number, to: number) => void;
  /**
   * Before each burst: waits for so long, which may be nothing, and lets the event loop turn when that
   * is due.
   */
  wait: (ms: number) => Promise<void> | undefined;
  /** Called between bursts; true ends the work. */
  isOver: () => boolean;
}

export interface ReclaimEnd {
  /** Flows that heard a packet between the first and the second look, or were others by then. */
  renewedFlows: number;
  /** Flows that were handed to `keep`; some of them may have been renewed just after. */
  keptFlows: number;
  /** Stopped before the end of the table. */
  stopped: boolean;
}

/** Reads and frees until the table, the wanted number or `isOver` ends it. */
export async function reclaimFlows(request: ReclaimRequest): Promise<ReclaimEnd> {
  const run = new ReclaimRun(request);
  for (const columns of request.batches) {
    if (!(await run.take(columns))) return run.end(true);
  }
  return run.end(false);
}

/** Flows that were read again and may still go. */
class SecondLook {
  readonly columns = new FlowColumns(REREAD_FLOWS, 0);
  readonly origins = new Uint16Array(REREAD_FLOWS);
  readonly rows = new Uint16Array(REREAD_FLOWS);
  count = 0;
}

class ReclaimRun {
  readonly #request: ReclaimRequest;
  readonly #mostFlows: number;
  readonly #staleMs: number;
  readonly #beforeKeeping = new SecondLook();
  readonly #afterKeeping = new SecondLook();
  #goneFlows = 0;
  #keptFlows = 0;
  #renewedFlows = 0;

  constructor(request: ReclaimRequest) {
    this.#request = request;
    this.#mostFlows = request.mostFlows ?? Infinity;
    this.#staleMs = request.pace.burstFlows === Infinity ? HURRIED_STALE_MS : STALE_MS;
  }

  end(stopped: boolean): ReclaimEnd {
    return { renewedFlows: this.#renewedFlows, keptFlows: this.#keptFlows, stopped };
  }

  /** Frees what may go of a batch; false when that was all there is to do. */
  async take(columns: FlowColumns): Promise<boolean> {
    const { sieve, pace, clock, ageMs, isOver, wait } = this.#request;
    sieve.sift(columns);
    const { rows, count } = sieve;
    if (count === 0) {
      const turn = wait(0);
      if (turn !== undefined) await turn;
    }
    for (let from = 0; from < count;) {
      const turn = wait(pace.waitMs(clock.elapsedMs()));
      if (turn !== undefined) await turn;
      if (isOver() || this.#goneFlows >= this.#mostFlows) return false;
      const stale = ageMs() > this.#staleMs;
      const most = Math.min(
        pace.burstFlows,
        this.#mostFlows - this.#goneFlows,
        stale ? REREAD_FLOWS : Infinity,
      );
      const to = Math.min(count, from + most);
      const went = stale
        ? this.#lookAndEnd(columns, rows, from, to)
        : this.#keepAndEnd(columns, rows, from, to, ageMs);
      pace.took(went, clock.elapsedMs());
      from = to;
    }
    return !isOver() && this.#goneFlows < this.#mostFlows;
  }

  /** Reads again what was read too long ago, at most REREAD_FLOWS, and ends what may still go. */
  #lookAndEnd(columns: FlowColumns, rows: Uint16Array, from: number, to: number): number {
    const { clock } = this.#request;
    const look = this.#beforeKeeping;
    const lookedMs = clock.elapsedMs();
    this.#lookAgain(columns, rows, from, to, look);
    return this.#keepAndEnd(look.columns, look.rows, 0, look.count, () => clock.elapsedMs() - lookedMs);
  }

  #keepAndEnd(
    columns: FlowColumns,
    rows: Uint16Array,
    from: number,
    to: number,
    ageMs: () => number,
  ): number {
    if (from === to) return 0;
    this.#request.keep(columns, rows, from, to);
    this.#keptFlows += to - from;
    if (ageMs() <= this.#staleMs) return this.#end(columns, rows, from, to);
    const look = this.#afterKeeping;
    let went = 0;
    for (let first = from; first < to; first += REREAD_FLOWS) {
      this.#lookAgain(columns, rows, first, Math.min(first + REREAD_FLOWS, to), look);
      went += this.#end(look.columns, look.rows, 0, look.count);
    }
    return went;
  }

  #lookAgain(columns: FlowColumns, rows: Uint16Array, from: number, to: number, look: SecondLook): void {
    const { remover, sieve } = this.#request;
    const fresh = look.columns;
    fresh.knownStatus = columns.knownStatus;
    remover.reread(columns, rows, from, to, { fresh, origins: look.origins });
    look.count = 0;
    for (let row = 0; row < fresh.count; row += 1) {
      const before = look.origins[row] as number;
      if (isSameSilentFlow(columns, before, fresh, row) && sieve.stillGoes(fresh, row)) {
        look.rows[look.count] = row;
        look.count += 1;
      }
    }
    this.#renewedFlows += fresh.count - look.count;
  }

  #end(columns: FlowColumns, rows: Uint16Array, from: number, to: number): number {
    const { remover, shortenToSeconds } = this.#request;
    if (from === to) return 0;
    if (shortenToSeconds === undefined) remover.remove(columns, rows, from, to);
    else remover.shorten(columns, rows, from, to, shortenToSeconds);
    this.#goneFlows += to - from;
    return to - from;
  }
}

/**
 * Whether what has the tuple now is what had it then, and heard nothing in between: the same id, start
 * stamp, state and status, and no more time left than then.
 */
export function isSameSilentFlow(then: FlowColumns, row: number, now: FlowColumns, at: number): boolean {
  const had = then.has[row] as number;
  const has = now.has[at] as number;
  if ((had ^ has) & (Has.id | Has.startedAt | Has.state | Has.timeout)) return false;
  if (has & Has.id && then.id[row] !== now.id[at]) return false;
  if (has & Has.startedAt && then.startedAtMs[row] !== now.startedAtMs[at]) return false;
  if (has & Has.state && then.state[row] !== now.state[at]) return false;
  if (then.status[row] !== now.status[at]) return false;
  return (
    (has & Has.timeout) === 0 || (now.timeoutSeconds[at] as number) <= (then.timeoutSeconds[row] as number)
  );
}

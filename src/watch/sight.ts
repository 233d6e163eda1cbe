/**
 * What the watcher can see, and what it cannot: questions to the host that fail are remembered with their
 * reason and asked again; that something is seen no more, or again, is a note, and at most one a minute for
 * each thing, so that what comes and goes does not fill the history.
 */
import { type Unseen, unseenCause } from "../table/unseen.ts";
import type { WatchNote } from "./history.ts";

/** Between two notes of one thing. */
const QUIET_MS = 60_000;
/** A question that failed is put again after this, twice as late each time it fails again. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

interface Blind {
  unseen: Unseen;
  retryAtMs: number;
  waitMs: number;
}

export class Sight {
  readonly #blind = new Map<string, Blind>();
  /** What the host itself says it cannot see, by part of the host. */
  readonly #told = new Map<string, readonly Unseen[]>();
  /** What was last noted of each thing, and when. */
  readonly #noted = new Map<string, { lost: boolean; atMs: number }>();
  #list: readonly Unseen[] | undefined;

  /**
   * Puts a question to the host; undefined when it fails, or failed and it is too early to ask again. What is
   * our own mistake is thrown on. `elapsedMs` is of the clock that never goes back.
   */
  ask<Answer>(what: string, elapsedMs: number, question: () => Answer): Answer | undefined {
    if (!this.mayAsk(what, elapsedMs)) return undefined;
    try {
      const answer = question();
      this.see(what);
      return answer;
    } catch (error) {
      this.fail(what, elapsedMs, error);
      return undefined;
    }
  }

  /** Whether it is time to ask: always, unless it failed a short while ago. */
  mayAsk(what: string, elapsedMs: number): boolean {
    return elapsedMs >= (this.#blind.get(what)?.retryAtMs ?? -Infinity);
  }

  /** A question was answered. */
  see(what: string): void {
    if (this.#blind.delete(what)) this.#list = undefined;
  }

  /** A question failed; throws what is our own mistake. */
  fail(what: string, elapsedMs: number, error: unknown): void {
    if (!isRefusal(error)) throw error;
    const waitMs = Math.min(LAST_RETRY_MS, (this.#blind.get(what)?.waitMs ?? FIRST_RETRY_MS / 2) * 2);
    const unseen = { what, why: error.message, cause: unseenCause(error.code) };
    this.#blind.set(what, { unseen, waitMs, retryAtMs: elapsedMs + waitMs });
    this.#list = undefined;
  }

  /** What a part of the host says it does not see now. The same array says that nothing changed. */
  tell(part: string, unseen: readonly Unseen[]): void {
    if (this.#told.get(part) === unseen) return;
    this.#told.set(part, unseen);
    this.#list = undefined;
  }

  /** All that cannot be seen now, each thing once; the same array as long as nothing changed. */
  get unseen(): readonly Unseen[] {
    if (this.#list === undefined) {
      const byWhat = new Map<string, Unseen>();
      for (const each of this.#told.values()) for (const entry of each) byWhat.set(entry.what, entry);
      for (const { unseen } of this.#blind.values()) byWhat.set(unseen.what, unseen);
      this.#list = [...byWhat.values()];
    }
    return this.#list;
  }

  /** What came into sight or went out of it since it was noted last. */
  notes(atMs: number, elapsedMs: number): WatchNote[] {
    const now = new Map(this.unseen.map((entry) => [entry.what, entry]));
    const notes: WatchNote[] = [];
    for (const [what, { why }] of now) {
      if (!this.#mayNote(what, true, elapsedMs)) continue;
      notes.push({ atMs, kind: "sight-lost", text: `Unavailable: ${what}. ${why}` });
    }
    for (const [what, { lost }] of this.#noted) {
      if (!lost || now.has(what) || !this.#mayNote(what, false, elapsedMs)) continue;
      notes.push({ atMs, kind: "sight-regained", text: `Available again: ${what}` });
    }
    return notes;
  }

  #mayNote(what: string, lost: boolean, elapsedMs: number): boolean {
    const noted = this.#noted.get(what);
    if (noted?.lost === lost) return false;
    if (noted !== undefined && elapsedMs - noted.atMs < QUIET_MS) return false;
    this.#noted.set(what, { lost, atMs: elapsedMs });
    return true;
  }
}

/** Codes of errors that others cause: those of the kernel folder and of the store, and the system's own. */
export function isRefusal(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return typeof error.code === "string" && !error.code.startsWith("ERR_");
}

/**
 * Who hears the news. A listener that throws is dropped; one that is slow is slow in its own time only as
 * long as it does its work elsewhere, which is what the listeners here do.
 */
import type { WatchNews } from "./watch-state.ts";

export class Listeners {
  readonly #listeners = new Map<object, (news: WatchNews) => void>();

  get size(): number {
    return this.#listeners.size;
  }

  /** The same function may listen twice; each is ended by what its own call gave. */
  add(listener: (news: WatchNews) => void): () => void {
    const ticket = {};
    this.#listeners.set(ticket, listener);
    return () => {
      this.#listeners.delete(ticket);
    };
  }

  tell(news: WatchNews): void {
    for (const [ticket, listener] of this.#listeners) {
      try {
        listener(news);
      } catch {
        // Whose mistake it is cannot be told here, and nobody else's second may suffer for it.
        this.#listeners.delete(ticket);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/**
 * The flows that are followed from birth to end: a table of bounded size by id, in columns. Where a flow
 * stands: when it was made, from when on its life is still to be counted, and which groups it belongs to.
 */

/** A flow whose end may have been lost counts no further until it is seen again. */
const DOUBTFUL = 1;

export class Followed {
  readonly #slots = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #capacity: number;
  readonly bornMs: Float64Array;
  readonly countedMs: Float64Array;
  readonly protocol: Uint8Array;
  /** Number of the service; -1: none of those that are kept. */
  readonly service: Int16Array;
  readonly #doubts: Uint8Array;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.bornMs = new Float64Array(capacity);
    this.countedMs = new Float64Array(capacity);
    this.protocol = new Uint8Array(capacity);
    this.service = new Int16Array(capacity);
    this.#doubts = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The place of a flow; undefined when it is not followed. */
  at(id: number): number | undefined {
    return this.#slots.get(id);
  }

  /** A place for a flow that was made; undefined when there is no room. */
  take(id: number): number | undefined {
    const slot = this.#free.pop() ?? (this.#slots.size < this.#capacity ? this.#slots.size : undefined);
    if (slot === undefined) return undefined;
    this.#slots.set(id, slot);
    this.#doubts[slot] = 0;
    return slot;
  }

  drop(id: number): void {
    const slot = this.#slots.get(id);
    if (slot === undefined) return;
    this.#slots.delete(id);
    this.#free.push(slot);
  }

  /** All that are followed, by id and place. They may be dropped meanwhile. */
  entries(): IterableIterator<[number, number]> {
    return this.#slots.entries();
  }

  isDoubtful(slot: number): boolean {
    return this.#doubts[slot] === DOUBTFUL;
  }

  doubt(slot: number): void {
    this.#doubts[slot] = DOUBTFUL;
  }

  /** It was seen alive. */
  believe(slot: number, nowMs: number): void {
    this.#doubts[slot] = 0;
    this.countedMs[slot] = nowMs;
  }
}

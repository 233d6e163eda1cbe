/**
 * Looking at the first bytes of an input without losing them.
 */
import { joined } from "../base/bytes.ts";

/**
 * The first bytes of an input, fewer than asked for only where the input is shorter, and the input from its
 * beginning.
 */
export interface Peeked {
  head: Uint8Array;
  all: Iterable<Uint8Array>;
}

/** Reads at least `count` bytes ahead. Ending the loop over `all` early releases `chunks`. */
export function peek(chunks: Iterable<Uint8Array>, count: number): Peeked {
  const iterator = chunks[Symbol.iterator]();
  let head = new Uint8Array(0);
  while (head.length < count) {
    const next = iterator.next();
    if (next.done === true) break;
    head = joined(head, next.value);
  }
  return { head, all: rejoin(head, iterator) };
}

function* rejoin(head: Uint8Array, iterator: Iterator<Uint8Array>): Generator<Uint8Array> {
  try {
    yield head;
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) yield next.value;
  } finally {
    iterator.return?.();
  }
}

/**
 * One block of memory that columns are laid in, each on cache lines of its own: given a SharedArrayBuffer,
 * the same columns can be seen from two threads.
 */

/** Columns are laid a cache line off the powers of two, so that a row of all of them stays in the cache. */
const LINE_BYTES = 64;

/** A typed array's constructor: what kind of column to lay. */
export type ColumnType<Column> = new (memory: ArrayBufferLike, at: number, length: number) => Column;

/** Bytes that a column of so many bytes takes. */
function columnRoom(bytes: number): number {
  return (Math.ceil(bytes / LINE_BYTES) + 1) * LINE_BYTES;
}

/** Bytes of memory for columns of so many rows: `rowBytes` of a row in all columns together. */
export function columnMemoryBytes(rows: number, rowBytes: number, columns: number): number {
  return rowBytes * rows + columns * 2 * LINE_BYTES;
}

/** Lays columns one behind the other. */
export class ColumnMemory {
  readonly #memory: ArrayBufferLike;
  #free = 0;

  constructor(memory: ArrayBufferLike) {
    this.#memory = memory;
  }

  /** The next column: `length` elements of `bytes` each. Throws RangeError when the memory is used up. */
  lay<Column>(type: ColumnType<Column>, bytes: number, length: number): Column {
    const at = this.#free;
    this.#free += columnRoom(bytes * length);
    return new type(this.#memory, at, length);
  }
}

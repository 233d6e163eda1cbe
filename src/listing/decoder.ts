/**
 * What turns the bytes of one notation into rows of the batch it was made with.
 *
 * Wherever the chunks are cut, the rows are the same. A chunk is not looked at any more once it is used up,
 * so the caller may overwrite it.
 */
export interface Decoder {
  /**
   * Reads `chunk` from `from` on, until it is used up or the batch is full; returns the position reached.
   * Called again with that position after the batch was emptied.
   */
  feed(chunk: Uint8Array, from: number): number;
  /**
   * The input has ended: reads what was held back. False when the batch is full and it wants to be called
   * again.
   */
  end(): boolean;
  /** Whether anything was met that only a listing has, be it an empty one. */
  readonly recognised: boolean;
  /** Lines of expected connections met; they are not flows. */
  readonly expectations: number;
}

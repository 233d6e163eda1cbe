/**
 * What cannot be read as a listing at all. Odd lines inside of a listing are never an error: they are
 * counted.
 */

/**
 * - `not-a-listing`: text, but no line of it is a flow;
 * - `unsupported`: recognised as something else, which this reader does not take (the message names it);
 * - `not-text`: bytes that are no text;
 * - `compressed-broken`: gzip or zstd data of which nothing could be unpacked.
 */
export type ListingErrorCode = "not-a-listing" | "unsupported" | "not-text" | "compressed-broken";

export class ListingError extends Error {
  override name = "ListingError";
  readonly code: ListingErrorCode;
  /** Where the bytes came from: the caller's `origin`. */
  readonly origin: string;
  /** What was found, made safe to print: words, the first line, or the first bytes in hexadecimal. */
  readonly found: string;
  /** What the operator can do. */
  readonly help: string;

  constructor(code: ListingErrorCode, origin: string, found: string, help: string, cause?: unknown) {
    super(`Cannot read flows from ${origin}: ${found}; ${help}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.origin = origin;
    this.found = found;
    this.help = help;
  }
}

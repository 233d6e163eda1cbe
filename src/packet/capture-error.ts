/**
 * What cannot be read as a capture at all. A capture that is broken further on is never an error: it is read
 * up to the break, and its summary says where that is.
 */

/**
 * - `empty`: not one byte;
 * - `compressed`: recognised as packed data of a kind that is not unpacked on the way;
 * - `unsupported`: a capture, but of a format or version this reader does not take;
 * - `not-a-capture`: anything else, text for example.
 */
export type CaptureErrorCode = "empty" | "compressed" | "unsupported" | "not-a-capture";

export class CaptureError extends Error {
  override name = "CaptureError";
  readonly code: CaptureErrorCode;
  /** What the caller calls the input: a path, `standard input`. */
  readonly origin: string;
  /** What was found, made safe to print. */
  readonly found: string;
  /** What the operator can do. */
  readonly help: string;

  constructor(code: CaptureErrorCode, origin: string, found: string, help: string) {
    super(`Cannot read packets from ${origin}: ${found}; ${help}`);
    this.code = code;
    this.origin = origin;
    this.found = found;
    this.help = help;
  }
}

/** Why a server does not listen. */
export type ListenErrorCode =
  /** Everybody who reaches the address could read. */
  | "open-to-all"
  | "bad-token"
  | "address-in-use"
  | "no-such-address"
  | "not-permitted"
  | "bad-certificate"
  | "failed";

/** What was tried and what was found; `help` is what to do. */
export class ListenError extends Error {
  override name = "ListenError";
  readonly code: ListenErrorCode;
  readonly help: string | undefined;

  constructor(code: ListenErrorCode, message: string, help?: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.help = help;
  }
}

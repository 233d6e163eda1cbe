/** It cannot begin to serve, or go on: what was tried, what was found, and below it what to do. */
export class ServeError extends Error {
  override name = "ServeError";
  readonly code: string;

  constructor(code: string, message: string, help?: string, cause?: unknown) {
    super(help === undefined ? message : `${message}\n${help}`, cause === undefined ? {} : { cause });
    this.code = code;
  }
}

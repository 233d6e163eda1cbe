/**
 * What goes wrong with a request: thrown anywhere, answered as the JSON of problemSchema.
 */
import type { ProblemJson } from "./api-schema.ts";

/** Stable names, with the status each is answered with. */
export const PROBLEM_STATUS = {
  "bad-parameter": 400,
  "unknown-parameter": 400,
  "bad-filter": 400,
  "bad-body": 400,
  "token-missing": 401,
  "token-wrong": 401,
  "not-permitted": 403,
  "origin-refused": 403,
  "changes-not-allowed": 403,
  "not-found": 404,
  "not-yet-known": 404,
  "method-not-allowed": 405,
  "change-refused": 409,
  "body-too-large": 413,
  "url-too-long": 414,
  "unsupported-media-type": 415,
  "host-refused": 421,
  "too-many-requests": 429,
  internal: 500,
  busy: 503,
  unavailable: 503,
} as const;

export type ProblemCode = keyof typeof PROBLEM_STATUS;

export interface ProblemMore {
  help?: string;
  /** Where in a filter. */
  at?: number;
  length?: number;
  /** Sent with the answer, such as Retry-After and Allow. */
  headers?: Readonly<Record<string, string>>;
  cause?: unknown;
}

/** A request that cannot be answered as it was meant. The message says what was tried and what was found. */
export class ApiProblem extends Error {
  override name = "ApiProblem";
  readonly code: ProblemCode;
  readonly more: ProblemMore;

  constructor(code: ProblemCode, message: string, more: ProblemMore = {}) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    this.code = code;
    this.more = more;
  }

  get status(): number {
    return PROBLEM_STATUS[this.code];
  }

  toJson(): ProblemJson {
    const { help, at, length } = this.more;
    return {
      code: this.code,
      message: this.message,
      ...(help === undefined ? {} : { help }),
      ...(at === undefined ? {} : { at }),
      ...(length === undefined ? {} : { length }),
    };
  }
}

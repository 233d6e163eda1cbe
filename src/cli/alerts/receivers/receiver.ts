/**
 * What a receiver is: somebody who is told of alerts. Each delivers one notice at a time, and says by a
 * ReceiverError what went wrong and what would help.
 */
import type { Clock } from "../../../base/clock.ts";
import type { Alert, Notice } from "../../../watch/watch.ts";

export type ReceiverErrorCode =
  /** Nobody answered, or the way there is broken: later it may work. */
  | "unreachable"
  /** It answered that it has a problem of its own. */
  | "failing"
  /** It answered that it does not want this, or not this way. */
  | "refused"
  | "timed-out"
  /** What the configuration names is not there or cannot be read. */
  | "not-usable"
  /** This program is ending. */
  | "stopped";

/** A notice was not taken. The message is for people: what was tried, on what, what was found. */
export class ReceiverError extends Error {
  override name = "ReceiverError";
  readonly code: ReceiverErrorCode;
  /** What to do. */
  readonly help?: string;

  constructor(code: ReceiverErrorCode, message: string, help?: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    if (help !== undefined) this.help = help;
  }
}

/** One notice on its way. */
export interface Sending {
  notice: Notice;
  /** Notices this receiver will never see, since it was last told. */
  lost: number;
  /** Counted from 1. */
  attempt: number;
  signal: AbortSignal;
}

export interface Receiver {
  readonly name: string;
  readonly kind: string;
  /** Where it is, for people: an address, a program. Without secrets. */
  readonly where: string;
  /** Delivers; what it returns is worth logging (the output of a command). Throws ReceiverError. */
  deliver(sending: Sending): Promise<string | undefined>;
  /** Receivers that want to hear again and again what fires: so often, and how. Throws ReceiverError. */
  readonly refresh?: {
    everySeconds: number;
    send(firing: readonly Alert[], instance: string, signal: AbortSignal): Promise<void>;
  };
}

/** What receivers need of the world. */
export interface ReceiverDeps {
  clock: Clock;
  /** Environment of this program: commands get their PATH from it. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Where people reach the dashboard, without a slash at the end; absent where nobody does. */
  dashboardUrl?: string;
}

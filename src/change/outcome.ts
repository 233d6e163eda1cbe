/** What came of it. Whoever called decides what to say and with which code to exit. */
import type { Receipt, Standing } from "./receipt.ts";
import type { Refusal } from "./steps.ts";

export type ApplyOutcome =
  | { kind: "nothing-to-do" }
  /** Done, read back; with `receipt.state` awaiting-confirmation it waits for that. */
  | { kind: "applied"; receipt: Receipt }
  /** Nothing was written. */
  | { kind: "refused"; refusal: Refusal }
  /** A step failed and everything is as before. */
  | { kind: "reverted"; receipt: Receipt; cause: string }
  /** A step failed, and so did taking back. */
  | { kind: "stuck"; receipt: Receipt; cause: string; standing: readonly Standing[] };

export type RollbackOutcome =
  /** Everything is as before; `notes` says what was left on purpose. */
  | { kind: "rolled-back"; receipt: Receipt; notes: readonly string[] }
  | { kind: "refused"; refusal: Refusal }
  | { kind: "stuck"; receipt: Receipt; standing: readonly Standing[] };

export type ConfirmOutcome = { kind: "confirmed"; receipt: Receipt } | { kind: "refused"; refusal: Refusal };

export type ExpireOutcome =
  /** Confirmed, or taken back already: nothing was done. */
  | { kind: "nothing-to-do"; receipt: Receipt }
  | { kind: "reverted"; receipt: Receipt }
  | { kind: "refused"; refusal: Refusal }
  | { kind: "stuck"; receipt: Receipt; standing: readonly Standing[] };

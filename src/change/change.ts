/**
 * The door of a change: from wanted settings to steps and file edits, their making, and their way back.
 *
 * It touches the host only through ChangeHost, and knows no clock and no user but those it is handed. It
 * refuses to write what is right already, what moved since it was planned, what the kernel here does not
 * have, and files of a distribution.
 *
 * Invariants:
 * 1. Either all of a change stands, or nothing of it; where that fails, what stands is named, with what to
 *    type.
 * 2. The receipt is on disk before the first write, and true at every instant: where the process dies, it
 *    says which writes may have happened, and `rollbackChange` works.
 * 3. A change is called lasting only when the boot, simulated on the edited files, gives its values.
 * 4. A capacity is never raised without its buckets.
 *
 * Read steps.ts and receipt.ts first, then apply.ts and undo.ts.
 */
export type { ChangeHost, FileImage, FileLook } from "./change-host.ts";
export type {
  Change,
  ChangeFacts,
  ChangeWishes,
  Composition,
  FileEdit,
  LineEdit,
  NotLasting,
  OverlaidFile,
  Refusal,
  RefusalCode,
  Step,
} from "./steps.ts";
export {
  CHANGES_DIRECTORY,
  type ChangeRecord,
  type MadeIn,
  type ValuesEnd,
  type Making,
  type Receipt,
  type ReceiptFile,
  type ReceiptState,
  type ReceiptStep,
  type Standing,
  type UndoReason,
  type Who,
} from "./receipt.ts";
export type { ApplyOutcome, ConfirmOutcome, ExpireOutcome, RollbackOutcome } from "./outcome.ts";
export { ownerEdit } from "./owner-edit.ts";
export { composeChange } from "./compose.ts";
export { applyChange } from "./apply.ts";
export { confirmChange, expireChange, rollbackChange } from "./rollback.ts";
export { findChange, listChanges } from "./journal.ts";
export { endOfValues } from "./standing.ts";
export { overlayFiles } from "./overlay.ts";
export { rollbackSteps, shellSteps } from "./shell-steps.ts";

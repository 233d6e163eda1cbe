/**
 * What happened to flows: events as the kernel sends them, in columns. A row is a flow as it was at the
 * event; what happened to it is the byte of the same number in `kinds`.
 */
import type { FlowColumns } from "./columns.ts";

/** Kinds of events: a flow was made, changed (its status, state or mark), or is gone. */
export const EventKind = { NEW: 1, UPDATE: 2, DESTROY: 3 } as const;

export type EventKindName = Lowercase<keyof typeof EventKind>;

/** Both belong to whoever reads and are overwritten by the next batch; `columns.count` rows are in use. */
export interface FlowEventBatch {
  readonly columns: FlowColumns;
  readonly kinds: Uint8Array;
}

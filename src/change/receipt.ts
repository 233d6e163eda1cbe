/**
 * The receipt of a change: the proof by which it can be taken back. It is on disk before the first write, and
 * true at every instant afterwards: where the process dies, it says which writes may have happened.
 *
 * `/var/lib/headroom/changes/<id>/receipt.json`, schema `headroom/receipt/v1`.
 */
import type { SettingKey } from "../table/settings.ts";
import type { FileEdit } from "./steps.ts";

export const RECEIPT_SCHEMA = "headroom/receipt/v1";

/** Below the state directory: one directory for each change. */
export const CHANGES_DIRECTORY = "/var/lib/headroom/changes";

export type ReceiptState =
  /** Nothing of the change is done yet. */
  | "prepared"
  /** Some of it may be done. */
  | "running"
  /** All of it is done, and is taken back unless it is confirmed in time. */
  | "awaiting-confirmation"
  | "applied"
  /** Being taken back: some of it may still stand. */
  | "undoing"
  /** Everything is as before. */
  | "undone"
  /** Taking back failed: `standing` says what is not as before. */
  | "stuck";

/** Who makes a change. */
export interface Who {
  user: string;
  /** SUDO_USER. */
  sudoUser?: string;
  tty?: string;
  /** As it was typed. */
  command: string;
}

/** Why a change was or is taken back. */
export type UndoReason =
  /** A step failed. */
  | "failed"
  /** Nobody confirmed it in time. */
  | "not-confirmed"
  /** `headroom rollback`. */
  | "asked";

export interface ReceiptStep {
  key: SettingKey;
  name: string;
  path: string;
  /** Absent until the module that has it is loaded. */
  from?: number;
  to: number;
  /** What the kernel made of it (it rounds bucket counts); absent until read back. */
  became?: number;
  mirror?: true;
}

/** An edit as it was made. */
export type ReceiptFile = Omit<FileEdit, "purpose">;

/** Something that is not as before although it was to be taken back. */
export interface Standing {
  /** A setting's name or a file's path. */
  what: string;
  found: string;
  wanted: string;
  why: string;
  /** What to type. */
  command: string;
}

/** The network namespace whose settings were written. */
export interface MadeIn {
  inode: number;
  /** As it was given: a name of `ip netns`, a process number or a path; absent for the program's own. */
  name?: string;
}

export interface Receipt {
  schema: typeof RECEIPT_SCHEMA;
  /** Sorts by time: `20261122-181503`. */
  id: string;
  state: ReceiptState;
  atMs: number;
  by: Who;
  /** The boot it was made in (`/proc/sys/kernel/random/boot_id`), where the host tells. */
  bootId?: string;
  /** Of a running host. */
  namespace?: MadeIn;
  module?: string;
  steps: readonly ReceiptStep[];
  files: readonly ReceiptFile[];
  persist: boolean;
  /** Taken back unless confirmed by then. */
  confirmByMs?: number;
  confirmed?: { atMs: number; by: Who };
  /** When it was done, or as before again. */
  endedAtMs?: number;
  undo?: { reason: UndoReason; atMs: number; by: Who; /** What failed. */ cause?: string };
  standing?: readonly Standing[];
}

/** With what the values of a change at run time went away. */
export type ValuesEnd =
  /** The host was booted since, and no file has them. */
  | "boot"
  /** The network namespace has ended. */
  | "namespace";

/** One row of the history. */
export type ChangeRecord =
  /** `ended`: nothing of it is left, though nobody took it back. */
  | { kind: "receipt"; receipt: Receipt; ended?: ValuesEnd }
  /** A receipt that cannot be read: named, never fatal. */
  | { kind: "unreadable"; id: string; path: string; why: string };

/** Who makes a change now, by which clock, and who watches over it. */
export interface Making {
  by: Who;
  /** Wall clock. */
  nowMs(): number;
  namespace?: MadeIn;
  /**
   * A change that is taken back unless it is confirmed. `start` is called when the receipt is on disk and
   * nothing else is written; where it throws, nothing is.
   */
  guard?: { confirmByMs: number; start(receipt: Receipt): void };
}

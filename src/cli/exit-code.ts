/**
 * What the exit code says. `check` speaks to monitoring (0 to 3 as monitoring plugins have it); every other
 * command says why it could not do what was asked. One table for both: help, the manual page and the tests
 * print it.
 */
import type { Level } from "../table/finding.ts";

export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  notPermitted: 3,
  unsupported: 4,
  refused: 5,
  stuck: 6,
  ourMistake: 70,
  /** 128 + SIGINT, as shells report it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What `check` exits with. */
export const levelExitCode: Record<Level, ExitCode> = { ok: 0, warning: 1, critical: 2, unknown: 3 };

/** For help and the manual page. */
export const exitCodeTexts: readonly { code: number; check: string; other: string }[] = [
  { code: 0, check: "ok", other: "done" },
  { code: 1, check: "warning", other: "failed" },
  { code: 2, check: "critical", other: "wrong use of the command line" },
  { code: 3, check: "unknown, wrong use included", other: "not permitted" },
  { code: 4, check: "", other: "this kernel cannot do it, or the tracker is not loaded" },
  { code: 5, check: "", other: "refused or reverted" },
  { code: 6, check: "", other: "stuck between two states" },
  { code: 70, check: "a mistake in headroom", other: "a mistake in headroom" },
  { code: 130, check: "interrupted", other: "interrupted" },
];

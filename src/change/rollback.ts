/**
 * Taking back on demand, and the two ends of a change that waits to be confirmed. A change that is done is
 * taken back only when everything is still as it left it; one that was interrupted is taken back as far as it
 * stands, so that it is over.
 */
import type { ChangeHost } from "./change-host.ts";
import { findChange, listChanges, standingReceipts, writeReceipt } from "./journal.ts";
import type { ConfirmOutcome, ExpireOutcome, RollbackOutcome } from "./outcome.ts";
import type { ChangeRecord, Making, Receipt } from "./receipt.ts";
import { bootedSince, endOfValues, placeOfFile, placeOfStep } from "./standing.ts";
import type { Refusal } from "./steps.ts";
import { becauseOf, undoChange } from "./undo.ts";
import { withLock } from "./with-lock.ts";

/** Takes a change back: by its identity, an unambiguous beginning of it, or `last`. */
export function rollbackChange(wanted: string, host: ChangeHost, making: Making): RollbackOutcome {
  return withLock(host, "take a change back", (): RollbackOutcome => {
    const found = findChange(host, wanted);
    if ("refusal" in found) return { kind: "refused", refusal: found.refusal };
    const { receipt } = found;
    const refusal = whyNotBack(host, receipt);
    if (refusal !== undefined) return { kind: "refused", refusal };
    const undone = undoChange(host, receipt, { reason: "asked" }, making);
    if (undone.standing.length === 0) {
      return { kind: "rolled-back", receipt: undone.receipt, notes: undone.notes };
    }
    return { kind: "stuck", receipt: undone.receipt, standing: undone.standing };
  });
}

/** What speaks against taking a change back now; nothing is written. */
export function whyNotBack(host: ChangeHost, receipt: Receipt): Refusal | undefined {
  const { id, state } = receipt;
  if (state === "undone") {
    return {
      code: "already-taken-back",
      message: `Cannot take change ${id} back: it was taken back already`,
    };
  }
  const newer = newerOnTheSame(host, receipt);
  if (newer.length > 0) {
    return {
      code: "newer-change",
      message: `Cannot take change ${id} back: ${newer.join(", ")} changed the same since`,
      help: `First headroom rollback ${newer[0] ?? ""}`,
    };
  }
  const whole = state === "applied" || state === "awaiting-confirmation";
  return (whole ? changedSince(host, receipt) : undefined) ?? notWritable(host, receipt);
}

/** Newer changes that stand and touch the same file or value, newest first. */
function newerOnTheSame(host: ChangeHost, receipt: Receipt): readonly string[] {
  const places = new Set(placesOf(receipt));
  return standingReceipts(host)
    .filter(({ id, state }) => id > receipt.id && state !== "stuck")
    .filter((other) => placesOf(other).some((place) => places.has(place)))
    .map(({ id }) => id);
}

/** Values of one network namespace are not those of another. */
function placesOf({ steps, files, namespace }: Receipt): readonly string[] {
  const where = namespace === undefined ? "" : `${namespace.inode} `;
  return [...steps.map(({ path }) => `${where}${path}`), ...files.map(({ target }) => target)];
}

function changedSince(host: ChangeHost, receipt: Receipt): Refusal | undefined {
  for (const file of receipt.files) {
    const place = placeOfFile(host, file);
    if (place.at !== "elsewhere") continue;
    const message = `Cannot take change ${receipt.id} back: ${file.path} was edited since`;
    const backup = file.backup === undefined ? "" : `; as it was before, it is in ${file.backup}`;
    const help = `Look at it and edit it by hand${backup}`;
    return { code: "moved", message: `${message} (found: ${place.found})`, help, path: file.target };
  }
  // A boot sets every value anew: what it made of them is nobody's edit.
  if (endOfValues(host, receipt) !== undefined || bootedSince(host, receipt)) return undefined;
  for (const step of receipt.steps) {
    const place = placeOfStep(host, step);
    if (place.at !== "elsewhere") continue;
    const made = `the change made it ${step.became ?? step.to}, and it is ${place.found} now`;
    const message = `Cannot take change ${receipt.id} back: ${step.name} was set since: ${made}`;
    const help = `It was ${step.from ?? "unknown"} before the change`;
    return { code: "moved", message, help, key: step.key, path: step.path };
  }
  return undefined;
}

function notWritable(host: ChangeHost, receipt: Receipt): Refusal | undefined {
  const steps = endOfValues(host, receipt) === undefined ? receipt.steps : [];
  const values = steps.filter((step) => placeOfStep(host, step).at === "after");
  const files = receipt.files.filter((file) => placeOfFile(host, file).at === "after");
  for (const path of [...values.map((step) => step.path), ...files.map(({ target }) => target)]) {
    const why = host.whyNotWritable(path);
    if (why !== undefined) {
      return { code: "not-writable", message: `Cannot write ${path}: ${why}; nothing was changed`, path };
    }
  }
  return undefined;
}

/**
 * Keeps a change that waits to be confirmed. The receipt decides, not the clock: as long as the guard has not
 * taken the change back it can be kept.
 */
export function confirmChange(wanted: string, host: ChangeHost, making: Making): ConfirmOutcome {
  const find = (): ReturnType<typeof findChange> =>
    wanted === "last" ? waiting(host) : findChange(host, wanted);
  // The lock is a file: where there is nothing to confirm, nothing is written.
  const first = find();
  if ("refusal" in first) return { kind: "refused", refusal: first.refusal };
  return withLock(host, "confirm a change", (): ConfirmOutcome => {
    const found = find();
    if ("refusal" in found) return { kind: "refused", refusal: found.refusal };
    const { receipt } = found;
    const refusal = whyNotKept(host, receipt);
    if (refusal !== undefined) return { kind: "refused", refusal };
    const confirmed: Receipt = {
      ...receipt,
      state: "applied",
      confirmed: { atMs: making.nowMs(), by: making.by },
    };
    try {
      writeReceipt(host, confirmed);
    } catch (cause) {
      const message = `Cannot confirm change ${receipt.id}: ${becauseOf(cause)}`;
      return { kind: "refused", refusal: { code: "no-receipt", message } };
    }
    return { kind: "confirmed", receipt: confirmed };
  });
}

function whyNotKept(host: ChangeHost, receipt: Receipt): Refusal | undefined {
  const { id, state, undo, endedAtMs, by } = receipt;
  const tried = `Cannot confirm change ${id}`;
  if (state === "undone" && undo?.reason === "not-confirmed") {
    const at = timeText(endedAtMs ?? undo.atMs);
    const message = `${tried}: it was taken back at ${at}, because no confirmation came in time`;
    return { code: "not-waiting", message, help: `It was made by: ${by.command}` };
  }
  if (state !== "awaiting-confirmation") {
    const message = `${tried}: it does not wait to be confirmed (${STATES[state]})`;
    return { code: "not-waiting", message };
  }
  const ended = endOfValues(host, receipt);
  if (ended === undefined || receipt.files.length > 0) return undefined;
  const why = ended === "boot" ? "the host was booted since" : "its network namespace has ended";
  return { code: "not-waiting", message: `${tried}: ${why}, and the values went with it` };
}

const STATES: Readonly<Record<Receipt["state"], string>> = {
  prepared: "it was interrupted before anything was written",
  running: "it was interrupted",
  "awaiting-confirmation": "it waits",
  applied: "it stands",
  undoing: "taking it back was interrupted",
  undone: "it was taken back",
  stuck: "it could not be taken back whole",
};

/** `18:15:03 UTC on 2026-11-22`. */
function timeText(atMs: number): string {
  const text = new Date(atMs).toISOString();
  return `${text.slice(11, 19)} UTC on ${text.slice(0, 10)}`;
}

function waiting(host: ChangeHost): ReturnType<typeof findChange> {
  const receipt = standingReceipts(host).find(({ state }) => state === "awaiting-confirmation");
  if (receipt !== undefined) return { receipt };
  const [newest] = listChanges(host);
  // What somebody would keep now is most likely the newest, and why that cannot be is what to say.
  const late = newest?.kind === "receipt" && newest.receipt.confirmByMs !== undefined;
  if (late || newest?.kind === "unreadable") return findChange(host, idOf(newest));
  const message = "Cannot confirm a change: none waits to be confirmed";
  return { refusal: { code: "not-waiting", message, help: "See headroom history" } };
}

function idOf(record: ChangeRecord): string {
  return record.kind === "receipt" ? record.receipt.id : record.id;
}

/**
 * What the guard calls when its time is over (by its own clock: the host's may jump). Takes back what was not
 * confirmed, and what an interrupted apply or rollback left standing. Refused with `busy` while somebody
 * holds the lock: call again.
 */
export function expireChange(id: string, host: ChangeHost, making: Making): ExpireOutcome {
  return withLock(host, "take a change back", (): ExpireOutcome => {
    const found = findChange(host, id);
    if ("refusal" in found) return { kind: "refused", refusal: found.refusal };
    const { receipt } = found;
    if (!isOpen(receipt)) return { kind: "nothing-to-do", receipt };
    const undone = undoChange(host, receipt, { reason: "not-confirmed" }, making);
    if (undone.standing.length === 0) return { kind: "reverted", receipt: undone.receipt };
    return { kind: "stuck", receipt: undone.receipt, standing: undone.standing };
  });
}

/** Not yet kept, and not as before. The lock is ours, so whoever was at it is dead. */
function isOpen({ state }: Receipt): boolean {
  return !(state === "applied" || state === "undone" || state === "stuck");
}

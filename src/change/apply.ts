/**
 * Making a change. Everything is checked before anything is written; the receipt is on disk before the first
 * write; values come before files, because the kernel may refuse a value and a reboot in between then leaves
 * the host as it was; and whatever fails, everything done so far is taken back.
 */
import type { ChangeHost, FileLook } from "./change-host.ts";
import { dropReceipt, nextId, standingReceipts, writeReceipt } from "./journal.ts";
import type { ApplyOutcome } from "./outcome.ts";
import { type Making, type Receipt, RECEIPT_SCHEMA, type ReceiptStep } from "./receipt.ts";
import { bootIdOf, isMadeOf, placeOfFile, readNumber, sameImage } from "./standing.ts";
import type { Change, FileEdit, Refusal, Step } from "./steps.ts";
import { becauseOf, sentenceOf, undoChange } from "./undo.ts";
import { withLock } from "./with-lock.ts";

/** Makes the change, or nothing of it. */
export function applyChange(change: Change, host: ChangeHost, making: Making): ApplyOutcome {
  if (change.steps.length + change.files.length === 0 && change.module === undefined) {
    return { kind: "nothing-to-do" };
  }
  return withLock(host, "make a change", (): ApplyOutcome => {
    const refusal = unfinished(host) ?? moved(change, host) ?? notWritable(change, host);
    if (refusal !== undefined) return { kind: "refused", refusal };
    const prepared = prepare(change, host, making);
    if ("refusal" in prepared) return { kind: "refused", refusal: prepared.refusal };
    return carryOut(prepared.receipt, host, making);
  });
}

/** An earlier change of which it is not known what stands, or which may be taken back any moment. */
function unfinished(host: ChangeHost): Refusal | undefined {
  for (const { id, state } of standingReceipts(host)) {
    if (state === "awaiting-confirmation") {
      return {
        code: "unfinished-change",
        message: `Cannot make a change: change ${id} waits to be confirmed`,
        help: `headroom confirm ${id}, or headroom rollback ${id}`,
      };
    }
    if (state === "prepared" || state === "running" || state === "undoing") {
      return {
        code: "unfinished-change",
        message: `Cannot make a change: change ${id} was interrupted, and some of it may stand`,
        help: `headroom rollback ${id} takes back what stands of it`,
      };
    }
  }
  return undefined;
}

/** A value or a file that is no longer as it was when the change was composed. */
function moved(change: Change, host: ChangeHost): Refusal | undefined {
  for (const step of change.steps) {
    const refusal = movedStep(step, host);
    if (refusal !== undefined) return refusal;
  }
  for (const file of change.files) {
    const refusal = movedFile(file, host);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function movedStep({ key, name, path, from, to }: Step, host: ChangeHost): Refusal | undefined {
  if (from === undefined) return undefined;
  const found = readNumber(host, path);
  if (found === from) return undefined;
  const text = found ?? host.readValue(path)?.trim() ?? "gone";
  return {
    code: "moved",
    message: `Cannot set ${name} to ${to}: it was ${from} when this was planned and is ${text} now`,
    help: "Somebody else changes it, too; plan again",
    key,
    path,
  };
}

function movedFile(file: FileEdit, host: ChangeHost): Refusal | undefined {
  const place = placeOfFile(host, file);
  const { path } = file;
  if (place.at !== "before") {
    const found = place.at === "after" ? "as it was to become" : place.found;
    const message = `Cannot edit ${path}: it changed since this was planned (found: ${found})`;
    return { code: "moved", message, help: "Plan again", path };
  }
  const { backup } = file;
  if (backup === undefined || host.look(backup).kind === "missing") return undefined;
  const message = `Cannot back up ${path}: ${backup} came into being since this was planned`;
  return { code: "moved", message, help: "Plan again", path: backup };
}

function notWritable(change: Change, host: ChangeHost): Refusal | undefined {
  const values = change.steps.filter(({ from }) => from !== undefined).map(({ path }) => path);
  const files = change.files.flatMap(({ target, backup }) =>
    backup === undefined ? [target] : [target, backup],
  );
  for (const path of [...values, ...files]) {
    const why = host.whyNotWritable(path);
    if (why !== undefined) {
      return { code: "not-writable", message: `Cannot write ${path}: ${why}; nothing was changed`, path };
    }
  }
  return undefined;
}

/** Receipt, then guard; after this the first write may come. */
function prepare(
  change: Change,
  host: ChangeHost,
  making: Making,
): { receipt: Receipt } | { refusal: Refusal } {
  const atMs = making.nowMs();
  const id = nextId(host, atMs);
  const bootId = bootIdOf(host);
  const receipt: Receipt = {
    schema: RECEIPT_SCHEMA,
    id,
    state: "prepared",
    atMs,
    by: making.by,
    ...(bootId === undefined ? {} : { bootId }),
    ...(making.namespace === undefined ? {} : { namespace: making.namespace }),
    ...(change.module === undefined ? {} : { module: change.module }),
    steps: change.steps,
    files: change.files.map(({ purpose: _, ...file }) => file),
    persist: change.persist,
    ...(making.guard === undefined ? {} : { confirmByMs: making.guard.confirmByMs }),
  };
  try {
    writeReceipt(host, receipt);
  } catch (cause) {
    dropReceipt(host, id);
    const message = `Cannot write the receipt of the change: ${becauseOf(cause)}; nothing was changed`;
    return { refusal: { code: "no-receipt", message } };
  }
  try {
    making.guard?.start(receipt);
  } catch (cause) {
    dropReceipt(host, id);
    const message = `Cannot start the guard that would take the change back: ${becauseOf(cause)}`;
    return { refusal: { code: "no-guard", message: `${message}; nothing was changed` } };
  }
  return { receipt };
}

function carryOut(prepared: Receipt, host: ChangeHost, making: Making): ApplyOutcome {
  let receipt = prepared;
  function save(more: Partial<Receipt>): void {
    const next = { ...receipt, ...more };
    writeReceipt(host, next);
    receipt = next;
  }
  try {
    save({ state: "running" });
    if (receipt.module !== undefined) {
      host.loadModule(receipt.module);
      save({ steps: receipt.steps.map((step) => readFrom(step, host)) });
    }
    const steps = receipt.steps.map((step) => takeStep(step, host));
    for (const file of prepared.files) putFile(file, host);
    const state = receipt.confirmByMs === undefined ? "applied" : "awaiting-confirmation";
    save({ steps, state, endedAtMs: making.nowMs() });
    return { kind: "applied", receipt };
  } catch (error) {
    const cause = sentenceOf(error);
    const undone = undoChange(host, receipt, { reason: "failed", cause }, making);
    if (undone.standing.length === 0) return { kind: "reverted", receipt: undone.receipt, cause };
    return { kind: "stuck", receipt: undone.receipt, cause, standing: undone.standing };
  }
}

/** Learns what a setting was once its module is there; nothing is written before that is on disk. */
function readFrom(step: ReceiptStep, host: ChangeHost): ReceiptStep {
  if (step.from !== undefined) return step;
  const from = readNumber(host, step.path);
  if (from === undefined) throw new Error(`Cannot read ${step.path} after its module was loaded`);
  return { ...step, from };
}

/** Writes one value unless it is right already, and reads it back. */
function takeStep(step: ReceiptStep, host: ChangeHost): ReceiptStep {
  const { key, name, path, from, to } = step;
  const present = readNumber(host, path);
  // Another name of the same variable was written just now.
  if (present !== undefined && present !== from && isMadeOf(key, present, to)) {
    return { ...step, became: present };
  }
  if (present !== from) {
    throw new Error(`Cannot set ${name} to ${to}: it was ${from} a moment ago and is ${present} now`);
  }
  host.writeValue(path, String(to));
  const became = readNumber(host, path);
  if (became !== undefined && isMadeOf(key, became, to)) return { ...step, became };
  throw new Error(`Cannot set ${name} to ${to}: it was written and reads back as ${became ?? "nothing"}`);
}

function putFile(file: Omit<FileEdit, "purpose">, host: ChangeHost): void {
  const { path, target, before, after, backup, directories } = file;
  const place = placeOfFile(host, file);
  if (place.at !== "before") throw new Error(`Cannot edit ${path}: somebody changed it a moment ago`);
  const last = directories.at(-1);
  if (last !== undefined) host.makeDirectories(last, 0o755);
  if (backup !== undefined && before !== undefined) {
    host.putFile(backup, before);
    readBack(backup, before, host.look(backup));
  }
  host.putFile(target, after);
  readBack(target, after, host.look(target));
}

function readBack(path: string, wanted: FileEdit["after"], look: FileLook): void {
  if (look.kind === "file" && sameImage(look.image, wanted)) return;
  throw new Error(`Cannot write ${path}: it was written and reads back differently`);
}

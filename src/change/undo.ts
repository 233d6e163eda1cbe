/**
 * Taking a change back: files first, then values, each in the reverse of the order in which they were made.
 * It goes by what it finds, not by what was noted, so it can begin anywhere and be interrupted anywhere: what
 * is as before already is left, and what somebody else changed since is left and named.
 */
import type { ChangeHost } from "./change-host.ts";
import { receiptPath, writeReceipt } from "./journal.ts";
import type {
  Making,
  Receipt,
  ReceiptFile,
  ReceiptStep,
  Standing,
  UndoReason,
  ValuesEnd,
} from "./receipt.ts";
import { shellWord } from "../table/shell-word.ts";
import {
  bootedSince,
  endOfValues,
  isMadeOf,
  placeOfFile,
  placeOfStep,
  readNumber,
  sameBytes,
} from "./standing.ts";

export interface Undone {
  receipt: Receipt;
  /** Empty: everything is as before. */
  standing: readonly Standing[];
  /** What was left on purpose, in sentences. */
  notes: readonly string[];
}

export interface Undoing {
  reason: UndoReason;
  cause?: string;
}

const ENDED: Readonly<Record<ValuesEnd, string>> = {
  boot: "The host was booted since, and the values went with it",
  namespace: "The network namespace has ended, and the values went with it",
};

const CHANGED_SINCE = "somebody changed it since";

/** The words of whatever was thrown. */
export function sentenceOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The same behind a colon. */
export function becauseOf(cause: unknown): string {
  return sentenceOf(cause).replace(/^Cannot /, "cannot ");
}

/**
 * Takes back what stands of a change. Never throws for what the host refuses: that is in `standing`. The
 * receipt is kept up to date where the disk lets us; where not, taking back goes on all the same, because a
 * receipt that says `running` or `undoing` stays true.
 */
export function undoChange(host: ChangeHost, receipt: Receipt, undoing: Undoing, making: Making): Undone {
  const { standing: _, ...past } = receipt;
  const undo = { ...undoing, atMs: making.nowMs(), by: making.by };
  const begun: Receipt = { ...past, state: "undoing", undo };
  const notes = [...saved(host, begun)];
  const standing: Standing[] = [];
  for (const file of receipt.files.toReversed()) undoFile(host, file, standing, notes);
  const ended = endOfValues(host, receipt);
  if (ended !== undefined) notes.push(ENDED[ended]);
  else undoSteps(host, receipt.steps, bootedSince(host, receipt) ? notes : undefined, standing);
  if (receipt.module !== undefined) notes.push(`The module ${receipt.module} stays loaded`);
  const over: Receipt = { ...begun, endedAtMs: making.nowMs() };
  const done: Receipt =
    standing.length === 0 ? { ...over, state: "undone" } : { ...over, state: "stuck", standing };
  notes.push(...saved(host, done));
  return { receipt: done, standing, notes: [...new Set(notes)] };
}

function saved(host: ChangeHost, receipt: Receipt): readonly string[] {
  try {
    writeReceipt(host, receipt);
    return [];
  } catch (cause) {
    return [`The receipt ${receiptPath(receipt.id)} could not be updated: ${becauseOf(cause)}`];
  }
}

function undoFile(host: ChangeHost, file: ReceiptFile, standing: Standing[], notes: string[]): void {
  try {
    host.sweep(file.target);
    const place = placeOfFile(host, file);
    if (place.at === "elsewhere") {
      standing.push(standingFile(host, file, place.found, CHANGED_SINCE));
      return;
    }
    if (place.at === "after") {
      if (file.before === undefined) host.removeFile(file.target);
      else host.putFile(file.target, file.before);
    }
    removeBackup(host, file, notes);
    removeDirectories(host, file.directories);
  } catch (cause) {
    standing.push(standingFile(host, file, foundNow(host, file), sentenceOf(cause)));
  }
}

function foundNow(host: ChangeHost, file: ReceiptFile): string {
  try {
    const place = placeOfFile(host, file);
    if (place.at === "elsewhere") return place.found;
    return place.at === "before" ? "as before the change" : "as the change made it";
  } catch {
    return "cannot be read";
  }
}

/** A backup that we made goes with the change, unless it is no longer what we put there. */
function removeBackup(host: ChangeHost, { backup, before }: ReceiptFile, notes: string[]): void {
  if (backup === undefined || before === undefined) return;
  host.sweep(backup);
  const look = host.look(backup);
  if (look.kind === "missing") return;
  if (look.kind === "file" && look.path === backup && sameBytes(look.image.bytes, before.bytes)) {
    host.removeFile(backup);
  } else {
    notes.push(`The backup ${backup} was changed since and is left`);
  }
}

/** Directories that were not there before, the innermost first; one that holds something now is left. */
function removeDirectories(host: ChangeHost, directories: readonly string[]): void {
  for (const path of directories.toReversed()) {
    if (host.look(path).kind === "directory" && host.list(path).length === 0) host.removeDirectory(path);
  }
}

function standingFile(host: ChangeHost, file: ReceiptFile, found: string, why: string): Standing {
  const wanted = file.before === undefined ? "no file" : "the file as it was";
  return {
    what: file.target,
    found,
    wanted,
    why,
    command: why === CHANGED_SINCE ? lookCommand(host, file) : commandBack(host, file),
  };
}

/** An edit of somebody's is looked at, not thrown away. */
function lookCommand(host: ChangeHost, { target, before, backup }: ReceiptFile): string {
  const path = inRoot(host, target);
  return before === undefined || backup === undefined
    ? `cat ${path}`
    : `diff ${inRoot(host, backup)} ${path}`;
}

/** A path of the host as a word for the shell here. */
function inRoot({ root = "" }: ChangeHost, path: string): string {
  return shellWord(root + path);
}

function commandBack(host: ChangeHost, { target, before, backup }: ReceiptFile): string {
  const path = inRoot(host, target);
  if (before === undefined) return `rm ${path}`;
  // Every file that was there has a backup; a receipt by hand may lack it. To move it needs no room.
  return backup === undefined ? `editor ${path}` : `mv ${inRoot(host, backup)} ${path}`;
}

/** With `bootNotes` the host was booted since: a value that is neither ours nor the old one is the boot's. */
function undoSteps(
  host: ChangeHost,
  steps: readonly ReceiptStep[],
  bootNotes: string[] | undefined,
  standing: Standing[],
): void {
  let sizesFailed = false;
  for (const step of steps.toReversed()) {
    // Buckets are not taken away below a capacity that could not be lowered: long chains lose connections.
    if (sizesFailed && isSize(step)) {
      standing.push(standingStep(host, step, "the other size could not be set back"));
      continue;
    }
    const failure = undoStep(host, step);
    if (failure === undefined) continue;
    if (failure === CHANGED_SINCE && bootNotes !== undefined) {
      bootNotes.push(`${step.name} is ${textNow(host, step.path)} since the host was booted, and is left`);
      continue;
    }
    standing.push(standingStep(host, step, failure));
    sizesFailed ||= isSize(step);
  }
}

function isSize({ key }: ReceiptStep): boolean {
  return key === "nf_conntrack_max" || key === "nf_conntrack_buckets" || key === "hashsize";
}

/** Sets one value back; gives the reason when it could not. */
function undoStep(host: ChangeHost, step: ReceiptStep): string | undefined {
  try {
    host.sweep(step.path);
    const place = placeOfStep(host, step);
    if (place.at === "before" || step.from === undefined) return undefined;
    if (place.at === "elsewhere") return CHANGED_SINCE;
    host.writeValue(step.path, String(step.from));
    const found = readNumber(host, step.path);
    if (found !== undefined && isMadeOf(step.key, found, step.from)) return undefined;
    return `the kernel took ${step.from} and made ${found ?? "nothing"} of it`;
  } catch (cause) {
    return sentenceOf(cause);
  }
}

function standingStep(host: ChangeHost, step: ReceiptStep, why: string): Standing {
  const wanted = String(step.from ?? "");
  const isLive = (host.root ?? "") === "";
  const command =
    isLive && step.path.startsWith("/proc/sys/")
      ? `sysctl -w ${step.name}=${wanted}`
      : `echo ${wanted} > ${inRoot(host, step.path)}`;
  return { what: step.name, found: textNow(host, step.path), wanted, why, command };
}

function textNow(host: ChangeHost, path: string): string {
  try {
    return host.readValue(path)?.trim() ?? "no file";
  } catch {
    return "cannot be read";
  }
}

/**
 * The receipts of a host: `/var/lib/headroom/changes/<id>/receipt.json`, one directory for each change. Each
 * is put there whole or not at all, so what can be read is true.
 */
import type { ChangeHost } from "./change-host.ts";
import { CHANGES_DIRECTORY, type ChangeRecord, type Receipt, type ValuesEnd } from "./receipt.ts";
import { decodeReceipt, encodeReceipt } from "./receipt-text.ts";
import { endOfValues } from "./standing.ts";
import type { Refusal } from "./steps.ts";

/** Receipts hold the files of the host as they were: nobody else's business. */
const DIRECTORY_MODE = 0o700;
const RECEIPT_MODE = 0o600;

const idPattern = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/;

export function receiptPath(id: string): string {
  return `${CHANGES_DIRECTORY}/${id}/receipt.json`;
}

/** Puts the receipt on disk; throws what the host throws, and then the older one is still there. */
export function writeReceipt(host: ChangeHost, receipt: Receipt): void {
  host.makeDirectories(`${CHANGES_DIRECTORY}/${receipt.id}`, DIRECTORY_MODE);
  host.putFile(receiptPath(receipt.id), {
    bytes: encodeReceipt(receipt),
    mode: RECEIPT_MODE,
    uid: 0,
    gid: 0,
  });
}

/** Removes a receipt under which nothing was written; what cannot be removed stays, and says `prepared`. */
export function dropReceipt(host: ChangeHost, id: string): void {
  const path = receiptPath(id);
  try {
    host.sweep(path);
    if (host.look(path).kind === "file") host.removeFile(path);
    host.removeDirectory(`${CHANGES_DIRECTORY}/${id}`);
  } catch {
    // A receipt that says `prepared` is true: nothing of the change was done.
  }
}

/**
 * Every change that was recorded, newest first. A receipt that cannot be read is a row of its own; a
 * directory without one was left before anything was written, and is no change.
 */
export function listChanges(host: ChangeHost): readonly ChangeRecord[] {
  return host
    .list(CHANGES_DIRECTORY)
    .toSorted()
    .reverse()
    .flatMap((id) => recordOf(host, id));
}

function recordOf(host: ChangeHost, id: string): readonly ChangeRecord[] {
  const path = receiptPath(id);
  const look = host.look(path);
  if (look.kind === "missing") {
    const names = host.list(`${CHANGES_DIRECTORY}/${id}`).filter((name) => !name.startsWith("."));
    if (idPattern.test(id) && names.length === 0) return [];
    return [{ kind: "unreadable", id, path, why: "there is no receipt" }];
  }
  if (look.kind !== "file") return [{ kind: "unreadable", id, path, why: "it is not a file" }];
  const read = decodeReceipt(look.image.bytes);
  if ("why" in read) return [{ kind: "unreadable", id, path, why: read.why }];
  if (read.receipt.id !== id) {
    return [{ kind: "unreadable", id, path, why: `it is the receipt of ${read.receipt.id}` }];
  }
  return [{ kind: "receipt", receipt: read.receipt, ...endOf(host, read.receipt) }];
}

function endOf(host: ChangeHost, receipt: Receipt): { ended?: ValuesEnd } {
  if (receipt.state === "undone" || receipt.files.length > 0) return {};
  const ended = endOfValues(host, receipt);
  return ended === undefined ? {} : { ended };
}

/** The receipts of changes of which something may be left, newest first. */
export function standingReceipts(host: ChangeHost): readonly Receipt[] {
  return listChanges(host).flatMap((record) =>
    record.kind === "receipt" && record.receipt.state !== "undone" && record.ended === undefined
      ? [record.receipt]
      : [],
  );
}

/**
 * An identity for a new change: the second it is made in, UTC. It sorts after every older one, also when the
 * clock went back meanwhile or two are made in the same second.
 */
export function nextId(host: ChangeHost, nowMs: number): string {
  const newest = host
    .list(CHANGES_DIRECTORY)
    .filter((name) => idPattern.test(name))
    .toSorted()
    .at(-1);
  const now = idAt(nowMs);
  if (newest === undefined || now > newest) return now;
  return idAt(idSecond(newest) * 1000 + 1000);
}

function idAt(atMs: number): string {
  const digits = new Date(atMs).toISOString().replaceAll(/\D/g, "");
  return `${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
}

function idSecond(id: string): number {
  const [, year, month, day, hour, minute, second] = idPattern.exec(id) ?? [];
  const atMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  // No such day, such as 20261399: whatever sorts after it will do.
  return Number.isNaN(atMs) ? Date.UTC(Number(year) + 1, 0, 1) / 1000 : atMs / 1000;
}

/** A change by its identity, an unambiguous beginning of it, or `last`: the newest that stands. */
export function findChange(host: ChangeHost, wanted: string): { receipt: Receipt } | { refusal: Refusal } {
  const records = listChanges(host);
  if (wanted === "last") return lastThatStands(host, records);
  const idOf = (record: ChangeRecord): string => (record.kind === "receipt" ? record.receipt.id : record.id);
  const matching = records.filter((record) => idOf(record).startsWith(wanted));
  const [record] = matching.filter((one) => idOf(one) === wanted).concat(matching);
  if (record === undefined || wanted === "") {
    return refuseFind(`Cannot find change ${wanted}: there is none`, "See headroom history");
  }
  if (matching.length > 1 && idOf(record) !== wanted) {
    return refuseFind(`Cannot tell which change ${wanted} is: ${matching.length} begin so`);
  }
  if (record.kind === "receipt") return { receipt: record.receipt };
  return refuseFind(`Cannot use the receipt of change ${record.id}: ${record.why}`, byHand(record.path));
}

/** One whose receipt cannot be read may stand: whatever is older than that is not the last for certain. */
function lastThatStands(
  host: ChangeHost,
  records: readonly ChangeRecord[],
): { receipt: Receipt } | { refusal: Refusal } {
  const [newest] = standingReceipts(host);
  const unreadable = records.find((record) => record.kind === "unreadable");
  if (unreadable !== undefined && (newest === undefined || unreadable.id > newest.id)) {
    const older = newest === undefined ? "" : `; headroom rollback ${newest.id} takes back the one before it`;
    return refuseFind(
      `Cannot tell what to take back: change ${unreadable.id} cannot be read (${unreadable.why})`,
      byHand(unreadable.path) + older,
    );
  }
  if (newest !== undefined) return { receipt: newest };
  return refuseFind("Cannot take anything back: there is no change that stands");
}

function byHand(path: string): string {
  return `Look at ${path}; files it changed have a copy beside them that ends in .org`;
}

function refuseFind(message: string, help?: string): { refusal: Refusal } {
  return { refusal: { code: "no-such-change", message, ...(help === undefined ? {} : { help }) } };
}

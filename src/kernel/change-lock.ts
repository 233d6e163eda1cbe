/**
 * One change at a time: a lock on the directory that keeps the receipts. It is flock(2), so it dies with
 * the process that holds it, however that ends, and leaves nothing behind. Where system calls cannot be
 * made from here, flock(1) takes it on the same open directory.
 */
import { spawnSync } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

import { errnoError, errnoName, KernelError } from "./error.ts";
import { LOCK_EXCLUSIVE, LOCK_NOW, systemCalls } from "./ffi.ts";
import { fileWriteError } from "./file-writing.ts";

/** Takes the lock. Throws KernelError, `busy` when somebody else has it, saying who. */
export function lockDirectory(directory: string): { release(): void } {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw fileWriteError(cause, `lock ${directory}`, directory);
  }
  try {
    takeLock(descriptor, directory);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return {
    release() {
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}

function takeLock(descriptor: number, directory: string): void {
  const result = flockResult(descriptor);
  if (result === 0) return;
  if (errnoName(-result) !== "EAGAIN") throw errnoError(-result, `lock ${directory}`);
  const holder = holderOf(descriptor);
  const who = holder === undefined ? "another headroom" : `process ${holder}`;
  const message = `${who} is changing something now, and only one change is made at a time; try again`;
  throw new KernelError("busy", message, { errno: -result });
}

function flockResult(descriptor: number): number {
  try {
    return systemCalls().flock(descriptor, LOCK_EXCLUSIVE | LOCK_NOW);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return flockByProgram(descriptor, error);
  }
}

/** The lock belongs to the open directory, which this process shares with the program: it stays ours. */
function flockByProgram(descriptor: number, refusal: KernelError): number {
  const { status } = spawnSync("flock", ["--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (status === 0) return 0;
  const busy = -11;
  if (status === 1) return busy;
  throw new KernelError(
    refusal.code,
    `Cannot take the lock that keeps two changes apart: ${refusal.message}, and there is no flock program`,
  );
}

/** The process that holds the lock and its command line: `4711 (headroom apply --set ...)`. */
function holderOf(descriptor: number): string | undefined {
  const { ino } = fstatSync(descriptor);
  const lines = textOf("/proc/locks").split("\n");
  const line = lines.find((each) => each.includes(" FLOCK ") && each.includes(`:${ino} `));
  const pid = /WRITE\s+(\d+)/.exec(line ?? "")?.[1];
  if (pid === undefined || pid === "0") return undefined;
  const words = textOf(`/proc/${pid}/cmdline`).split("\0").filter(Boolean);
  const from = words.findIndex((word) => word.endsWith("/bin/headroom"));
  const command = from < 0 ? "" : ` (headroom ${words.slice(from + 1).join(" ")})`;
  return `${pid}${command}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

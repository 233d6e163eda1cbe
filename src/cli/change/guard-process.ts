/**
 * The guard itself: waits, and takes the change back unless it was confirmed. It says nothing to anybody;
 * what it did is in the receipt.
 *
 * It waits by the time since boot, which counts while the machine sleeps and does not jump when somebody
 * sets the clock; woken too late, it acts at once. Ended by a shutdown (SIGTERM) it acts at once too: an
 * unconfirmed change must not be what the next boot finds.
 */
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { uptime } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod/mini";

import { expireChange, listChanges, type Making, type ReceiptState } from "../../change/change.ts";
import type { WritableHost } from "../../kernel/kernel.ts";
import type { Context } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { GUARD_READY, type GuardOrder } from "./guard-word.ts";

/** How often it looks whether it is still needed, and the clock. */
const LOOK_MS = 500;
/** How soon it tries again when somebody else is changing something. */
const BUSY_MS = 100;
/** What fails for another reason (a full disk) is tried again for so long. */
const TRY_SECONDS = 600;

const orderSchema = z.object({
  id: z.string(),
  withinSeconds: z.number(),
  confirmByMs: z.number(),
  root: z.exactOptional(z.string()),
  netns: z.exactOptional(z.string()),
});

export async function runGuard(deps: Context["deps"]): Promise<ExitCode> {
  const { openWritableHost } = await deps.kernel();
  if (openWritableHost === undefined) return ExitCode.failed;
  const stop = new AbortController();
  process.on("SIGTERM", () => stop.abort());
  for (const signal of ["SIGHUP", "SIGINT", "SIGPIPE"]) process.on(signal, () => {});
  surviveShortMemory();
  writeSync(1, GUARD_READY);
  const order = readOrder();
  // Whoever started it went away before anything was written.
  if (order === undefined) return ExitCode.ok;
  leaveStreams();
  const dueSeconds = uptime() + order.withinSeconds;
  const { root, netns } = order;
  const host = openWritableHost({
    ...(root === undefined ? {} : { root }),
    ...(netns === undefined ? {} : { namespace: netns }),
  });
  while (uptime() < dueSeconds && !stop.signal.aborted) {
    if (isOver(stateOf(host, order.id))) return ExitCode.ok;
    const restMs = (dueSeconds - uptime()) * 1000;
    await sleep(Math.max(1, Math.min(LOOK_MS, restMs)), undefined, { signal: stop.signal }).catch(() => {});
  }
  return takeBack(host, order, deps.clock.nowMs.bind(deps.clock));
}

/** The kernel ends others first when memory runs out; who may not ask for that goes on without. */
function surviveShortMemory(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "-900");
  } catch {
    // It is still a small process.
  }
}

/** The line on standard input; undefined when it ended without one. */
function readOrder(): GuardOrder | undefined {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.includes("\n")) {
    const length = readSome(buffer);
    if (length === 0) return undefined;
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return orderSchema.parse(JSON.parse(text));
}

function readSome(buffer: Uint8Array): number {
  for (;;) {
    try {
      return readSync(0, buffer);
    } catch (cause) {
      const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
      if (code !== "EAGAIN") return 0;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** Nobody shall wait for the end of a pipe that this process holds. */
function leaveStreams(): void {
  for (const descriptor of [0, 1]) {
    closeSync(descriptor);
    openSync("/dev/null", "r+");
  }
}

/** Undefined when there is no receipt, or it cannot be read now. */
function stateOf(host: WritableHost, id: string): ReceiptState | "missing" | undefined {
  try {
    const record = listChanges(host).find((each) => each.kind === "receipt" && each.receipt.id === id);
    return record?.kind === "receipt" ? record.receipt.state : "missing";
  } catch {
    return undefined;
  }
}

/** Confirmed, taken back by hand, or never begun. */
function isOver(state: ReceiptState | "missing" | undefined): boolean {
  return state === "applied" || state === "undone" || state === "missing";
}

async function takeBack(host: WritableHost, order: GuardOrder, nowMs: () => number): Promise<ExitCode> {
  const making: Making = {
    by: { user: "headroom", command: "guard of --confirm-within" },
    nowMs: () => Math.max(nowMs(), order.confirmByMs),
  };
  const untilSeconds = uptime() + TRY_SECONDS;
  for (;;) {
    const outcome = attempt(() => expireChange(order.id, host, making));
    const busy = outcome?.kind === "refused" && outcome.refusal.code === "busy";
    if (outcome !== undefined && !busy && outcome.kind !== "stuck") return ExitCode.ok;
    if (uptime() > untilSeconds) return ExitCode.stuck;
    await sleep(busy ? BUSY_MS : LOOK_MS);
  }
}

function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

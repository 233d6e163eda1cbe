/**
 * Starting the guard of `--confirm-within`: a process of its own, in a session of its own, that is ready
 * before the first write and takes the change back unless it is confirmed.
 *
 * It is this program once more. It says that it is ready, then it is told which change, and from then on
 * nobody needs to be there any more. Where systemd runs the host, a session that ends takes all its
 * processes with it (KillUserProcesses= of logind.conf(5)), so the guard is started in a scope of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeSync } from "node:fs";

import { GUARD_READY, GUARD_WORD, type GuardOrder } from "./guard-word.ts";

/** A guard that cannot be started; nothing has been written then. */
export class GuardError extends Error {
  override name = "GuardError";
  readonly code = "no-guard";
}

export interface ReadyGuard {
  /** Tells it what to guard. At once: what this returns, the guard has been told. */
  order(order: GuardOrder): void;
  /** There is nothing to guard. Also lets go of a guard that has its order. */
  release(): void;
}

/** Longest wait for a guard to come up; a busy machine takes a second. */
const READY_LIMIT_MS = 20_000;

/** Starts a guard and waits until it is ready. Throws GuardError. */
export async function startGuard(program: string): Promise<ReadyGuard> {
  const child = spawnGuard(program);
  try {
    await readiness(child);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const pipe = descriptorOf(child);
  return {
    order(order) {
      if (child.exitCode !== null || child.signalCode !== null) throw new GuardError("it has ended already");
      const line = new TextEncoder().encode(`${JSON.stringify(order)}\n`);
      // Shorter than a pipe holds: it is taken whole or not at all.
      const written = writeSync(pipe, line);
      if (written !== line.length) throw new GuardError("it could not be told which change");
    },
    release() {
      child.stdin?.destroy();
      child.stdout?.destroy();
      child.unref();
    },
  };
}

function spawnGuard(program: string): ChildProcess {
  const node = [process.execPath, ...process.execArgv, program, GUARD_WORD];
  const scope = "systemd-run --scope --quiet --collect --description=headroom-guard --".split(" ");
  const words = hasSystemd() ? [...scope, ...node] : node;
  const [command = "", ...args] = words;
  return spawn(command, args, { cwd: "/", detached: true, stdio: ["pipe", "pipe", "ignore"] });
}

/** As sd_booted(3) tells; only root may ask the system's manager for a scope. */
function hasSystemd(): boolean {
  if (!existsSync("/run/systemd/system") || process.getuid?.() !== 0) return false;
  return ["/usr/bin/systemd-run", "/bin/systemd-run"].some((path) => existsSync(path));
}

function readiness(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new GuardError(`it did not come up within ${READY_LIMIT_MS / 1000} seconds`)),
      READY_LIMIT_MS,
    );
    const fail = (why: string): void => {
      clearTimeout(late);
      reject(new GuardError(why));
    };
    let heard = "";
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code, signal) => fail(`it ended at once (${signal ?? `exit code ${code}`})`));
    child.stdin?.on("error", () => {});
    child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
      heard += piece;
      if (heard !== GUARD_READY) return;
      clearTimeout(late);
      resolve();
    });
  });
}

/** The pipe itself: a stream would write only when this process has nothing else to do. */
function descriptorOf(child: ChildProcess): number {
  const { stdin } = child;
  const handle = stdin !== null && "_handle" in stdin ? stdin._handle : undefined;
  const fd = typeof handle === "object" && handle !== null && "fd" in handle ? handle.fd : undefined;
  if (typeof fd !== "number" || fd < 0) throw new GuardError("there is no pipe to it");
  return fd;
}

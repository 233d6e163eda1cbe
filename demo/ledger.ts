/**
 * What the demo must undo, on disk before it is done, and the guard that undoes it: a shell that outlives
 * this program, whichever way it ends. There is one ledger for the host, as there is one nf_conntrack_max: so
 * it also keeps a second demo from starting, and what was left behind by a demo that was killed together with
 * its guard is undone by the next one.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { Refusal } from "./refusal.ts";

/** Below /run, which a boot empties as it resets the capacity. */
export const LEDGER = "/run/headroom-demo.ledger";
const GUARD = fileURLToPath(new URL("guard.sh", import.meta.url));

export type Deed =
  | readonly ["capacity", before: number, lowered: number]
  | readonly ["process", pid: number, word: string]
  | readonly ["namespace", name: string]
  | readonly ["directory", path: string];

export class Ledger {
  readonly #guard: ChildProcess;
  readonly #guardEnded: Promise<void>;

  /** Throws Refusal while another demo runs. `say` is told when remains of an earlier one were removed. */
  constructor(say: (text: string) => void) {
    if (existsSync(LEDGER)) {
      const running = demoThatRuns();
      if (running !== undefined) throw new Refusal(`A demo runs already, as process ${running}`);
      spawnSync("sh", [GUARD, LEDGER], { input: "" });
      say(
        "An earlier demo was killed with its guard: what it left behind is removed, and its limit put back.",
      );
    }
    writeFileSync(LEDGER, `demo ${process.pid}\n`, { flag: "wx", mode: 0o600 });
    this.#guard = spawn("sh", [GUARD, LEDGER], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    this.#guardEnded = new Promise((resolve) => {
      this.#guard.on("close", () => resolve());
      this.#guard.on("error", () => resolve());
    });
  }

  /** To be called before the deed is done. */
  note(...deed: Deed): void {
    appendFileSync(LEDGER, `${deed.join(" ")}\n`);
  }

  /** Has everything undone. */
  async close(): Promise<void> {
    this.#guard.stdin?.end();
    await this.#guardEnded;
    // Somebody killed the guard: its work is done here.
    if (existsSync(LEDGER)) spawnSync("sh", [GUARD, LEDGER], { input: "" });
  }
}

/** The process that wrote the ledger, if it is still a demo. */
function demoThatRuns(): number | undefined {
  const pid = Number(/^demo (\d+)$/m.exec(readFileSync(LEDGER, "utf8"))?.[1]);
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("demo") ? pid : undefined;
  } catch {
    return undefined;
  }
}

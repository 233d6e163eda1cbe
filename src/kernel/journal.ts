/**
 * The kernel's messages as systemd's journal keeps them, for users who may read it but not the ring (group
 * adm or systemd-journal). A child process, therefore only when the ring was refused, and never for long.
 */
import type { KernelLog } from "../table/host.ts";
import { KernelError } from "./error.ts";
import { type ScanOptions, scanKernelLog } from "./kernel-log.ts";

const TIMEOUT_MS = 3000;
/** Newest lines asked for. */
const LINES_MAX = 200_000;
const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Reads `journalctl -k` of this boot. Throws KernelError when it is not there, may not be read or takes too
 * long.
 */
export function readJournal(options: ScanOptions): KernelLog {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const arguments_ = ["-k", "-q", "--no-pager", "-o", "short-monotonic", "-n", String(LINES_MAX)];
  const ended = spawnSync("journalctl", arguments_, {
    encoding: "buffer",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    maxBuffer: OUTPUT_MAX_BYTES,
  });
  if (ended.error !== undefined) {
    const code = "code" in ended.error ? ended.error.code : undefined;
    if (code === "ENOENT") throw new KernelError("not-found", "Cannot run journalctl: there is none");
    if (code === "ETIMEDOUT") {
      throw new KernelError(
        "timed-out",
        `Cannot read the journal: journalctl took longer than ${TIMEOUT_MS} ms`,
      );
    }
    throw new KernelError("io", `Cannot run journalctl: ${ended.error.message}`, { cause: ended.error });
  }
  const said = new TextDecoder().decode(ended.stderr).trim().split("\n", 1)[0] ?? "";
  if (ended.status !== 0 || ended.stdout.length === 0) {
    const found = said === "" ? "it has no messages of the kernel that this user may read" : said;
    throw new KernelError("not-permitted", `Cannot read the journal: ${found}`);
  }
  return scanKernelLog([ended.stdout], options, "journal", "journalctl -k");
}

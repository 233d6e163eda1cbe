/**
 * Which texts the running kernel takes for a number, and for which: the forecast must say the same. In a
 * network namespace of its own, so that nothing of this machine changes.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { wholeNumber } from "../../src/boot/kernel-number.ts";
import { TrackerNames } from "../../src/boot/tracker-name.ts";
import { memoryFiles } from "../support/boot-memory.ts";

const NAMES = ["tcp_timeout_established", "udp_timeout", "acct", "log_invalid", "tcp_loose"] as const;
const TEXTS = [
  "0x10",
  "0X1f",
  "010",
  "09",
  "00",
  "+5",
  " 5 ",
  "\t5",
  "5 6",
  "5\t# why",
  "5x",
  "5,6",
  "-5",
  "-",
  "--1",
  "5.0",
  "1e3",
  "12h",
  "1\r",
  "1_0",
  "0x",
  "0b1",
  "1",
  "2",
  "255",
  "256",
  "99999999999999999999",
] as const;

/** One line for each text: what the setting says afterwards, or `refused`. */
const SCRIPT = `for text in "$@"; do
  echo 1 > "$FILE"
  if printf '%s\\n' "$text" > "$FILE" 2>/dev/null; then cat "$FILE"; else echo refused; fi
done`;

const FILE = "/proc/sys/net/netfilter/nf_conntrack_";
const reason = whyNot();

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "making a network namespace needs root";
  if (!existsSync(`${FILE}acct`)) return "this kernel has no tracker loaded";
  const made = spawnSync("unshare", ["--net", "test", "-e", `${FILE}acct`]);
  return made.status === 0 ? undefined : "no network namespace can be made here";
}

for (const name of NAMES) {
  test(`${name} takes what the forecast says it takes`, { skip: reason ?? false }, () => {
    const release = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
    const names = new TrackerNames(memoryFiles({}), release);
    const env = { ...process.env, FILE: `${FILE}${name}` };
    const said = execFileSync("unshare", ["--net", "sh", "-c", SCRIPT, "sh", ...TEXTS], {
      encoding: "utf8",
      env,
    });
    const found = said.trimEnd().split("\n");
    const expected = TEXTS.map((text) => {
      const refused = names.refusal(`net/netfilter/nf_conntrack_${name}`, text) !== undefined;
      return refused ? "refused" : String(wholeNumber(text));
    });
    assert.deepEqual(
      TEXTS.map((text, index) => `${JSON.stringify(text)}: ${found[index]}`),
      TEXTS.map((text, index) => `${JSON.stringify(text)}: ${expected[index]}`),
    );
  });
}

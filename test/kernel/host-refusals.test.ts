/**
 * What is seen, and what is said, when this machine hides things: another user, a container's mounts, no
 * /proc.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { HostAnswers } from "../support/host-child.ts";

const NOBODY = 65_534;
const child = fileURLToPath(new URL("../support/host-child.ts", import.meta.url));
const node = [process.execPath, "--disable-warning=ExperimentalWarning", child];

/** Runs the questions behind a command that changes the view, and gives the answers. */
function ask(command: readonly string[]): HostAnswers {
  const [program = "", ...args] = [...command, ...node];
  const ended = spawnSync(program, args, { encoding: "utf8", cwd: "/" });
  assert.equal(ended.status, 0, ended.stderr);
  return JSON.parse(ended.stdout) as HostAnswers;
}

/** The same behind shell commands in a mount namespace of its own. */
function askBehind(preparation: string): HostAnswers {
  return ask(["unshare", "-m", "--propagation", "private", "sh", "-c", `${preparation} && exec "$@"`, "sh"]);
}

const asNobody = [
  "setpriv",
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  "--clear-groups",
  "--bounding-set=-all",
];

/** Why another user cannot even run this; undefined when it can. */
function unreachable(): string | undefined {
  for (let path = child; path !== "/"; path = dirname(path)) {
    if ((statSync(path).mode & 0o005) !== 0o005 && statSync(path).isDirectory())
      return `${path} is closed to others`;
  }
  accessSync(child, constants.R_OK);
  return undefined;
}

const skip = unreachable() ?? false;

test(
  "an ordinary user sees settings, counters and counts, and one line for each thing refused",
  { skip },
  () => {
    const name = `hr-refuse-${process.pid}`;
    execFileSync("ip", ["netns", "add", name]);
    const holder = spawnSync("sh", ["-c", `ip netns exec ${name} sleep 30 >/dev/null 2>&1 & echo $!`], {
      encoding: "utf8",
    });
    try {
      const answers = ask(asNobody);
      assert.equal(answers.host.initialNamespace, true);
      assert.ok((answers.settings.values.nf_conntrack_max ?? 0) > 0);
      assert.notEqual(answers.settings.values.nf_conntrack_count, undefined);
      assert.equal(answers.settings.values.hashsize, undefined);
      assert.notEqual(answers.counters, undefined);
      assert.ok(answers.namespaces.some(({ own }) => own));
      const inode = statSync(`/run/netns/${name}`).ino;
      const other = answers.namespaces.find((each) => each.name === name);
      assert.equal(other?.inode, inode);
      const hidden = answers.namespaces.filter((each) => each.inode === undefined);
      assert.ok(
        hidden.some(({ occupancyFlows }) => occupancyFlows === 0),
        JSON.stringify(answers.namespaces),
      );
      assert.ok("error" in answers.flows, JSON.stringify(answers.flows));
      assert.equal(answers.flows.code, "not-permitted");
      assert.match(answers.flows.error, /netlink.*nf_conntrack/s);
      const lines = answers.unseen.map(({ what, cause }) => `${what}: ${cause}`);
      assert.equal(new Set(lines).size, lines.length);
      assert.ok(lines.includes("expected flows: not-permitted"), lines.join(", "));
      assert.ok(lines.includes("dying flows: not-permitted"), lines.join(", "));
      assert.match(lines.join(", "), /counts of network namespaces: not-permitted/);
      for (const { why, help } of answers.unseen) {
        assert.match(why, /^[a-z/]/);
        assert.doesNotMatch(why, /\n|\.$/);
        assert.notEqual(help, "");
      }
    } finally {
      process.kill(Number(holder.stdout));
      execFileSync("ip", ["netns", "del", name]);
    }
  },
);

test(
  "the kernel log is refused to an ordinary user where dmesg is restricted, with what would help",
  { skip },
  (t) => {
    if (readFileSync("/proc/sys/kernel/dmesg_restrict", "utf8").trim() !== "1") {
      t.skip("kernel.dmesg_restrict is 0 here");
      return;
    }
    const { kernelLog, unseen } = ask(asNobody);
    const entry = unseen.find(({ what }) => what === "kernel log");
    if (kernelLog !== undefined) assert.notEqual(kernelLog.source, "kmsg");
    else assert.deepEqual([entry?.cause, entry?.help?.startsWith("run as root")], ["not-permitted", true]);
  },
);

const empty = mkdtempSync(join(tmpdir(), "headroom-empty-"));
after(() => rmSync(empty, { recursive: true }));

test("a container that hides the settings leaves what there is, and says so", () => {
  const answers = askBehind(`mount --bind ${empty} /proc/sys/net/netfilter`);
  assert.equal(answers.host.tracker, "nf_conntrack");
  // Its twin under net is still there.
  assert.ok((answers.settings.values.nf_conntrack_max ?? 0) > 0);
  assert.equal(answers.settings.values.nf_conntrack_count, undefined);
  assert.notEqual(answers.counters?.occupancyFlows, undefined);
  assert.deepEqual(
    answers.unseen.map(({ what, cause }) => [what, cause]),
    [["most settings", "missing"]],
  );
});

test("a container that shows nothing of /proc/sys/net still reads its flows", () => {
  const answers = askBehind(`mount -t tmpfs none /proc/sys/net`);
  assert.deepEqual(answers.settings.values.nf_conntrack_max, undefined);
  assert.ok(answers.unseen.some(({ what }) => what === "settings"));
  assert.ok("count" in answers.flows);
});

test("a kernel without the files of /proc/net gives counters, expected flows and flows by netlink", () => {
  const answers = askBehind(`mount --bind ${empty} /proc/$$/net`);
  assert.deepEqual([answers.counters?.source, answers.host.tracker], ["netlink", "nf_conntrack"]);
  assert.notEqual(answers.counters?.occupancyFlows, undefined);
  assert.notEqual(answers.counters?.total.drop, undefined);
  assert.notEqual(answers.expectations, undefined);
  assert.ok("source" in answers.flows && answers.flows.source === "netlink");
  assert.deepEqual(answers.unseen, []);
});

test("without /proc nothing breaks, what is missing is said, and flows are read by netlink", () => {
  const answers = askBehind("mount -t tmpfs none /proc");
  assert.equal(answers.host.kernelRelease, undefined);
  assert.equal(answers.host.initialNamespace, undefined);
  assert.equal(answers.host.tracker, "nf_conntrack");
  assert.deepEqual(answers.settings.values.nf_conntrack_max, undefined);
  assert.ok(answers.unseen.some(({ what }) => what === "settings"));
  assert.ok("count" in answers.flows, JSON.stringify(answers.flows));
});

test("with neither /proc nor /sys it is unknown whether there is a table", () => {
  const answers = askBehind("mount -t tmpfs none /proc && mount -t tmpfs none /sys");
  assert.equal(answers.host.tracker, "unknown");
  assert.ok(answers.unseen.some(({ what, cause }) => what === "the table" && cause === "missing"));
});

test("a namespace of its own is not the initial one, and its limit is the host's", () => {
  const answers = ask(["unshare", "-n"]);
  assert.equal(answers.host.initialNamespace, false);
  assert.equal(answers.settings.values.nf_conntrack_count, 0);
  assert.ok((answers.settings.values.nf_conntrack_max ?? 0) > 0);
  assert.deepEqual(answers.flows, { source: "netlink", count: 0 });
});

test("a user namespace of an ordinary user reads its own empty table", { skip }, (t) => {
  const enter = [...asNobody.slice(0, 4), "unshare", "-Urn"];
  if (spawnSync(enter[0] ?? "", [...enter.slice(1), "true"]).status !== 0) {
    t.skip("user namespaces are not allowed here");
    return;
  }
  const answers = ask(enter);
  assert.equal(answers.host.initialNamespace, false);
  assert.deepEqual(answers.flows, { source: "netlink", count: 0 });
});

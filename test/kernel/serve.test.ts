/**
 * The real `headroom serve`, watching a namespace of its own: from its start to its end, and what happens to
 * it in between.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { injectTable } from "../support/inject.ts";
import { killServed, startServe, until } from "../support/served.ts";

const unit = fileURLToPath(new URL("../../deploy/systemd/headroom.service", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hr-serve-"));
// Another user must be able to go in.
chmodSync(directory, 0o755);
const children: ChildProcess[] = [];
after(killServed);
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true });
});

const isRoot = process.geteuid?.() === 0;
const rootOnly = { skip: isRoot ? false : "needs root, for network namespaces" };

let places = 0;
function newState(): string {
  places += 1;
  return join(directory, `state-${places}`);
}

async function inNamespace(
  name: string,
  flows: number,
  work: (name: string) => Promise<void>,
): Promise<void> {
  const table = injectTable({ flows, capacityFlows: 1000, prefix: `hr-serve-${name}` });
  try {
    await work(table.name);
  } finally {
    table.close();
  }
}

test("serve watches each second, hears a setting change, reloads and ends", rootOnly, async () => {
  await inNamespace("life", 300, async (name) => {
    const file = join(directory, "life.toml");
    writeFileSync(file, "");
    const state = newState();
    const started = await startServe(["--netns", name, "--state", state, "--config", file]);
    await until("flows are counted", async () => (await started.get("status"))["occupancyFlows"] === 300);
    const flows = await started.get("flows?limit=2");
    assert.equal(flows["matchedFlows"], 300);
    assert.equal((flows["flows"] as unknown[]).length, 2);

    const timeout = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
    spawnSync("ip", ["netns", "exec", name, "sh", "-c", `echo 77 > ${timeout}`]);
    await until("the change is told", async () => {
      const { settingChanges } = await started.get("happenings");
      return (settingChanges as { key: string; to: number }[]).some(
        ({ key, to }) => key === "nf_conntrack_udp_timeout" && to === 77,
      );
    });
    assert.match(started.said(), /nf_conntrack_udp_timeout was .* and is /);

    writeFileSync(file, '[log]\nlevel = "loud"\n');
    started.child.kill("SIGHUP");
    await until("the mistake is told", () => started.said().includes("life.toml:2:9: log.level cannot be"));
    writeFileSync(file, '[log]\nlevel = "debug"\n[history]\nmax_size = "64M"\n');
    started.child.kill("SIGHUP");
    await until("the level is taken over", () => started.said().includes('"options":"log.level"'));
    assert.match(started.said(), /wait for a restart/);
    await started.get("status");
    await until("requests are logged at debug", () => started.said().includes("GET /api/v1/status"));

    await assert.rejects(startServe(["--netns", name, "--state", state]), /another headroom serve writes it/);
    const port = new URL(started.url).port;
    await assert.rejects(
      startServe(["--netns", name, "--state", newState(), "--listen", `127.0.0.1:${port}`]),
      /another program does/,
    );

    await sleep(5000);
    const { atMs, series } = await started.get("series?names=occupancyFlows&points=1000");
    const seconds = (atMs as number[]).map((at) => Math.round(at / 1000));
    const { avg } = (series as { occupancyFlows: { avg: (number | null)[] } }).occupancyFlows;
    const seen = seconds.filter((_, index) => avg[index] !== null);
    for (const [index, second] of seen.entries()) {
      if (index > 0) assert.equal(second, (seen[index - 1] ?? 0) + 1, "a second without a sample");
    }
    assert.ok(seen.length >= 5, `${seen.length} seconds`);
    assert.equal(await started.end(), 0);

    // The history is there when it comes again.
    const again = await startServe(["--netns", name, "--state", state]);
    const { notes } = await again.get("happenings");
    const kinds = (notes as { kind: string }[]).map(({ kind }) => kind);
    assert.ok(kinds.includes("stopped") && kinds.filter((kind) => kind === "started").length === 2);
    assert.equal(await again.end("SIGINT"), 0);
  });
});

test("serve as a user with CAP_NET_ADMIN alone sees everything it needs", rootOnly, async (context) => {
  if (spawnSync("setpriv", ["--version"]).error !== undefined) return context.skip("setpriv is missing");
  const state = newState();
  spawnSync("install", ["-d", "-o", "nobody", state]);
  const as = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--no-new-privs"];
  const rights = ["--inh-caps", "-all,+net_admin", "--ambient-caps", "-all,+net_admin"];
  const bounded = [...rights, "--bounding-set", "-all,+net_admin"];
  const started = await startServe(["--state", state], { as: [...as, ...bounded] });
  const { unseen, events } = await started.get("status");
  const what = (unseen as { what: string }[]).map((each) => each.what);
  assert.ok(!what.some((each) => /^(flows|the table|counters|settings)/.test(each)), what.join(", "));
  assert.notEqual(events, undefined, "flow events are followed");
  assert.equal(await started.end(), 0);
});

test(
  "serve as a user without any right shows what it can see, and says what not",
  rootOnly,
  async (context) => {
    if (spawnSync("setpriv", ["--version"]).error !== undefined) return context.skip("setpriv is missing");
    const state = newState();
    spawnSync("install", ["-d", "-o", "nobody", state]);
    const as = [
      "setpriv",
      "--reuid",
      "nobody",
      "--regid",
      "nogroup",
      "--clear-groups",
      "--bounding-set",
      "-all",
    ];
    const started = await startServe(["--state", state], { as: [...as, "--inh-caps", "-all"] });
    const status = await started.get("status");
    assert.equal(typeof status["occupancyFlows"], "number");
    await until("it says what is not seen", async () => {
      const { unseen } = await started.get("status");
      return (unseen as { cause: string }[]).some(({ cause }) => cause === "not-permitted");
    });
    assert.equal(await started.end(), 0);
    await assert.rejects(
      startServe(["--state", "/root/hr-serve-none"], { as: [...as, "--inh-caps", "-all"] }),
      /Cannot keep the history in|cannot keep the history in/,
    );
  },
);

const HEAR = `import socket, sys
hearing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
hearing.bind(sys.argv[1])
while True:
    print(hearing.recv(4096).decode())
`;

test("serve tells systemd that it is ready, alive, reloading and stopping", rootOnly, async (context) => {
  const path = join(directory, "notify");
  // socat and ncat end with the first datagram they take; this one hears them all.
  const receiver = spawn("python3", ["-u", "-c", HEAR, path], { stdio: ["ignore", "pipe", "ignore"] });
  children.push(receiver);
  const failed = await new Promise<boolean>((resolve) => {
    receiver.on("error", () => resolve(true));
    receiver.on("spawn", () => resolve(false));
  });
  if (failed) return context.skip("python3 is missing");
  let heard = "";
  receiver.stdout.setEncoding("utf8").on("data", (text: string) => (heard += text));
  await until("somebody listens", () => existsSync(path));
  try {
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "2000000" };
    const started = await startServe(["--state", newState()], { env });
    await until("it is ready", () => heard.includes("READY=1"));
    await until("it is alive", () => heard.includes("WATCHDOG=1"));
    started.child.kill("SIGHUP");
    await until("it reloads", () => heard.includes("RELOADING=1") && heard.includes("MONOTONIC_USEC="));
    assert.equal(await started.end(), 0);
    await until("it stops", () => heard.includes("STOPPING=1"));
  } finally {
    receiver.kill("SIGKILL");
  }
});

test("the unit is hardened: its exposure is below 2.0", (context) => {
  const analyzed = spawnSync("systemd-analyze", ["security", "--offline=yes", "--no-pager", unit], {
    encoding: "utf8",
  });
  if (analyzed.error !== undefined) return context.skip("systemd-analyze is missing");
  const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(analyzed.stdout)?.[1]);
  assert.ok(exposure < 2, analyzed.stdout);
  const verified = spawnSync("systemd-analyze", ["verify", "--man=no", unit], { encoding: "utf8" });
  const complaints = verified.stderr
    .split("\n")
    .filter((line) => line !== "" && !line.includes("not executable"));
  assert.deepEqual(complaints, []);
  assert.match(readFileSync(unit, "utf8"), /^Type=notify$/m);
});

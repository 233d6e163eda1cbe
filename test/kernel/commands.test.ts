/** The commands as a user types them, on tables that real programs fill, in namespaces of this machine. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  firstLine,
  HOLDING_CLIENT,
  HOLDING_SERVER,
  LOG_WINDOW_MS,
  makeRouter,
  SERVER_ADDRESS,
} from "../support/router.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));

interface Ended {
  code: number | null;
  out: string;
  errors: string;
}

function type(...args: string[]): Ended {
  const ended = spawnSync(headroom, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  return { code: ended.status, out: ended.stdout, errors: ended.stderr };
}

interface CheckOutput {
  level: string;
  occupancyFlows: number;
  capacityFlows: number;
  findings: { code: string; level: string; evidence: Record<string, number | string> }[];
}

function checkJson(...args: string[]): { code: number | null; output: CheckOutput } {
  const { code, out } = type("check", "--json", ...args);
  return { code, output: JSON.parse(out) as CheckOutput };
}

const routed = makeRouter("hr-cmd");
after(() => routed.close());

test("a table driven full by real connections is critical, with cause, log line and drops", async () => {
  const server = routed.start(routed.server, process.execPath, "-e", HOLDING_SERVER, "80");
  assert.equal(await firstLine(server), "ready");
  await sleep(LOG_WINDOW_MS);
  routed.lowerCapacity(100);
  const client = routed.start(
    routed.client,
    process.execPath,
    "-e",
    HOLDING_CLIENT,
    SERVER_ADDRESS,
    "80",
    "140",
  );
  const counts = JSON.parse(await firstLine(client)) as { opened: number; failed: number };
  assert.ok(counts.opened >= 90 && counts.failed > 0, JSON.stringify(counts));

  const { code, output } = checkJson("--netns", routed.router);
  const [first] = output.findings;
  assert.equal(code, 2);
  assert.equal(output.level, "critical");
  assert.equal(output.capacityFlows, 100);
  assert.equal(first?.code, "table-full", JSON.stringify(output.findings, undefined, 1));
  assert.ok(Number(first?.evidence["loggedLines"] ?? 0) > 0, JSON.stringify(first?.evidence));
  assert.ok(
    !output.findings.some(({ code: found }) => found === "insert-clash" || found === "chain-too-long"),
  );

  const text = type("check", "--netns", routed.router);
  assert.match(text.out.split("\n")[0] ?? "", /^CRITICAL/);
  assert.match(text.out, /full/);

  const elsewhere = checkJson();
  const codes = elsewhere.output.findings.map(({ code: found }) => found);
  assert.ok(
    codes.includes("full-in-another-namespace"),
    JSON.stringify(elsewhere.output.findings, undefined, 1),
  );
  assert.ok(!codes.includes("table-full"));
});

test("explain names the state, the service and the source that fill that table", () => {
  const { code, out } = type("explain", "--netns", routed.router, "--json");
  const census = JSON.parse(out) as {
    flows: number;
    flowsRead: number;
    complete: boolean;
    source: string;
    byState: { protocol: string; state: string; flows: number }[];
    topSources: { address: string; flows: number }[];
    topServices: { protocol: string; port: number; flows: number }[];
  };
  assert.equal(code, 0);
  assert.equal(census.source, "netlink");
  assert.ok(census.complete);
  assert.deepEqual(
    [census.byState[0]?.protocol, census.byState[0]?.state],
    ["tcp", "ESTABLISHED"],
    JSON.stringify(census.byState),
  );
  assert.deepEqual([census.topServices[0]?.protocol, census.topServices[0]?.port], ["tcp", 80]);
  assert.equal(census.topSources[0]?.flows, census.flowsRead);
});

test("netlink, procfs and conntrack -L in its forms give the same flows", () => {
  const directory = mkdtempSync(join(tmpdir(), "headroom-forms-"));
  try {
    const read = (...args: string[]): string[] => {
      const { code, out, errors } = type("list", "--json", ...args);
      assert.equal(code, 0, errors);
      return out.trimEnd().split("\n").map(essence).toSorted();
    };
    const save = (name: string, ...args: string[]): string => {
      const path = join(directory, name);
      writeFileSync(path, routed.run(routed.router, "conntrack", "-L", ...args));
      return path;
    };
    const netlink = read("--netns", routed.router, "--source", "netlink");
    assert.ok(netlink.length >= 90);
    assert.deepEqual(read("--netns", routed.router, "--source", "procfs"), netlink);
    assert.deepEqual(read("--source", save("plain")), netlink);
    assert.deepEqual(read("--source", save("extended", "-o", "extended")), netlink);
    assert.deepEqual(read("--source", save("id", "-o", "extended,id,timestamp")), netlink);
    assert.deepEqual(read("--source", save("xml", "-o", "xml")), netlink);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

interface ListedFlow {
  protocol: string;
  state: string;
  original: ListedTuple;
  reply: ListedTuple;
  status: string[];
}

interface ListedTuple {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
}

/**
 * What every form tells: protocol, state, addresses, ports and whether it is assured; not what goes on
 * changing.
 */
function essence(line: string): string {
  const { protocol, state, original, reply, status } = JSON.parse(line) as ListedFlow;
  const ends = [original, reply].map((tuple) => [
    [tuple.source, tuple.sourcePort],
    [tuple.destination, tuple.destinationPort],
  ]);
  return JSON.stringify([protocol, state, ends, status.includes("assured")]);
}

test("list prints the kernel's own lines, and a filter selects by state, service and age", () => {
  const kernel = routed.run(routed.router, "cat", "/proc/net/nf_conntrack").trimEnd().split("\n");
  const ours = type("list", "--netns", routed.router, "--source", "procfs").out.trimEnd().split("\n");
  const steady = (lines: string[]): string[] =>
    lines
      .map((line) => line.replace(/^(\S+ +\S+ \S+ +\S+) \d+/, "$1 T").replace(/use=\d+/, "use=U"))
      .toSorted();
  assert.deepEqual(steady(ours), steady(kernel));
  const established = type("list", "--netns", routed.router, "state=ESTABLISHED and dport=80").out;
  assert.equal(
    established.trimEnd().split("\n").length,
    kernel.filter((line) => line.includes("ESTABLISHED")).length,
  );
  assert.equal(type("list", "--netns", routed.router, "state=ESTABLISHED and idle>1h").out, "");
});

test("expired flows count although no listing has them, and explain says so", () => {
  const other = makeRouter("hr-exp");
  const create = (port: number, timeoutSeconds: number): void => {
    const tuple = ["-p", "udp", "--orig-src", "10.9.0.1", "--orig-dst", "10.9.0.2"];
    const rest = ["--sport", String(port), "--dport", "53", "--timeout", String(timeoutSeconds)];
    other.run(other.router, "conntrack", "-I", ...tuple, ...rest);
  };
  try {
    for (const port of [1, 2]) create(port, 600);
    let out = "";
    // With a timeout of 0 a flow has expired when it is made. The kernel may collect it before we look: again
    // then.
    for (let attempt = 0; attempt < 5 && !/says 4\b/.test(out); attempt++) {
      for (const port of [3, 4]) create(port + 2 * attempt, 0);
      out = type("explain", "--netns", other.router).out;
    }
    assert.match(out, /^2 of [\d,]+ flows/);
    assert.match(out, /nf_conntrack_count says 4\b/);
    assert.match(out, /\b2\s+more\s+than\s+are\s+listed/);
    assert.match(out, /expired/);
  } finally {
    other.close();
  }
});

test("without root, check says what it sees and in one line each what it cannot", () => {
  const words = ["--reuid=65534", "--regid=65534", "--clear-groups", headroom, "check"];
  const ended = spawnSync("setpriv", words, { encoding: "utf8" });
  assert.ok([0, 1, 2].includes(ended.status ?? -1), ended.stdout + ended.stderr);
  assert.match(ended.stdout, /flows/);
  assert.match(ended.stdout, /root|CAP_NET_ADMIN|permission/i);
  assert.doesNotMatch(ended.stdout + ended.stderr, /\bat .*\.ts:\d+/);
});

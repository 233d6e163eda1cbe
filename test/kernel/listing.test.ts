/** What the running kernel and conntrack(8) print: read, and written again as the same lines. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { release } from "node:os";
import { netlinkFlows } from "../../src/kernel/ctnetlink-dump.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { flowToJson, formatFlow, type LineStyle, unnamedProtocols } from "../../src/listing/listing.ts";
import { type Flow, flowAt } from "../../src/table/flow.ts";
import { parseKernelRelease } from "../../src/table/kernel-release.ts";
import { DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../../src/table/protocol.ts";
import { readRows } from "../support/listing-rows.ts";
import { makeProtocolHost } from "../support/protocol-host.ts";

const host = await makeProtocolHost("hr-listing");
after(() => host.close());

/** conntrack(8) wants them with every SCTP flow. */
const TAGS = "--orig-vtag 1 --reply-vtag 2";
/** States, zones of one direction, marks and protocols that the host's own traffic does not have. */
const created = [
  ...["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE"].map(
    (state, index) => `-p tcp --sport ${7000 + index} --dport 25 --state ${state} -u SEEN_REPLY,ASSURED`,
  ),
  ...["CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT"].map(
    (state, index) => `-p sctp --sport ${7100 + index} --dport 25 --state ${state} -u SEEN_REPLY ${TAGS}`,
  ),
  "-p tcp --sport 7200 --dport 25 --state ESTABLISHED -u SEEN_REPLY -w 9",
  "-p tcp --sport 7201 --dport 25 --state ESTABLISHED -u SEEN_REPLY --orig-zone 8",
  "-p tcp --sport 7202 --dport 25 --state ESTABLISHED -u SEEN_REPLY --reply-zone 8",
  "-p udp --sport 7203 --dport 25 -u UNSET --mark 4294967295",
  "-p udp --sport 7204 --dport 25 -u UNSET --src-nat 10.9.9.9",
  "-p dccp --sport 7205 --dport 25 --state OPEN --role client -u SEEN_REPLY",
  "-p 50 -u UNSET",
];
for (const line of created) {
  host.run("conntrack", "-I", ...`${line} -s 10.3.3.1 -d 10.3.3.2 -t 1000`.split(" "));
}

function kernelText(): string {
  return host.run("cat", "/proc/net/nf_conntrack");
}

test("every line of the kernel's file is written again byte for byte", () => {
  const text = kernelText();
  const { flows, listing } = readRows(text, { source: "procfs" });
  assert.equal(flows.map((flow) => `${formatFlow(flow, listing.style)}\n`).join(""), text);
  assert.deepEqual(listing.oddities, {});
  assert.equal(listing.format, "nf_conntrack");
  const protocols = new Set(flows.map(({ protocol }) => protocol));
  for (const protocol of [TCP, UDP, ICMP, ICMPV6, GRE, SCTP, DCCP, UDPLITE, 50, 99]) {
    assert.ok(protocols.has(protocol), `protocol ${protocol}`);
  }
});

test("the same without accounting and time stamps, in the namespace's next flows", () => {
  host.run("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=0", "net.netfilter.nf_conntrack_timestamp=0");
  host.run(
    "conntrack",
    "-I",
    ..."-p udp -s 10.4.4.1 -d 10.4.4.2 --sport 1 --dport 2 -t 900 -u UNSET".split(" "),
  );
  const text = kernelText();
  const { flows, listing } = readRows(text);
  assert.equal(flows.map((flow) => `${formatFlow(flow, listing.style)}\n`).join(""), text);
  assert.match(text, /src=10\.4\.4\.1 dst=10\.4\.4\.2 sport=1 dport=2 \[UNREPLIED\]/);
});

/** A line without what goes on changing: time left, age, and references. */
function steady(line: string): string {
  return line
    .replace(/^(\S+ +\d+ \S+ +\d+) \d+/, "$1 T")
    .replace(/delta-time=\d+/, "delta-time=D")
    .replace(/use=\d+/, "use=U");
}

test("flows that come over netlink are written as the kernel's file has them", () => {
  const found = parseKernelRelease(release());
  assert.ok(found !== undefined);
  const style: LineStyle = { zones: true, useAdded: 1, nowMs: Date.now(), unnamed: unnamedProtocols(found) };
  const lines: string[] = [];
  const reading = insideNamespace(namedNamespace(host.name), () => netlinkFlows());
  for (const columns of reading.batches()) {
    for (let row = 0; row < columns.count; row++) lines.push(formatFlow(flowAt(columns, row), style));
  }
  // Netlink does not send the timeouts of a GRE flow.
  const kernel = kernelText().trimEnd().split("\n").map(steady);
  const withoutGre = kernel.map((line) => line.replace(/timeout=\d+, stream_timeout=\d+ /, ""));
  assert.deepEqual(lines.map(steady).toSorted(), withoutGre.toSorted());
});

/** What every notation has of a flow. */
function essence({ protocol, state, mark, zone = 0, original, reply, status, knownStatus }: Flow): string {
  const ends = [original, reply].map((tuple) => {
    // XML leaves ICMP's words out, and the kernel's file the ports of protocols it has forgotten.
    if (tuple?.kind !== "ports" || protocol === DCCP) return [tuple?.source, tuple?.destination];
    return [tuple.source, tuple.sourcePort, tuple.destination, tuple.destinationPort];
  });
  return JSON.stringify([protocol, state, mark, zone, ends, (status ?? 0) & knownStatus]);
}

const forms = [
  "",
  "extended",
  "id",
  "ktimestamp",
  "extended,id,ktimestamp,labels",
  "xml",
  "xml,id,ktimestamp",
];

for (const output of forms) {
  const command = ["-L", ...(output === "" ? [] : ["-o", output])];
  test(`conntrack ${command.join(" ")} has the same flows as the kernel's file`, () => {
    const kernel = readRows(kernelText());
    const tool = readRows(host.run("conntrack", ...command));
    assert.deepEqual(tool.listing.oddities, {});
    assert.deepEqual(tool.flows.map(essence).toSorted(), kernel.flows.map(essence).toSorted());
    assert.match(String(tool.listing.format), /^conntrack/);
  });
}

test("conntrack -L -o ktimestamp tells when a flow began, within its second", () => {
  const began = new Map<number | undefined, number>();
  const reading = insideNamespace(namedNamespace(host.name), () => netlinkFlows());
  for (const columns of reading.batches()) {
    for (let row = 0; row < columns.count; row++) {
      const { id, startedAtMs } = flowAt(columns, row);
      if (startedAtMs !== undefined) began.set(id, startedAtMs);
    }
  }
  const text = host.run("env", "TZ=UTC", "conntrack", "-L", "-o", "id,ktimestamp");
  const { flows } = readRows(text);
  assert.ok(began.size > 20);
  for (const flow of flows) {
    const { id, startedAtMs } = flowToJson(flow);
    const exact = began.get(id);
    assert.equal(startedAtMs, exact === undefined ? undefined : Math.floor(exact / 1000) * 1000);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyKernelFlow, spoiled } from "../../test/support/kernel-lines.ts";
import { plainLine, readRows } from "../../test/support/listing-rows.ts";
import { FlowColumns } from "../table/columns.ts";
import { TEXT_STATUS } from "../table/status.ts";
import { formatFlow } from "./kernel-line.ts";
import { USUAL_LINE_BYTES, UsualLine } from "./usual-line.ts";

/** So many flows in front get the lines of interest past the general reader, which reads the first ones. */
const LINES_IN_FRONT = 80;

/** Reads `lines` with the fast reader in its place, and with the general one alone. */
function assertSame(lines: readonly string[]): void {
  const text = plainLine.repeat(LINES_IN_FRONT) + lines.join("\n");
  const usual = readRows(text, { batchRows: 100 });
  const general = readRows(text, { batchRows: 100, isGeneral: true });
  assert.deepEqual(usual.flows, general.flows);
  assert.deepEqual(usual.listing.oddities, general.listing.oddities);
}

const anyLine = anyKernelFlow.map((flow) => formatFlow(flow));

test("both readers agree on every line a kernel may print", () => {
  fc.assert(fc.property(fc.array(anyLine, { maxLength: 20 }), assertSame), { numRuns: 300 });
});

test("both readers agree on spoiled lines", () => {
  fc.assert(fc.property(fc.array(spoiled(anyLine), { maxLength: 20 }), assertSame), { numRuns: 1000 });
});

test("both readers agree on notations of conntrack(8), and on lines that are nearly usual", () => {
  const ports = "sport=1 dport=2";
  const there = `src=1.2.3.4 dst=5.6.7.8 ${ports}`;
  const back = "src=5.6.7.8 dst=1.2.3.4 sport=2 dport=1";
  const lines = [
    `tcp      6 5 CLOSE src=fd77::1 dst=::2 ${ports} src=::ffff:1.2.3.4 dst=fd77:: ${ports} id=4294967295\r`,
    `udp      17 5 ${there} ${back} mark=0 use=1 `,
    `udp      17 5 ${there} ${back} `,
    `udp      17 5 src=1.2.3.4 dst=fd77::1 ${ports} ${back} use=1`,
    `ipv6     10 udp      17 5 ${there} ${back} use=1`,
    `udp      17 5 src=1.2.3.256 dst=5.6.7.8 ${ports} ${back} use=1`,
    `udp      17 5 src=01.2.3.4 dst=5.6.7.8 ${ports} ${back} use=1`,
    `tcp      6 5 SYN_SENT2 ${there} ${back} use=1`,
    `tcp      6 ESTABLISHED ${there} ${back} use=1`,
    `udp      17 5 ${there} src=5.6.7.80 dst=1.2.3.4 ${ports} use=1`,
    `udp      17 5 ${there} src=5.6.7.8 dst=1.2.3.40 ${ports} use=1`,
    `udp      17 5 ${there} src=5.6.7.9 dst=1.2.3.4 ${ports} use=1`,
    `udp      17 5 ${there} ${back} mark=0 zone=0 use=`,
    `udp      17 5 ${there} ${back} mark=0 zone=0 usx=1`,
    `udp      17 5 ${there} ${back} mark=0 zone=0`,
  ];
  assertSame(lines);
  for (const line of lines) assertSame([line]);
});

test("a usual line is read by the fast reader, not given up", () => {
  const columns = new FlowColumns(4, TEXT_STATUS);
  const usual = new UsualLine(columns);
  const lines = [
    plainLine,
    plainLine.replace("[ASSURED] ", "").replace("src=10.0.0.2", "[UNREPLIED] src=10.0.0.2"),
    plainLine.replace("6 431999 ESTABLISHED", "6").replace("[ASSURED]", "[HW_OFFLOAD]"),
    plainLine.replace("ipv4     2 ", "").replace("mark=0", "mark=4294967295"),
    plainLine
      .replace(" src=10.0.0.2", " packets=1 bytes=2 src=10.0.0.2")
      .replace(" [ASS", " packets=3 bytes=4 [ASS"),
    plainLine.replace("zone=0", "secctx=system_u:object_r:unlabeled_t:s0 zone=7 delta-time=5"),
    plainLine.replace(/10\.0\.0\.(.)/g, "fe80::$1").replace("ipv4     2 ", "ipv6     10 "),
    plainLine.replace("use=2\n", "use=1 id=3731863924\r\n"),
  ];
  for (const line of lines) {
    const bytes = new Uint8Array(USUAL_LINE_BYTES + line.length);
    new TextEncoder().encodeInto(line, bytes);
    usual.attach(bytes);
    assert.equal(usual.read(0, 0), line.length, line);
  }
});

test("flows of one security context share its text, other flows keep theirs", () => {
  const line = (name: string): string => plainLine.replace("zone=0", `secctx=${name} zone=0`);
  const names = ["a", "a", "b", "a", "bb", "bb"];
  const { flows } = readRows(plainLine.repeat(LINES_IN_FRONT) + names.map(line).join(""));
  const found = flows.slice(LINES_IN_FRONT).map(({ rare }) => rare?.securityContext);
  assert.deepEqual(found, names);
});

/** Lines that are odd in one way each: what is used of them, and what is counted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plainLine, readRows } from "../../test/support/listing-rows.ts";
import type { Oddities } from "../table/oddities.ts";
import { flowToJson, type FlowJson } from "./listing.ts";

const line = plainLine.trimEnd();

interface Case {
  name: string;
  line: string;
  /** Fields that the flow must have; undefined when the line is no flow. */
  flow?: Partial<FlowJson>;
  oddities?: Oddities;
}

const cases: readonly Case[] = [
  {
    name: "a word of a newer kernel is kept and counted, the rest is used",
    line: line.replace("mark=0", "[QUIC] ttl=64 mark=5"),
    flow: { mark: 5, use: 2, unknownWords: ["[QUIC]", "ttl=64"] },
    oddities: { unknownWords: 2 },
  },
  {
    name: "of many unknown words the first eight are kept",
    line: line.replace("mark=0", "a b c d e f g h i j"),
    flow: { unknownWords: ["a", "b", "c", "d", "e", "f", "g", "h"] },
    oddities: { unknownWords: 10 },
  },
  {
    name: "a state the protocol does not have is an unknown word",
    line: line.replace("ESTABLISHED", "DREAMING"),
    flow: { unknownWords: ["DREAMING"] },
    oddities: { unknownWords: 1 },
  },
  {
    name: "numbers beyond their field are kept at the greatest that fits",
    line: line
      .replace("mark=0", "mark=4294967296")
      .replace("zone=0", "zone=65536")
      .replace("431999", "99999999999")
      .replace(" src=10.0.0.2", " packets=18446744073709551615 bytes=9007199254740992 src=10.0.0.2"),
    flow: {
      mark: 4_294_967_295,
      zone: 65_535,
      timeoutSeconds: 4_294_967_295,
      original: {
        source: "10.0.0.1",
        destination: "10.0.0.2",
        sourcePort: 40_000,
        destinationPort: 443,
        packets: Number.MAX_SAFE_INTEGER,
        bytes: Number.MAX_SAFE_INTEGER,
      },
    },
    oddities: { saturated: 5 },
  },
  {
    name: "a port beyond 65535 is kept at 65535",
    line: line.replace("sport=40000", "sport=70000"),
    flow: {
      original: { source: "10.0.0.1", destination: "10.0.0.2", sourcePort: 65_535, destinationPort: 443 },
    },
    oddities: { saturated: 1 },
  },
  {
    name: "a signed mark of 2.6.11",
    line: line.replace("mark=0", "mark=-2"),
    flow: { mark: 4_294_967_294 },
  },
  {
    name: "a number that is none leaves its field absent",
    line: line.replace("mark=0", "mark=many"),
    flow: { unknownWords: ["mark=many"] },
    oddities: { unknownWords: 1 },
  },
  {
    name: "a name this program does not know is taken behind an address family",
    line: "ipv4     2 quic     254 29 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1 use=2",
    flow: { protocol: "254", protocolNumber: 254, timeoutSeconds: 29 },
  },
  {
    name: "a time left that is no number",
    line: line.replace("431999", "4x"),
    flow: { unknownWords: ["4x"] },
    oddities: { unknownWords: 1 },
  },
  {
    name: "a third address is an unknown word",
    line: line.replace("mark=0", "src=1.2.3.4 mark=0"),
    flow: { mark: 0, unknownWords: ["src=1.2.3.4"] },
    oddities: { unknownWords: 1 },
  },
  {
    name: "who caused an event is left out",
    line: `    [NEW] ${line} [USERSPACE] portid=3029972067 progname=conntrack`,
    flow: { event: "new" },
  },
  {
    name: "a calendar time that is none",
    line: line.replace("use=2", "[start=yesterday] use=2"),
    flow: { use: 2, unknownWords: ["[start=yesterday]"] },
    oddities: { unknownWords: 1 },
  },
  {
    name: "a helper, labels and a security context",
    line: `${line.replace("mark=0", "mark=0 secctx=u:r:t:s0")} helper=ftp labels=dns,odd`,
    flow: { helper: "ftp", labels: ["dns", "odd"], securityContext: "u:r:t:s0" },
  },
  {
    name: "ICMP's id and the flow's own id",
    line:
      "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 " +
      "src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7 mark=0 use=1 id=99",
    flow: { id: 99, original: { source: "10.0.0.1", destination: "10.0.0.2", type: 8, code: 0, id: 7 } },
  },
  {
    name: "a line cut by a terminal within the reply direction",
    line: line.slice(0, line.indexOf(" sport=443")),
    flow: { status: [] },
  },
  { name: "addresses of two families", line: line.replace("dst=10.0.0.2", "dst=fd00::1") },
  {
    name: "an address family that is not that of the addresses",
    line: line.replace("ipv4     2", "ipv6     10"),
  },
  { name: "a number that is not that of the protocol", line: line.replace("tcp      6", "tcp      17") },
  { name: "a flow without ports", line: line.replace("sport=40000 dport=443 ", "") },
  { name: "a flow without a destination", line: line.replace("dst=10.0.0.2 ", "") },
  { name: "an address that is none", line: line.replace("10.0.0.1", "10.0.0.1000") },
  { name: "a protocol beyond 255", line: line.replace("tcp      6", "unknown  256") },
  { name: "prose about tcp 6", line: "we saw tcp 6 times yesterday, and unknown 3 more" },
  { name: "a path", line: "/proc/net/nf_conntrack" },
  { name: "a line of nothing but a mark", line: "[NEW]" },
];

for (const { name, line: odd, flow, oddities } of cases) {
  test(name, () => {
    const { flows, listing } = readRows(`${plainLine}${odd}\n${plainLine}`);
    assert.deepEqual(listing.oddities, flow === undefined ? { skippedLines: 1 } : (oddities ?? {}));
    assert.equal(flows.length, flow === undefined ? 2 : 3);
    if (flow === undefined) return;
    const [, found] = flows;
    assert.ok(found !== undefined);
    assert.deepEqual({ ...flowToJson(found), ...flow }, flowToJson(found));
  });
}

test("the status is unknown where a line ends before its place", () => {
  const { flows } = readRows(`${line.slice(0, line.indexOf(" src=10.0.0.2"))}\n`);
  assert.equal(flows[0]?.status, undefined);
  assert.equal(flows[0]?.reply, undefined);
});

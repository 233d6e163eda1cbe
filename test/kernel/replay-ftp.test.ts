/**
 * FTP's helper in the running kernel and in the model: which commands and answers make the data connection
 * expected, and what becomes of it. All hosts are those of sequence 0: 10.0.0.1 is a, fd00::1 is a.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { firstDifference } from "../support/wire/compare.ts";
import { parsePacket } from "../support/wire/packet-spec.ts";
import { runOnKernel, runOnModel } from "../support/wire/rounds.ts";
import { openWire } from "../support/wire/wire.ts";

const HELPER = `table inet helpers {
  ct helper ftp { type "ftp" protocol tcp; }
  chain assign { type filter hook prerouting priority -150; tcp dport 21 ct helper set "ftp"; }
}
`;

const wire = openWire({ prefix: "hr-ftp", ruleset: HELPER });
after(() => wire.close());

/** The first line of a direction only tells the helper where lines begin. */
const OPEN = [
  "tcp a:1000>b:21 S seq=1000 win=8192",
  "tcp b:21>a:1000 SA seq=5000 ack=1001 win=8192",
  "tcp a:1000>b:21 A seq=1001 ack=5001 win=8192",
  "tcp b:21>a:1000 PA seq=5001 ack=1001 win=8192 say=220_hi",
  "tcp a:1000>b:21 PA seq=1001 ack=5009 win=8192 say=USER_x",
] as const;
const saying = (head: string, text: string): string =>
  `tcp ${head} win=8192 say=${text.replaceAll(" ", "_")}`;
const command = (text: string): string => saying("a:1000>b:21 PA seq=1009 ack=5009", text);
const answer = (text: string): string => saying("b:21>a:1000 PA seq=5009 ack=1009", text);
const ACTIVE = ["tcp b:20>a:1025 S seq=1 win=1", "tcp a:1025>b:20 SA seq=7 ack=2 win=1"] as const;
const PASSIVE = ["tcp a:3000>b:1025 S seq=1 win=1", "tcp b:1025>a:3000 SA seq=7 ack=2 win=1"] as const;

const rows: readonly { name: string; family?: 4 | 6; lines: readonly string[] }[] = [
  { name: "PORT, from port 20", lines: [...OPEN, command("PORT 10,0,0,1,4,1"), ...ACTIVE] },
  {
    name: "PORT, from another port",
    lines: [...OPEN, command("PORT 10,0,0,1,4,1"), "tcp b:2020>a:1025 S seq=1 win=1"],
  },
  { name: "PORT as the first line", lines: [...OPEN.slice(0, 4), command("PORT 10,0,0,1,4,1"), ...ACTIVE] },
  { name: "PORT in small letters", lines: [...OPEN, command("port 10,0,0,1,4,1"), ...ACTIVE] },
  { name: "PORT of another host", lines: [...OPEN, command("PORT 10,0,0,9,4,1"), ...ACTIVE] },
  { name: "PORT with too few numbers", lines: [...OPEN, command("PORT 10,0,0,1,4"), ...ACTIVE] },
  { name: "PORT with a number too large", lines: [...OPEN, command("PORT 10,0,0,256,4,1"), ...ACTIVE] },
  { name: "PORT to port 0", lines: [...OPEN, command("PORT 10,0,0,1,0,0"), "tcp b:20>a:0 S seq=1 win=1"] },
  {
    name: "PORT before the handshake ends",
    lines: [...OPEN.slice(0, 2), command("PORT 10,0,0,1,4,1"), ...ACTIVE],
  },
  {
    name: "PORT by the server",
    lines: [...OPEN, answer("PORT 10,0,0,2,4,1"), "tcp a:20>b:1025 S seq=1 win=1"],
  },
  { name: "PORT in mid-line", lines: [...OPEN, command("XPORT 10,0,0,1,4,1"), ...ACTIVE] },
  {
    name: "an expectation is spent once",
    lines: [...OPEN, command("PORT 10,0,0,1,4,1"), ...ACTIVE, "tcp b:21>a:1025 S seq=1 win=1"],
  },
  {
    name: "two PORTs, the later counts",
    lines: [
      ...OPEN,
      command("PORT 10,0,0,1,4,1"),
      "tcp a:1000>b:21 PA seq=1028 ack=5009 win=8192 say=PORT_10,0,0,1,4,2",
      ...ACTIVE,
      "tcp b:20>a:1026 S seq=1 win=1",
    ],
  },
  { name: "EPRT", lines: [...OPEN, command("EPRT |1|10.0.0.1|1025|"), ...ACTIVE] },
  { name: "EPRT of IPv6", family: 6, lines: [...OPEN, command("EPRT |2|fd00::1|1025|"), ...ACTIVE] },
  { name: "EPRT of the other family", lines: [...OPEN, command("EPRT |2|fd00::1|1025|"), ...ACTIVE] },
  { name: "PASV", lines: [...OPEN, answer("227 Entering Passive Mode (10,0,0,2,4,1)"), ...PASSIVE] },
  {
    name: "PASV without brackets",
    lines: [...OPEN, answer("227 Entering Passive Mode 10,0,0,2,4,1"), ...PASSIVE],
  },
  {
    name: "PASV of another host",
    lines: [...OPEN, answer("227 Entering Passive Mode (10,0,0,9,4,1)"), ...PASSIVE],
  },
  { name: "EPSV", lines: [...OPEN, answer("229 Entering Extended Passive Mode (|||1025|)"), ...PASSIVE] },
  {
    name: "EPSV of IPv6",
    family: 6,
    lines: [...OPEN, answer("229 Entering Extended Passive Mode (|||1025|)"), ...PASSIVE],
  },
  { name: "PORT over IPv6", family: 6, lines: [...OPEN, command("PORT 10,0,0,1,4,1"), ...ACTIVE] },
  {
    name: "PASV said by the client",
    lines: [...OPEN, command("227 Entering Passive Mode (10,0,0,1,4,1)"), ...ACTIVE],
  },
  {
    name: "PORT in a segment out of order",
    lines: [...OPEN, "tcp a:1000>b:21 PA seq=1010 ack=5009 win=8192 say=PORT_10,0,0,1,4,1", ...ACTIVE],
  },
  {
    name: "PORT picked up in mid-stream",
    lines: [OPEN[4], OPEN[3], command("PORT 10,0,0,1,4,1"), ...ACTIVE],
  },
];
for (const { name, family = 4, lines } of rows) {
  test(`ftp: the kernel and the model agree on ${name}`, () => {
    const scripts = [{ family, packets: lines.map((line) => parsePacket(line)) }];
    const kernel = runOnKernel(wire, { scripts });
    const model = runOnModel({ scripts }, kernel, {}, { helpers: ["ftp"] });
    const [script, one, other] = [scripts[0], kernel[0], model[0]];
    assert.ok(script !== undefined && one !== undefined && other !== undefined);
    assert.equal(firstDifference(script, one, other).join("\n"), "");
  });
}

test("ftp: a data connection that was announced is related, in the kernel too", () => {
  const packets = [...OPEN, command("PORT 10,0,0,1,4,1"), ...ACTIVE].map((line) => parsePacket(line));
  const [outcome] = runOnKernel(wire, { scripts: [{ family: 4, packets }] });
  assert.deepEqual(outcome?.words.slice(6), ["related", "established"]);
});

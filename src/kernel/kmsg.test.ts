import assert from "node:assert/strict";
import { test } from "node:test";

import { type KmsgRead, parseKmsgRecord, scanKmsg } from "./kmsg.ts";

const records = [
  ["6,0,0,-;Linux version 6.18.44\n", { sequence: 0, uptimeSeconds: 0, message: "Linux version 6.18.44" }],
  [
    "4,339,5140900,-;nf_conntrack: nf_conntrack: table full, dropping packet\n",
    {
      sequence: 339,
      uptimeSeconds: 5.1409,
      message: "nf_conntrack: nf_conntrack: table full, dropping packet",
    },
  ],
  [
    "6,340,5140901,-,caller=T1;NET: Registered\n SUBSYSTEM=net\n DEVICE=n3\n",
    { sequence: 340, uptimeSeconds: 5.140_901, message: "NET: Registered" },
  ],
  [
    "4,1,2,c;a; semicolon\\x0aescaped\n",
    { sequence: 1, uptimeSeconds: 0.000_002, message: "a; semicolon\\x0aescaped" },
  ],
] as const;

for (const [text, expected] of records) {
  test(`parseKmsgRecord() reads ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseKmsgRecord(text), expected);
  });
}

for (const text of ["", "6,339", "a,b,c,-;x", "[ 1.0] message", " SUBSYSTEM=net"]) {
  test(`parseKmsgRecord() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseKmsgRecord(text), undefined);
  });
}

/** Reads these records, one a call. */
function reading(answers: readonly string[]): KmsgRead {
  let next = 0;
  return (buffer) => {
    const answer = answers[next];
    next += 1;
    if (answer === undefined) return "end";
    if (answer === "overrun") return "overrun";
    return new TextEncoder().encodeInto(answer, buffer).written;
  };
}

const FULL = "nf_conntrack: nf_conntrack: table full, dropping packet";

test("scanKmsg() counts records and knows that the ring begins with the boot", () => {
  const log = scanKmsg(
    reading([
      "6,0,0,-;Linux\n",
      `4,1,100000000,-;${FULL}\n`,
      "4,2,105000000,-;net_ratelimit: 3 callbacks suppressed\n",
    ]),
    { nowMs: 1e12, bootAtMs: 5e11 },
  );
  assert.deepEqual(
    [log.source, log.linesRead, log.wrapped, log.oldestUptimeSeconds, log.suppressedMessages],
    ["kmsg", 3, false, 0, 3],
  );
  assert.equal(log.tallies[0]?.firstAtMs, 5e11 + 100_000);
});

test("scanKmsg() knows by the sequence that the ring has wrapped, however young its oldest record is", () => {
  assert.equal(scanKmsg(reading([`4,17,100000,-;${FULL}\n`]), { nowMs: 1e12 }).wrapped, true);
});

test("scanKmsg() goes on after an overrun and says that records were lost", () => {
  const log = scanKmsg(reading(["overrun", `4,0,1,-;${FULL}\n`, "overrun", `4,9,2,-;${FULL}\n`]), {
    nowMs: 1e12,
  });
  assert.equal(log.tallies[0]?.lines, 2);
  assert.equal(log.wrapped, true);
});

test("scanKmsg() passes over what is no record", () => {
  const log = scanKmsg(reading(["garbage", "\0\0", `4,0,1,-;${FULL}`]), { nowMs: 1e12 });
  assert.equal(log.linesRead, 1);
});

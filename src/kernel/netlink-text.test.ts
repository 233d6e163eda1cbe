import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assertGolden } from "../../test/support/golden.ts";
import { anyFlowMessages, flowMessage, plainTuples } from "../../test/support/netlink-flows.ts";
import {
  attribute,
  datagramOf,
  netlinkFixture,
  netlinkFixtureNames,
  replyMessage,
} from "../../test/support/netlink.ts";
import { FlowMessage } from "./ctnetlink.ts";
import { writeDump } from "./ctnetlink-encode.ts";
import { MessageWriter } from "./netlink.ts";
import { describeDatagram, wireLines } from "./netlink-text.ts";

test("describeDatagram() prints every captured datagram", () => {
  const lines = netlinkFixtureNames().flatMap((name) => [
    `# ${name}`,
    ...describeDatagram(netlinkFixture(name)),
    "",
  ]);
  assertGolden("kernel/netlink-text.txt", lines.slice(0, -1));
});

test("describeDatagram() prints a request", () => {
  const writer = new MessageWriter();
  writeDump(writer, FlowMessage.GET, 1, { family: 4, status: { value: 0, mask: 2 } });
  assert.deepEqual(describeDatagram(writer.bytes()), [
    "CT GET flags=REQUEST|DUMP (0x301) sequence=1 port=0 body=20",
    "  family=ipv4 version=0 resource=0",
    "  STATUS 0",
    "  STATUS_MASK 2",
  ]);
});

test("describeDatagram() prints what it does not know as numbers and bytes", () => {
  const odd = flowMessage(
    attribute(99, Uint8Array.of(1, 2)),
    attribute(0x8000 | 98, attribute(1)),
    attribute(8, Uint8Array.of(1)),
    Uint8Array.of(9, 0, 1, 0),
  );
  assert.deepEqual(describeDatagram(datagramOf(odd, replyMessage({ type: 0x500 }), Uint8Array.of(1))), [
    `CT NEW flags=MULTI (0x2) sequence=1 port=4711 body=${odd.length - 16}`,
    "  family=ipv4 version=0 resource=0",
    "  99 2 bytes 01 02",
    "  98 (nested) 4 bytes 04 00 01 00",
    "  MARK 01 (1 bytes, not a u32)",
    "  4 bytes that are no attribute",
    "type 1280 flags=0 (0x0) sequence=1 port=4711 body=0",
    "1 bytes that are no message",
  ]);
});

test("describeDatagram() refuses nothing", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        anyFlowMessages().map((all) => datagramOf(...all)),
      ),
      (bytes) => {
        assert.ok(Array.isArray(describeDatagram(bytes)));
      },
    ),
  );
});

test("describeDatagram() takes every cut of every captured datagram", () => {
  for (const name of netlinkFixtureNames()) {
    const whole = netlinkFixture(name);
    for (let end = 0; end < whole.length; end++) {
      // As a message of that length, so that its inside is looked at too.
      const cut = whole.slice(0, end);
      if (end >= 4) new DataView(cut.buffer).setUint32(0, end, true);
      assert.equal(describeDatagram(cut).length > 0, end > 0);
    }
  }
});

test("wireLines() marks what is sent and what comes", () => {
  const lines: string[] = [];
  const sink = wireLines((line) => lines.push(line));
  sink("sent", netlinkFixture("done"));
  sink("received", flowMessage(...plainTuples()));
  assert.equal(lines[0], "> DONE flags=MULTI (0x2) sequence=1 port=16404 body=4");
  assert.equal(lines[1], ">   success");
  assert.match(lines[2] ?? "", /^< CT NEW/);
});

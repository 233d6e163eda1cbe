import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BytesError } from "../base/bytes.ts";
import {
  attribute,
  datagramOf,
  doneMessage,
  errorMessage,
  netlinkFixture,
  netlinkFixtureNames,
  parseHex,
  replyMessage,
} from "../../test/support/netlink.ts";
import {
  acknowledgementOf,
  align,
  attributesOf,
  Flag,
  type Message,
  messagesOf,
  MessageWriter,
  textOf,
} from "./netlink.ts";

test("align() rounds up to a multiple of four", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 17].map(align), [0, 4, 4, 4, 4, 8, 20]);
});

/* ---- Writing: name, what is written, the bytes; and read back ---- */

const written: { name: string; write: (writer: MessageWriter) => void; hex: string }[] = [
  {
    name: "a header alone",
    write: () => {},
    hex: "10000000 0001 0503 07000000 00000000",
  },
  {
    name: "a family header of three bytes, padded",
    write: (writer) => writer.raw(Uint8Array.of(1, 2, 3)),
    hex: "14000000 0001 0503 07000000 00000000  01020300",
  },
  {
    name: "numbers in network order",
    write: (writer) => {
      writer.u8(1, 0xab);
      writer.u16(2, 0x1234);
      writer.u32(3, 0xdead_beef);
      writer.u64(4, 0x1f_2345_6789_abcd);
    },
    hex: `34000000 0001 0503 07000000 00000000
      0500 0100 ab000000  0600 0200 12340000  0800 0300 deadbeef  0c00 0400 001f23456789abcd`,
  },
  {
    name: "a nest in a nest",
    write: (writer) => {
      const outer = writer.beginNest(1);
      const inner = writer.beginNest(2);
      writer.u8(3, 9);
      writer.endNest(inner);
      writer.endNest(outer);
    },
    hex: "20000000 0001 0503 07000000 00000000  1000 0180  0c00 0280  0500 0300 09000000",
  },
  {
    name: "a text with its NUL",
    write: (writer) => writer.text(5, "ftp!"),
    hex: "1c000000 0001 0503 07000000 00000000  0900 0500 66747021 00000000",
  },
  {
    name: "an empty attribute",
    write: (writer) => writer.attribute(6, new Uint8Array(0)),
    hex: "14000000 0001 0503 07000000 00000000  0400 0600",
  },
  {
    name: "words of an address",
    write: (writer) => writer.words(3, Uint32Array.of(0, 0xfd00_0000, 1), 1, 2),
    hex: "1c000000 0001 0503 07000000 00000000  0c00 0300 fd00000000000001",
  },
];

for (const { name, write, hex } of written) {
  test(`MessageWriter writes ${name}`, () => {
    const writer = new MessageWriter(1);
    writer.begin({ type: 0x100, flags: 0x305, sequence: 7 });
    write(writer);
    writer.end();
    assert.equal(writer.bytes().toHex(), parseHex(hex).toHex());
    const { messages, leftBytes } = messagesOf(writer.bytes());
    assert.equal(leftBytes, 0);
    assert.deepEqual(
      messages.map(({ type, flags, sequence, port }) => ({ type, flags, sequence, port })),
      [{ type: 0x100, flags: 0x305, sequence: 7, port: 0 }],
    );
  });
}

test("MessageWriter.clear() starts anew without what was there before", () => {
  const writer = new MessageWriter(64);
  writer.begin({ type: 0x100, flags: 1, sequence: 1 });
  writer.attribute(1, new Uint8Array(20).fill(0xff));
  writer.end();
  writer.clear();
  writer.begin({ type: 0x100, flags: 1, sequence: 2 });
  writer.u8(1, 1);
  writer.end();
  assert.equal(writer.bytes().toHex(), "180000000001010002000000000000000500010001000000");
});

/* ---- Reading ---- */

test("messagesOf() finds messages whose length is no multiple of four", () => {
  const odd = replyMessage({ type: 0x100, sequence: 1 }, Uint8Array.of(1, 2, 3));
  const { messages, leftBytes } = messagesOf(datagramOf(odd, odd));
  assert.deepEqual(
    messages.map(({ body }) => [...body]),
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
  assert.equal(leftBytes, 0);
});

const damagedMessages: { name: string; bytes: Uint8Array; messages: number; leftBytes: number }[] = [
  { name: "nothing", bytes: new Uint8Array(0), messages: 0, leftBytes: 0 },
  { name: "less than a header", bytes: new Uint8Array(15), messages: 0, leftBytes: 15 },
  { name: "a length below the header's", bytes: new Uint8Array(16), messages: 0, leftBytes: 16 },
  {
    name: "a length beyond the end",
    bytes: replyMessage({ type: 1 }, new Uint8Array(8)).subarray(0, 20),
    messages: 0,
    leftBytes: 20,
  },
  {
    name: "a good message and three bytes",
    bytes: datagramOf(replyMessage({ type: 1 }), Uint8Array.of(1, 2, 3)),
    messages: 1,
    leftBytes: 3,
  },
];

for (const { name, bytes, messages, leftBytes } of damagedMessages) {
  test(`messagesOf() takes ${name}`, () => {
    const found = messagesOf(bytes);
    assert.equal(found.messages.length, messages);
    assert.equal(found.leftBytes, leftBytes);
  });
}

test("attributesOf() reads type, nest bit and value, past the padding", () => {
  const body = datagramOf(
    attribute(1, Uint8Array.of(7)),
    attribute(0x8002, attribute(1)),
    attribute(0x4003, Uint8Array.of(1, 2)),
  );
  assert.deepEqual(
    attributesOf(body).attributes.map(({ type, nested, value }) => [type, nested, value.toHex()]),
    [
      [1, false, "07"],
      [2, true, "04000100"],
      [3, false, "0102"],
    ],
  );
});

test("attributesOf() takes a last attribute without its padding", () => {
  const { attributes, leftBytes } = attributesOf(Uint8Array.of(5, 0, 1, 0, 7));
  assert.deepEqual([...(attributes[0]?.value ?? [])], [7]);
  assert.equal(leftBytes, 0);
});

test("attributesOf() reads back what MessageWriter wrote", () => {
  const anAttribute = fc.record({
    type: fc.integer({ min: 0, max: 0x3fff }),
    value: fc.uint8Array({ maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(anAttribute, { maxLength: 12 }), (attributes) => {
      const writer = new MessageWriter(16);
      writer.begin({ type: 20, flags: 0, sequence: 1 });
      for (const { type, value } of attributes) writer.attribute(type, value);
      writer.end();
      const body = messagesOf(writer.bytes()).messages[0]?.body ?? new Uint8Array(0);
      const found = attributesOf(body);
      assert.equal(found.leftBytes, 0);
      assert.deepEqual(
        found.attributes.map(({ type, value }) => ({ type, value: [...value] })),
        attributes.map(({ type, value }) => ({ type, value: [...value] })),
      );
    }),
  );
});

test("messagesOf() and attributesOf() stay inside of any bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const { body } of messagesOf(bytes).messages) attributesOf(body);
      const { attributes, leftBytes } = attributesOf(bytes);
      const valueBytes = attributes.reduce((sum, { value }) => sum + 4 + value.length, 0);
      assert.ok(valueBytes + leftBytes <= bytes.length);
    }),
  );
});

test("textOf() ends at the first NUL or at the end", () => {
  assert.equal(textOf(Uint8Array.of(102, 116, 112, 0, 9)), "ftp");
  assert.equal(textOf(Uint8Array.of(102, 116, 112)), "ftp");
});

/* ---- Acknowledgements ---- */

function only(bytes: Uint8Array): Message {
  const [message] = messagesOf(bytes).messages;
  assert.ok(message !== undefined);
  return message;
}

test("acknowledgementOf() reads success and errors", () => {
  assert.deepEqual(acknowledgementOf(only(errorMessage(0))), { errno: 0 });
  assert.deepEqual(acknowledgementOf(only(errorMessage(1))), { errno: 1 });
  assert.deepEqual(acknowledgementOf(only(netlinkFixture("error-not-permitted"))), { errno: 1 });
  assert.deepEqual(acknowledgementOf(only(doneMessage(105))), { errno: 105 });
  assert.deepEqual(acknowledgementOf(only(replyMessage({ type: 3 }))), { errno: 0 });
});

test("acknowledgementOf() reads the kernel's own words and where they point", () => {
  assert.deepEqual(acknowledgementOf(only(netlinkFixture("error-extended"))), {
    errno: 34,
    text: "Attribute failed policy validation",
    offsetBytes: 20,
  });
});

test("acknowledgementOf() finds the words behind a request that is echoed whole", () => {
  const echoed = replyMessage({ type: 0x101 }, new Uint8Array(7));
  const words = attribute(1, new TextEncoder().encode("no\0"));
  const body = datagramOf(Uint8Array.of(0xea, 0xff, 0xff, 0xff), echoed, words);
  const message = only(replyMessage({ type: 2, flags: Flag.ACK_TLVS }, body));
  assert.deepEqual(acknowledgementOf(message), { errno: 22, text: "no" });
});

test("acknowledgementOf() finds the words behind the end of a dump", () => {
  const body = datagramOf(Uint8Array.of(0xff, 0xff, 0xff, 0xff), attribute(1, Uint8Array.of(104, 105, 0)));
  const message = only(replyMessage({ type: 3, flags: Flag.ACK_TLVS }, body));
  assert.deepEqual(acknowledgementOf(message), { errno: 1, text: "hi" });
});

test("acknowledgementOf() of every cut of a captured error gives the error or BytesError", () => {
  const { body, ...rest } = only(netlinkFixture("error-extended"));
  for (let end = 0; end <= body.length; end++) {
    const cut = { ...rest, body: body.subarray(0, end) };
    if (end < 4) assert.throws(() => acknowledgementOf(cut), BytesError);
    else assert.equal(acknowledgementOf(cut).errno, 34);
  }
});

test("every captured datagram is whole messages", () => {
  for (const name of netlinkFixtureNames()) {
    const { messages, leftBytes } = messagesOf(netlinkFixture(name));
    assert.ok(messages.length > 0, name);
    assert.equal(leftBytes, 0, name);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelError } from "./error.ts";
import { Flag, type Message, MessageWriter } from "./netlink.ts";
import {
  Exchange,
  forEachAnswer,
  NETLINK_NETFILTER,
  openNetlink,
  RECEIVE_BUFFER_BYTES,
  watchedSocket,
} from "./netlink-socket.ts";
import {
  type Answer,
  datagramOf,
  doneMessage,
  errorMessage,
  functionSocket,
  machineWord,
  netlinkFixture,
  replaySocket,
  replyMessage,
} from "../../test/support/netlink.ts";

const DATA = 0x100;

const purpose = {
  tried: "read something",
  help: (name: string) => (name === "EPERM" ? "run as root" : undefined),
};

function request(sequence = 1): Uint8Array {
  const writer = new MessageWriter();
  writer.begin({ type: 0x101, flags: Flag.REQUEST | Flag.DUMP, sequence });
  writer.end();
  return writer.bytes();
}

/** A message whose body is the four bytes of a number. */
function numbered(
  number: number,
  header: { flags?: number; sequence?: number; port?: number } = {},
): Uint8Array {
  return replyMessage({ type: DATA, flags: 2, ...header }, machineWord(number));
}

function numberOf({ body }: Message): number {
  return body[0] ?? -1;
}

/** What an exchange with these answers gives. */
function run(answers: readonly Answer[]): { exchange: Exchange; numbers: number[] } {
  const exchange = new Exchange(
    functionSocket(() => answers),
    request(),
    1,
    purpose,
  );
  const numbers: number[] = [];
  forEachAnswer(exchange, (message) => numbers.push(numberOf(message)));
  return { exchange, numbers };
}

test("Exchange gives the same answers however they are split into datagrams", () => {
  const messages = [numbered(1), numbered(2), numbered(3), doneMessage()];
  for (let cuts = 0; cuts < 8; cuts++) {
    const datagrams: Uint8Array[][] = [[]];
    messages.forEach((message, index) => {
      datagrams.at(-1)?.push(message);
      if ((cuts & (1 << index)) !== 0) datagrams.push([]);
    });
    const { exchange, numbers } = run(
      datagrams.filter((parts) => parts.length > 0).map((parts) => datagramOf(...parts)),
    );
    assert.deepEqual(numbers, [1, 2, 3]);
    assert.equal(exchange.state, "done");
    assert.equal(exchange.whole, true);
    assert.deepEqual(exchange.oddities, {});
  }
});

test("Exchange passes over answers to other requests and of other sockets", () => {
  const stale = datagramOf(
    numbered(8, { sequence: 9 }),
    numbered(9, { port: 1 }),
    doneMessage(0, { sequence: 9 }),
  );
  const { numbers } = run([stale, datagramOf(numbered(1), doneMessage())]);
  assert.deepEqual(numbers, [1]);
});

test("Exchange takes an error that answers another request for none of its business", () => {
  const { numbers } = run([errorMessage(1, { sequence: 9 }), datagramOf(numbered(1), doneMessage())]);
  assert.deepEqual(numbers, [1]);
});

test("Exchange passes over NOOP and counts OVERRUN", () => {
  const { exchange, numbers } = run([
    datagramOf(replyMessage({ type: 1 }), numbered(1), replyMessage({ type: 4 }), numbered(2), doneMessage()),
  ]);
  assert.deepEqual(numbers, [1, 2]);
  assert.deepEqual(exchange.oddities, { overruns: 1 });
  assert.equal(exchange.whole, false);
});

test("Exchange counts a disturbed dump once, also when only its end says so", () => {
  const interrupted = { flags: Flag.MULTI | Flag.DUMP_INTR };
  const twice = run([datagramOf(numbered(1, interrupted), numbered(2, interrupted), doneMessage())]);
  assert.deepEqual(twice.numbers, [1, 2]);
  assert.deepEqual(twice.exchange.oddities, { interrupted: 1 });
  assert.equal(twice.exchange.whole, false);
  const atEnd = run([datagramOf(numbered(1), doneMessage(0, interrupted))]);
  assert.deepEqual(atEnd.exchange.oddities, { interrupted: 1 });
});

test("Exchange goes on after the socket overflowed, and counts it", () => {
  const overflow = new KernelError("no-buffer-space", "Cannot receive over netlink");
  const { exchange, numbers } = run([
    numbered(1),
    overflow,
    overflow,
    datagramOf(numbered(2), doneMessage()),
  ]);
  assert.deepEqual(numbers, [1, 2]);
  assert.deepEqual(exchange.oddities, { overruns: 2 });
  assert.equal(exchange.whole, false);
});

test("Exchange counts a datagram cut by the buffer and uses its whole messages", () => {
  const big = replyMessage({ type: DATA, flags: 2 }, new Uint8Array(RECEIVE_BUFFER_BYTES));
  const { exchange, numbers } = run([datagramOf(numbered(1), big), doneMessage()]);
  assert.deepEqual(numbers, [1]);
  assert.deepEqual(exchange.oddities, { truncatedMessages: 1 });
  assert.equal(exchange.whole, false);
});

test("Exchange counts bytes that are no message", () => {
  const { exchange, numbers } = run([datagramOf(numbered(1), new Uint8Array(7)), doneMessage()]);
  assert.deepEqual(numbers, [1]);
  assert.deepEqual(exchange.oddities, { malformedAttributes: 1 });
});

test("Exchange at every cut of a datagram gives whole messages, oddities or KernelError", () => {
  const whole = datagramOf(numbered(1), numbered(2), doneMessage());
  for (let end = 1; end < whole.length; end++) {
    const exchange = new Exchange(
      functionSocket(() => [whole.subarray(0, end)]),
      request(),
      1,
      purpose,
    );
    exchange.receive();
    const numbers: number[] = [];
    while (exchange.next()) numbers.push(numberOf(exchange.message()));
    assert.deepEqual(numbers, [1, 2].slice(0, Math.floor(end / 20)));
    assert.equal(exchange.whole, end % 20 === 0);
  }
});

test("Exchange ends in a sentence when the kernel refuses", () => {
  assert.throws(() => run([netlinkFixtureFor("error-not-permitted")]), {
    name: "KernelError",
    code: "not-permitted",
    message: "Cannot read something: operation not permitted (EPERM); run as root",
  });
});

test("Exchange passes on the kernel's own words", () => {
  assert.throws(() => run([netlinkFixtureFor("error-extended")]), {
    code: "invalid",
    message:
      "Cannot read something: result too large (ERANGE); " +
      'the kernel says "Attribute failed policy validation" about the attribute at byte 20 of the request',
  });
});

test("Exchange takes an error at the end of a dump for what it is", () => {
  assert.throws(() => run([datagramOf(numbered(1), doneMessage(12))]), { code: "out-of-memory" });
});

test("Exchange takes a damaged error for an error", () => {
  assert.throws(() => run([replyMessage({ type: 2 }, Uint8Array.of(1, 2))]), {
    code: "io",
    message: /^Cannot read something: damaged answer: /,
  });
});

test("Exchange ends with the acknowledgement where one was asked for", () => {
  const { numbers } = run([numbered(1), errorMessage(0)]);
  assert.deepEqual(numbers, [1]);
});

test("Exchange does not hang on an answer that never ends", () => {
  assert.throws(() => run([numbered(1)]), { code: "timed-out" });
});

/** A captured datagram as if it had come to the test's socket. */
function netlinkFixtureFor(name: string): Uint8Array {
  const bytes = netlinkFixture(name);
  new DataView(bytes.buffer).setUint32(12, functionSocket(() => []).port, true);
  return bytes;
}

test("watchedSocket() shows every datagram and passes everything on", () => {
  const inner = replaySocket([netlinkFixture("done")]);
  const seen: string[] = [];
  const socket = watchedSocket(inner, (direction, datagram) => seen.push(`${direction} ${datagram.length}`));
  const exchange = new Exchange(socket, request(), 1, purpose);
  forEachAnswer(exchange, () => assert.fail("The end of a dump is no answer"));
  socket.close();
  assert.deepEqual(seen, ["sent 16", "received 20"]);
  assert.equal(inner.closed, true);
  assert.equal(socket.port, inner.port);
});

test("openNetlink() opens a socket of the kernel's and says which family it cannot", () => {
  const socket = openNetlink(NETLINK_NETFILTER);
  assert.ok(socket.port > 0);
  socket.close();
  socket.close();
  assert.throws(() => socket.send(request()), /closed/);
  assert.throws(() => openNetlink(9999), {
    code: "module-missing",
    message:
      /^Cannot open a netlink socket of family 9999: protocol not supported \(EPROTONOSUPPORT\); this kernel/,
  });
});

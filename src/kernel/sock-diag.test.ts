import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import {
  datagramOf,
  doneMessage,
  errorMessage,
  functionSocket,
  netlinkFixture,
  parseHex,
  replaySocket,
  replyMessage,
} from "../../test/support/netlink.ts";
import { addressFromBytes, formatAddress } from "../table/address.ts";
import type { Oddities } from "../table/oddities.ts";
import { type Message, messagesOf, MessageWriter } from "./netlink.ts";
import { netlinkSockets, parseSocket, writeSocketDump } from "./sock-diag.ts";

const LOOPBACK = addressFromBytes(Uint8Array.of(127, 0, 0, 1));

test("writeSocketDump() asks for sockets of a protocol, family and states", () => {
  const writer = new MessageWriter();
  writeSocketDump(writer, 3, { protocol: 17, family: 6, states: 0xffff_ffbf });
  const zeros = "00".repeat(48);
  const wanted = parseHex(`48000000 1400 0103 03000000 00000000  0a110000 bfffffff ${zeros}`);
  assert.equal(writer.bytes().toHex(), wanted.toHex());
});

function capturedSocket(): Message {
  const [message] = messagesOf(netlinkFixture("sockets-tcp")).messages;
  assert.ok(message !== undefined);
  return message;
}

test("parseSocket() reads a captured listener", () => {
  assert.deepEqual(parseSocket(capturedSocket(), 6), {
    protocol: 6,
    family: 4,
    local: LOOPBACK,
    localPort: 8080,
    remote: addressFromBytes(new Uint8Array(4)),
    remotePort: 0,
    state: 10,
    inode: 251_035,
    uid: 0,
  });
});

test("parseSocket() of every cut of a captured socket is undefined or the socket", () => {
  const { body, ...rest } = capturedSocket();
  const whole = parseSocket({ ...rest, body }, 6);
  for (let end = 0; end <= body.length; end++) {
    const found = parseSocket({ ...rest, body: body.subarray(0, end) }, 6);
    assert.deepEqual(found, end < 72 ? undefined : whole);
  }
});

test("parseSocket() does not take another family for a socket", () => {
  const { body, ...rest } = capturedSocket();
  assert.equal(parseSocket({ ...rest, body: Uint8Array.of(1, ...body.subarray(1)) }, 6), undefined);
});

test("netlinkSockets() asks per protocol and family and closes its socket", () => {
  const { body } = capturedSocket();
  const socket = functionSocket(({ sequence }) => [
    datagramOf(replyMessage({ type: 20, flags: 2, sequence }, body), doneMessage(0, { sequence })),
  ]);
  const found = [...netlinkSockets({ socket })];
  assert.deepEqual(
    socket.requests.map((request) => [request.body[0], request.body[1]]),
    [6, 17, 136].flatMap((protocol) => [2, 10].map((family) => [family, protocol])),
  );
  assert.deepEqual(
    found.map(({ protocol }) => protocol),
    [6, 6, 17, 17, 136, 136],
  );
  assert.equal(socket.closed, true);
});

test("netlinkSockets() leaves out what no process holds, unless it is asked for", () => {
  const timeWait = capturedSocket().body.slice();
  timeWait.fill(0, 68, 72);
  const answer = ({ sequence }: Message): Uint8Array[] => [
    datagramOf(replyMessage({ type: 20, flags: 2, sequence }, timeWait), doneMessage(0, { sequence })),
  ];
  assert.equal([...netlinkSockets({ socket: functionSocket(answer), protocols: [6] })].length, 0);
  assert.equal(
    [...netlinkSockets({ socket: functionSocket(answer), protocols: [6], unheld: true })].length,
    2,
  );
});

test("netlinkSockets() does without a protocol the kernel cannot diagnose, but not without all", () => {
  const { body } = capturedSocket();
  const some = functionSocket(({ sequence, body: request }) =>
    request[1] === 6
      ? [replyMessage({ type: 20, flags: 2, sequence }, body), doneMessage(0, { sequence })]
      : [errorMessage(2, { sequence })],
  );
  assert.equal([...netlinkSockets({ socket: some })].length, 2);
  const none = functionSocket(({ sequence }) => [errorMessage(2, { sequence })]);
  assert.throws(() => [...netlinkSockets({ socket: none })], {
    code: "not-found",
    message: /^Cannot list sockets over netlink: no such file or directory \(ENOENT\); this kernel/,
  });
});

test("netlinkSockets() counts a damaged socket", () => {
  const oddities: Oddities = {};
  const socket = functionSocket(({ sequence }) => [
    replyMessage({ type: 20, flags: 2, sequence }, new Uint8Array(10)),
    doneMessage(0, { sequence }),
  ]);
  assert.deepEqual([...netlinkSockets({ socket, oddities, protocols: [6] })], []);
  assert.deepEqual(oddities, { malformedAttributes: 2 });
});

test("netlinkSockets() closes its socket when the reader leaves early", () => {
  const socket = replaySocket([netlinkFixture("sockets-tcp")]);
  for (const found of netlinkSockets({ socket })) {
    assert.equal(found.localPort, 8080);
    break;
  }
  assert.equal(socket.closed, true);
});

test("netlinkSockets() finds a listener of this process", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const found = [...netlinkSockets({ protocols: [6] })].find(({ localPort }) => localPort === port);
  server.close();
  assert.equal(found?.state, 10);
  assert.equal(formatAddress(found.local), "127.0.0.1");
});

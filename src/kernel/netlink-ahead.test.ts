import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { UDP } from "../table/protocol.ts";
import { AheadSocket, receiveAhead } from "./netlink-ahead.ts";
import { Exchange, forEachAnswer, NETLINK_SOCK_DIAG, openKernelSocket } from "./netlink-socket.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import { MessageWriter } from "./netlink.ts";
import { parseSocket, writeSocketDump } from "./sock-diag.ts";

/** Sockets of UDP, so many that a dump of them takes several datagrams. Nobody needs a privilege for that. */
const SOCKETS = 600;

async function openSockets(): Promise<Socket[]> {
  const sockets = Array.from({ length: SOCKETS }, () => createSocket("udp4").bind(0, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "listening")));
  return sockets;
}

/** Local ports of all UDP sockets over IPv4, by one dump. */
function localPorts(socket: NetlinkSocket): Set<number> {
  const writer = new MessageWriter();
  writeSocketDump(writer, 1, { protocol: UDP, family: 4, states: 0xffff_ffff });
  const exchange = new Exchange(socket, writer.bytes(), 1, { tried: "list sockets" });
  const ports = new Set<number>();
  forEachAnswer(exchange, (message) => ports.add(parseSocket(message, UDP)?.localPort ?? 0));
  socket.close();
  return ports;
}

async function withThread(): Promise<AheadSocket> {
  const socket = new AheadSocket(openKernelSocket(NETLINK_SOCK_DIAG));
  while (!socket.threadUp) await sleep(2);
  return socket;
}

test("receiveAhead() gives the same dump, whether its thread takes over or not", async () => {
  const sockets = await openSockets();
  try {
    const ports = localPorts(openKernelSocket(NETLINK_SOCK_DIAG));
    for (const socket of sockets) assert.ok(ports.has(socket.address().port));
    assert.deepEqual(localPorts(receiveAhead(openKernelSocket(NETLINK_SOCK_DIAG))), ports);
    assert.deepEqual(localPorts(await withThread()), ports);
  } finally {
    for (const socket of sockets) socket.close();
  }
});

test("AheadSocket is for one dump, and says so when there is none", async () => {
  const socket = await withThread();
  assert.throws(() => socket.receive(new Uint8Array(64)), {
    code: "timed-out",
    message: "Cannot receive over netlink: nothing is queued, and the dump has not said that it is over",
  });
  assert.throws(() => socket.send(new Uint8Array(16)), /nothing more/);
  socket.close();
});

test("AheadSocket is closed before its thread is up, and after", async () => {
  new AheadSocket(openKernelSocket(NETLINK_SOCK_DIAG)).close();
  const socket = await withThread();
  socket.close();
  assert.throws(() => socket.send(new Uint8Array(16)), /closed/);
});

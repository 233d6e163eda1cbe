import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { AF_NETLINK, CLONE_NEWNET, SOCK_CLOEXEC, SOCK_RAW, systemCalls } from "./ffi.ts";

const NETLINK_ROUTE = 0;
const MSG_DONTWAIT = 0x40;

test("systemCalls() passes descriptors, buffers and results", () => {
  const calls = systemCalls();
  const fd = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  assert.ok(fd > 2);
  const address = new Uint8Array(12);
  address[0] = AF_NETLINK;
  assert.equal(calls.bind(fd, address), 0);
  assert.equal(calls.getsockname(fd, address), 0);
  assert.ok(new DataView(address.buffer).getUint32(4, true) > 0, "the kernel has given the socket a port");
  assert.equal(calls.recv(fd, new Uint8Array(64), MSG_DONTWAIT), -constants.errno.EAGAIN);
  assert.equal(calls.close(fd), 0);
});

test("systemCalls() gives a failure as the negative error number", () => {
  const calls = systemCalls();
  assert.equal(calls.close(-1), -constants.errno.EBADF);
  assert.equal(calls.send(-1, Uint8Array.of(1), 0), -constants.errno.EBADF);
  assert.equal(calls.setns(-1, CLONE_NEWNET), -constants.errno.EBADF);
  assert.equal(calls.socket(AF_NETLINK, SOCK_RAW, 9999), -constants.errno.EPROTONOSUPPORT);
});

test("systemCalls() loads once", () => {
  assert.equal(systemCalls(), systemCalls());
});

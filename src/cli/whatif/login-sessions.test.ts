import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, type Row } from "../../../test/support/columns.ts";
import { TCP, UDP } from "../../table/protocol.ts";
import { TcpState } from "../../table/state.ts";
import { Status } from "../../table/status.ts";
import { parseAddress } from "../../table/address-text.ts";
import { LoginSessions } from "./login-sessions.ts";

const context = { settings: { nf_conntrack_tcp_timeout_established: 1000 } };
const own: Row = {
  protocol: TCP,
  source: "192.0.2.7",
  destination: "10.0.0.2",
  first: 40_001,
  second: 22,
  state: TcpState.ESTABLISHED,
  status: Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED,
  timeoutSeconds: 900,
};

const none = { sessions: [], connections: [] };

for (const { name, rows, found } of [
  { name: "the flow of the session", rows: [own], found: [100] },
  { name: "another port", rows: [{ ...own, first: 40_002 }], found: [] },
  { name: "another client", rows: [{ ...own, source: "192.0.2.8" }], found: [] },
  { name: "another server", rows: [{ ...own, destination: "10.0.0.3" }], found: [] },
  { name: "another protocol", rows: [{ ...own, protocol: UDP }], found: [] },
  { name: "an unknown idle age", rows: [{ ...own, timeoutSeconds: 5000 }], found: [undefined] },
  { name: "others before it", rows: [{ ...own, first: 1 }, own], found: [100] },
]) {
  test(`LoginSessions: ${name}`, () => {
    const sessions = LoginSessions.of("192.0.2.7 40001 10.0.0.2 22", none);
    sessions?.look(columnsOf(rows), context);
    assert.deepEqual(sessions?.found, { own: found, others: [] });
  });
}

test("LoginSessions: IPv6", () => {
  const sessions = LoginSessions.of("2001:db8::7 40001 2001:db8::2 22", none);
  sessions?.look(columnsOf([{ ...own, source: "2001:db8::7", destination: "2001:db8::2" }]), context);
  assert.deepEqual(sessions?.found, { own: [100], others: [] });
});

test("LoginSessions: what sudo left in the environment of an ancestor is own, too", () => {
  const sessions = LoginSessions.of(undefined, {
    sessions: [],
    connections: ["192.0.2.7 40001 10.0.0.2 22"],
  });
  sessions?.look(columnsOf([own]), context);
  assert.deepEqual(sessions?.found.own, [100]);
});

test("LoginSessions: sockets of ssh servers are sessions of others", () => {
  const [local, address] = [parseAddress("10.0.0.2"), parseAddress("192.0.2.8")];
  assert.ok(local !== undefined && address !== undefined);
  const other = { protocol: TCP, local, localPort: 22, remote: { address, port: 50_000 } };
  const sessions = LoginSessions.of("192.0.2.7 40001 10.0.0.2 22", { sessions: [other], connections: [] });
  sessions?.look(columnsOf([own, { ...own, source: "192.0.2.8", first: 50_000 }]), context);
  assert.deepEqual(sessions?.found, { own: [100], others: [100] });
});

for (const text of [
  undefined,
  "",
  "192.0.2.7 40001",
  "somewhere 1 here 2",
  "fe80::1%eth0 1 fe80::2%eth0 22",
]) {
  test(`LoginSessions: there is none in ${String(text)}`, () => {
    assert.equal(LoginSessions.of(text, none), undefined);
  });
}

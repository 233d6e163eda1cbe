import assert from "node:assert/strict";
import { test } from "node:test";

import { parseAddress, parsePrefix } from "../table/address-text.ts";
import type { Address, Prefix } from "../table/address.ts";
import { GRE, ICMP, SCTP, TCP, UDP } from "../table/protocol.ts";
import type { Session } from "../table/session.ts";
import { SctpState, TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { columnsOf, type Row } from "../../test/support/columns.ts";
import { PROTECTION_REASONS, type ProtectionOptions, Protections } from "./protections.ts";
import { parseSshConnection } from "./session-flows.ts";

const ANSWERED = Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED;
const UNKNOWN = -1;

function prefix(text: string): Prefix {
  const found = parsePrefix(text);
  assert.ok(found);
  return found;
}

function address(text: string): Address {
  const found = parseAddress(text);
  assert.ok(found);
  return found;
}

function reasonOf(
  row: Row,
  idleSeconds: number,
  options: Partial<ProtectionOptions> = {},
): string | undefined {
  const protections = new Protections({ sessions: [], networks: [], ...options });
  return PROTECTION_REASONS[protections.reasonAt(columnsOf([row]), 0, idleSeconds)];
}

const established: Row = { state: TcpState.ESTABLISHED, status: ANSWERED, timeoutSeconds: 1000 };
const unanswered = Status.CONFIRMED;

/**
 * Name, flow, silence as it is reckoned (up to a second too much), and why it stays; undefined: it may go.
 */
const floors: readonly (readonly [string, Row, number, string | undefined])[] = [
  ["established below the floor", established, 7440, "active"],
  ["established beyond the floor", established, 7441, undefined],
  ["established, silence unknown", established, UNKNOWN, "idle-unknown"],
  ["established without an answer", { ...established, status: unanswered }, 299, "active"],
  ["TCP whose state is not told", { status: ANSWERED, timeoutSeconds: 1000 }, 100, "active"],
  ["TCP in a state nobody knows", { ...established, state: 200 }, 100, "active"],
  ["closed just now", { ...established, state: TcpState.TIME_WAIT }, 0, undefined],
  ["closed, silence unknown", { ...established, state: TcpState.CLOSE }, UNKNOWN, undefined],
  ["the last ACK is awaited", { ...established, state: TcpState.LAST_ACK }, 0, undefined],
  ["half closed and speaking", { ...established, state: TcpState.FIN_WAIT }, 30, "active"],
  ["half closed and silent", { ...established, state: TcpState.CLOSE_WAIT }, 31, undefined],
  ["opening now", { state: TcpState.SYN_SENT, status: unanswered, timeoutSeconds: 100 }, 5, "active"],
  ["opening in vain", { state: TcpState.SYN_SENT, status: unanswered, timeoutSeconds: 100 }, 6, undefined],
  [
    "opening, silence unknown",
    { state: TcpState.SYN_RECV, status: unanswered, timeoutSeconds: 9 },
    UNKNOWN,
    "idle-unknown",
  ],
  ["a UDP stream that speaks", { protocol: UDP, status: ANSWERED, timeoutSeconds: 50 }, 120, "active"],
  ["a UDP stream that is silent", { protocol: UDP, status: ANSWERED, timeoutSeconds: 50 }, 121, undefined],
  [
    "a UDP question with its answer",
    { protocol: UDP, status: unanswered | Status.SEEN_REPLY, timeoutSeconds: 20 },
    6,
    undefined,
  ],
  ["a UDP question just asked", { protocol: UDP, status: unanswered, timeoutSeconds: 29 }, 1, "active"],
  [
    "an echo just asked for",
    {
      protocol: ICMP,
      first: 7,
      second: 2048,
      reply: { source: "10.0.0.2", destination: "10.0.0.1", first: 7, second: 0 },
      status: unanswered,
      timeoutSeconds: 29,
    },
    1,
    "active",
  ],
  ["a GRE tunnel that speaks", { protocol: GRE, status: ANSWERED, timeoutSeconds: 100 }, 60, "active"],
  [
    "SCTP established",
    { protocol: SCTP, state: SctpState.ESTABLISHED, status: ANSWERED, timeoutSeconds: 100 },
    7000,
    "active",
  ],
  [
    "SCTP shut down",
    { protocol: SCTP, state: SctpState.SHUTDOWN_ACK_SENT, status: unanswered, timeoutSeconds: 3 },
    6,
    undefined,
  ],
  [
    "a second before its end",
    { ...established, state: TcpState.TIME_WAIT, timeoutSeconds: 1 },
    119,
    "expiring",
  ],
  [
    "two seconds before its end",
    { ...established, state: TcpState.TIME_WAIT, timeoutSeconds: 2 },
    118,
    undefined,
  ],
];

for (const [name, row, idle, wanted] of floors) {
  test(`${name} ${wanted === undefined ? "may go" : `stays: ${wanted}`}`, () => {
    assert.equal(reasonOf(row, idle), wanted);
  });
}

test("a lower floor is lower for everything, and none leaves nothing active", () => {
  assert.equal(reasonOf(established, 60, { floorSeconds: 60 }), "active");
  assert.equal(reasonOf(established, 61, { floorSeconds: 60 }), undefined);
  for (const [name, row] of floors) {
    const reason = reasonOf(row, 0, { floorSeconds: 0 });
    assert.ok(reason === undefined || reason === "expiring", name);
    assert.equal(reasonOf(row, UNKNOWN, { floorSeconds: 0 }), reason, name);
  }
});

test("a higher floor does not make a stream wait longer than two minutes", () => {
  const stream = { protocol: UDP, status: ANSWERED, timeoutSeconds: 50 };
  assert.equal(reasonOf(stream, 121, { floorSeconds: 86_400 }), undefined);
});

const silent: Row = {
  ...established,
  source: "10.0.0.1",
  destination: "192.0.2.9",
  first: 40_000,
  second: 443,
};
const translated: Row = {
  ...silent,
  reply: { source: "192.0.2.9", destination: "198.51.100.1", first: 443, second: 5000 },
};

test("translated flows stay unless they are included; a lost reply direction counts as translated", () => {
  assert.equal(reasonOf(translated, 9000), "nat");
  assert.equal(reasonOf(translated, 9000, { includeNat: true }), undefined);
  assert.equal(reasonOf({ ...silent, reply: false }, 9000), "nat");
  assert.equal(reasonOf({ ...silent, status: ANSWERED | Status.DST_NAT }, 9000), "nat");
});

test("flow tables, helpers and what a helper expected stay", () => {
  assert.equal(reasonOf({ ...silent, status: ANSWERED | Status.OFFLOAD }, 9000), "offloaded");
  assert.equal(reasonOf({ ...silent, status: ANSWERED | Status.HW_OFFLOAD }, 9000), "offloaded");
  assert.equal(reasonOf({ ...silent, status: ANSWERED | Status.EXPECTED }, 9000), "helper");
  assert.equal(reasonOf({ ...silent, helper: "ftp" }, 9000), "helper");
});

const networks: readonly (readonly [string, string | undefined])[] = [
  ["10.0.0.0/24", "network"],
  ["192.0.2.9", "network"],
  ["10.0.0.0/32", undefined],
  ["0.0.0.0/0", "network"],
  ["::/0", undefined],
];

for (const [text, wanted] of networks) {
  test(`a flow from 10.0.0.1 to 192.0.2.9 ${wanted === undefined ? "is not" : "is"} in ${text}`, () => {
    assert.equal(reasonOf(silent, 9000, { networks: [prefix(text)] }), wanted);
  });
}

test("a network holds the translated address of a flow as well, and IPv6 to its last bit", () => {
  const options = { includeNat: true };
  assert.equal(reasonOf(translated, 9000, { ...options, networks: [prefix("198.51.100.0/24")] }), "network");
  const six = { ...established, source: "2001:db8::1", destination: "2001:db8:0:0:8000::1" };
  assert.equal(reasonOf(six, 9000, { networks: [prefix("2001:db8:0:0:8000::/65")] }), "network");
  assert.equal(
    reasonOf({ ...six, destination: "2001:db9::1", source: "2001:db9::2" }, 9000, {
      networks: [prefix("2001:db8::/32")],
    }),
    undefined,
  );
});

const session = (local: string, localPort: number, remote: string, port: number): Session => ({
  protocol: TCP,
  local: address(local),
  localPort,
  remote: { address: address(remote), port },
});

const ssh: Row = {
  ...established,
  source: "203.0.113.5",
  destination: "10.0.0.2",
  first: 50_000,
  second: 22,
};

/** Name, flow, session, and whether the flow is its. */
const sessions: readonly (readonly [string, Row, Session, boolean])[] = [
  ["somebody logged in here", ssh, session("10.0.0.2", 22, "203.0.113.5", 50_000), true],
  ["somebody else on the same port", ssh, session("10.0.0.2", 22, "203.0.113.5", 50_001), false],
  ["the same ports of another address", ssh, session("10.0.0.2", 22, "203.0.113.6", 50_000), false],
  ["a session this host opened", ssh, session("203.0.113.5", 50_000, "10.0.0.2", 22), true],
  [
    "a socket of IPv6 with a peer of IPv4",
    ssh,
    session("::ffff:10.0.0.2", 22, "::ffff:203.0.113.5", 50_000),
    true,
  ],
  [
    "a port that is redirected here",
    {
      ...ssh,
      second: 2222,
      reply: { source: "10.0.0.2", destination: "203.0.113.5", first: 22, second: 50_000 },
    },
    session("10.0.0.2", 22, "203.0.113.5", 50_000),
    true,
  ],
  [
    "UDP between the same ends",
    { ...ssh, protocol: UDP },
    session("10.0.0.2", 22, "203.0.113.5", 50_000),
    false,
  ],
  [
    "IPv6",
    { ...ssh, source: "2001:db8::5", destination: "2001:db8::2" },
    session("2001:db8::2", 22, "2001:db8::5", 50_000),
    true,
  ],
  [
    "a socket that is not connected",
    {
      protocol: UDP,
      source: "203.0.113.5",
      destination: "10.0.0.2",
      first: 50_000,
      second: 60_001,
      status: ANSWERED,
    },
    { protocol: UDP, localPort: 60_001 },
    true,
  ],
];

for (const [name, row, mine, wanted] of sessions) {
  test(`sessions: ${name} ${wanted ? "stays" : "is none"}`, () => {
    const reason = reasonOf(row, 90_000, { sessions: [mine], includeNat: true });
    assert.equal(reason === "session", wanted);
  });
}

test("SSH_CONNECTION is read as sshd writes it, and nothing else is", () => {
  assert.deepEqual(
    parseSshConnection("203.0.113.5 50000 10.0.0.2 22"),
    session("10.0.0.2", 22, "203.0.113.5", 50_000),
  );
  assert.deepEqual(
    parseSshConnection("2001:db8::5 50000 2001:db8::2 22"),
    session("2001:db8::2", 22, "2001:db8::5", 50_000),
  );
  for (const text of [
    "",
    "203.0.113.5 50000",
    "here 50000 10.0.0.2 22",
    "203.0.113.5 x 10.0.0.2 22",
    "UNKNOWN 65535 UNKNOWN 65535",
  ]) {
    assert.equal(parseSshConnection(text), undefined, text);
  }
});

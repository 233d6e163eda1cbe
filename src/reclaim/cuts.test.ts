import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf, type Row } from "../../test/support/columns.ts";
import { IdleLookup } from "../table/idle.ts";
import { UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { type Cut, cutsOf, CutTally, greatest } from "./cuts.ts";
import { Protections } from "./protections.ts";

const ANSWERED = Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED;
const settings = {
  nf_conntrack_tcp_timeout_syn_sent: 120,
  nf_conntrack_tcp_timeout_established: 432_000,
  nf_conntrack_tcp_timeout_fin_wait: 120,
  nf_conntrack_tcp_timeout_close_wait: 120,
  nf_conntrack_udp_timeout: 30,
} as const;

function cuts(rows: readonly Row[], occupancyFlows?: number): Cut[] {
  return greatest(allCuts(rows, occupancyFlows));
}

function allCuts(rows: readonly Row[], occupancyFlows?: number): Cut[] {
  const idle = new IdleLookup({ settings });
  const protections = new Protections({ sessions: [], networks: [] });
  const tally = new CutTally({ protections, idle, nowMs: 0, floorSeconds: 7440 });
  tally.add(columnsOf(rows));
  return cutsOf(tally, {
    complete: occupancyFlows === undefined,
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
  });
}

function many(count: number, row: (index: number) => Row): Row[] {
  return Array.from({ length: count }, (_, index) => ({ first: index + 1, ...row(index) }));
}

const closed = many(10, () => ({ state: TcpState.TIME_WAIT, status: ANSWERED, timeoutSeconds: 50 }));
const silent = many(30, () => ({ state: TcpState.ESTABLISHED, status: ANSWERED, timeoutSeconds: 400_000 }));
const busy = many(99, () => ({ state: TcpState.ESTABLISHED, status: ANSWERED, timeoutSeconds: 431_999 }));
const opening = (source: (index: number) => string): Row[] =>
  many(20, (index) => ({
    source: source(index),
    state: TcpState.SYN_SENT,
    status: Status.CONFIRMED,
    timeoutSeconds: 60,
  }));
const questions = many(5, () => ({ protocol: UDP, status: Status.CONFIRMED, timeoutSeconds: 20 }));

test("the three greatest are offered, greatest first, and nothing that is protected", () => {
  const found = cuts([...closed, ...silent, ...busy, ...opening((index) => `10.9.0.${index}`), ...questions]);
  assert.deepEqual(
    found.map(({ name, flows }) => [name, flows]),
    [
      ["silent", 30],
      ["unanswered-tcp", 20],
      ["closed", 10],
    ],
  );
});

test("one source ahead of all others is cut alone", () => {
  const found = cuts([...closed, ...opening(() => "203.0.113.99"), ...questions.slice(0, 2)]);
  assert.deepEqual(
    found.map(({ name, flows }) => [name, flows]),
    [
      ["unanswered-source", 20],
      ["closed", 10],
    ],
  );
  assert.equal(found[0]?.filter, "source=203.0.113.99 unreplied");
});

test("a sample stands for the table, with its error; a whole table has none", () => {
  const [sampled] = cuts([...closed, ...busy.slice(0, 90)], 10_000);
  assert.equal(sampled?.flows, 1000);
  // 10,000 * sqrt(0.1 * 0.9 / 100 * 0.99)
  assert.equal(Math.round(sampled?.standardErrorFlows ?? 0), 298);
  assert.equal("standardErrorFlows" in (cuts(closed)[0] ?? {}), false);
});

test("an empty table, and one in use, offer nothing", () => {
  assert.deepEqual(cuts([]), []);
  assert.deepEqual(cuts(busy), []);
});

test("every cut can be named, also one that is not offered, and one that nothing fits", () => {
  const found = allCuts([...closed, ...opening(() => "203.0.113.99")]);
  assert.deepEqual(
    found.map(({ name, flows }) => [name, flows]),
    [
      ["unanswered-source", 20],
      ["closed", 10],
      ["unanswered-tcp", 20],
      ["unanswered-other", 0],
      ["answered-udp", 0],
      ["half-closed", 0],
      ["silent", 0],
    ],
  );
});

for (const { state, cut } of [
  { state: "TIME_WAIT", cut: "closed" },
  { state: "CLOSE", cut: "closed" },
  { state: "LAST_ACK", cut: "closed" },
  { state: "FIN_WAIT", cut: "half-closed" },
  { state: "CLOSE_WAIT", cut: "half-closed" },
] as const) {
  test(`${state} is ${cut}: of a half-closed connection the other side may still send`, () => {
    const rows = many(20, () => ({ state: TcpState[state], status: ANSWERED, timeoutSeconds: 10 }));
    assert.deepEqual(
      cuts(rows).map(({ name, flows }) => [name, flows]),
      [[cut, 20]],
    );
  });
}

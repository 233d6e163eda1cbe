/** From events to words and packets: what flows are known to have said, in the order of time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FlowColumns, Has } from "../table/columns.ts";
import { EventKind } from "../table/flow-event.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { ALL_STATUS, Status } from "../table/status.ts";
import { PacketColumns, TcpFlag } from "./columns.ts";
import { Word } from "./event-flows.ts";
import { EventHistory, isRenewable } from "./event-history.ts";
import { EventPackets, talking } from "./event-packets.ts";

const SETTINGS = {
  nf_conntrack_udp_timeout: 30,
  nf_conntrack_udp_timeout_stream: 120,
  nf_conntrack_tcp_timeout_syn_sent: 120,
  nf_conntrack_tcp_timeout_syn_recv: 60,
  nf_conntrack_tcp_timeout_established: 432_000,
  nf_conntrack_tcp_timeout_fin_wait: 120,
  nf_conntrack_tcp_timeout_time_wait: 120,
  nf_conntrack_tcp_timeout_max_retrans: 300,
};

interface Row {
  id: number;
  protocol: number;
  state?: number;
  status?: number;
  timeoutSeconds?: number;
}

function columnsOf(row: Row): FlowColumns {
  const columns = new FlowColumns(1, ALL_STATUS);
  columns.count = 1;
  columns.family[0] = 4;
  columns.protocol[0] = row.protocol;
  columns.originalSource[0] = 1;
  columns.originalDestination[0] = 2;
  columns.originalSourceDiscriminator[0] = 1000 + row.id;
  columns.originalDestinationDiscriminator[0] = 80;
  columns.id[0] = row.id;
  columns.status[0] = row.status ?? 0;
  columns.state[0] = row.state ?? 0;
  columns.timeoutSeconds[0] = row.timeoutSeconds ?? 0;
  columns.has[0] =
    Has.id |
    Has.status |
    (row.state === undefined ? 0 : Has.state) |
    (row.timeoutSeconds === undefined ? 0 : Has.timeout);
  return columns;
}

function told(history: EventHistory, kind: number, row: Row, atMs: number): void {
  history.events({ columns: columnsOf(row), kinds: Uint8Array.of(kind) }, atMs);
}

function wordsOf(history: EventHistory): [seconds: number, word: number][] {
  const { timeMs, word, count } = history.words();
  return Array.from({ length: count }, (_, at) => [(timeMs[at] as number) / 1000, word[at] as number]);
}

const replied = Status.SEEN_REPLY;
const assured = Status.SEEN_REPLY | Status.ASSURED;

test("a connection that opens and closes says its handshake and both FINs", () => {
  const history = new EventHistory({ settings: SETTINGS });
  const flow = { id: 1, protocol: TCP };
  told(history, EventKind.NEW, { ...flow, state: TcpState.SYN_SENT, timeoutSeconds: 120 }, 1000);
  const steps: [number, number][] = [
    [TcpState.SYN_RECV, replied],
    [TcpState.ESTABLISHED, assured],
    [TcpState.FIN_WAIT, assured],
    [TcpState.LAST_ACK, assured],
    [TcpState.TIME_WAIT, assured],
  ];
  steps.forEach(([state, status], at) => {
    told(history, EventKind.UPDATE, { ...flow, state, status, timeoutSeconds: 60 }, 2000 + at * 1000);
  });
  assert.deepEqual(wordsOf(history), [
    [1, Word.BIRTH],
    [2, Word.ANSWER],
    [3, Word.OPEN],
    [4, Word.FIN],
    [5, Word.FIN_BACK],
    [6, Word.LAST],
  ]);
  const packets = new EventPackets({ flows: history.flows, words: history.words(), seed: 1, cutsMs: [] });
  const batch = new PacketColumns(16);
  assert.ok(packets.into(batch, () => batch).next().done);
  assert.deepEqual([...batch.tcpFlags.subarray(0, 3)], [TcpFlag.SYN, TcpFlag.SYN | TcpFlag.ACK, TcpFlag.ACK]);
  assert.equal(batch.count, 6);
  assert.deepEqual([batch.sourceDiscriminator[0], batch.sourceDiscriminator[1]], [1001, 80]);
});

test("a flow that was gone long after its time had spoken its timeout before", () => {
  const history = new EventHistory({ settings: SETTINGS });
  told(history, EventKind.NEW, { id: 1, protocol: UDP, timeoutSeconds: 30 }, 0);
  told(history, EventKind.DESTROY, { id: 1, protocol: UDP }, 300_000);
  const words = wordsOf(history);
  assert.equal(words.length, 2);
  const [seconds, word] = words[1] ?? [0, 0];
  assert.equal(word, Word.SPEAK);
  // Some time between its timeout and the longest delay of the collector before.
  assert.ok(seconds <= 270 && seconds >= 208, String(seconds));
});

test("a flow that is gone in time has said nothing more", () => {
  const history = new EventHistory({ settings: SETTINGS });
  told(history, EventKind.NEW, { id: 1, protocol: UDP, timeoutSeconds: 30 }, 0);
  told(history, EventKind.DESTROY, { id: 1, protocol: UDP }, 40_000);
  assert.deepEqual(wordsOf(history), [[0, Word.BIRTH]]);
  assert.equal(history.counts.endedFlows, 1);
});

test("a flow that ends before its time was deleted, or refused by a RST", () => {
  const history = new EventHistory({ settings: SETTINGS });
  told(history, EventKind.NEW, { id: 1, protocol: UDP, timeoutSeconds: 30 }, 0);
  told(history, EventKind.DESTROY, { id: 1, protocol: UDP }, 5000);
  told(history, EventKind.NEW, { id: 2, protocol: TCP, state: TcpState.SYN_SENT, timeoutSeconds: 120 }, 6000);
  told(history, EventKind.DESTROY, { id: 2, protocol: TCP }, 6100);
  const words = wordsOf(history).map(([, word]) => word);
  assert.deepEqual(words, [Word.BIRTH, Word.DELETED, Word.BIRTH, Word.RESET_BACK]);
  assert.equal(history.counts.deletedFlows, 1);
});

test("a table tells when its flows spoke last, also of flows without events", () => {
  const history = new EventHistory({ settings: SETTINGS });
  history.beginDump(100_000);
  history.rows(columnsOf({ id: 1, protocol: UDP, timeoutSeconds: 20 }), 100_000);
  history.endDump(100_000, true);
  history.beginDump(200_000);
  history.rows(columnsOf({ id: 1, protocol: UDP, timeoutSeconds: 25 }), 200_000);
  history.endDump(200_000, true);
  assert.deepEqual(wordsOf(history), [
    [90.5, Word.BIRTH],
    [195.5, Word.SPEAK],
  ]);
});

test("between two words a flow that lived is made to talk as often as asked", () => {
  const history = new EventHistory({ settings: SETTINGS });
  told(history, EventKind.NEW, { id: 1, protocol: UDP, timeoutSeconds: 30 }, 0);
  told(history, EventKind.UPDATE, { id: 1, protocol: UDP, status: replied, timeoutSeconds: 30 }, 25_000);
  const { words, flows } = talking(history.flows, history.words(), () => 10_000, isRenewable, 1);
  assert.equal(flows, 1);
  const times = Array.from({ length: words.count }, (_, at) => words.timeMs[at]);
  assert.deepEqual(times, [0, 10_000, 20_000, 25_000]);
});

test("where there is no limit nobody is evicted: who ends early was deleted", () => {
  for (const [capacityFlows, deletedFlows] of [
    [0, 1],
    [1000, 1],
    [10, 0],
  ] as const) {
    const history = new EventHistory({ settings: SETTINGS });
    history.noteCount(500, { occupancyFlows: 10, capacityFlows, oneOf: 1 });
    const flow = { id: 1, protocol: UDP };
    told(history, EventKind.NEW, { ...flow, timeoutSeconds: 30 }, 1000);
    told(history, EventKind.DESTROY, flow, 2000);
    assert.equal(history.counts.deletedFlows, deletedFlows, `of ${capacityFlows}`);
    assert.equal(history.counts.evictedFlows, 1 - deletedFlows, `of ${capacityFlows}`);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, type Row } from "../../test/support/columns.ts";
import { usualTimeouts } from "../../test/support/observations.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { SilentFlows } from "./silent-flows.ts";

const ANSWERED = Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED;

/** An established flow to a port, silent for so long. */
function silentFor(seconds: number, port: number): Row {
  const state = TcpState.ESTABLISHED;
  return { protocol: TCP, second: port, state, status: ANSWERED, timeoutSeconds: 432_000 - seconds };
}

test("SilentFlows: each choice counts what it cuts off, by service", () => {
  const choices = [3600, 43_200, 432_000].map((seconds) => ({
    nf_conntrack_tcp_timeout_established: seconds,
  }));
  const silent = new SilentFlows({ settings: usualTimeouts }, choices);
  silent.add(
    columnsOf([silentFor(60, 22), silentFor(7200, 22), silentFor(7200, 443), silentFor(90_000, 443)]),
  );
  const flowsOf = (choice: number): unknown =>
    silent.services(choice).map(({ port, flows }) => [port, flows]);
  assert.deepEqual(flowsOf(0), [
    [443, 2],
    [22, 1],
  ]);
  assert.deepEqual(flowsOf(1), [[443, 1]]);
  assert.deepEqual(flowsOf(2), []);
  assert.deepEqual(flowsOf(3), []);
});

test("SilentFlows: what is closing, unanswered or not governed is not counted", () => {
  const silent = new SilentFlows({ settings: usualTimeouts }, [{ nf_conntrack_tcp_timeout_established: 10 }]);
  silent.add(
    columnsOf([
      { ...silentFor(100, 443), state: TcpState.TIME_WAIT, timeoutSeconds: 20 },
      { ...silentFor(100, 443), state: TcpState.SYN_SENT, status: Status.CONFIRMED, timeoutSeconds: 20 },
      { protocol: UDP, second: 53, status: ANSWERED, timeoutSeconds: 5 },
    ]),
  );
  assert.deepEqual(silent.services(0), []);
});

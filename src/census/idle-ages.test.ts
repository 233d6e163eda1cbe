import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { columnsOf, anyRow, type Row } from "../../test/support/columns.ts";
import { IdleLookup } from "../table/idle.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import { ICMP, TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { IdleAges, type RegimeAges } from "./idle-ages.ts";

const TALKING = Status.SEEN_REPLY | Status.ASSURED | Status.CONFIRMED;

const settings = {
  nf_conntrack_tcp_timeout_established: 1000,
  nf_conntrack_tcp_timeout_time_wait: 120,
  nf_conntrack_tcp_timeout_unacknowledged: 300,
  nf_conntrack_tcp_timeout_max_retrans: 200,
  nf_conntrack_udp_timeout: 30,
  nf_conntrack_udp_timeout_stream: 120,
  nf_conntrack_generic_timeout: 600,
};
const release = parseKernelRelease("6.18.44");
const context = { settings, ...(release === undefined ? {} : { release }) };

function counted(...rows: Row[]): RegimeAges[] {
  const ages = new IdleAges(context);
  ages.add(columnsOf(rows));
  return ages.regimes();
}

function placesOf(counts: Uint32Array): [number, number][] {
  return [...counts].flatMap((flows, age): [number, number][] => (flows === 0 ? [] : [[age, flows]]));
}

const established = (timeoutSeconds: number): Row => ({
  protocol: TCP,
  state: TcpState.ESTABLISHED,
  status: TALKING,
  timeoutSeconds,
});

test("the kernel rounds what remains down: 999 of 1000 s left is an age below one second", () => {
  const [regime] = counted(established(999), established(1000), established(990));
  assert.deepEqual(placesOf(regime?.ages ?? new Uint32Array()), [
    [0, 2],
    [9, 1],
  ]);
});

test("a regime names protocol, state and the setting that governs", () => {
  const [regime] = counted(established(900));
  assert.equal(regime?.protocol, "tcp");
  assert.equal(regime?.state, "ESTABLISHED");
  assert.equal(regime?.key, "nf_conntrack_tcp_timeout_established");
  assert.equal(regime?.timeoutSeconds, 1000);
  assert.equal(regime?.capped, false);
});

test("ages are certain as long as more remains than the longest cap gives", () => {
  const [regime] = counted(established(301), established(300), established(12));
  assert.equal(regime?.knownSeconds, 699);
  assert.deepEqual(placesOf(regime?.ages ?? new Uint32Array()), [[698, 1]]);
  assert.deepEqual(regime?.unknown, [{ why: "capped-or-expiring", flows: 2 }]);
  assert.equal(regime?.flows, 3);
});

test("flows a cap governs are a regime of their own", () => {
  // Unacknowledged data, and more remains than the other cap gives: it must have been this one.
  const capped: Row = { ...established(290), tcpFlags: 0x1010 };
  const regimes = counted(established(900), capped);
  const found = regimes.find((regime) => regime.capped);
  assert.equal(found?.key, "nf_conntrack_tcp_timeout_unacknowledged");
  assert.equal(found?.timeoutSeconds, 300);
  assert.deepEqual(placesOf(found?.ages ?? new Uint32Array()), [[9, 1]]);
});

test("ESTABLISHED without an answer is governed by the cap for it", () => {
  const [regime] = counted({ ...established(250), status: Status.CONFIRMED });
  assert.equal(regime?.key, "nf_conntrack_tcp_timeout_unacknowledged");
  assert.equal(regime?.capped, false);
});

test("one-way and two-way UDP are two regimes", () => {
  const regimes = counted(
    { protocol: UDP, status: Status.CONFIRMED, timeoutSeconds: 29 },
    { protocol: UDP, status: TALKING, timeoutSeconds: 100 },
  );
  assert.deepEqual(regimes.map(({ key }) => key).toSorted(), [
    "nf_conntrack_udp_timeout",
    "nf_conntrack_udp_timeout_stream",
  ]);
});

test("translated flows are counted among all and by themselves", () => {
  const translated: Row = {
    ...established(999),
    reply: { source: "10.0.0.2", destination: "192.0.2.1", first: 80, second: 40_000 },
  };
  const [regime] = counted(established(999), translated);
  assert.deepEqual(placesOf(regime?.ages ?? new Uint32Array()), [[0, 2]]);
  assert.deepEqual(placesOf(regime?.translatedAges ?? new Uint32Array()), [[0, 1]]);
});

test("protocols without a tracker of their own are one regime", () => {
  const [regime, ...rest] = counted(
    { protocol: 50, status: Status.CONFIRMED, timeoutSeconds: 500 },
    { protocol: 89, status: Status.CONFIRMED, timeoutSeconds: 600 },
  );
  assert.equal(regime?.protocol, "other");
  assert.equal(regime?.flows, 2);
  assert.deepEqual(rest, []);
});

test("a setting that is not known leaves the ages unknown, and counts the flows", () => {
  const [regime] = counted({ protocol: ICMP, status: Status.CONFIRMED, timeoutSeconds: 20 });
  assert.equal(regime?.timeoutSeconds, undefined);
  assert.deepEqual(regime?.unknown, [{ why: "no-setting", flows: 1 }]);
});

test("more left than the setting gives is kept apart", () => {
  const [regime] = counted(established(5000));
  assert.deepEqual(regime?.unknown, [{ why: "longer-than-setting", flows: 1 }]);
});

test("every flow is counted once, and known ages are those of the lookup", () => {
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 60 }), (rows) => {
      const columns = columnsOf(rows);
      const ages = new IdleAges(context);
      ages.add(columns);
      const regimes = ages.regimes();
      assert.equal(
        regimes.reduce((sum, { flows }) => sum + flows, 0),
        rows.length,
      );
      const lookup = new IdleLookup(context);
      const known = rows.filter((_, row) => lookup.secondsAt(columns, row) >= 0).length;
      const found = regimes.reduce(
        (sum, { ages: counts }) => sum + counts.reduce((one, two) => one + two, 0),
        0,
      );
      assert.equal(found, known);
    }),
  );
});

test("merging two halves equals counting the whole", () => {
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 40 }), fc.nat(40), (rows, cut) => {
      const whole = new IdleAges(context);
      whole.add(columnsOf(rows));
      const [one, other] = [new IdleAges(context), new IdleAges(context)];
      one.add(columnsOf(rows.slice(0, cut)));
      other.add(columnsOf(rows.slice(cut)));
      const byName = (regimes: RegimeAges[]): unknown =>
        regimes
          .map(({ conversation: _, ...regime }) => regime)
          .toSorted((left, right) => JSON.stringify(left).localeCompare(JSON.stringify(right)));
      assert.deepEqual(byName(one.merge(other).regimes()), byName(whole.regimes()));
    }),
  );
});

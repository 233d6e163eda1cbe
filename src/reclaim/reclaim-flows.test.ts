import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock } from "../base/clock.ts";
import { columnsOf, type Row } from "../../test/support/columns.ts";
import type { FlowColumns } from "../table/columns.ts";
import { IdleLookup } from "../table/idle.ts";
import { noRemovals } from "../table/removal.ts";
import { TcpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Pace } from "./pace.ts";
import { Protections } from "./protections.ts";
import {
  HURRIED_STALE_MS,
  isSameSilentFlow,
  reclaimFlows,
  type ReclaimRequest,
  STALE_MS,
} from "./reclaim-flows.ts";
import type { FlowRemover } from "../table/removal.ts";
import { Sieve, type SieveOptions } from "./sieve.ts";

const START_MS = 1_700_000_000_000;
const CLOSED: Row = {
  state: TcpState.TIME_WAIT,
  status: Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED,
  timeoutSeconds: 100,
  id: 1,
};

function closed(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({ ...CLOSED, first: index + 1, id: index + 1 }));
}

/**
 * A kernel that agrees to everything and writes it down; `nowRow` is what it says when it is asked
 * again.
 */
class FakeRemover implements FlowRemover {
  readonly counts = noRemovals();
  readonly said: string[] = [];
  nowRow: (row: Row) => Row | undefined = (row) => row;
  readonly #rows: readonly Row[];

  constructor(rows: readonly Row[] = []) {
    this.#rows = rows;
  }

  remove(_columns: FlowColumns, _rows: Uint16Array, from: number, to: number): void {
    this.#end("remove", to - from);
  }

  shorten(_columns: FlowColumns, _rows: Uint16Array, from: number, to: number, seconds: number): void {
    this.#end(`shorten to ${seconds}`, to - from);
  }

  reread(
    _columns: FlowColumns,
    rows: Uint16Array,
    from: number,
    to: number,
    { fresh, origins }: { fresh: FlowColumns; origins: Uint16Array },
  ): void {
    this.said.push(`reread ${to - from}`);
    fresh.clear();
    for (let index = from; index < to; index += 1) {
      const row = rows[index] as number;
      const now = this.nowRow(this.#rows[row] as Row);
      if (now === undefined) continue;
      origins[fresh.count] = row;
      fresh.append(columnsOf([now]), 0);
    }
  }

  #end(what: string, flows: number): void {
    this.said.push(`${what} ${flows}`);
    this.counts.askedFlows += flows;
    this.counts.doneFlows += flows;
  }
}

function sieve(options: Partial<SieveOptions> = {}): Sieve {
  return new Sieve({
    protections: new Protections({ sessions: [], networks: [] }),
    idle: new IdleLookup({ settings: { nf_conntrack_tcp_timeout_time_wait: 120 } }),
    ...options,
  });
}

function request(rows: readonly Row[], more: Partial<ReclaimRequest> = {}): ReclaimRequest {
  return {
    batches: [columnsOf(rows)],
    ageMs: () => 0,
    sieve: sieve(),
    remover: new FakeRemover(rows),
    pace: new Pace(Infinity),
    clock: new ManualClock(START_MS),
    keep: () => {},
    wait: () => undefined,
    isOver: () => false,
    ...more,
  };
}

test("what may go is kept in the file before it goes", async () => {
  const remover = new FakeRemover();
  const keep = (_columns: FlowColumns, _rows: Uint16Array, from: number, to: number): void => {
    remover.said.push(`keep ${to - from}`);
  };
  await reclaimFlows(request(closed(3), { remover, keep }));
  assert.deepEqual(remover.said, ["keep 3", "remove 3"]);
});

test("when the file cannot be written nothing goes", async () => {
  const remover = new FakeRemover();
  const keep = (): never => {
    throw new Error("disk full");
  };
  await assert.rejects(reclaimFlows(request(closed(3), { remover, keep })), /disk full/);
  assert.deepEqual(remover.said, []);
});

test("what was read too long ago is read again", async () => {
  const rows = closed(40);
  const remover = new FakeRemover(rows);
  await reclaimFlows(request(rows, { remover, ageMs: () => HURRIED_STALE_MS + 1 }));
  assert.deepEqual(remover.said, ["reread 32", "remove 32", "reread 8", "remove 8"]);
});

test("a measured rate reads again earlier", async () => {
  const rows = closed(2);
  for (const [pace, said] of [
    [new Pace(1000), ["reread 2", "remove 2"]],
    [new Pace(Infinity), ["remove 2"]],
  ] as const) {
    const remover = new FakeRemover(rows);
    await reclaimFlows(request(rows, { remover, pace, ageMs: () => STALE_MS + 1 }));
    assert.deepEqual(remover.said, said);
  }
});

test("a flow that wakes while its line is written is left alone, and counted as written", async () => {
  const rows = closed(40);
  const remover = new FakeRemover(rows);
  let ageMs = 0;
  const keep = (): void => {
    ageMs = 5000;
    remover.nowRow = (row) => (row.first === 1 ? { ...row, timeoutSeconds: 120 } : row);
  };
  const end = await reclaimFlows(request(rows, { remover, keep, ageMs: () => ageMs }));
  assert.deepEqual(remover.said, ["reread 32", "remove 31", "reread 8", "remove 8"]);
  assert.deepEqual(end, { renewedFlows: 1, keptFlows: 40, stopped: false });
});

test("--idle takes nothing that may be a second younger", () => {
  const rows = [109, 110, 111].map((timeoutSeconds) => ({ ...CLOSED, timeoutSeconds }));
  const chosen = sieve({ idleSeconds: 10 });
  chosen.sift(columnsOf(rows));
  assert.equal(chosen.count, 1);
});

test("flows that are gone, others by now, or awake are left alone", async () => {
  const rows = closed(5);
  const remover = new FakeRemover(rows);
  remover.nowRow = (row) => {
    if (row.first === 1) return undefined;
    if (row.first === 2) return { ...row, id: 99 };
    if (row.first === 3) return { ...row, timeoutSeconds: 120 };
    if (row.first === 4) return { ...row, state: TcpState.SYN_SENT };
    return { ...row, timeoutSeconds: 99 };
  };
  const end = await reclaimFlows(request(rows, { remover, ageMs: () => HURRIED_STALE_MS + 1 }));
  assert.deepEqual(remover.said, ["reread 5", "remove 1"]);
  assert.equal(end.renewedFlows, 3);
});

test("no more go than are wanted", async () => {
  const remover = new FakeRemover();
  const end = await reclaimFlows(request(closed(9), { remover, mostFlows: 4 }));
  assert.deepEqual(remover.said, ["remove 4"]);
  assert.equal(end.stopped, true);
});

test("^C between two bursts: the first has gone whole, the second not at all", async () => {
  const remover = new FakeRemover();
  const clock = new ManualClock(START_MS);
  const wait = (ms: number): undefined => clock.advance(ms) as undefined;
  const isOver = (): boolean => remover.said.length > 0;
  const end = await reclaimFlows(request(closed(9), { remover, clock, wait, isOver, pace: new Pace(100) }));
  assert.deepEqual(remover.said, ["remove 5"]);
  assert.equal(end.stopped, true);
});

test("a rate is kept: so many flows take so long", async () => {
  const clock = new ManualClock(START_MS);
  const wait = (ms: number): undefined => clock.advance(ms) as undefined;
  await reclaimFlows(request(closed(201), { clock, wait, pace: new Pace(100) }));
  assert.ok(clock.elapsedMs() >= 1950 && clock.elapsedMs() <= 2050, `${clock.elapsedMs()}`);
});

test("shortening passes over what has no more left", async () => {
  const remover = new FakeRemover();
  const rows = [
    ...closed(2),
    { ...CLOSED, first: 9, timeoutSeconds: 60 },
    { ...CLOSED, first: 10, timeoutSeconds: 61 },
  ];
  const chosen = sieve({ shortenToSeconds: 60 });
  await reclaimFlows(request(rows, { remover, sieve: chosen, shortenToSeconds: 60 }));
  assert.deepEqual(remover.said, ["shorten to 60 3"]);
  assert.equal(chosen.counts.alreadyShortFlows, 1);
});

test("--idle never means a flow whose silence is unknown", () => {
  const rows = [...closed(1), { ...CLOSED, timeoutSeconds: 5000 }, { ...CLOSED, timeoutSeconds: 119 }];
  const chosen = sieve({ idleSeconds: 10 });
  chosen.sift(columnsOf(rows));
  assert.deepEqual([chosen.count, chosen.counts.idleUnknownFlows, chosen.counts.meantFlows], [1, 1, 1]);
});

test("every flow that is meant either goes or is kept for one reason", () => {
  const rows = [...closed(3), { ...CLOSED, state: TcpState.ESTABLISHED }, { ...CLOSED, timeoutSeconds: 0 }];
  const chosen = sieve();
  chosen.sift(columnsOf(rows));
  const { meantFlows, chosenFlows, protectedFlows } = chosen.counts;
  const kept = Object.values(protectedFlows).reduce((sum, flows) => sum + flows, 0);
  assert.deepEqual([meantFlows, chosenFlows, kept], [5, 3, 2]);
});

const same: readonly (readonly [string, Row, Row, boolean])[] = [
  ["nothing changed", CLOSED, CLOSED, true],
  ["time went by", CLOSED, { ...CLOSED, timeoutSeconds: 90 }, true],
  ["a packet came", CLOSED, { ...CLOSED, timeoutSeconds: 101 }, false],
  ["another id", CLOSED, { ...CLOSED, id: 2 }, false],
  ["another start", { ...CLOSED, startedAtMs: 1 }, { ...CLOSED, startedAtMs: 2 }, false],
  ["a start where there was none", CLOSED, { ...CLOSED, startedAtMs: 2 }, false],
  ["another state", CLOSED, { ...CLOSED, state: TcpState.CLOSE }, false],
  ["another status", CLOSED, { ...CLOSED, status: Status.CONFIRMED }, false],
];

for (const [name, then, now, wanted] of same) {
  test(`the same silent flow: ${name}: ${wanted ? "yes" : "no"}`, () => {
    assert.equal(isSameSilentFlow(columnsOf([then]), 0, columnsOf([now]), 0), wanted);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeTerminal } from "../../test/support/terminal.ts";
import { ManualClock } from "../base/clock.ts";
import { FlowColumns } from "../table/columns.ts";
import type { FlowReading } from "../table/source.ts";
import { ALL_STATUS } from "../table/status.ts";
import type { Context } from "./context.ts";
import { paced } from "./progress.ts";

/** Batches of `rows`, each taking `milliseconds`. */
function slowReading(
  clock: ManualClock,
  batches: number,
  milliseconds: number,
): FlowReading & { released: boolean } {
  const columns = new FlowColumns(100, ALL_STATUS);
  const reading = {
    source: "netlink",
    origin: "ctnetlink",
    oddities: {},
    complete: true,
    released: false,
    *batches() {
      try {
        for (let index = 0; index < batches; index += 1) {
          clock.advance(milliseconds);
          columns.count = 100;
          yield columns;
        }
      } finally {
        reading.released = true;
      }
    },
  };
  return reading;
}

function contextFor(terminal: FakeTerminal, clock: ManualClock): Context {
  const unused = (): never => {
    throw new Error("must not be called");
  };
  return {
    terminal,
    look: { columns: 80, colour: false, unicode: false },
    deps: { clock, kernel: async () => ({ openHost: unused, openBytes: unused }) },
  };
}

test("paced() says nothing within the first second", async () => {
  const clock = new ManualClock(0);
  const terminal = new FakeTerminal({ isTerminal: true });
  let flows = 0;
  for await (const columns of paced(slowReading(clock, 9, 100), contextFor(terminal, clock)))
    flows += columns.count;
  assert.deepEqual({ flows, err: terminal.err }, { flows: 900, err: "" });
});

test("paced() shows progress on a terminal and wipes it away", async () => {
  const clock = new ManualClock(0);
  const terminal = new FakeTerminal({ isTerminal: true });
  const options = { expectedFlows: 3000 };
  for await (const _ of paced(slowReading(clock, 30, 100), contextFor(terminal, clock), options));
  assert.match(terminal.err, /\r1,000 of about 3,000 flows read/);
  assert.ok(terminal.err.endsWith("\r\u001b[K"));
});

test("paced() says nothing where standard error is no terminal", async () => {
  const clock = new ManualClock(0);
  const terminal = new FakeTerminal();
  for await (const _ of paced(slowReading(clock, 30, 100), contextFor(terminal, clock)));
  assert.equal(terminal.err, "");
});

test("paced() hears an interruption and releases the source", async () => {
  const clock = new ManualClock(0);
  const terminal = new FakeTerminal();
  const reading = slowReading(clock, 30, 100);
  let batches = 0;
  for await (const _ of paced(reading, contextFor(terminal, clock), { signal: terminal.interruption() })) {
    batches += 1;
    if (batches === 3) setImmediate(() => terminal.interrupt());
  }
  assert.ok(batches < 6, `${batches} batches`);
  assert.equal(reading.released, true);
});

test("paced() releases the source when the reader stops early", async () => {
  const clock = new ManualClock(0);
  const reading = slowReading(clock, 30, 100);
  for await (const _ of paced(reading, contextFor(new FakeTerminal(), clock))) break;
  assert.equal(reading.released, true);
});

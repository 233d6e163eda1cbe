import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock } from "../base/clock.ts";
import { FlowColumns } from "../table/columns.ts";
import { ALL_STATUS } from "../table/status.ts";
import type { FlowEvents } from "./flow-events.ts";
import type { HostAccess } from "./host-access.ts";
import { MESSAGE_HEADER_BYTES } from "./netlink.ts";
import { FlowRecorder } from "./record-flows.ts";

const BATCHES = 3;
const FAR_TOO_MANY = 1_000_000;

test("events that never cease are written while the table is read, not gathered until they do", async () => {
  let received = 0;
  const events: Partial<FlowEvents> = {
    receive: () => {
      received += 1;
      assert.ok(received < FAR_TOO_MANY, "the reading of the table goes on");
      return MESSAGE_HEADER_BYTES;
    },
    close: () => {},
  };
  const columns = new FlowColumns(4, ALL_STATUS);
  columns.count = 4;
  const batches = (): FlowColumns[] => Array.from({ length: BATCHES }, () => columns);
  const host: Partial<HostAccess> = {
    events: () => events as FlowEvents,
    flows: () => ({
      kind: "reading",
      reading: { source: "netlink", origin: "ctnetlink", oddities: {}, complete: true, batches },
    }),
  };
  const recorder = new FlowRecorder({
    host: host as HostAccess,
    clock: new ManualClock(Date.UTC(2026, 10, 22)),
    version: "1.0.0",
  });
  let [writings, most] = [0, 0];
  await recorder.dump("start", () => {
    writings += 1;
    most = Math.max(most, recorder.take().length);
    return undefined;
  });
  recorder.close();
  assert.deepEqual([writings, recorder.tableFlows, recorder.events], [BATCHES, 4 * BATCHES, received]);
  assert.ok(most < 4 * 1024 * 1024, `${most} bytes at a time`);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertGolden } from "../../../test/support/golden.ts";
import { calmCourse, fullCourse } from "../../../test/support/replay-samples.ts";
import { type LiveCourse, liveLines, type LiveText } from "./live-text.ts";
import type { Look } from "../look.ts";
import { widthOf } from "../plain-text.ts";

const look: Look = { columns: 80, colour: false, unicode: true };
const one: LiveCourse = {
  label: "",
  flows: 19_000,
  peakFlows: 20_000,
  capacityFlows: 65_536,
  droppedPackets: 0,
  timeline: calmCourse.timeline,
};
const other: LiveCourse = {
  label: "nf_conntrack_max=8192 nf_conntrack_tcp_timeout_established=12h",
  flows: 8192,
  peakFlows: 8192,
  capacityFlows: 8192,
  droppedPackets: 1234,
  timeline: fullCourse.timeline,
};
const live: LiveText = {
  interfaceName: "eth0",
  seconds: 300,
  packets: 300_000,
  lostPackets: 0,
  courses: [one],
};

test("liveLines() draws one table, and several as lines", () => {
  assertGolden("cli/live-80.txt", [
    ...liveLines(live, look),
    "",
    ...liveLines({ ...live, lostPackets: 17, courses: [one, other] }, look),
  ]);
});

test("liveLines() says something before the first packet", () => {
  const { timeline: _, ...empty } = { ...one, flows: 0, peakFlows: 0, capacityFlows: 0 };
  const lines = liveLines({ ...live, seconds: 0, packets: 0, courses: [empty] }, look);
  assert.match(lines[0] ?? "", /^eth0 for 0s, 0 flows now, 0 at most; 0 packets; \^C ends$/);
});

test("liveLines() fits every width", () => {
  for (const courses of [[one], [one, other]]) {
    for (let columns = 40; columns <= 120; columns += 1) {
      for (const line of liveLines({ ...live, courses }, { ...look, columns })) {
        assert.ok(widthOf(line) <= columns, `${columns}: ${line}`);
      }
    }
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";

import { assertGolden } from "../../../test/support/golden.ts";
import { calmCapture, calmCourse, calmReport, fullCourse } from "../../../test/support/replay-samples.ts";
import type { Look } from "../look.ts";
import { widthOf } from "../plain-text.ts";
import type { CourseReport, ReplayReport } from "./replay-report.ts";
import { headline, renderReplay, type ReplayText, smallShare } from "./replay-text.ts";

const look: Look = { columns: 80, colour: false, unicode: true };
const plain: Look = { ...look, unicode: false };
const calm: ReplayText = { ...calmReport, top: 5, sameCommand: "headroom replay gateway.pcap" };
const full: ReplayText = { ...calm, courses: [fullCourse] };

test("renderReplay() draws a table that overflows", () => {
  assertGolden("cli/replay-full-80.txt", renderReplay(full, look));
  assertGolden("cli/replay-full-ascii.txt", renderReplay(full, { ...plain, columns: 60 }));
});

test("renderReplay() draws a table that has room", () => {
  assertGolden("cli/replay-calm-120.txt", renderReplay(calm, { ...look, columns: 120 }));
});

test("renderReplay() puts several side by side", () => {
  const courses = [
    { ...calmCourse, label: "nf_conntrack_max=65536" },
    fullCourse,
    { ...fullCourse, label: "" },
  ];
  assertGolden("cli/replay-compared-80.txt", renderReplay({ ...calm, courses }, look));
  const none = courses.slice(0, 1).concat(calmCourse);
  assert.match(renderReplay({ ...calm, courses: none }, look)[0] ?? "", /no packet would have been dropped/);
  const all = [fullCourse, { ...fullCourse, drops: { ...fullCourse.drops, tableFull: 7 } }];
  assert.match(renderReplay({ ...calm, courses: all }, look)[0] ?? "", /under all of them; fewest under B/);
});

test("renderReplay() tells of a broken, interrupted, lossy and odd capture", () => {
  const capture = {
    ...calmCapture,
    origin: "bad\u001b[2J.pcap",
    summary: {
      ...(calmCapture.summary ?? assert.fail()),
      break: { kind: "cut-off", offsetBytes: 123_456, reason: "a record of 60 bytes is cut off after 12" },
    },
    counts: { ...calmCapture.counts, badChecksums: 150_000 },
    brokenPacking: true,
    lostPackets: 99,
  } as const;
  const odd: CourseReport = {
    ...calmCourse,
    verdicts: { ...calmCourse.verdicts, invalid: 150_048 },
    drops: { ...calmCourse.drops, chainTooLong: 5 },
    changes: [{ atMs: 1_700_000_030_000, key: "nf_conntrack_udp_timeout", value: 60 }],
  };
  const report: ReplayText = { ...calm, capture, courses: [odd], interrupted: true };
  assertGolden("cli/replay-odd-80.txt", renderReplay(report, look));
});

const headlines: readonly [string, Partial<CourseReport>, RegExp][] = [
  ["no packet", { packets: 0 }, /^unknown gateway\.pcap: nothing for the tracker in 300,000 records$/],
  ["room", {}, /^ok at most 20,000 of 65,536 flows \(31 %\): no packet would have been dropped$/],
  ["little room", { peakFlows: 60_000 }, /^warning at most 60,000 of 65,536 flows \(92 %\)/],
  [
    "evicted flows",
    { earlyDropFlows: 9 },
    /^warning .*: no packet dropped, but 9 flows evicted to make room$/,
  ],
  ["drops", { drops: { ...calmCourse.drops, clash: 1 } }, /^critical .*: 1 packet dropped, <0\.1 %$/],
  [
    "no limit",
    { timeline: { ...calmCourse.timeline, limits: [{ fromMs: 0, capacityFlows: 0 }] } },
    /^ok at most 20,000 flows: no packet/,
  ],
];
for (const [what, course, wanted] of headlines) {
  test(`headline() says ${what}`, () => {
    const { level, text } = headline(calmReport, { ...calmCourse, ...course });
    assert.match(`${level} ${text}`, wanted);
  });
}

test("smallShare() never reads as nothing", () => {
  assert.deepEqual([0, 0.000_01, 0.004, 0.099, 0.5, 1].map(smallShare), [
    "0 %",
    "<0.1 %",
    "0.4 %",
    "9.9 %",
    "50 %",
    "100 %",
  ]);
});

test("renderReplay() fits every width, but for commands", () => {
  const several: ReplayReport = { ...calm, courses: Array.from({ length: 9 }, () => fullCourse) };
  for (const report of [full, calm, { ...calm, ...several }]) {
    for (let columns = 40; columns <= 120; columns += 1) {
      for (const unicode of [true, false]) {
        for (const line of renderReplay(report, { columns, unicode, colour: true })) {
          const text = stripVTControlCharacters(line);
          assert.ok(widthOf(text) <= columns || /^(Next: | {6})headroom/.test(text), `${columns}: ${text}`);
        }
      }
    }
  }
});

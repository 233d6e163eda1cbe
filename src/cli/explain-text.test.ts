import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyCensus, hoardCensus, sampledCensus } from "../../test/support/cli-samples.ts";
import { assertGolden } from "../../test/support/golden.ts";
import type { NamespaceFacts } from "../table/host.ts";
import { differenceSentences, type ExplainText, renderExplain } from "./explain-text.ts";
import type { Look } from "./look.ts";
import { fullestOptions, namespaceLines } from "./namespaces-text.ts";
import { widthOf } from "./plain-text.ts";

const narrow: Look = { columns: 80, colour: false, unicode: true };

const base: ExplainText = {
  census: hoardCensus,
  origin: "ctnetlink",
  subject: "web-3",
  occupancyFlows: 65_536,
  capacityFlows: 65_536,
  top: 5,
  unseen: [{ what: "kernel log", why: "permission denied", cause: "not-permitted" }],
  sameOptions: "",
};

test("renderExplain() draws a table that was read whole", () => {
  const owners = [
    { label: "nginx (nginx.service)", flows: 41_000 },
    { label: "forwarded, address of no namespace here", flows: 20_000 },
  ];
  assertGolden("cli/explain-hoard-80.txt", renderExplain({ ...base, owners }, narrow));
});

test("renderExplain() draws a sampled table in ASCII", () => {
  const { occupancyFlows: _read, ...rest } = base;
  const report = { ...rest, census: sampledCensus, capacityFlows: 2_000_000, sameOptions: " --netns k1" };
  const lines = renderExplain(report, { ...narrow, unicode: false });
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(lines.join("\n"), /[^\u0000-\u007f]/);
  assertGolden("cli/explain-sampled-80-ascii.txt", lines);
});

test("renderExplain() says what was interrupted, filtered and assumed", () => {
  const census = { ...emptyCensus, flows: 12, flowsRead: 12, complete: false };
  const text = renderExplain(
    { ...base, census, filter: "state established", interrupted: true, assumedTimeouts: true },
    narrow,
  ).join(" ");
  assert.match(text, /^12 flows on web-3 match: state established/);
  assert.match(text, /Interrupted: only 12 flows were read from ctnetlink\./);
  assert.match(text, /default timeouts/);
});

test("renderExplain() says that events are no flows", () => {
  const { capacityFlows: _capacity, ...rest } = base;
  const text = renderExplain({ ...rest, events: true }, narrow).join("\n");
  assert.match(text, /^65,536 events on web-3\n/);
  assert.match(text, /\nThese are events, not flows: a flow is counted each time it changed\.\n/);
  assert.doesNotMatch(renderExplain(base, narrow).join("\n"), /events/);
});

test("renderExplain() suggests what comes first, and nothing where no command leads there", () => {
  const { sameOptions: _same, ...piped } = base;
  assert.doesNotMatch(renderExplain(piped, narrow).join("\n"), /Next:/);
  const next = [{ command: "headroom explain --netns k1", why: "the fullest" }];
  assert.match(
    renderExplain({ ...base, next }, narrow).join("\n"),
    /\nNext: headroom explain --netns k1 +the fullest\n {6}headroom list src /,
  );
});

const listed = { ...emptyCensus, flows: 14_471, flowsRead: 14_471 };
const differences: readonly [string, Partial<ExplainText>, RegExp | undefined][] = [
  ["the same", { occupancyFlows: 14_471 }, undefined],
  [
    "more counted than listed",
    { occupancyFlows: 14_475 },
    /^nf_conntrack_count says 14,475, 4 more than are listed: /,
  ],
  [
    "fewer counted than listed",
    { occupancyFlows: 14_470 },
    /14,470, 1 fewer than are listed: flows came and went/,
  ],
  [
    "expired ones collected by reading",
    { occupancyFlows: 14_480, occupancyAfterFlows: 14_473 },
    /14,480 \(7 fewer after reading, which collects expired ones\), 9 more/,
  ],
  ["dying ones known", { occupancyFlows: 14_475, dyingFlows: 3 }, /that are dying \(3 of these now\)/],
  [
    "an old tracker",
    { occupancyFlows: 14_475, tracker: "ip_conntrack" },
    /^ip_conntrack_count says 14,475, 4 more/,
  ],
  ["a filter", { occupancyFlows: 14_475, filter: "x" }, undefined],
  ["an interruption", { occupancyFlows: 14_475, interrupted: true }, undefined],
  [
    "a reading that did not end",
    { occupancyFlows: 14_475, census: { ...listed, complete: false } },
    undefined,
  ],
];
for (const [what, facts, sentence] of differences) {
  test(`differenceSentences() explains ${what}`, () => {
    const { occupancyFlows: _own, ...rest } = base;
    const [found] = differenceSentences({ ...rest, census: listed, ...facts });
    if (sentence === undefined) assert.equal(found, undefined);
    else assert.match(found ?? "", sentence);
  });
}

const namespaces: readonly NamespaceFacts[] = [
  { inode: 4_026_531_840, initial: true, own: true, pid: 1, occupancyFlows: 1204, capacityFlows: 65_536 },
  {
    inode: 4_026_532_300,
    name: "k1",
    owner: "docker:4f1c2a9b0d3e",
    initial: false,
    own: false,
    occupancyFlows: 65_000,
    capacityFlows: 65_536,
  },
  {
    inode: 4_026_532_301,
    owner: "日本\u001b[2J.service",
    pid: 77,
    initial: false,
    own: false,
    occupancyFlows: 0,
    capacityFlows: 65_536,
  },
  { inode: 4_026_532_302, initial: false, own: false, unseen: "permission denied" },
];

test("namespaceLines() draws namespaces, fullest first", () => {
  const lines = namespaceLines(namespaces, narrow);
  for (const line of lines) assert.ok(widthOf(line) <= 80, line);
  assertGolden("cli/namespaces-80.txt", lines);
});

test("fullestOptions() leads to the fullest namespace", () => {
  assert.equal(fullestOptions(namespaces), " --netns k1");
  assert.equal(fullestOptions(namespaces.slice(0, 1)), "");
  assert.equal(
    fullestOptions([{ inode: 1, initial: false, own: false, pid: 9, occupancyFlows: 1 }]),
    " --netns 9",
  );
  assert.equal(fullestOptions([{ inode: 1, initial: false, own: false, occupancyFlows: 0 }]), undefined);
  assert.equal(fullestOptions([]), undefined);
});

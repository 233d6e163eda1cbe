import assert from "node:assert/strict";
import { test } from "node:test";

import { readWantedSetting } from "../setting-words.ts";
import { UsageError } from "../usage-error.ts";
import { ofNamespace, setWords, wantedFromPlan, wantedFromWords } from "./wanted-settings.ts";

test("wantedFromWords() takes each setting once", () => {
  const words = ["udp_timeout=20s", "net.netfilter.nf_conntrack_udp_timeout=20", "hashsize=1024"];
  const { wanted } = wantedFromWords(words.map((word) => readWantedSetting("--set", word)));
  assert.deepEqual(wanted, { nf_conntrack_udp_timeout: 20, nf_conntrack_buckets: 1024 });
});

test("wantedFromWords() refuses two values for one setting", () => {
  const words = ["max=1000", "nf_conntrack_max=2000"].map((word) => readWantedSetting("--set", word));
  assert.throws(() => wantedFromWords(words), UsageError);
});

test("wantedFromPlan() reads keys by any name, and what was found", () => {
  const text = JSON.stringify({
    schema: "headroom/plan/v1",
    settings: [
      { key: "net.netfilter.nf_conntrack_max", from: 65_536, to: 131_072, reason: "it was full" },
      { key: "nf_conntrack_udp_timeout", to: 20, reason: "short" },
    ],
    predicted: {},
  });
  assert.deepEqual(wantedFromPlan("-", text), {
    wanted: { nf_conntrack_max: 131_072, nf_conntrack_udp_timeout: 20 },
    foundByPlan: { nf_conntrack_max: 65_536 },
  });
});

const broken = [
  ["", /it is not JSON/],
  ["[]", /Cannot use the plan p: /],
  ['{"schema": "headroom/check/v1"}', /its schema is headroom\/check\/v1, not headroom\/plan\/v1$/],
  ['{"settings": 1}', /Cannot use the plan p: settings: /],
  ['{"settings": [{"key": "nf_conntrack_max"}]}', /settings\.0\.to: /],
  ['{"settings": [{"key": "nope", "to": 1}]}', /there is no setting nope$/],
  ['{"settings": [{"key": "nf_conntrack_count", "to": 1}]}', /nf_conntrack_count is read-only$/],
  ['{"settings": [{"key": "nf_conntrack_acct", "to": 2}]}', /nf_conntrack_acct takes 0 to 1, not 2$/],
  ['{"settings": [{"key": "nf_conntrack_max", "to": 1.5}]}', /nf_conntrack_max takes 0 to .*, not 1\.5$/],
  [
    '{"schema": "headroom/check/v1", "settings": []}',
    /its schema is headroom\/check\/v1, not headroom\/plan\/v1$/,
  ],
] as const;

for (const [text, message] of broken) {
  test(`wantedFromPlan() refuses ${text === "" ? "an empty file" : text}`, () => {
    assert.throws(() => wantedFromPlan("p", text), { name: "UsageError", message });
  });
}

test("ofNamespace() takes what is the namespace's, and leaves what is one value for the whole host", () => {
  const { wanted, left } = ofNamespace({
    nf_conntrack_max: 5,
    nf_conntrack_udp_timeout: 20,
    nf_conntrack_buckets: 6,
  });
  assert.deepEqual(
    [wanted, left],
    [{ nf_conntrack_udp_timeout: 20 }, { nf_conntrack_max: 5, nf_conntrack_buckets: 6 }],
  );
  assert.equal(setWords(left), "--set nf_conntrack_max=5 --set nf_conntrack_buckets=6");
});

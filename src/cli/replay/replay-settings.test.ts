import assert from "node:assert/strict";
import { test } from "node:test";

import { SETTING_KEYS, settingOf, sysctlNames } from "../../table/settings.ts";
import { instantMs, readScenario, readSettingChange, readUntil, settingsAtStart } from "./replay-settings.ts";
import { UsageError } from "../usage-error.ts";

const read: readonly [string, object][] = [
  ["nf_conntrack_max=65536", { key: "nf_conntrack_max", value: 65_536 }],
  ["net.netfilter.nf_conntrack_max=64k", { key: "nf_conntrack_max", value: 64_000 }],
  ["net/nf_conntrack_max=1_000_000", { key: "nf_conntrack_max", value: 1_000_000 }],
  ["ip_conntrack_max=1M", { key: "nf_conntrack_max", value: 1_000_000 }],
  ["max=10", { key: "nf_conntrack_max", value: 10 }],
  ["hashsize=16384", { key: "nf_conntrack_buckets", value: 16_384 }],
  ["nf_conntrack.hashsize=16384", { key: "nf_conntrack_buckets", value: 16_384 }],
  [
    "nf_conntrack_tcp_timeout_established=12h",
    { key: "nf_conntrack_tcp_timeout_established", value: 43_200 },
  ],
  ["tcp_timeout_established=43200", { key: "nf_conntrack_tcp_timeout_established", value: 43_200 }],
  ["nf_conntrack_checksum=0", { key: "nf_conntrack_checksum", value: 0 }],
  [
    "nf_conntrack_udp_timeout=1m@+30s",
    { key: "nf_conntrack_udp_timeout", value: 60, at: { afterSeconds: 30 } },
  ],
  ["max=5@+1m30s", { key: "nf_conntrack_max", value: 5, at: { afterSeconds: 90 } }],
  ["max=5@+0.25", { key: "nf_conntrack_max", value: 5, at: { afterSeconds: 0.25 } }],
  ["max=5@1700000000.5", { key: "nf_conntrack_max", value: 5, at: { epochSeconds: 1_700_000_000.5 } }],
];
for (const [text, wanted] of read) {
  test(`readSettingChange() reads ${text}`, () => {
    assert.deepEqual(readSettingChange("--set", text), { ...wanted, text });
  });
}

const refused: readonly [string, RegExp, RegExp?][] = [
  ["nf_conntrack_max", /wanted KEY=VALUE/, /--set nf_conntrack_max=65536/],
  ["=5", /wanted KEY=VALUE/],
  ["nf_conntrack_mx=5", /no setting nf_conntrack_mx/, /mean nf_conntrack_max/],
  ["tcp_timeout_establshed=5", /no setting/, /mean nf_conntrack_tcp_timeout_established/],
  ["wholly.unlike=5", /no setting wholly\.unlike/, /sysctl -a/],
  ["nf_conntrack_count=5", /nf_conntrack_count is read-only/],
  ["nf_conntrack_max=", /wants a whole number/],
  ["nf_conntrack_max=many", /wants a whole number/],
  ["nf_conntrack_max=-1", /wants a whole number/],
  ["nf_conntrack_udp_timeout=soon", /wants seconds or a duration such as 12h/],
  ["nf_conntrack_checksum=2", /takes 0 to 1/],
  ["nf_conntrack_max=3000M", /takes 0 to 2,147,483,647/],
  ["nf_conntrack_udp_timeout=9999w", /takes 0 to 248d/],
  ["nf_conntrack_max=5@", /wanted a time behind @/, /\+30s is after the first packet/],
  ["nf_conntrack_max=5@noon", /wanted a time behind @/],
  ["nf_conntrack_max=5@30s", /wanted a time behind @/],
];
for (const [text, message, hint] of refused) {
  test(`readSettingChange() refuses ${text}`, () => {
    assert.throws(
      () => readSettingChange("--set", text),
      (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(`Cannot use \`--set ${text}\``));
        if (hint !== undefined) assert.match(error.hint ?? "", hint);
        return true;
      },
    );
  });
}

test("readSettingChange() knows every name of every setting that can be set", () => {
  for (const key of SETTING_KEYS) {
    const setting = settingOf(key);
    if (setting.readOnly === true) continue;
    for (const name of sysctlNames(setting)) {
      const text = `${name}=${setting.min}`;
      assert.deepEqual(readSettingChange("--set", text), { key, value: setting.min, text });
    }
  }
});

test("readScenario() takes lists with blanks and commas", () => {
  assert.deepEqual(readScenario("--compare", " max=5,  udp_timeout=1m "), {
    label: "max=5 udp_timeout=1m",
    changes: [
      { key: "nf_conntrack_max", value: 5, text: "max=5" },
      { key: "nf_conntrack_udp_timeout", value: 60, text: "udp_timeout=1m" },
    ],
  });
  assert.deepEqual(readScenario("--compare", ""), { label: "", changes: [] });
  assert.throws(() => readScenario("--compare", "max=5 udp"), /Cannot use `--compare udp`/);
});

test("readUntil() takes epoch seconds and time after the last packet", () => {
  assert.equal(instantMs(readUntil("--until", "1700000000.25"), 5), 1_700_000_000_250);
  assert.equal(instantMs(readUntil("--until", "+10m"), 5), 600_005);
  assert.throws(() => readUntil("--until", "tomorrow"), /wanted seconds since 1970/);
  assert.throws(() => readUntil("--until", "10s"), /wanted seconds since 1970/);
});

test("settingsAtStart() leaves out what changes later, and the last one wins", () => {
  const changes = ["max=5", "max=6", "max=7@+1s"].map((text) => readSettingChange("--set", text));
  assert.deepEqual(settingsAtStart({ nf_conntrack_max: 1, nf_conntrack_checksum: 0 }, changes), {
    nf_conntrack_max: 6,
    nf_conntrack_checksum: 0,
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { SETTING_KEYS, type SettingKey, type Settings } from "../table/settings.ts";
import { SctpState, TcpState } from "../table/state.ts";
import { type Generation, GENERATIONS, rulesOf } from "./generation.ts";
import { SettingError, type SettingErrorCode, TrackerSettings } from "./tracker-settings.ts";

function settingsOf(given: Settings = {}, generation: Generation = "6.18"): TrackerSettings {
  return new TrackerSettings(given, rulesOf(generation), 250);
}

const defaults: readonly [Generation, SettingKey, number | undefined][] = [
  ["4.19", "nf_conntrack_buckets", 65_536],
  ["4.19", "nf_conntrack_max", 262_144],
  ["6.18", "nf_conntrack_buckets", 262_144],
  ["6.18", "nf_conntrack_max", 262_144],
  ["6.18", "nf_conntrack_expect_max", 4096],
  ["4.19", "nf_conntrack_udp_timeout_stream", 180],
  ["5.10", "nf_conntrack_udp_timeout_stream", 120],
  ["4.19", "nf_conntrack_sctp_timeout_established", 432_000],
  ["5.10", "nf_conntrack_sctp_timeout_established", 210],
  ["6.1", "nf_conntrack_sctp_timeout_established", 210],
  ["6.18", "nf_conntrack_sctp_timeout_shutdown_sent", 3],
  ["6.12", "nf_conntrack_dccp_timeout_open", 43_200],
  ["6.18", "nf_conntrack_dccp_timeout_open", undefined],
  ["5.10", "nf_conntrack_tcp_ignore_invalid_rst", undefined],
];

for (const [generation, key, value] of defaults) {
  test(`${generation} begins with ${key} ${value ?? "not there"} (2, 3)`, () => {
    assert.equal(settingsOf({}, generation).values[key], value);
  });
}

const refused: readonly [Generation, SettingKey, number, SettingErrorCode | undefined][] = [
  ["6.18", "nf_conntrack_udp_timeout", 8_589_934, undefined],
  ["6.18", "nf_conntrack_udp_timeout", 8_589_935, "out-of-range"],
  ["6.18", "nf_conntrack_udp_timeout", -1, undefined],
  ["6.18", "nf_conntrack_udp_timeout", 1.5, "not-a-number"],
  ["6.18", "nf_conntrack_udp_timeout", Number.NaN, "not-a-number"],
  ["6.18", "nf_conntrack_tcp_loose", 3, "out-of-range"],
  ["4.19", "nf_conntrack_tcp_loose", 3, undefined],
  ["6.18", "nf_conntrack_buckets", 0, "out-of-range"],
  ["6.18", "nf_conntrack_max", 0, undefined],
  ["7.3", "nf_conntrack_max", 0, "out-of-range"],
  ["6.18", "nf_conntrack_max", 2_147_483_648, "out-of-range"],
  ["6.18", "nf_conntrack_tcp_max_retrans", 256, "out-of-range"],
  ["6.18", "nf_conntrack_count", 5, "read-only"],
  ["6.18", "nf_conntrack_dccp_loose", 1, "unknown-to-kernel"],
];

for (const [generation, key, value, code] of refused) {
  test(`${generation} ${code === undefined ? "takes" : "refuses"} ${key}=${value} (2.4)`, () => {
    const settings = settingsOf({}, generation);
    const before = { ...settings.values };
    if (code === undefined) {
      settings.set(key, value);
      assert.equal(settings.values[key], value);
      return;
    }
    assert.throws(
      () => {
        settings.set(key, value);
      },
      (error) => error instanceof SettingError && error.code === code && error.key === key,
    );
    assert.deepEqual(settings.values, before);
  });
}

for (const [asked, got] of [
  [1, 512],
  [512, 512],
  [513, 1024],
  [2000, 2048],
] as const) {
  test(`${asked} buckets are ${got} (2.1)`, () => {
    const settings = settingsOf({ nf_conntrack_buckets: asked });
    assert.equal(settings.buckets, got);
    assert.equal(settings.values.nf_conntrack_buckets, got);
    assert.equal(settings.capacityFlows, 262_144);
  });
}

test("timeouts are kept in jiffies, by state", () => {
  const settings = settingsOf({ nf_conntrack_tcp_timeout_syn_sent: 7, nf_conntrack_sctp_timeout_closed: 9 });
  assert.equal(settings.tcp.timeouts[TcpState.SYN_SENT], 7 * 250);
  assert.equal(settings.tcp.timeouts[TcpState.SYN_SENT2], 120 * 250);
  assert.equal(settings.sctpTimeouts[SctpState.CLOSED], 9 * 250);
});

test("the shutdown of SCTP was three tenths of a second, which reads as 0", () => {
  const settings = settingsOf({}, "4.19");
  assert.equal(settings.values.nf_conntrack_sctp_timeout_shutdown_sent, 0);
  assert.equal(settings.sctpTimeouts[SctpState.SHUTDOWN_SENT], 75);
});

for (const generation of GENERATIONS) {
  test(`${generation} takes back every value it gives`, () => {
    const settings = settingsOf({}, generation);
    const { values } = settings;
    for (const key of SETTING_KEYS) {
      const value = values[key];
      if (value !== undefined) settings.set(key, value);
    }
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Setting } from "../../src/table/settings.ts";
import { projectOf } from "./project.ts";
import { checkSettings } from "./settings.ts";

const good: Setting = {
  sysctl: "net.netfilter.nf_conntrack_tcp_timeout_close",
  unit: "seconds",
  scope: "namespace",
  defaults: [{ since: "2.6.0", value: 10 }],
  min: 0,
  max: 100,
  since: "2.6.0",
  about: "Seconds",
};
const path = "test/fixtures/linux-5.10/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close";

test("checkSettings accepts a setting whose file is in a fixture", () => {
  assert.deepEqual(checkSettings({ good }, projectOf({ [path]: "10\n" })), []);
});

test("checkSettings accepts a setting named in a saved sysctl -a", () => {
  const saved = projectOf({ "test/fixtures/a/sysctl": `${good.sysctl} = 10\n` });
  assert.deepEqual(checkSettings({ good }, saved), []);
});

test("checkSettings says everything that is missing", () => {
  const { sysctl: _sysctl, defaults: _defaults, ...bare } = good;
  assert.deepEqual(checkSettings({ bare: { ...bare, about: "", min: 200 } }, projectOf({})), [
    "src/table/settings.ts: bare has no sentence for people",
    "src/table/settings.ts: bare has an empty range",
    "src/table/settings.ts: bare has no default",
    "src/table/settings.ts: bare has no name in the kernel",
    "src/table/settings.ts: bare is in no fixture",
  ]);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { readConfiguration } from "./configuration.ts";
import { changesBetween, withInPlace } from "./configuration-changes.ts";

const before = readConfiguration("", "a");
const after = readConfiguration(
  `
log = { level = "debug", format = "json" }
metrics = { top = 3, node_exporter_names = true }
[server]
listen = "127.0.0.1:80"
token_file = "/t"
allowed_hosts = ["a"]
tls_certificate = "/c"
tls_key = "/k"
[history]
max_size = "1G"
[alerts]
near-full = { warning = "70%" }
[[alerts.receivers]]
name = "a"
kind = "command"
command = ["true"]
`,
  "b",
);

const IN_PLACE = [
  "alerts.near-full.warning",
  "alerts.receivers",
  "server.token_file",
  "server.allowed_hosts",
  "metrics.node_exporter_names",
  "log.level",
];

test("changesBetween() names what is taken over and what waits", () => {
  assert.deepEqual(changesBetween(before, after), {
    inPlace: IN_PLACE,
    afterRestart: [
      "history.max_size",
      "server.listen",
      "server.tls_certificate",
      "server.tls_key",
      "metrics.top",
      "log.format",
    ],
  });
});

test("withInPlace() takes over what is taken over, and nothing else", () => {
  const { inPlace, afterRestart } = changesBetween(before, withInPlace(before, after));
  assert.deepEqual(inPlace, IN_PLACE);
  assert.deepEqual(afterRestart, []);
  assert.deepEqual(changesBetween(withInPlace(before, after), after).inPlace, []);
});

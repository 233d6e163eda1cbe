import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parse } from "smol-toml";

import { ConfigurationError, defaultConfiguration, readConfiguration } from "./configuration.ts";

const shipped = readFileSync(new URL("../../../deploy/headroom.toml", import.meta.url), "utf8");

/** The file with every option in force: what is left out is prose and examples. */
const inForce = shipped.replaceAll(/^#(?=(\w+ = |\[))/gm, "");

/** The receivers that the file shows. */
const examples = shipped.replaceAll(/^(?!# {2}).*\n/gm, "").replaceAll(/^# {2}/gm, "");

test("deploy/headroom.toml as it is gives the defaults", () => {
  assert.deepEqual(readConfiguration(shipped, "headroom.toml"), defaultConfiguration());
});

test("deploy/headroom.toml without its marks of comment gives the defaults", () => {
  assert.deepEqual(readConfiguration(inForce, "headroom.toml"), defaultConfiguration());
});

/** Names of all options of a table and the tables in it. */
function optionNames(table: object, within = ""): string[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const isTable = typeof value === "object" && value !== null && !Array.isArray(value);
    const isOption = !isTable || name === "listen";
    return isOption ? [within + name] : optionNames(value as object, `${within}${name}.`);
  });
}

test("deploy/headroom.toml names every option", () => {
  const wanted = optionNames(defaultConfiguration()).filter((name) => name !== "alerts.receivers");
  assert.deepEqual(optionNames(parse(inForce)).toSorted(), wanted.toSorted());
});

test("deploy/headroom.toml shows a receiver of every kind, with every option of it between them", () => {
  const { receivers } = readConfiguration(examples, "headroom.toml").alerts;
  assert.deepEqual(
    receivers.map(({ kind }) => kind),
    ["webhook", "command", "mail", "alertmanager"],
  );
  for (const receiver of receivers) {
    for (const name of Object.keys(receiver)) assert.match(shipped, new RegExp(`\\b${name} = `), name);
  }
});

for (const [written, meant] of [
  ['[watch]\ncpu_budget = "0.5%"', { watch: { cpu_budget: 0.005 } }],
  [
    '[history]\nkeep_10s = "1d12h"\nmax_size = "1G"',
    { history: { keep_10s: 129_600, max_size: 1_073_741_824 } },
  ],
  ["[watch]\ncensus_interval = 90", { watch: { census_interval: 90 } }],
  ['server = { listen = "[::1]:80" }', { server: { listen: { host: "::1", port: 80 } } }],
  ['server.listen = "localhost:0"', { server: { listen: { host: "localhost", port: 0 } } }],
] as const) {
  test(`readConfiguration() understands ${JSON.stringify(written)}`, () => {
    const all = readConfiguration(written, "headroom.toml");
    assert.partialDeepStrictEqual(all, meant);
  });
}

for (const [written, ...said] of [
  ["[watch", "1:2: "],
  ["[server]\nlisten = 127.0.0.1:9466", "2:15: "],
  ['[watch]\ncpu_budjet = "1%"', "2:1: there is no option watch.cpu_budjet; did you mean cpu_budget?"],
  ["[sever]\n", "1:2: there is no section sever; did you mean server?"],
  [
    "# first\n[watch]\n  census_flows = 5 # too few",
    "3:18: watch.census_flows cannot be 5: wanted at least 1000",
  ],
  [
    '[history]\nkeep_10s = "ever"\nkeep_seconds = true',
    '2:12: history.keep_10s cannot be "ever": wanted a duration from 1h to 3650d',
    "3:16: history.keep_seconds cannot be true: wanted text in quotes or a number",
  ],
  [
    'server = { listen = "9466", live_clients = 0 }',
    '1:21: server.listen cannot be "9466": wanted an address and a port, such as 127.0.0.1:9466 or',
    "1:44: server.live_clients cannot be 0: wanted at least 1",
  ],
  [
    'log.level = "loud"\nmetrics."top" = "ten"',
    '1:13: log.level cannot be "loud": wanted "debug", "info", "warn" or "error"',
    '2:17: metrics.top cannot be "ten": wanted a number',
  ],
  [
    '[server]\nallowed_hosts = [\n  "a", # one\n  2,\n]',
    "4:3: server.allowed_hosts[1] cannot be 2: wanted text in quotes",
  ],
  [
    '[[alerts.receivers]]\nname = "a"\nkind = "webhook"\nurll = "http://127.0.0.1"\n' +
      '[[alerts.receivers]]\nname = "b"\nkind = "pigeon"',
    "1:10: alerts.receivers[0].url is missing: wanted text in quotes",
    "4:1: there is no option alerts.receivers[0].urll; did you mean url?",
    '7:8: alerts.receivers[1].kind cannot be "pigeon": wanted "webhook", "command", "mail" or "alertmanager"',
  ],
  ["[alerts.near-ful]", "1:9: there is no option alerts.near-ful; did you mean near-full?"],
  ["watch = 3", "1:9: watch cannot be 3: wanted a table"],
  ['[watch]\r\nevents = "yes"\r\n', '2:10: watch.events cannot be "yes": wanted true or false'],
  [
    '[alerts.near-full]\nwarning = "95%"',
    "2:11: alerts.near-full.warning (95 %) is not below critical (90 %): it would never come first",
  ],
  [
    '[alerts.namespace-near-full]\nwarning = "50%"\nhysteresis = "50%"',
    "3:14: alerts.namespace-near-full.hysteresis (50 %) is not below warning (50 %)",
  ],
  ['alerts.filling.critical = "3d"', "1:27: alerts.filling.warning (2d) is not longer than critical (3d)"],
  [
    '[[alerts.receivers]]\nname = "x"\nkind = "command"\ncommand = ["true"]\n' +
      '[[alerts.receivers]]\nname = "x"\nkind = "mail"\nto = ["a@example.org"]',
    '6:8: there are two receivers named "x"',
  ],
  // What is wrong between options is told together with what is wrong in one, also of another section.
  [
    'server.listen = "0.0.0.0:80"\nlog.level = "loud"',
    "1:17: server.listen is 0.0.0.0, where whoever reaches it could read who talks to whom",
    '2:13: log.level cannot be "loud"',
  ],
  [
    'history.directory = "a/b"\nserver.client_ca = "/ca"\nserver.token_file = "t"',
    '1:21: history.directory cannot be "a/b": wanted a path from / on',
    "2:20: server.client_ca needs tls_certificate and tls_key as well",
    '3:21: server.token_file cannot be "t": wanted a path from / on',
  ],
] as const) {
  test(`readConfiguration() refuses ${JSON.stringify(written)} by line and column`, () => {
    assert.throws(
      () => readConfiguration(written, "headroom.toml"),
      (error) => {
        assert.ok(error instanceof ConfigurationError);
        const lines = error.message.split("\n").slice(1);
        assert.equal(lines.length, said.length, error.message);
        for (const [index, start] of said.entries()) {
          const line = lines[index] ?? "";
          assert.ok(line.startsWith(`headroom.toml:${start}`), `${line}\nshould begin with ${start}`);
        }
        return true;
      },
    );
  });
}

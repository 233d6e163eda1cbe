/**
 * /metrics with the programs that read it: Debian's promtool, Prometheus and node_exporter, over the real
 * `headroom serve` and the files that are shipped for them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { injectTable } from "../support/inject.ts";
import { type Answering, missing, startPrometheus, startServe } from "../support/metrics-programs.ts";
import { until } from "../support/served.ts";
import { dashboardQueries } from "../support/shipped-queries.ts";

const rules = fileURLToPath(new URL("../../deploy/prometheus/", import.meta.url));
const RULE_FILES = ["headroom.rules.yml", "node-exporter.rules.yml"] as const;
const directory = mkdtempSync(join(tmpdir(), "hr-metrics-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const isRoot = process.geteuid?.() === 0;
const needsRoot = isRoot ? false : "needs root, for network namespaces";
const skipWithout = (...programs: readonly string[]): { skip: string | false } => ({
  skip: missing(...programs) || needsRoot,
});
const promtool = { skip: missing("promtool") };

let places = 0;
function newDirectory(): string {
  places += 1;
  const place = join(directory, String(places));
  cpSync(rules, place, { recursive: true });
  return place;
}

function testFileOf(file: string): string {
  return file.replace(".yml", ".test.yml");
}

test("the rules are rules, and do what their tests say", promtool, () => {
  for (const words of [
    ["check", "rules", ...RULE_FILES],
    ["test", "rules", ...RULE_FILES.map(testFileOf)],
  ]) {
    const { status, stdout, stderr } = spawnSync("promtool", words, { cwd: rules, encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  }
});

/** A file of rules with one thing changed in each of some alerts. */
interface Mutant {
  text: string;
  alerts: readonly string[];
}

/** Changes the lines of alerts that `change` gives another text for. */
function mutantOf(file: string, change: (line: string) => string): Mutant {
  const alerts = new Set<string>();
  let alert: string | undefined;
  const lines = readFileSync(join(rules, file), "utf8").split("\n");
  const changed = lines.map((line) => {
    const [, kind, name] = /- (alert|record): (\S+)/.exec(line) ?? [];
    if (kind !== undefined) alert = kind === "alert" ? name : undefined;
    const next = alert === undefined ? line : change(line);
    if (alert !== undefined && next !== line) alerts.add(alert);
    return next;
  });
  return { text: changed.join("\n"), alerts: [...alerts] };
}

function otherThreshold(line: string, factor: number): string {
  return line
    .replace(
      /^(\s+expr: .*[<>] )([\d.]+)(?=$| \*| and)/,
      (_, before: string, found: string) => `${before}${found === "0" ? 100 : Number(found) * factor}`,
    )
    .replace(/^(\s+expr: .*) == 0$/, "$1 == 1");
}

/** Alerts whose tests fail with a mutant in the place of the rules. */
function failingAlerts(file: string, { text }: Mutant): ReadonlySet<string> {
  const place = newDirectory();
  writeFileSync(join(place, file), text);
  const words = ["test", "rules", testFileOf(file)];
  const { stdout, stderr } = spawnSync("promtool", words, { cwd: place, encoding: "utf8" });
  return new Set([...`${stdout}${stderr}`.matchAll(/alertname: (\w+),/g)].map(([, name = ""]) => name));
}

for (const [what, least, change] of [
  ["a higher threshold", 22, (line: string) => otherThreshold(line, 1.2)],
  ["a lower threshold", 22, (line: string) => otherThreshold(line, 0.8)],
  ["a steeper line", 2, (line: string) => line.replace("predict_linear(", "9 * predict_linear(")],
  ["a flatter line", 2, (line: string) => line.replace("predict_linear(", "0 * predict_linear(")],
  ["no patience", 15, (line: string) => line.replace(/^(\s+for: ).*/, "$10s")],
  ["too much patience", 15, (line: string) => line.replace(/^(\s+for: ).*/, "$155m")],
  ["another severity", 24, (line: string) => line.replace(/severity: \w+/, "severity: page")],
] as const) {
  test(`the tests of the rules fail for every alert with ${what}`, promtool, () => {
    let count = 0;
    for (const file of RULE_FILES) {
      const mutant = mutantOf(file, change);
      const failing = failingAlerts(file, mutant);
      count += mutant.alerts.length;
      assert.deepEqual(
        mutant.alerts.filter((alert) => !failing.has(alert)),
        [],
      );
    }
    assert.ok(count >= least, `${count} alerts were changed`);
  });
}

test("every query of the dashboard is PromQL", promtool, () => {
  const file = join(newDirectory(), "queries.yml");
  const records = dashboardQueries().map(
    (query, index) => `      - { record: "q:${index}", expr: ${JSON.stringify(query)} }`,
  );
  writeFileSync(file, `groups:\n  - name: queries\n    rules:\n${records.join("\n")}\n`);
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "rules", file], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
});

/** The real daemon over a namespace with flows, with the names of node_exporter as well. */
async function withServe(
  flows: number,
  work: (serve: Answering, namespace: string, place: string) => Promise<void>,
): Promise<void> {
  const place = newDirectory();
  const table = injectTable({ flows, capacityFlows: 1000, prefix: "hr-metrics" });
  try {
    const file = join(place, "headroom.toml");
    writeFileSync(file, '[metrics]\nnode_exporter_names = true\n[watch]\ncensus_interval = "5s"\n');
    const serve = await startServe([
      "--netns",
      table.name,
      "--state",
      join(place, "state"),
      "--config",
      file,
    ]);
    try {
      await work(serve, table.name, place);
    } finally {
      await serve.stop();
    }
  } finally {
    table.close();
  }
}

async function textOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${url}/metrics`, { headers });
  assert.equal(answer.status, 200);
  return answer.text();
}

function valueOf(text: string, name: string): number | undefined {
  const line = text.split("\n").find((found) => found.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

test("promtool finds nothing to mend in /metrics", skipWithout("promtool", "ip"), async () => {
  await withServe(700, async ({ url }) => {
    await until("flows are counted", async () => (await textOf(url)).includes("headroom_source_flows{"));
    const text = await textOf(url);
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    assert.deepEqual([status, stdout, stderr], [0, "", ""]);
    assert.equal(valueOf(text, "headroom_occupancy_flows"), 700);
    const open = await textOf(url, { accept: "application/openmetrics-text; version=1.0.0" });
    assert.ok(open.endsWith("# EOF\n"));
  });
});

/** `# TYPE` and value of each metric of node_exporter's collector, by name. */
function nodeMetrics(text: string): Map<string, { type: string; value: number }> {
  const found = new Map<string, { type: string; value: number }>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (node_nf_conntrack\S*) (\w+)$/gm)) {
    found.set(name, { type, value: valueOf(text, name) ?? NaN });
  }
  return found;
}

test(
  "names, types and values are those of Debian's node_exporter in the same namespace",
  skipWithout("prometheus-node-exporter", "curl", "ip"),
  async () => {
    await withServe(431, async ({ url }, namespace) => {
      await until("it has looked", async () => nodeMetrics(await textOf(url)).size > 0);
      const inside = [
        "ip link set lo up",
        "prometheus-node-exporter --web.listen-address=127.0.0.1:9100 2>/dev/null & exporter=$!",
        "curl -s --retry 50 --retry-connrefused --retry-delay 1 http://127.0.0.1:9100/metrics",
        "kill $exporter",
      ].join("\n");
      const theirs = nodeMetrics(
        spawnSync("ip", ["netns", "exec", namespace, "sh", "-c", inside], { encoding: "utf8" }).stdout,
      );
      const ours = nodeMetrics(await textOf(url));
      assert.equal(theirs.size, 10);
      assert.deepEqual([...ours.keys()].toSorted(), [...theirs.keys()].toSorted());
      for (const [name, their] of theirs) assert.deepEqual({ name, ...ours.get(name) }, { name, ...their });
      assert.equal(theirs.get("node_nf_conntrack_entries")?.value, 431);
    });
  },
);

interface QueryAnswer {
  status: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

async function ask({ url }: Answering, expr: string): Promise<QueryAnswer["data"]["result"]> {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
  const { status, data } = (await answer.json()) as QueryAnswer;
  assert.equal(status, "success", expr);
  return data.result;
}

/** Rules that do not wait, and find a table three quarters full near its limit. */
function impatient(place: string): string {
  const text = readFileSync(join(place, "headroom.rules.yml"), "utf8");
  const file = join(place, "impatient.yml");
  writeFileSync(
    file,
    text.replaceAll(/for: .*/g, "for: 0s").replace("headroom:use:ratio > 0.8", "headroom:use:ratio > 0.002"),
  );
  return file;
}

test(
  "a real Prometheus scrapes the daemon, every query of the dashboard answers, rules fire",
  skipWithout("prometheus", "ip"),
  async () => {
    await withServe(900, async (serve, namespace, place) => {
      const file = join(place, "prometheus.yml");
      writeFileSync(
        file,
        [
          "global: { scrape_interval: 1s, evaluation_interval: 1s }",
          `rule_files: [${JSON.stringify(impatient(place))}]`,
          "scrape_configs:",
          "  - job_name: headroom",
          `    static_configs: [{ targets: [${JSON.stringify(new URL(serve.url).host)}] }]`,
          "",
        ].join("\n"),
      );
      const prometheus = await startPrometheus(place, file);
      try {
        await until("it was scraped", async () => {
          const [found] = await ask(prometheus, "headroom_occupancy_flows");
          return found?.value[1] === "900";
        });
        assert.deepEqual(
          (await ask(prometheus, 'up{job="headroom"}')).map(({ value }) => value[1]),
          ["1"],
        );
        await until("what fills it is there", async () => {
          const found = await ask(prometheus, "sum(headroom_flows)");
          return found[0]?.value[1] === "900";
        });
        for (const expr of dashboardQueries()) await ask(prometheus, expr);
        assert.equal((await ask(prometheus, "sum(headroom_source_flows)"))[0]?.value[1], "900");
        await rulesFire(prometheus, namespace);
        assert.doesNotMatch(prometheus.said(), /level=(warn|error)/);
      } finally {
        await prometheus.stop();
      }
    });
  },
);

async function rulesFire(prometheus: Answering, namespace: string): Promise<void> {
  const firing = async (): Promise<(string | undefined)[]> =>
    (await ask(prometheus, 'ALERTS{alertstate="firing"}')).map(({ metric }) => metric["alertname"]);
  await until("it is near full", async () => (await firing()).includes("ConntrackNearFull"));
  assert.equal((await firing()).includes("ConntrackSettingsChanged"), false);
  const timeout = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
  spawnSync("ip", ["netns", "exec", namespace, "sh", "-c", `echo 77 > ${timeout}`]);
  await until("the change is told", async () => (await firing()).includes("ConntrackSettingsChanged"));
  const [setting] = await ask(prometheus, 'headroom_setting{key="nf_conntrack_udp_timeout"}');
  assert.equal(setting?.value[1], "77");
  assert.equal((await firing()).includes("HeadroomDown"), false);
}

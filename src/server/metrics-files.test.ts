/** The files for Prometheus and Grafana ask for metrics that are there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { dashboardMetrics, dashboardQueries, ruleMetrics } from "../../test/support/shipped-queries.ts";
import { familiesOf } from "./metrics.ts";

const own = new Set(familiesOf({ nodeExporterNames: false }).map(({ name }) => name));
const all = new Set(familiesOf({ nodeExporterNames: true }).map(({ name }) => name));

test("the dashboard asks for metrics that are there", () => {
  const names = dashboardMetrics();
  assert.ok(names.length > 30, `${names.length}`);
  assert.deepEqual(
    names.filter((name) => !own.has(name)),
    [],
  );
  assert.ok(dashboardQueries().every((query) => !query.includes("$")));
});

test("the rules ask for metrics that are there, those for node_exporter for its names alone", () => {
  const names = ruleMetrics("headroom.rules.yml");
  assert.ok(names.length > 15, `${names.length}`);
  assert.deepEqual(
    names.filter((name) => !own.has(name)),
    [],
  );
  const node = ruleMetrics("node-exporter.rules.yml");
  assert.ok(node.length >= 5, `${node.length}`);
  assert.deepEqual(
    node.filter((name) => !name.startsWith("node_nf_conntrack_") || !all.has(name)),
    [],
  );
});

test("docs/metrics.md tells of every metric what /metrics tells of it", () => {
  const text = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const told = [...text.matchAll(/^\| `(\w+)(?:\{(.*)\})?` \| (gauge|counter) \| (.*) \|$/gm)];
  assert.deepEqual(
    told.map(([, name, labels, type, help]) => ({ name, labels, type, help })),
    familiesOf({ nodeExporterNames: true }).map(({ name, labels, type, help }) => ({
      name,
      labels: labels === undefined || labels.length === 0 ? undefined : labels.join(", "),
      type,
      help,
    })),
  );
});

interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
}

test("the dashboard has a data source and a host to choose, and panels that do not overlap", () => {
  const file = new URL("../../deploy/grafana/headroom.json", import.meta.url);
  const dashboard = JSON.parse(readFileSync(file, "utf8")) as {
    schemaVersion: number;
    templating: { list: { name: string; type: string }[] };
    panels: Panel[];
  };
  // Of Grafana 10; later ones read it too.
  assert.equal(dashboard.schemaVersion, 38);
  assert.deepEqual(
    dashboard.templating.list.map(({ name }) => name),
    ["datasource", "job", "instance"],
  );
  const { panels } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { type, title, description = "", gridPos } of panels) {
    assert.ok(type === "row" || description.length > 20, `${title} says what it shows`);
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.equal(taken.get(`${x} ${y}`), undefined, `${title} lies over another panel`);
        taken.set(`${x} ${y}`, title);
      }
    }
  }
});

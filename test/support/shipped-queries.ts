/** What the files that are shipped for Prometheus and Grafana ask for. */
import { readFileSync } from "node:fs";

const read = (path: string): string => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), "utf8");

/** Every query of the dashboard, with its variables replaced as Grafana does. */
export function dashboardQueries(): readonly string[] {
  const found: string[] = [];
  JSON.parse(read("grafana/headroom.json"), (key, value: unknown) => {
    if (key === "expr" && typeof value === "string") found.push(value);
    return value;
  });
  return found.map((query) =>
    query.replaceAll("$__rate_interval", "1m").replaceAll("$job", ".+").replaceAll("$instance", ".+"),
  );
}

/** Every metric that the dashboard asks for, its variables included. */
export function dashboardMetrics(): readonly string[] {
  return namesIn(read("grafana/headroom.json"));
}

/** Every metric that a file of rules asks for; what it records itself is left out. */
export function ruleMetrics(file: string): readonly string[] {
  const queries = read(`prometheus/${file}`).match(/^\s+expr: .*$/gm) ?? [];
  return namesIn(queries.join("\n"));
}

function namesIn(text: string): readonly string[] {
  const names = text.match(/\b(?:headroom|node|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return [...new Set(names)].toSorted();
}

/**
 * The verdict as a monitoring plugin prints it: one line with performance data, details on the lines after
 * it. The exit code says the same as the first word.
 *
 * Source: the Monitoring Plugins development guidelines (output, performance data). A bar ends the text
 * there, so a bar in a name that came from outside would end it early; it is replaced, as are control
 * characters.
 */
import type { CounterName } from "../table/counters.ts";
import type { Verdict } from "../table/finding.ts";
import type { Facts } from "./facts.ts";
import { tableFigures, thresholdsOf } from "./table-figures.ts";
import { groupDigits, percent } from "./wording.ts";
import { isTrackingOff } from "./rules/tracking.ts";

/** Counters given as performance data, by the names the kernel prints. */
const COUNTERS: readonly (readonly [label: string, name: CounterName])[] = [
  ["drop", "drop"],
  ["early_drop", "earlyDrop"],
  ["insert_failed", "insertFailed"],
  ["chaintoolong", "chainTooLong"],
  ["invalid", "invalid"],
];

/** The plugin's output, without a newline at its end. */
export function verdictToNagios(verdict: Verdict, facts: Facts): string {
  const status = `CONNTRACK ${verdict.level.toUpperCase()}`;
  const data = performanceData(facts);
  const first = `${status}: ${summary(verdict, facts)}`;
  const details = verdict.findings.map(({ level, code, title, remedy }) => {
    const command = remedy.find((way) => way.command !== undefined)?.command;
    return plain(
      `[${level.toUpperCase()}] ${code}: ${title}${command === undefined ? "" : `; try: ${command}`}`,
    );
  });
  const unseen = facts.unseen.map(({ what, why }) => plain(`not seen: ${what}: ${why}`));
  return [data === "" ? first : `${first} | ${data}`, ...details, ...unseen].join("\n");
}

function summary(verdict: Verdict, facts: Facts): string {
  const worst = verdict.findings.find(({ level }) => level === verdict.level && level !== "ok");
  const fill = plain(fillText(facts));
  if (worst === undefined) return fill;
  // Near full and full say the same as the fill itself, unless another namespace is meant.
  const own = worst.evidence["namespaceInode"] === undefined;
  if (worst.code === "near-full" && own) return fill;
  return worst.code === "table-full" ? plain(worst.title) : `${plain(worst.title)}; ${fill}`;
}

function fillText(facts: Facts): string {
  const { occupancyFlows, capacityFlows, useShare } = tableFigures(facts);
  if (isTrackingOff(facts)) return "connection tracking is not loaded";
  if (occupancyFlows === undefined) return "occupancy could not be read";
  const flows = groupDigits(occupancyFlows);
  if (capacityFlows === undefined) return `${flows} flows, capacity could not be read`;
  if (useShare === undefined) return `${flows} flows, no limit`;
  return `${flows} of ${groupDigits(capacityFlows)} flows (${percent(useShare)})`;
}

function performanceData(facts: Facts): string {
  const { occupancyFlows, capacityFlows, useShare } = tableFigures(facts);
  const { warningShare, criticalShare } = thresholdsOf(facts);
  const data: string[] = [];
  if (occupancyFlows !== undefined) {
    const limited = capacityFlows !== undefined && capacityFlows > 0;
    const warning = limited ? Math.floor(capacityFlows * warningShare) : "";
    const critical = limited ? Math.floor(capacityFlows * criticalShare) : "";
    data.push(`flows=${occupancyFlows};${warning};${critical};0;${limited ? capacityFlows : ""}`);
  }
  if (useShare !== undefined) {
    const shares = [useShare, warningShare, criticalShare].map((share) => Number((share * 100).toFixed(2)));
    const [use, warning, critical] = shares;
    data.push(`percent=${use ?? ""}%;${warning ?? ""};${critical ?? ""};0;100`);
  }
  const total = facts.later?.counters.total ?? facts.counters?.total ?? {};
  for (const [label, name] of COUNTERS) {
    const value = total[name];
    if (value !== undefined) data.push(`${label}=${value}c;;;0;`);
  }
  return data.join(" ");
}

/** One line without a bar and without control characters. */
function plain(text: string): string {
  return text.replaceAll("|", "/").replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

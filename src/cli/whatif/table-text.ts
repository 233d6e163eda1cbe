/**
 * What limit and buckets make of the flows, now and then, as a block of `headroom whatif`. Pure.
 */
import { LEAST_LOSS_SHARE, type TableState, type WhatIf } from "../../plan/plan.ts";
import type { SettingKey } from "../../table/settings.ts";
import { formatBytes, formatCount, formatShare } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { padLeft, padRight, wrap } from "../plain-text.ts";

/** Lines of the block; none when neither limit nor buckets change. */
export function tableLines({ table, changes }: WhatIf, look: Look): string[] {
  const sizes: readonly SettingKey[] = ["nf_conntrack_max", "nf_conntrack_buckets", "hashsize"];
  const changed = changes.some(({ key }) => sizes.includes(key));
  if (!changed) return [];
  const { before, after } = table;
  const rows = tableRows(before)
    .map((row, index) => ({ ...row, other: tableRows(after)[index]?.text ?? "" }))
    .filter(({ text, other }) => text !== "" || other !== "");
  const labels = Math.max(...rows.map(({ label }) => label.length));
  const widths = [
    Math.max(3, ...rows.map(({ text }) => text.length)),
    Math.max(4, ...rows.map(({ other }) => other.length)),
  ];
  const line = (label: string, one: string, other: string): string =>
    `${padRight(label, labels)}  ${padLeft(one, widths[0] ?? 0)}  ${padLeft(other, widths[1] ?? 0)}`;
  const lines = ["", tone(look, "bold", line("Table", "now", "then"))];
  lines.push(...rows.map(({ label, text, other }) => line(label, text, other)));
  const said = sentences(after);
  if (said !== "") lines.push(...wrap(said, look.columns));
  return lines;
}

/** The same rows for every table; empty where a figure is not known. */
export function tableRows(state: TableState): { label: string; text: string }[] {
  const { capacityFlows, bucketCount, useShare, loadFlowsPerBucket, fullMemoryBytes, memoryBytes } = state;
  const { fullLoadFlowsPerBucket: fullLoad, fullChainLossShare } = state;
  return [
    {
      label: "limit",
      text: limitText(capacityFlows),
    },
    { label: "buckets", text: bucketCount === undefined ? "" : formatCount(bucketCount) },
    { label: "use", text: useShare === undefined ? "" : formatShare(useShare) },
    { label: "flows a bucket", text: loadFlowsPerBucket === undefined ? "" : loadFlowsPerBucket.toFixed(2) },
    { label: "new flows lost in long chains, in silence", text: lossText(state.chainLossShare) },
    { label: "when full: flows a bucket", text: fullLoad === undefined ? "" : fullLoad.toFixed(2) },
    { label: "when full: new flows lost in long chains", text: lossText(fullChainLossShare) },
    { label: "when full: new flows lost though others could go", text: lossText(state.earlyDropMissShare) },
    { label: "memory", text: memoryBytes === undefined ? "" : formatBytes(memoryBytes) },
    { label: "memory when full", text: fullMemoryBytes === undefined ? "" : formatBytes(fullMemoryBytes) },
  ];
}

function limitText(capacityFlows: number | undefined): string {
  if (capacityFlows === undefined) return "";
  return capacityFlows === 0 ? "none" : formatCount(capacityFlows);
}

/** `none`, `0.3 %`, `12 %`. */
export function lossText(share: number | undefined): string {
  if (share === undefined) return "";
  if (share < LEAST_LOSS_SHARE) return "none";
  return share < 0.01 ? `${(share * 100).toPrecision(2)} %` : formatShare(share);
}

function sentences({ memoryHow, allFullMemoryBytes }: TableState): string {
  const parts: string[] = [];
  if (memoryHow !== undefined) parts.push(`Memory: ${memoryHow}.`);
  if (allFullMemoryBytes !== undefined) {
    parts.push(
      `Every network namespace may hold the limit: ${formatBytes(allFullMemoryBytes)} if all in use do.`,
    );
  }
  return parts.join(" ");
}

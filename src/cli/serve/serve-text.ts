/**
 * The three lines `serve` begins with: what is watched, where the history is and how large it may become, and
 * the address to open, which comes last.
 */
import type { WatchState } from "../../watch/watch.ts";
import { formatDuration } from "../../table/duration.ts";
import { formatBytes, formatCount, formatShare } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { visible } from "../plain-text.ts";
import { subjectOf } from "../subject.ts";
import type { Configuration } from "./configuration-schema.ts";

export interface ServeText {
  state: WatchState;
  configuration: Configuration;
  stateDirectory: string;
  historyBoundBytes: number;
  url: string;
  look: Look;
}

export function startLines(text: ServeText): readonly string[] {
  return [watchLine(text), historyLine(text), `Dashboard  ${tone(text.look, "cyan", text.url)}`];
}

function watchLine({ state, configuration: { watch } }: ServeText): string {
  const { host, settings } = state.facts;
  const name = subjectOf(host, watch.namespace === "" ? {} : { netns: watch.namespace }) ?? "this host";
  const occupancyFlows = state.sample?.values.occupancyFlows ?? settings.values.nf_conntrack_count;
  const capacityFlows = settings.values.nf_conntrack_max;
  const budget = `within ${Number((watch.cpu_budget * 100).toFixed(3))} % of one core`;
  if (occupancyFlows === undefined || capacityFlows === undefined) {
    return `Watching   ${visible(name)}, ${budget}; its table cannot be seen yet`;
  }
  const share = formatShare(occupancyFlows / capacityFlows);
  const full = `${formatCount(occupancyFlows)} of ${formatCount(capacityFlows)} flows (${share})`;
  return `Watching   ${visible(name)}: ${full}, ${budget}`;
}

function historyLine({ stateDirectory, historyBoundBytes, configuration: { history } }: ServeText): string {
  const kept = `every second for ${formatDuration(history.keep_seconds)}`;
  return `History    ${visible(stateDirectory)}, never more than ${formatBytes(historyBoundBytes)}; ${kept}`;
}

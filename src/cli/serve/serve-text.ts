/**
 * The three lines `serve` begins with: what is watched, where the history is and how large it may become, and
 * the address to open, which comes last. And the line it tells who started it.
 */
import type { WatchState } from "../../watch/watch.ts";
import { formatDuration } from "../../table/duration.ts";
import { countOf, formatBytes, formatCount, formatShare } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { visible } from "../plain-text.ts";
import type { Configuration } from "./configuration-schema.ts";
import { instanceName } from "./instance-name.ts";

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

/** For `systemctl status`. */
export function statusText(state: WatchState, url: string): string {
  const firing = state.alerts.filter((alert) => alert.state === "firing").length;
  const full = fullText(state) ?? "the table cannot be seen";
  return `${full}; ${firing === 0 ? "no alerts" : countOf(firing, "alert")}; ${url}`;
}

function watchLine({ state, configuration: { watch } }: ServeText): string {
  const { host } = state.facts;
  const name = instanceName(host, watch);
  const budget = `within ${Number((watch.cpu_budget * 100).toFixed(3))} % of one core`;
  const full = fullText(state, formatShare);
  return full === undefined
    ? `Watching   ${visible(name)}, ${budget}; its table cannot be seen yet`
    : `Watching   ${visible(name)}: ${full}, ${budget}`;
}

/** How full the table was in the last second, with its share where `share` writes one. */
function fullText({ sample, facts }: WatchState, share?: (part: number) => string): string | undefined {
  const occupancyFlows = sample?.values.occupancyFlows;
  const capacityFlows = sample?.values.capacityFlows ?? facts.settings.values.nf_conntrack_max;
  if (occupancyFlows === undefined || capacityFlows === undefined) return undefined;
  if (capacityFlows === 0) return `${countOf(occupancyFlows, "flow")}, no limit`;
  const full = `${formatCount(occupancyFlows)} of ${formatCount(capacityFlows)} flows`;
  return share === undefined ? full : `${full} (${share(occupancyFlows / capacityFlows)})`;
}

function historyLine({ stateDirectory, historyBoundBytes, configuration: { history } }: ServeText): string {
  const kept = `every second for ${formatDuration(history.keep_seconds)}`;
  return `History    ${visible(stateDirectory)}, never more than ${formatBytes(historyBoundBytes)}; ${kept}`;
}

/**
 * A notice for programs: what a webhook is sent and a command reads, `headroom/alert/v1`.
 */
import type { Notice } from "../../../watch/watch.ts";
import { incidentUrl } from "./incident-url.ts";
import { summaryOf } from "./notice-text.ts";
import type { Sending } from "./receiver.ts";

/** The body of a notice. `text` is one line for people: many chat programs show just that. */
export function noticeJson({ notice, lost, attempt }: Sending, dashboardUrl: string | undefined): object {
  const { id, kind, atMs, alert, instance, filledBy, occupancyFlows } = notice;
  return {
    schema: "headroom/alert/v1",
    text: summaryOf(notice),
    status: statusOf(notice),
    instance,
    notice: { id, kind, atMs, attempt, lostBefore: lost },
    alert,
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(filledBy === undefined ? {} : { filledBy }),
    ...(dashboardUrl === undefined ? {} : { links: linksOf(notice, dashboardUrl) }),
  };
}

export function statusOf({ kind, alert }: Notice): "firing" | "resolved" | "test" {
  if (kind === "test") return "test";
  return alert.state === "resolved" ? "resolved" : "firing";
}

function linksOf({ alert }: Notice, dashboardUrl: string): object {
  return { dashboard: `${dashboardUrl}/`, incident: incidentUrl(dashboardUrl, alert.id) };
}

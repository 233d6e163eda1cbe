/** Links from notices to the dashboard; the paths behind `#` are those of web/state/route.ts. */
import type { Notice } from "../../../watch/watch.ts";

/** The address of the dashboard as links begin with it. */
export function withoutSlash(dashboardUrl: string): string {
  return dashboardUrl.replace(/\/+$/, "");
}

/** Where the dashboard shows an incident. */
export function incidentUrl(dashboardUrl: string, id: string): string {
  return `${dashboardUrl}/#/history/${encodeURIComponent(id)}`;
}

/** What a notice points to: its incident, or the dashboard where it has none. */
export function linkOf({ kind, alert }: Notice, dashboardUrl: string): string {
  return kind === "test" ? `${dashboardUrl}/` : incidentUrl(dashboardUrl, alert.id);
}

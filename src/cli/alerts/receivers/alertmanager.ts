/**
 * Alertmanager, API v2 (POST /api/v2/alerts). Its clients say again and again what fires, each time with an
 * end a little ahead; what nobody repeats is over by itself. All Alertmanagers are told everything; a notice
 * has arrived when one of them took it, the others hear of it with the next refresh.
 */
import { lowerFirst } from "../../../table/sentence.ts";
import type { Alert, Notice } from "../../../watch/watch.ts";
import type { ReceiverOptions } from "../alerts-options-schema.ts";
import { placeOf, postJson } from "./http-post.ts";
import { incidentUrl } from "./incident-url.ts";
import type { Receiver, ReceiverDeps } from "./receiver.ts";

export type AlertmanagerOptions = Extract<ReceiverOptions, { kind: "alertmanager" }>;

/** An alert ends by itself when it was not repeated so many times; Prometheus does likewise. */
const REFRESHES_MISSED = 4;
const TEST_LASTS_MS = 60_000;

interface PostableAlert {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  generatorURL?: string;
}

export function alertmanager(options: AlertmanagerOptions, deps: ReceiverDeps): Receiver {
  const { name, urls, timeout, headers, ca, certificate, key, least } = options;
  /** Under which labels an alert was told: with another level it is another alert there. */
  const told = new Map<string, PostableAlert>();

  /** Who did not take them, and why; undefined: all did. */
  async function post(alerts: readonly PostableAlert[], signal: AbortSignal): Promise<string | undefined> {
    const body = JSON.stringify(alerts);
    const tls = { ca, certificate, key };
    const sent = await Promise.allSettled(
      urls.map(async (url) =>
        postJson({ url: endpointOf(url), body, headers, timeoutSeconds: timeout, signal, tls }),
      ),
    );
    const failed = sent.filter((one) => one.status === "rejected");
    const [first] = failed;
    if (first === undefined) return undefined;
    if (failed.length === sent.length) throw first.reason;
    const reasons = failed.map(({ reason }) => lowerFirst((reason as Error).message));
    return `${failed.length} of ${sent.length} did not take it: ${reasons.join("; ")}`;
  }

  function postable(alert: Alert, instance: string, kind: Notice["kind"]): PostableAlert[] {
    const nowMs = deps.clock.nowMs();
    const stays = kind === "test" ? TEST_LASTS_MS : options.refresh * 1000 * REFRESHES_MISSED;
    const endMs = alert.resolvedAtMs ?? nowMs + stays;
    const labels = labelsOf(alert, instance, kind, options.labels);
    const now: PostableAlert = {
      labels,
      annotations: annotationsOf(alert),
      startsAt: new Date(alert.firedAtMs ?? alert.sinceMs).toISOString(),
      endsAt: new Date(endMs).toISOString(),
      ...(deps.dashboardUrl === undefined ? {} : { generatorURL: incidentUrl(deps.dashboardUrl, alert.id) }),
    };
    const before = told.get(alert.id);
    if (kind === "test" || alert.state === "resolved") told.delete(alert.id);
    else told.set(alert.id, now);
    if (before === undefined || before.labels["severity"] === labels["severity"]) return [now];
    return [{ ...before, endsAt: new Date(nowMs).toISOString() }, now];
  }

  return {
    name,
    kind: "alertmanager",
    where: urls.map(placeOf).join(", "),
    async deliver({ notice: { alert, instance, kind }, signal }) {
      return post(postable(alert, instance, kind), signal);
    },
    refresh: {
      everySeconds: options.refresh,
      async send(firing, instance, signal) {
        const wanted = firing.filter(({ level }) => least === "warning" || level === "critical");
        const alerts = wanted.flatMap((alert) => postable(alert, instance, "reminder"));
        if (alerts.length > 0) await post(alerts, signal);
      },
    },
  };
}

function endpointOf(url: string): string {
  return `${url.replace(/\/+$/, "")}/api/v2/alerts`;
}

function labelsOf(
  { code, subject, level }: Alert,
  instance: string,
  kind: Notice["kind"],
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const words = kind === "test" ? ["test"] : code.split("-");
  const camel = words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join("");
  return {
    ...own,
    alertname: `Headroom${camel}`,
    severity: kind === "test" ? "none" : level,
    instance,
    code,
    ...(subject === undefined ? {} : { subject }),
  };
}

function annotationsOf({ title, meaning, remedy, evidence }: Alert): Record<string, string> {
  const ways = remedy.map(({ text, command }) => (command === undefined ? text : `${text}\n$ ${command}`));
  const figures = Object.entries(evidence).map(([name, value]) => `${name}=${String(value)}`);
  return {
    summary: title,
    description: meaning,
    ...(ways.length === 0 ? {} : { remedy: ways.join("\n") }),
    ...(figures.length === 0 ? {} : { evidence: figures.join(" ") }),
  };
}

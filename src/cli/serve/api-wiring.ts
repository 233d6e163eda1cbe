/**
 * What the server is given: the watcher, the history, and how flows, plans and changes are asked for here.
 */
import {
  ApiProblem,
  type ApiDeps,
  type ApiOptions,
  type Asset,
  type Metrics,
  type RequestLine,
} from "../../server/server.ts";
import type { History, Watched } from "../../watch/watch.ts";
import type { Context } from "../context.ts";
import type { FlowOptions } from "../options.ts";
import { isKernelError } from "../refusal.ts";
import { HEADROOM_VERSION } from "../version.ts";
import { askedChange, askedPlan } from "./asked-commands.ts";
import { askedCensus, askedFlows } from "./asked-flows.ts";
import type { Configuration } from "./configuration-schema.ts";
import type { ServeLog } from "./serve-log.ts";

export interface ApiParts {
  context: Context;
  watched: Watched;
  history: History;
  assets: ReadonlyMap<string, Asset>;
  metrics: Metrics;
  log: ServeLog;
}

export function apiDepsOf(parts: ApiParts, configuration: Configuration, options: ApiOptions): ApiDeps {
  const { watched, history, assets, metrics, log } = parts;
  const { namespace } = configuration.watch;
  const place: FlowOptions = namespace === "" ? {} : { netns: namespace };
  const context = quiet(parts.context);
  return {
    watched,
    history,
    clock: context.deps.clock,
    version: HEADROOM_VERSION,
    flows: (asked) => explained(() => askedFlows(context, place, asked)),
    census: (asked) => explained(() => askedCensus(context, place, asked)),
    plan: (signal) => explained(() => askedPlan(context, place, { state: watched.state(), signal })),
    ...(configuration.server.allow_changes
      ? { applyChange: (settings) => explained(() => askedChange(context, place, settings)) }
      : {}),
    asset: (path) => assets.get(path),
    metrics: (accept) => metrics.text(accept),
    log: (line) => logRequest(log, line),
    options,
  };
}

/** Options of the server, as the file has them. */
export function apiOptionsOf({ server }: Configuration, token: string | undefined): ApiOptions {
  const { host: address, port } = server.listen;
  return {
    listen: { address, port },
    allowedHosts: server.allowed_hosts,
    allowedOrigins: server.cors_origins,
    allowChanges: server.allow_changes,
    secure: server.tls_certificate !== "",
    clientCertificates: server.client_ca !== "",
    limits: {
      requestsPerSecond: server.requests_per_second,
      liveClients: server.live_clients,
      bodyBytes: server.max_request_size,
    },
    ...(token === undefined ? {} : { token }),
  };
}

/** Nobody is at the terminal to see how far a reading is. */
function quiet(context: Context): Context {
  return { ...context, terminal: { ...context.terminal, stderrIsTerminal: false } };
}

/** What the kernel refuses is an answer, not a mistake of ours. */
async function explained<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isKernelError(error)) throw error;
    const refused = "code" in error && error.code === "not-permitted";
    throw new ApiProblem(refused ? "not-permitted" : "unavailable", error.message, { cause: error });
  }
}

function logRequest(log: ServeLog, line: RequestLine): void {
  const { method, path, status, milliseconds, bytes, remote, error } = line;
  const fields = {
    status,
    milliseconds: Math.round(milliseconds),
    remote,
    ...(bytes === undefined ? {} : { bytes }),
    ...(error === undefined ? {} : { error }),
  };
  if (error === undefined) log.debug(`${method} ${path}`, fields);
  else log.error(`${method} ${path}`, fields);
}

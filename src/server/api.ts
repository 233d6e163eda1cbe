/**
 * The API as a function from request to answer: guards first, then the table of routes, then what every
 * answer has. It opens no port (listen.ts does).
 */
import { Hono } from "hono";

import type { ApiContext, Environment } from "./api-context.ts";
import type { ApiDeps, ApiLimits, ApiOptions, Peer } from "./api-deps.ts";
import { DEFAULT_LIMITS } from "./api-deps.ts";
import { answerAsset } from "./assets.ts";
import {
  bearerOf,
  checkHost,
  checkOrigin,
  foreignOrigin,
  isAuthorized,
  isLoopback,
  SAFETY_HEADERS,
} from "./guard.ts";
import { ListenError } from "./listen-error.ts";
import { Live } from "./live.ts";
import { answerLogin, answerStranger } from "./login.ts";
import { openApiDocument } from "./openapi.ts";
import { gzipped, isWorthPacking, PackedAssets, PackedTexts, packingOf } from "./packing.ts";
import { ApiProblem } from "./problem.ts";
import { Query, shown, unknownParameter } from "./query.ts";
import { clientOf, OneAtATime, RateLimit } from "./rate.ts";
import { checkChange, readJson } from "./request-body.ts";
import { API_PREFIX, type Route, ROUTES, type RouteDeps } from "./routes.ts";
import { WhatifAnswers } from "./whatif-answer.ts";

export interface Api {
  /** Answers a request; never throws. `peer` is who asks, where a connection tells. */
  fetch(request: Request, peer?: Peer): Promise<Response>;
  readonly options: ApiOptions;
  /** Clients of live data at present. */
  readonly liveClients: number;
}

interface Parts {
  deps: RouteDeps;
  limits: ApiLimits;
  requests: RateLimit;
  costly: RateLimit;
  wrongTokens: RateLimit;
  readings: OneAtATime;
  live: Live;
  packed: PackedAssets;
  texts: PackedTexts;
}

/**
 * Makes the API. Throws ListenError where it would be open to everybody: on an address that others reach,
 * without a token and without client certificates.
 */
export function createApi(deps: ApiDeps): Api {
  refuseOpen(deps.options);
  const parts = partsOf(deps);
  const app = new Hono<Environment>();
  app.use(async (context, next) => {
    const startMs = deps.clock.elapsedMs();
    await next();
    finish(parts, context, startMs);
  });
  app.use(async (context, next) => {
    const early = guard(parts, context);
    if (early === undefined) await next();
    else context.res = await early;
  });
  addRoutes(app, parts);
  app.onError((error, context) => answerError(context, error));
  app.notFound((context) => {
    const problem = new ApiProblem(
      "not-found",
      `Cannot find ${shown(context.req.path)}: there is no such path`,
      {
        help: `${API_PREFIX}/openapi.json lists the paths`,
      },
    );
    return answerError(context, problem);
  });
  return {
    fetch: async (request, peer = { address: "" }) => app.fetch(request, { peer }),
    options: deps.options,
    get liveClients(): number {
      return parts.live.clients;
    },
  };
}

function refuseOpen({ listen, token, clientCertificates }: ApiOptions): void {
  // What a header cannot carry could never be given.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    const found = token === "" ? "it is empty" : "it has blanks or characters that no header carries";
    throw new ListenError("bad-token", `Cannot use the token: ${found}`, "openssl rand -hex 32 makes one");
  }
  if (isLoopback(listen.address) || token !== undefined || clientCertificates === true) return;
  throw new ListenError(
    "open-to-all",
    `Cannot listen on ${listen.address}: whoever reaches this address could read who talks to whom`,
    "Give it a token (token_file) or ask for client certificates (client_ca), or listen on 127.0.0.1",
  );
}

function partsOf(deps: ApiDeps): Parts {
  const { clock, watched, history, every = everyInterval } = deps;
  const limits = { ...DEFAULT_LIMITS, ...deps.options.limits };
  const rate = (perSecond: number, atOnce: number): RateLimit => new RateLimit({ perSecond, atOnce }, clock);
  return {
    deps: { ...deps, whatifAnswers: new WhatifAnswers() },
    limits,
    requests: rate(limits.requestsPerSecond, limits.requestsAtOnce),
    costly: rate(limits.costlyPerSecond, limits.costlyAtOnce),
    wrongTokens: rate(limits.wrongTokensPerMinute / 60, limits.wrongTokensPerMinute),
    readings: new OneAtATime(limits.costlyWaiting),
    live: new Live({
      watched,
      history,
      clock,
      every,
      mostClients: limits.liveClients,
      queueBytes: limits.liveQueueBytes,
    }),
    packed: new PackedAssets(),
    texts: new PackedTexts(),
  };
}

function everyInterval(milliseconds: number, call: () => void): () => void {
  const timer = setInterval(call, milliseconds);
  timer.unref();
  return () => clearInterval(timer);
}

/** Everything that may stand in the way of a request; the answer where something does. */
function guard(parts: Parts, context: ApiContext): Promise<Response> | Response | undefined {
  const { deps, limits, requests, wrongTokens } = parts;
  const { options } = deps;
  const request = context.req.raw;
  const client = clientOf(context.env.peer.address);
  requests.take(client);
  if (request.url.length > limits.urlBytes) {
    throw new ApiProblem("url-too-long", `Cannot answer: the address has ${request.url.length} characters`, {
      help: `At most ${limits.urlBytes} are read`,
    });
  }
  checkHost(request, options);
  if (request.method === "OPTIONS" && foreignOrigin(request) !== undefined) {
    checkOrigin(request, options);
    return new Response(null, { status: 204 });
  }
  checkOrigin(request, options);
  if (options.token === undefined)
    return isAuthorized(request, options, context.env.peer) ? undefined : refuse();
  const { token } = options;
  if (context.req.path === "/login") return answerLogin(context, { token, options, wrongTokens, client });
  // The right token always passes: one page with an old one must not shut out all behind the same proxy.
  if (isAuthorized(request, options, context.env.peer)) return undefined;
  wrongTokens.check(client);
  if (bearerOf(request) !== undefined) {
    wrongTokens.take(client);
    throw unauthorized("token-wrong", "Cannot answer: the token is not the one of this server");
  }
  const stranger = answerStranger(context, { token, options, wrongTokens, client });
  if (stranger !== undefined) return stranger;
  throw unauthorized("token-missing", "Cannot answer: this server asks for its token");
}

function unauthorized(code: "token-missing" | "token-wrong", message: string): ApiProblem {
  return new ApiProblem(code, message, {
    help: "Send it as Authorization: Bearer TOKEN; a browser opens /login",
    headers: { "www-authenticate": 'Bearer realm="headroom"' },
  });
}

function refuse(): never {
  throw new ApiProblem("not-permitted", "Cannot answer: this server asks for a client certificate");
}

function addRoutes(app: Hono<Environment>, parts: Parts): void {
  const { deps } = parts;
  const openApi = openApiDocument(deps.version, ROUTES);
  for (const route of ROUTES) {
    const path = API_PREFIX + route.path.replace("{id}", ":id");
    app.on(route.method, path, (context) => answerRoute(parts, context, route));
    allow(app, path, route.method === "GET" ? "GET, HEAD" : route.method);
  }
  app.get(`${API_PREFIX}/openapi.json`, (context) => answerJson(context, openApi));
  app.get(`${API_PREFIX}/live`, (context) => answerLive(parts, context));
  app.get("/metrics", (context) => answerMetrics(parts, context));
  for (const path of [`${API_PREFIX}/openapi.json`, `${API_PREFIX}/live`, "/metrics"])
    allow(app, path, "GET, HEAD");
  app.get("/*", (context, next) => {
    const { path } = context.req;
    return path.startsWith("/api/") ? next() : answerAsset(context, deps, parts.packed);
  });
  app.all("/*", (context, next) => {
    if (context.req.path.startsWith("/api/")) return next();
    throw notAllowed(context, "GET, HEAD");
  });
}

/** Other methods of a path that is there. */
function allow(app: Hono<Environment>, path: string, methods: string): void {
  app.all(path, (context) => {
    throw notAllowed(context, methods);
  });
}

function notAllowed(context: ApiContext, methods: string): ApiProblem {
  const message = `Cannot ${shown(context.req.method)} ${shown(context.req.path)}: it takes ${methods}`;
  return new ApiProblem("method-not-allowed", message, { headers: { allow: methods } });
}

async function answerRoute(parts: Parts, context: ApiContext, route: Route): Promise<Response> {
  const { deps, limits, costly, readings } = parts;
  const url = new URL(context.req.url);
  const nowMs = deps.clock.nowMs();
  const { signal } = context.req.raw;
  const asked = {
    query: new Query(url.searchParams, route.parameters, nowMs),
    id: context.req.param("id") ?? "",
    signal,
    nowMs,
    body: () => readJson(context, limits.bodyBytes),
  };
  const isCostly =
    route.costly === "always" || (route.costly === "with-filter" && url.searchParams.has("filter"));
  if (route.method === "POST") checkChange(context);
  if (!isCostly) return answerJson(context, await route.handle(deps, asked));
  costly.take(clientOf(context.env.peer.address));
  return answerJson(context, await readings.run(signal, async () => route.handle(deps, asked)));
}

async function answerJson(context: ApiContext, value: object, status = 200): Promise<Response> {
  const plain = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  const type = "application/json; charset=utf-8";
  const headers: Record<string, string> = { "content-type": type, "cache-control": "no-store" };
  const packing = packingOf(context.req.header("accept-encoding") ?? null, ["gzip"]);
  if (packing === undefined || !isWorthPacking(type, plain.length)) {
    context.set("bytes", plain.length);
    return new Response(plain, { status, headers: { ...headers, "content-length": String(plain.length) } });
  }
  const packed = await gzipped(plain);
  context.set("bytes", packed.length);
  const more = {
    "content-encoding": "gzip",
    "content-length": String(packed.length),
    vary: "accept-encoding",
  };
  return new Response(packed, { status, headers: { ...headers, ...more } });
}

function answerLive(parts: Parts, context: ApiContext): Response {
  const { deps, live } = parts;
  const headers = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    // For a proxy before it: nothing may be gathered.
    "x-accel-buffering": "no",
  };
  refuseParameters(context);
  if (context.req.method === "HEAD") return new Response(null, { headers });
  const startMs = deps.clock.elapsedMs();
  const lastEventId = context.req.header("last-event-id");
  const stream = live.open({
    signal: context.req.raw.signal,
    cut: () => context.env.peer.cut?.(),
    onEnd: (bytes) => {
      context.set("bytes", bytes);
      log(deps, context, 200, startMs);
    },
    ...(lastEventId === undefined ? {} : { lastEventId }),
  });
  context.set("isLogged", true);
  return new Response(stream, { headers });
}

/** Live data is all there is. */
function refuseParameters({ req }: ApiContext): void {
  const [name] = new URL(req.url).searchParams.keys();
  if (name !== undefined) throw unknownParameter(name, []);
}

async function answerMetrics({ deps, texts }: Parts, context: ApiContext): Promise<Response> {
  const found = await deps.metrics?.(context.req.header("accept"));
  if (found === undefined) throw new ApiProblem("not-found", "Cannot find /metrics: this server has none");
  const packing = packingOf(context.req.header("accept-encoding") ?? null, ["gzip"]);
  const bytes = await texts.of(found, packing);
  context.set("bytes", bytes.length);
  const headers = {
    "content-type": found.type,
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    vary: "accept, accept-encoding",
    ...(packing === undefined ? {} : { "content-encoding": packing }),
  };
  return new Response(bytes, { headers });
}

/** A problem as it is; anything else is our mistake: told to the log, not to the client. */
async function answerError(context: ApiContext, error: unknown): Promise<Response> {
  if (!(error instanceof ApiProblem)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    context.set("error", text);
  }
  const problem =
    error instanceof ApiProblem
      ? error
      : new ApiProblem("internal", "Cannot answer: something went wrong inside", {
          help: "The log says what",
        });
  const answer = await answerJson(context, problem.toJson(), problem.status);
  for (const [name, value] of Object.entries(problem.more.headers ?? {})) answer.headers.set(name, value);
  return answer;
}

function finish({ deps }: Parts, context: ApiContext, startMs: number): void {
  const { headers } = context.res;
  for (const [name, value] of Object.entries(SAFETY_HEADERS)) {
    if (!headers.has(name)) headers.set(name, value);
  }
  const { allowedOrigins = [], token, secure } = deps.options;
  const origin = foreignOrigin(context.req.raw);
  if (allowedOrigins.length > 0) headers.append("vary", "origin");
  if (origin !== undefined && allowedOrigins.includes(origin)) {
    headers.set("access-control-allow-origin", origin);
    headers.set("cross-origin-resource-policy", "cross-origin");
    headers.set("access-control-expose-headers", "retry-after");
    if (context.req.method === "OPTIONS") {
      headers.set("access-control-allow-methods", "GET, HEAD");
      headers.set("access-control-allow-headers", "authorization, last-event-id");
      headers.set("access-control-max-age", "600");
    }
  }
  if (token !== undefined) headers.append("vary", "authorization, cookie");
  if (secure === true) headers.set("strict-transport-security", "max-age=31536000");
  if (context.get("isLogged") !== true) log(deps, context, context.res.status, startMs);
}

function log(deps: ApiDeps, context: ApiContext, status: number, startMs: number): void {
  const url = new URL(context.req.url);
  if (url.searchParams.has("token")) url.searchParams.set("token", "-");
  const [bytes, error] = [context.get("bytes"), context.get("error")];
  deps.log({
    method: context.req.method,
    path: url.pathname + url.search,
    status,
    milliseconds: Math.round((deps.clock.elapsedMs() - startMs) * 10) / 10,
    remote: context.env.peer.address,
    ...(bytes === undefined ? {} : { bytes }),
    ...(error === undefined ? {} : { error }),
  });
}

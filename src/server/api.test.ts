import assert from "node:assert/strict";
import { before, test } from "node:test";
import type * as z from "zod/mini";
import { fakeDeps, type FakeDeps } from "../../test/support/fake-api.ts";
import { type FakeHost, fakeHost } from "../../test/support/fake-watched.ts";
import { ManualClock } from "../base/clock.ts";
import type { WatchState } from "../watch/watch.ts";
import { type Api, createApi } from "./api.ts";
import type { ApiDeps, ApiOptions } from "./api-deps.ts";
import {
  alertsSchema,
  censusSchema,
  censusTimesSchema,
  changedSchema,
  flowsSchema,
  forecastSchema,
  happeningsSchema,
  incidentSchema,
  incidentsSchema,
  namespacesSchema,
  planSchema,
  problemSchema,
  seriesSchema,
  settingsSchema,
  statusSchema,
  whatifSchema,
} from "./api-schema.ts";
import { ListenError } from "./listen-error.ts";
import { ApiProblem } from "./problem.ts";
import { ROUTES } from "./routes.ts";

const NOW_MS = 1_795_383_154_000;
const clock = new ManualClock(NOW_MS);
let host: FakeHost;

before(() => {
  host = fakeHost(clock, { flows: 2000 });
});

interface Made {
  api: Api;
  deps: FakeDeps;
  get: (path: string, init?: RequestInit) => Promise<Response>;
}

function made(options: Partial<ApiOptions> = {}, more: Partial<ApiDeps> = {}): Made {
  // What was asked before shall not be counted.
  clock.advance(60_000);
  const deps = { ...fakeDeps(host, clock, options), ...more };
  const api = createApi(deps);
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    api.fetch(new Request(`http://127.0.0.1:9466${path}`, init), { address: "127.0.0.1" });
  return { api, deps, get };
}

async function jsonOf(answer: Response): Promise<Record<string, unknown>> {
  return (await answer.json()) as Record<string, unknown>;
}

const answers: readonly (readonly [path: string, schema: z.ZodMiniType])[] = [
  ["/status", statusSchema],
  ["/series", seriesSchema],
  ["/series?names=occupancyFlows,dropPerSecond&points=50&from=1795300000000&to=1795383154000", seriesSchema],
  ["/series?namespace=vpn&names=occupancyFlows", seriesSchema],
  ["/forecast", forecastSchema],
  ["/census", censusSchema],
  ["/census?at=1795380000000", censusSchema],
  ["/census?filter=state%3DESTABLISHED%20and%20idle%3E1h", censusSchema],
  ["/census/times", censusTimesSchema],
  ["/flows", flowsSchema],
  ["/flows?filter=udp&sort=idle&limit=3", flowsSchema],
  ["/namespaces", namespacesSchema],
  ["/settings", settingsSchema],
  ["/happenings?from=1795200000000", happeningsSchema],
  ["/alerts", alertsSchema],
  ["/incidents", incidentsSchema],
  ["/incidents/table-full-1", incidentSchema],
  ["/whatif?set=nf_conntrack_tcp_timeout_established=12h&set=nf_conntrack_max=512k", whatifSchema],
  ["/plan", planSchema],
];

for (const [path, schema] of answers) {
  test(`GET ${path} answers as its schema says`, async () => {
    const answer = await made().get(`/api/v1${path}`);
    const body = await jsonOf(answer);
    assert.equal(answer.status, 200, JSON.stringify(body));
    assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.equal(schema.safeParse(body).error, undefined);
  });
}

test("every route that reads is asked by a test", () => {
  const asked = new Set(answers.map(([path]) => path.replace(/\?.*/, "").replace("table-full-1", "{id}")));
  const reads = ROUTES.filter(({ method }) => method === "GET").map(({ path }) => path);
  assert.deepEqual(
    reads.filter((path) => !asked.has(path)),
    [],
  );
});

test("GET /status: figures are those of the last second", async () => {
  const body = statusSchema.parse(await jsonOf(await made().get("/api/v1/status")));
  const sample = host.watched.state().sample?.values;
  assert.equal(body.occupancyFlows, sample?.occupancyFlows);
  assert.equal(body.useShare, (sample?.occupancyFlows ?? 0) / 262_144);
  assert.equal(body.allowChanges, false);
  assert.ok((body.fullMemoryBytes ?? 0) > (body.memoryBytes ?? 0));
});

test("GET /status: the level is the worst of the verdict and of the alerts that fire", async () => {
  const state = host.watched.state();
  const [alert] = state.alerts;
  assert.ok(alert !== undefined);
  const rows = [
    ["ok", "critical", "firing", "critical"],
    ["ok", "critical", "pending", "ok"],
    ["unknown", "warning", "firing", "warning"],
    ["critical", "warning", "firing", "critical"],
  ] as const;
  for (const [judged, level, alertState, wanted] of rows) {
    const verdict = { ...state.verdict, level: judged };
    const alerts = [{ ...alert, level, state: alertState }];
    const watched = { ...host.watched, state: () => ({ ...state, verdict, alerts }) };
    const body = await jsonOf(await made({}, { watched }).get("/api/v1/status"));
    assert.equal(body["level"], wanted, `${judged}, ${level} ${alertState}`);
  }
});

test("what is watched in another namespace says in which", async () => {
  const state = host.watched.state();
  const facts = { ...state.facts, host: { ...state.facts.host, namespaceInode: 4_026_532_377 } };
  const { get } = made({}, { watched: { ...host.watched, state: () => ({ ...state, facts }) } });
  const body = statusSchema.parse(await jsonOf(await get("/api/v1/status")));
  assert.equal(body.host.namespace, "vpn");
  const { namespaces } = namespacesSchema.parse(await jsonOf(await get("/api/v1/namespaces")));
  assert.deepEqual(
    namespaces.filter(({ watched }) => watched).map(({ label }) => label),
    ["vpn"],
  );
});

test("GET /series: gaps are null, columns are as long as their times, spans have ends", async () => {
  const gapMs = NOW_MS - 7 * 3_600_000;
  const path = `/api/v1/series?from=${gapMs - 200_000}&to=${gapMs + 20_000}&points=1000`;
  const body = seriesSchema.parse(await jsonOf(await made().get(path)));
  assert.equal(body.stepSeconds, 1);
  const { occupancyFlows } = body.series;
  assert.equal(occupancyFlows?.avg.length, body.atMs.length);
  assert.equal(occupancyFlows?.min, undefined);
  assert.ok((occupancyFlows?.avg.filter((value) => value === null).length ?? 0) > 80);
  const day = seriesSchema.parse(
    await jsonOf(await made().get(`/api/v1/series?from=${NOW_MS - 86_400_000}&points=100`)),
  );
  assert.ok(day.atMs.length <= 100);
  assert.equal(day.series.occupancyFlows?.max?.length, day.atMs.length);
});

test("GET /flows: the filter, the order and the number are kept", async () => {
  const path = "/api/v1/flows?filter=tcp%20and%20idle%3E1h&sort=idle&limit=5";
  const body = flowsSchema.parse(await jsonOf(await made().get(path)));
  const idle = body.flows.map((flow) => Number(flow["idleSeconds"]));
  assert.equal(idle.length, 5);
  assert.deepEqual(
    idle,
    idle.toSorted((one, other) => other - one),
  );
  assert.equal(body.filter, "tcp and idle>1h");
  assert.ok(body.matchedFlows > 5 && body.lookedAtFlows >= body.matchedFlows);
});

test("GET /whatif: the curve begins now, the command is what was asked", async () => {
  const path = "/api/v1/whatif?set=tcp_timeout_established=1h";
  const body = whatifSchema.parse(await jsonOf(await made().get(path)));
  const { curve, command } = body;
  assert.equal(command, "headroom apply --set nf_conntrack_tcp_timeout_established=1h");
  assert.equal(curve.capacityFlows, 262_144);
  assert.ok((curve.flows.at(-1) ?? 0) < (curve.flows[0] ?? 0) * 0.8);
  const breaks = body.answer["breaks"] as { code: string; flows: number }[];
  assert.ok(breaks.some(({ code, flows }) => code === "silent-flows" && flows > 1000));
});

test("GET /whatif: of another namespace, what is the host's is set on the host", async () => {
  const state = host.watched.state();
  const watched = { ...host.watched, state: () => ({ ...state, facts: { ...state.facts, netns: "vpn" } }) };
  const path = "/api/v1/whatif?set=nf_conntrack_max=524288&set=tcp_timeout_established=1h";
  const body = whatifSchema.parse(await jsonOf(await made({}, { watched }).get(path)));
  assert.equal(
    body.command,
    "headroom apply --set nf_conntrack_max=524288 && " +
      "headroom apply --netns vpn --set nf_conntrack_tcp_timeout_established=1h",
  );
});

test("GET /whatif: what changes nothing has no command", async () => {
  const path = "/api/v1/whatif?set=nf_conntrack_tcp_timeout_established=5d";
  assert.equal(whatifSchema.parse(await jsonOf(await made().get(path))).command, undefined);
});

const refused: readonly (readonly [path: string, status: number, code: string, says: RegExp])[] = [
  ["/series?names=nonsense", 400, "bad-parameter", /no series nonsense/],
  ["/series?points=0", 400, "bad-parameter", /points=0/],
  ["/series?points=99999", 400, "bad-parameter", /5000/],
  ["/series?points=1e3", 400, "bad-parameter", /points=1e3/],
  ["/series?from=yesterday", 400, "bad-parameter", /from=yesterday: it is not a time in milliseconds/],
  ["/series?from=2000&to=1000", 400, "bad-parameter", /not before to=1000/],
  ["/series?namespace=red", 400, "bad-parameter", /namespace=red/],
  ["/series?from=1&from=2", 400, "bad-parameter", /2 times/],
  ["/status?verbose=1", 400, "unknown-parameter", /verbose/],
  ["/live?filter=tcp", 400, "unknown-parameter", /filter/],
  ["/flows?sort=weight", 400, "bad-parameter", /sort=weight/],
  ["/flows?limit=1001", 400, "bad-parameter", /1000/],
  ["/flows?filter=state%3DESTABLISHD", 400, "bad-filter", /ESTABLISHD/],
  [`/flows?filter=${"a".repeat(2001)}`, 400, "bad-filter", /2001 characters/],
  ["/census?at=1795380000000&filter=tcp", 400, "bad-parameter", /together/],
  ["/census?at=1000", 404, "not-yet-known", /census/],
  ["/incidents/none", 404, "not-found", /incident none/],
  ["/whatif", 400, "bad-parameter", /no setting/],
  ["/whatif?set=foo=1", 400, "bad-parameter", /no such setting/],
  ["/whatif?set=nf_conntrack_count=1", 400, "bad-parameter", /read-only/],
  ["/whatif?set=nf_conntrack_max", 400, "bad-parameter", /KEY=VALUE/],
  ["/whatif?set=nf_conntrack_max=-1", 400, "bad-parameter", /takes 0 to/],
  ["/whatif?set=nf_conntrack_max=12h", 400, "bad-parameter", /12h/],
  ["/whatif?set=nf_conntrack_max=1&set=nf_conntrack_max=2", 400, "bad-parameter", /twice/],
  ["/nothing", 404, "not-found", /no such path/],
];

for (const [path, status, code, says] of refused) {
  test(`GET ${path.slice(0, 60)} is ${status} ${code}`, async () => {
    const answer = await made().get(`/api/v1${path}`);
    const problem = problemSchema.parse(await jsonOf(answer));
    assert.equal(answer.status, status);
    assert.equal(problem.code, code);
    assert.match(problem.message, says);
    assert.match(problem.message, /^Cannot .*[^.]$/);
  });
}

test("a filter that is wrong says where", async () => {
  const answer = await made().get("/api/v1/flows?filter=tcp%20and%20prot%3D80");
  const problem = problemSchema.parse(await jsonOf(answer));
  assert.equal(problem.at, 8);
  assert.equal(problem.length, 4);
  assert.match(problem.help ?? "", /Did you mean port/);
});

test("before anything is known, what is missing says so", async () => {
  const { watched } = host;
  const bare = (): WatchState => {
    const { census: _c, observation: _o, forecast: _f, sample: _s, events: _e, ...rest } = watched.state();
    return rest;
  };
  const { get } = made({}, { watched: { ...watched, state: bare } });
  for (const path of ["/forecast", "/census", "/whatif?set=nf_conntrack_max=1"]) {
    const answer = await get(`/api/v1${path}`);
    assert.equal(answer.status, 404);
    assert.equal((await jsonOf(answer))["code"], "not-yet-known");
  }
  assert.equal(statusSchema.safeParse(await jsonOf(await get("/api/v1/status"))).success, true);
});

test("what a reading throws is a problem; what nobody foresaw is ours, and only the log has it", async () => {
  const permission = new ApiProblem("unavailable", "Cannot read flows: permission denied", {
    help: "Be root",
  });
  const { get } = made({}, { flows: async () => Promise.reject(permission) });
  const answer = await get("/api/v1/flows");
  assert.equal(answer.status, 503);
  assert.deepEqual(await jsonOf(answer), {
    code: "unavailable",
    message: "Cannot read flows: permission denied",
    help: "Be root",
  });
  const broken = made({}, { plan: async () => Promise.reject(new TypeError("secret detail")) });
  const unforeseen = await broken.get("/api/v1/plan");
  assert.equal(unforeseen.status, 500);
  assert.doesNotMatch(await unforeseen.text(), /secret|TypeError|api\.ts/);
  assert.match(broken.deps.lines[0]?.error ?? "", /TypeError: secret detail/);
});

test("other methods are 405 and say which there are; HEAD is GET without a body", async () => {
  const { get } = made();
  for (const [path, allowed] of [
    ["/api/v1/status", "GET, HEAD"],
    ["/api/v1/changes", "POST"],
    ["/api/v1/live", "GET, HEAD"],
    ["/metrics", "GET, HEAD"],
    ["/index.html", "GET, HEAD"],
  ] as const) {
    const answer = await get(path, { method: "DELETE" });
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get("allow"), allowed);
    assert.equal((await jsonOf(answer))["code"], "method-not-allowed");
  }
  assert.equal((await get("/api/v1/changes")).status, 405);
  const head = await get("/api/v1/status", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), "");
  assert.equal((await get("/api/v1/live", { method: "HEAD" })).status, 200);
  assert.equal(host.listeners, 0);
});

test("every answer has the headers of safety, also those that refuse", async () => {
  const { get } = made();
  for (const path of ["/api/v1/status", "/api/v1/nothing", "/", "/metrics"]) {
    const { headers } = await get(path);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "same-origin");
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(headers.get("access-control-allow-origin"), null);
  }
});

test("a request is logged once, without the token in its query", async () => {
  const { get, deps } = made({ token: "secret" });
  await get("/?token=secret&x=1", { headers: { accept: "text/html" } });
  assert.deepEqual(
    deps.lines.map(({ path, status, method }) => ({ path, status, method })),
    [{ path: "/?token=-&x=1", status: 200, method: "GET" }],
  );
});

test("JSON that is long is packed for whoever takes it", async () => {
  const { get, deps } = made();
  const answer = await get("/api/v1/status", { headers: { "accept-encoding": "gzip, br" } });
  assert.equal(answer.headers.get("content-encoding"), "gzip");
  const stream = answer.body?.pipeThrough(new DecompressionStream("gzip"));
  assert.equal(statusSchema.safeParse(await new Response(stream).json()).success, true);
  assert.ok((deps.lines[0]?.bytes ?? 0) < 5000);
  const plain = await get("/api/v1/status", { headers: { "accept-encoding": "gzip;q=0, identity" } });
  assert.equal(plain.headers.get("content-encoding"), null);
});

test("/metrics is what the deps give, and 404 where they give none", async () => {
  const answer = await made().get("/metrics");
  assert.equal(await answer.text(), "headroom_up 1\n");
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const { metrics: _none, ...rest } = made().deps;
  const api = createApi(rest);
  assert.equal((await api.fetch(new Request("http://127.0.0.1:9466/metrics"))).status, 404);
});

for (const address of ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "gateway.example"]) {
  test(`createApi refuses ${address} without a token or client certificates`, () => {
    const listen = { address, port: 9466 };
    assert.throws(
      () => made({ listen }),
      (error) =>
        error instanceof ListenError && error.code === "open-to-all" && /token_file/.test(error.help ?? ""),
    );
    made({ listen, token: "secret" });
    made({ listen, clientCertificates: true });
  });
}

for (const address of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) {
  test(`createApi needs no token on ${address}`, () => void made({ listen: { address, port: 9466 } }));
}

for (const token of ["", " ", "two words", "line\n", "tökën"]) {
  test(`createApi refuses the token ${JSON.stringify(token)}`, () => {
    assert.throws(
      () => made({ token }),
      (error) => error instanceof ListenError && error.code === "bad-token",
    );
  });
}

const change = { method: "POST", body: '{"settings":{"nf_conntrack_max":524288}}' };
const changeHeaders = { "x-headroom": "change", "content-type": "application/json" };

test("POST /changes makes the change where it is allowed", async () => {
  const { get } = made({ allowChanges: true });
  const answer = await get("/api/v1/changes", { ...change, headers: changeHeaders });
  assert.equal(answer.status, 200);
  const body = changedSchema.parse(await jsonOf(answer));
  assert.deepEqual(body["settings"], { nf_conntrack_max: 524_288 });
  assert.equal((await jsonOf(await get("/api/v1/status")))["allowChanges"], true);
});

test("live data that a history refuses, or a queue cannot hold, leaves no client behind", async () => {
  const refusing = {
    ...host.history,
    series: (): never => {
      throw new Error("disk I/O error");
    },
  };
  const { api, get } = made({ limits: { liveClients: 1 } }, { history: refusing });
  const headers = { "last-event-id": String(clock.nowMs() - 5000) };
  for (let time = 0; time < 2; time += 1) {
    assert.equal((await get("/api/v1/live", { headers })).status, 500);
  }
  assert.deepEqual([api.liveClients, host.listeners], [0, 0]);
  const small = made({ limits: { liveQueueBytes: 20 } });
  assert.equal((await small.get("/api/v1/live", { headers })).status, 200);
  assert.deepEqual([small.api.liveClients, host.listeners], [0, 0]);
});

const changesRefused: readonly (readonly [
  name: string,
  init: RequestInit,
  status: number,
  options?: Partial<ApiOptions>,
])[] = [
  ["where it only looks", { headers: changeHeaders }, 403, {}],
  ["without the header", { headers: { "content-type": "application/json" } }, 403],
  ["as a form", { headers: { ...changeHeaders, "content-type": "text/plain" } }, 415],
  ["from another origin", { headers: { ...changeHeaders, origin: "http://example.net" } }, 403],
  ["from an origin that may read", { headers: { ...changeHeaders, origin: "https://example.org" } }, 403],
  ["from a frame without origin", { headers: { ...changeHeaders, origin: "null" } }, 403],
  ["from another site", { headers: { ...changeHeaders, "sec-fetch-site": "cross-site" } }, 403],
  ["that is not JSON", { headers: changeHeaders, body: "{" }, 400],
  ["of no settings", { headers: changeHeaders, body: '{"settings":{}}' }, 400],
  [
    "with more than settings",
    { headers: changeHeaders, body: '{"settings":{"nf_conntrack_max":1},"force":true}' },
    400,
  ],
  ["of text", { headers: changeHeaders, body: '{"settings":{"nf_conntrack_max":"1"}}' }, 400],
  ["of what there is not", { headers: changeHeaders, body: '{"settings":{"kernel.panic":1}}' }, 400],
  ["out of range", { headers: changeHeaders, body: '{"settings":{"nf_conntrack_max":-5}}' }, 400],
  ["of a fraction", { headers: changeHeaders, body: '{"settings":{"nf_conntrack_max":1.5}}' }, 400],
  [
    "of one setting by two names",
    { headers: changeHeaders, body: '{"settings":{"hashsize":5,"nf_conntrack_buckets":6}}' },
    400,
  ],
  ["of __proto__", { headers: changeHeaders, body: '{"settings":{"__proto__":1}}' }, 400],
  ["that is too large", { headers: changeHeaders, body: `{"a":"${"x".repeat(70_000)}"}` }, 413],
];

for (const [name, init, status, options] of changesRefused) {
  test(`POST /changes ${name} is ${status} and changes nothing`, async () => {
    let calls = 0;
    const applyChange = async (): Promise<object> => ({ calls: (calls += 1) });
    const { get } = made(options ?? { allowChanges: true, allowedOrigins: ["https://example.org"] }, {
      applyChange,
    });
    const answer = await get("/api/v1/changes", { ...change, ...init });
    assert.equal(answer.status, status, await answer.text());
    assert.equal(calls, 0);
  });
}

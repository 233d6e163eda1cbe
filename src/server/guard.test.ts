import assert from "node:assert/strict";
import { before, test } from "node:test";
import { fakeDeps } from "../../test/support/fake-api.ts";
import { type FakeHost, fakeHost } from "../../test/support/fake-watched.ts";
import { ManualClock } from "../base/clock.ts";
import { createApi } from "./api.ts";
import type { ApiOptions, Peer } from "./api-deps.ts";
import { hostOf, isAllowedHost, isSame, SESSION_COOKIE, sessionOf } from "./guard.ts";

const clock = new ManualClock(1_795_383_154_000);
let host: FakeHost;

before(() => {
  host = fakeHost(clock, { flows: 200 });
});

type Ask = (path: string, headers?: Record<string, string>, init?: RequestInit) => Promise<Response>;

function asking(options: Partial<ApiOptions> = {}, peer: Peer = { address: "203.0.113.9" }): Ask {
  clock.advance(600_000);
  const api = createApi(fakeDeps(host, clock, options));
  return (path, headers = {}, init = {}) =>
    api.fetch(new Request(`http://127.0.0.1:9466${path}`, { headers, ...init }), peer);
}

const open = { listen: { address: "0.0.0.0", port: 9466 }, token: "correct-horse" };
const page = { accept: "text/html", "sec-fetch-mode": "navigate" };

const hosts: readonly (readonly [header: string, address: string, allowed: boolean])[] = [
  ["127.0.0.1:9466", "127.0.0.1", true],
  ["127.0.0.1", "127.0.0.1", true],
  ["localhost:9466", "127.0.0.1", true],
  ["LOCALHOST.:9466", "127.0.0.1", true],
  ["[::1]:9466", "::1", true],
  ["localhost:5173", "127.0.0.1", true],
  ["example.net:9466", "127.0.0.1", false],
  ["127.0.0.1.example.net", "127.0.0.1", false],
  ["localhost.example.net", "127.0.0.1", false],
  ["192.0.2.1", "127.0.0.1", false],
  ["gw-1.example:9466", "127.0.0.1", true],
  ["example.org:443", "127.0.0.1", true],
  ["example.org:9466", "127.0.0.1", false],
  ["192.0.2.1:9466", "192.0.2.1", true],
  ["192.0.2.2:9466", "192.0.2.1", false],
  ["127.0.0.1:9466", "192.0.2.1", false],
  ["192.0.2.77:9466", "0.0.0.0", true],
  ["[2001:db8::7]:9466", "::", true],
  ["example.net:9466", "0.0.0.0", false],
  ["example.net:9466", "::", false],
  ["gw-2.example:9466", "gw-2.example", true],
  ["192.0.2.77:9466", "gw-2.example", true],
  ["example.net:9466", "gw-2.example", false],
  ["", "127.0.0.1", false],
  ["a b", "127.0.0.1", false],
  ["user@127.0.0.1", "127.0.0.1", false],
  ["[::1", "::1", false],
];

for (const [header, address, allowed] of hosts) {
  test(`Host ${header || "(empty)"} of a server on ${address} is ${allowed ? "answered" : "refused"}`, () => {
    const options = { listen: { address, port: 9466 }, allowedHosts: ["gw-1.example", "example.org:443"] };
    assert.equal(isAllowedHost(header, options), allowed);
  });
}

test("hostOf keeps the port apart", () => {
  assert.deepEqual(hostOf("[2001:db8::1]:80"), { host: "2001:db8::1", port: 80 });
  assert.deepEqual(hostOf("GW-1"), { host: "gw-1" });
});

test("a Host that is not ours is 421, whatever is asked for", async () => {
  const ask = asking();
  for (const path of ["/", "/api/v1/status", "/metrics", "/login"]) {
    const answer = await ask(path, { host: "example.net" });
    assert.equal(answer.status, 421);
    assert.match(await answer.text(), /host-refused/);
  }
});

const origins: readonly (readonly [name: string, headers: Record<string, string>, status: number])[] = [
  ["no origin", {}, 200],
  ["its own page", { host: "127.0.0.1:9466", origin: "http://127.0.0.1:9466" }, 200],
  ["its own page behind a proxy with TLS", { host: "127.0.0.1:9466", origin: "https://127.0.0.1:9466" }, 200],
  ["an origin that is allowed", { origin: "https://example.org" }, 200],
  ["another origin", { origin: "https://example.net" }, 403],
  ["one that begins alike", { origin: ["https://example.org", "example.net"].join(".") }, 403],
  ["a sandboxed page", { origin: "null" }, 403],
  ["an image on another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 403],
  ["a link on another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 200],
  ["an address that was typed", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }, 200],
];

for (const [name, headers, status] of origins) {
  test(`reading for ${name} is ${status}`, async () => {
    const answer = await asking({ allowedOrigins: ["https://example.org"] })("/api/v1/alerts", headers);
    assert.equal(answer.status, status);
    const allowed = answer.headers.get("access-control-allow-origin");
    assert.equal(allowed, headers["origin"] === "https://example.org" ? "https://example.org" : null);
  });
}

test("a preflight is answered for allowed origins alone, and never allows to change", async () => {
  const ask = asking({ allowedOrigins: ["https://example.org"], token: "secret" });
  const answer = await ask("/api/v1/status", { origin: "https://example.org" }, { method: "OPTIONS" });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-methods"), "GET, HEAD");
  assert.equal(answer.headers.get("access-control-allow-credentials"), null);
  const other = await ask("/api/v1/status", { origin: "https://example.net" }, { method: "OPTIONS" });
  assert.equal(other.status, 403);
  assert.equal(other.headers.get("access-control-allow-origin"), null);
});

test("with a token, nothing is answered without it", async () => {
  const ask = asking(open);
  for (const path of [
    "/api/v1/status",
    "/api/v1/openapi.json",
    "/api/v1/live",
    "/metrics",
    "/assets/a.js",
    "/x",
  ]) {
    const answer = await ask(path);
    assert.equal(answer.status, 401, path);
    assert.equal(answer.headers.get("www-authenticate"), 'Bearer realm="headroom"');
    assert.match(await answer.text(), /token-missing/);
  }
  assert.equal(host.listeners, 0);
});

for (const [authorization, status] of [
  ["Bearer correct", 401],
  ["Bearer battery horse", 401],
  ["Bearer wrong", 401],
  ["Basic c2VjcmV0", 401],
  ["Bearer", 401],
  ["bearer battery", 200],
  ["Bearer battery", 200],
] as const) {
  test(`Authorization: ${authorization} is ${status}`, async () => {
    const ask = asking({ ...open, token: "battery" });
    assert.equal((await ask("/api/v1/alerts", { authorization })).status, status);
  });
}

test("a wrong token is not made right by a cookie that is", async () => {
  const cookie = `${SESSION_COOKIE}=${sessionOf(open.token)}`;
  assert.equal((await asking(open)("/api/v1/alerts", { cookie })).status, 200);
  assert.equal((await asking(open)("/api/v1/alerts", { cookie, authorization: "Bearer no" })).status, 401);
});

test("guessing is stopped: after ten wrong tokens the wrong ones wait, the right one never", async () => {
  const ask = asking({ ...open, token: "battery" });
  const statuses = [];
  for (let guess = 0; guess < 11; guess += 1) {
    statuses.push((await ask("/api/v1/alerts", { authorization: `Bearer ${guess}` })).status);
  }
  assert.deepEqual(new Set(statuses.slice(0, 10)), new Set([401]));
  assert.equal(statuses[10], 429);
  assert.equal((await ask("/api/v1/alerts", { authorization: "Bearer battery" })).status, 200);
  assert.equal((await ask("/api/v1/alerts", { authorization: "Bearer 11" })).status, 429);
  clock.advance(6000);
  assert.equal((await ask("/api/v1/alerts", { authorization: "Bearer 12" })).status, 401);
});

test("a browser without a session is sent to the login page, which has no script", async () => {
  const ask = asking(open);
  const answer = await ask("/", page);
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/login");
  const login = await ask("/login", page);
  const text = await login.text();
  assert.equal(login.status, 200);
  assert.match(text, /<form method="post" action="\/login">/);
  assert.doesNotMatch(text, /<script|style=/);
  assert.match(login.headers.get("content-security-policy") ?? "", /style-src 'sha256-[\w+/=]{44}'/);
});

function form(token: string): RequestInit {
  return { method: "POST", body: new URLSearchParams({ token }).toString() };
}

const formHeaders = { "content-type": "application/x-www-form-urlencoded", "content-length": "40" };

test("the login form gives a session that no script reads and no other site sends", async () => {
  const ask = asking(open);
  const answer = await ask("/login", formHeaders, form(open.token));
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get("location"), "/");
  const cookie = answer.headers.get("set-cookie") ?? "";
  assert.match(cookie, /; HttpOnly; SameSite=Strict$/);
  assert.doesNotMatch(cookie, /horse/);
  const [pair = ""] = cookie.split(";");
  assert.equal((await ask("/api/v1/alerts", { cookie: pair })).status, 200);
  assert.equal((await asking({ ...open, token: "another" })("/api/v1/alerts", { cookie: pair })).status, 401);
});

test("where it is reached by TLS the session is for TLS", async () => {
  const answer = await asking({ ...open, secure: true })("/login", formHeaders, form(open.token));
  assert.match(answer.headers.get("set-cookie") ?? "", /; Secure$/);
  assert.match(answer.headers.get("strict-transport-security") ?? "", /max-age/);
});

for (const [name, headers, init, status] of [
  ["a wrong token", {}, form("wrong"), 401],
  ["no token", {}, { method: "POST", body: "" }, 401],
  ["a page from elsewhere", { origin: "https://example.net" }, form(open.token), 403],
  ["another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, form(open.token), 403],
  ["too much", { "content-length": "3000" }, form("a".repeat(3000)), 413],
  ["more than it says", {}, form("a".repeat(3000)), 413],
  ["another method", {}, { method: "PUT", body: "" }, 405],
] as const) {
  test(`the login form with ${name} is ${status} and gives no session`, async () => {
    const answer = await asking(open)("/login", { ...formHeaders, ...headers }, init);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get("set-cookie"), null);
  });
}

test("a link with the token gives a session and goes on to the path without the token", async () => {
  const answer = await asking(open)(`/flows?filter=tcp&token=${encodeURIComponent(open.token)}`, page);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("set-cookie") ?? "", /^headroom-session=/);
  assert.match(await answer.text(), /content="0; url=\/flows\?filter=tcp"/);
});

test("a link with a wrong token gives nothing and counts as a guess", async () => {
  const ask = asking(open);
  for (let guess = 0; guess < 10; guess += 1) {
    const answer = await ask("/?token=wrong", page);
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.get("set-cookie"), null);
  }
  assert.equal((await ask("/?token=wrong", page)).status, 429);
});

test("the page that goes on leads nowhere else", async () => {
  for (const path of ["//example.net/", "/%22onload=x", "/\\example.net"]) {
    const text = await (await asking(open)(`${path}?token=correct-horse`, page)).text();
    assert.match(text, /url=\/[^/\\"]/);
    assert.doesNotMatch(text, /url=\/\/|url=http/);
  }
});

test("who clicks a link elsewhere is sent on from here, so that the strict cookie is sent", async () => {
  const answer = await asking(open)("/", { ...page, "sec-fetch-site": "cross-site" });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /http-equiv="refresh"/);
});

test("with client certificates alone, who has none gets nothing", async () => {
  const options = { listen: open.listen, clientCertificates: true };
  assert.equal((await asking(options)("/api/v1/alerts")).status, 403);
  const certified = { address: "203.0.113.9", certified: true };
  assert.equal((await asking(options, certified)("/api/v1/alerts")).status, 200);
});

test("isSame: equal texts of any length, and no others", () => {
  assert.equal(isSame("", ""), true);
  assert.equal(isSame("a", "ab"), false);
  assert.equal(isSame("ä", "ä"), true);
});

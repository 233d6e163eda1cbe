/** Real sockets: live data, slow clients, limits, certificates. */
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get as httpsGet } from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { makeCertificates, whyNoCertificates } from "../../test/support/certificates.ts";
import { fakeDeps, type FakeDeps } from "../../test/support/fake-api.ts";
import { type FakeHost, fakeHost } from "../../test/support/fake-watched.ts";
import { ManualClock, systemClock } from "../base/clock.ts";
import { type Api, createApi } from "./api.ts";
import type { ApiOptions } from "./api-deps.ts";
import { listen, type Listening, type ListenOptions } from "./listen.ts";
import { ListenError } from "./listen-error.ts";

const clock = new ManualClock(systemClock.nowMs());
let host: FakeHost;

before(() => {
  host = fakeHost(clock, { flows: 1000 });
});

interface Running {
  listening: Listening;
  api: Api;
  deps: FakeDeps;
  beats: (() => void)[];
}

async function running(
  context: TestContext,
  options: Partial<ApiOptions> = {},
  how: ListenOptions = {},
): Promise<Running> {
  clock.advance(600_000);
  const beats: (() => void)[] = [];
  const deps = {
    ...fakeDeps(host, clock, options),
    every: (_milliseconds: number, call: () => void) => {
      beats.push(call);
      return () => void beats.splice(beats.indexOf(call), 1);
    },
  };
  const api = createApi(deps);
  const listening = await listen(api, how);
  context.after(() => listening.close());
  return { listening, api, deps, beats };
}

/** Waits until it is so; the test runner ends what never is. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Events {
  text: () => string;
  socket: Socket;
}

/** Asks for live data over a socket of its own, and gathers what comes. */
function eventsOf({ listening }: Running, headers = ""): Promise<Events> {
  const { promise, resolve, reject } = Promise.withResolvers<Events>();
  const socket = connect(listening.port, listening.address);
  let text = "";
  socket.on("error", reject);
  socket.on("data", (bytes) => {
    text += bytes.toString();
    if (text.includes("event: state")) resolve({ text: () => text, socket });
  });
  socket.write(`GET /api/v1/live HTTP/1.1\r\nHost: ${listening.address}:${listening.port}\r\n${headers}\r\n`);
  return promise;
}

test("live data: the last second at once, then every kind of news", async (context) => {
  const server = await running(context);
  const { text, socket } = await eventsOf(server);
  assert.match(text(), /content-type: text\/event-stream/i);
  assert.match(text(), /retry: 2000\n\n/);
  assert.match(text(), /event: sample\nid: \d+\ndata: \{"atMs":\d+,"values":\{/);
  clock.advance(1000);
  host.tick();
  const [alert] = host.watched.state().alerts;
  assert.ok(alert !== undefined);
  host.tell({ kind: "alert", alert });
  host.tell({ kind: "note", note: { atMs: 1, kind: "gap", text: "line one\nline two" } });
  host.tell({ kind: "setting", change: { atMs: 1, key: "nf_conntrack_max", from: 1, to: 2, suspects: [] } });
  await until(() => text().includes("event: setting"));
  for (const event of ["census", "alert", "note", "setting", "state"]) {
    assert.ok(text().includes(`event: ${event}\ndata: {`), event);
  }
  assert.equal(text().match(/event: sample/g)?.length, 2);
  server.beats.forEach((beat) => beat());
  await until(() => text().includes(": still there\n\n"));
  socket.destroy();
  await until(() => host.listeners === 0);
  assert.equal(server.api.liveClients, 0);
  assert.equal(server.beats.length, 0);
  assert.deepEqual(
    server.deps.lines.map(({ path }) => path),
    ["/api/v1/live"],
  );
});

test("live data: who was away for less than a minute gets what was missed", async (context) => {
  const server = await running(context);
  const lastMs = Math.floor(clock.nowMs() / 1000) * 1000 - 8000;
  const { text } = await eventsOf(server, `Last-Event-ID: ${lastMs}\r\n`);
  const ids = [...text().matchAll(/id: (\d+)/g)].map(([, id]) => Number(id));
  assert.ok(ids.length >= 8, `${ids.length} samples`);
  assert.ok(ids.every((id) => id > lastMs));
  assert.deepEqual(
    ids,
    ids.toSorted((one, other) => one - other),
  );
});

for (const [name, id] of [
  ["longer", "1000"],
  ["in the future", "9999999999999"],
  ["never here", "'; drop"],
] as const) {
  test(`live data: who was ${name} away gets the last second alone`, async (context) => {
    const { text } = await eventsOf(await running(context), `Last-Event-ID: ${id}\r\n`);
    assert.equal(text().match(/event: sample/g)?.length, 1);
  });
}

test("live data: of 40 clients that are killed no subscriber is left", async (context) => {
  const server = await running(context);
  const clients = await Promise.all(Array.from({ length: 40 }, () => eventsOf(server)));
  assert.equal(host.listeners, 40);
  clients.forEach(({ socket }, index) => {
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  });
  await until(() => host.listeners === 0 && server.api.liveClients === 0);
  assert.equal(server.beats.length, 0);
});

test("live data: there is a most of clients, and room again when one goes", async (context) => {
  const server = await running(context, { limits: { liveClients: 2 } });
  const [first] = await Promise.all([eventsOf(server), eventsOf(server)]);
  const answer = await fetch(`${server.listening.url}api/v1/live`);
  assert.equal(answer.status, 503);
  assert.ok(answer.headers.get("retry-after") !== null);
  first?.socket.destroy();
  await until(() => server.api.liveClients === 1);
  await eventsOf(server);
});

test("live data: a client that does not read is cut off, and nobody else notices", async (context) => {
  const server = await running(context, { limits: { liveQueueBytes: 32 * 1024 } });
  const [slow, quick] = [await eventsOf(server), await eventsOf(server)];
  slow.socket.pause();
  slow.socket.on("error", () => undefined);
  const note = { atMs: 1, kind: "gap" as const, text: "x".repeat(8000) };
  let told = 0;
  while (host.listeners > 1 && told < 20_000) {
    host.tell({ kind: "note", note });
    told += 1;
    // The other one reads.
    if (told % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(host.listeners, 1);
  host.tell({ kind: "note", note: { ...note, text: "the end" } });
  await until(() => quick.text().includes("the end"));
});

test("a client that never ends its headers is let go", async (context) => {
  const { listening } = await running(context, {}, { headersTimeoutMs: 200, requestTimeoutMs: 400 });
  const socket = connect(listening.port, listening.address);
  socket.write("GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ");
  const text = await answerOf(socket);
  assert.match(text, /^HTTP\/1\.1 408 /);
});

test("a client that never ends its body is let go", async (context) => {
  const options = { allowChanges: true };
  const { listening } = await running(context, options, { headersTimeoutMs: 200, requestTimeoutMs: 400 });
  const socket = connect(listening.port, listening.address);
  const headers = "X-Headroom: change\r\nContent-Type: application/json\r\nContent-Length: 100";
  socket.write(`POST /api/v1/changes HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n\r\n{"settings":`);
  const text = await answerOf(socket);
  assert.doesNotMatch(text, /^HTTP\/1\.1 200/);
});

function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString()));
  socket.on("error", () => undefined);
  return new Promise((resolve) => {
    socket.on("close", () => resolve(text));
  });
}

test("a Host header that is none, and headers without end, are refused", async (context) => {
  const { listening } = await running(context);
  for (const head of ["Host: a b", `Host: 127.0.0.1\r\nX: ${"x".repeat(20_000)}`, "Host: evil.example"]) {
    const socket = connect(listening.port, listening.address);
    socket.write(`GET /api/v1/status HTTP/1.1\r\n${head}\r\nConnection: close\r\n\r\n`);
    assert.match(await answerOf(socket), /^HTTP\/1\.1 4(00|21|31) /);
  }
});

test("a body that is too large is refused while it comes", async (context) => {
  const { listening } = await running(context, { allowChanges: true });
  const body = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(10_000).fill(32)),
  });
  const init = {
    method: "POST",
    body,
    duplex: "half",
    headers: { "x-headroom": "1", "content-type": "application/json" },
  };
  const answer = await fetch(`${listening.url}api/v1/changes`, init as RequestInit).catch(() => undefined);
  if (answer !== undefined) assert.equal(answer.status, 413);
});

test("what is too much for one client is refused with the time to wait", async (context) => {
  const { listening, deps } = await running(context, { limits: { requestsAtOnce: 3, requestsPerSecond: 1 } });
  const statuses = [];
  for (let request = 0; request < 5; request += 1) {
    const answer = await fetch(`${listening.url}api/v1/alerts`);
    statuses.push(answer.status);
    if (answer.status === 429) assert.equal(answer.headers.get("retry-after"), "1");
  }
  assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
  clock.advance(1000);
  assert.equal((await fetch(`${listening.url}api/v1/alerts`)).status, 200);
  assert.equal(deps.lines.length, 6);
});

test("another API answers from the next request on", async (context) => {
  const { listening, deps } = await running(context);
  listening.use(createApi({ ...deps, version: "2.0.0" }));
  const answer = (await (await fetch(`${listening.url}api/v1/status`)).json()) as { version: string };
  assert.equal(answer.version, "2.0.0");
});

test("connections that cannot be accepted end no server", async (context) => {
  const { listening } = await running(context);
  const servers: { emit: (event: string, error: Error) => boolean }[] = [];
  const hear = (message: unknown): void =>
    void servers.push((message as { server: (typeof servers)[number] }).server);
  subscribe("http.server.request.start", hear);
  context.after(() => void unsubscribe("http.server.request.start", hear));
  const ask = async (): Promise<number> => (await fetch(`${listening.url}api/v1/alerts`)).status;
  assert.equal(await ask(), 200);
  // As node:net does when accept() fails, such as without a file left.
  for (let time = 0; time < 3; time += 1) servers[0]?.emit("error", new Error("accept EMFILE"));
  assert.equal(await ask(), 200);
  assert.equal(servers.length, 2);
});

test("an address that is taken, and one this host does not have, are said to be", async (context) => {
  const { listening, deps } = await running(context);
  for (const [place, code] of [
    [{ address: "127.0.0.1", port: listening.port }, "address-in-use"],
    [{ address: "192.0.2.1", port: 0 }, "no-such-address"],
  ] as const) {
    const api = createApi({ ...deps, options: { listen: place, token: "secret" } });
    await assert.rejects(listen(api), (error) => error instanceof ListenError && error.code === code);
  }
});

const directory = mkdtempSync(join(tmpdir(), "hr-server-"));
after(() => rmSync(directory, { recursive: true }));

function pem(name: string): string {
  return readFileSync(join(directory, name), "utf8");
}

function statusBy(port: number, client?: string): Promise<number | string> {
  const own = client === undefined ? {} : { key: pem(`${client}.key`), cert: pem(`${client}.crt`) };
  return new Promise((resolve) => {
    const place = { host: "127.0.0.1", port, path: "/api/v1/alerts", ca: pem("ca.crt"), agent: false };
    httpsGet({ ...place, ...own }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    }).on("error", () => resolve("refused"));
  });
}

test("client certificates: only who has one gets in", { skip: whyNoCertificates }, async (context) => {
  makeCertificates(directory, ["server", "client"], ["stranger"]);
  const tls = { key: pem("server.key"), certificate: pem("server.crt"), clientCa: pem("ca.crt") };
  const place = { address: "0.0.0.0", port: 0 };
  const { listening } = await running(
    context,
    { listen: place, clientCertificates: true, secure: true },
    { tls },
  );
  assert.equal(await statusBy(listening.port, "client"), 200);
  assert.equal(await statusBy(listening.port, "stranger"), "refused");
  assert.equal(await statusBy(listening.port), "refused");
  assert.match(listening.url, /^https:/);
});

test(
  "a key that does not belong to the certificate is said to be none",
  { skip: whyNoCertificates },
  async (context) => {
    const tls = { key: pem("client.key"), certificate: pem("server.crt") };
    await assert.rejects(
      running(context, { token: "secret" }, { tls }),
      (error) => error instanceof ListenError && error.code === "bad-certificate",
    );
  },
);

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import fc from "fast-check";
import { fakeDeps } from "../../test/support/fake-api.ts";
import { type FakeHost, fakeHost } from "../../test/support/fake-watched.ts";
import { ManualClock } from "../base/clock.ts";
import { createApi } from "./api.ts";
import type { Asset } from "./api-deps.ts";
import { isWorthPacking, packingOf } from "./packing.ts";

const clock = new ManualClock(1_795_383_154_000);
const script = new TextEncoder().encode(`console.log(${"1 + ".repeat(2000)}1);`);
const icon = new Uint8Array(3000).fill(7);
let host: FakeHost;

before(() => {
  host = fakeHost(clock, { flows: 200 });
});

const files: Readonly<Record<string, Asset>> = {
  "index.html": asset(new TextEncoder().encode("<!doctype html>"), "text/html; charset=utf-8", false),
  "assets/a-1f2e.js": asset(script, "text/javascript; charset=utf-8", true),
  "icon.png": asset(icon, "image/png", false),
};

function asset(bytes: Uint8Array<ArrayBuffer>, type: string, immutable: boolean): Asset {
  return { bytes, type, immutable, etag: `"${bytes.length}"` };
}

/** Every name that was asked for. */
const asked: string[] = [];

function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  clock.advance(60_000);
  const api = createApi({
    ...fakeDeps(host, clock),
    asset: (name) => {
      asked.push(name);
      return Object.hasOwn(files, name) ? files[name] : undefined;
    },
  });
  return api.fetch(new Request(`http://127.0.0.1:9466${path}`, { headers }));
}

for (const path of ["/", "/index.html", "/flows", "/incidents/table-full-1"]) {
  test(`${path} is the page, asked for again each time`, async () => {
    const answer = await get(path);
    assert.equal(await answer.text(), "<!doctype html>");
    assert.equal(answer.headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(answer.headers.get("cache-control"), "private, no-cache");
  });
}

for (const [accept, packing, unpack] of [
  ["gzip, deflate, br", "br", brotliDecompressSync],
  ["gzip", "gzip", gunzipSync],
  ["br;q=0, gzip;q=0.5", "gzip", gunzipSync],
  ["", null, (bytes: Uint8Array): Uint8Array => bytes],
] as const) {
  test(`a script for who takes "${accept}" is packed as ${packing}`, async () => {
    const answer = await get("/assets/a-1f2e.js", { "accept-encoding": accept });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(answer.headers.get("content-encoding"), packing);
    assert.equal(answer.headers.get("content-length"), String(bytes.length));
    assert.equal(answer.headers.get("vary"), "accept-encoding");
    assert.match(answer.headers.get("cache-control") ?? "", /immutable/);
    assert.deepEqual(new Uint8Array(unpack(bytes)), script);
  });
}

test("a picture is sent as it is", async () => {
  const answer = await get("/icon.png", { "accept-encoding": "br" });
  assert.equal(answer.headers.get("content-encoding"), null);
  assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), icon);
});

test("who has it already gets no body; each packing has a tag of its own", async () => {
  const packed = { "accept-encoding": "br" };
  const etag = (await get("/assets/a-1f2e.js", packed)).headers.get("etag") ?? "";
  assert.notEqual(etag, (await get("/assets/a-1f2e.js")).headers.get("etag"));
  for (const header of [etag, `"other", W/${etag}`, "*"]) {
    const answer = await get("/assets/a-1f2e.js", { ...packed, "if-none-match": header });
    assert.equal(answer.status, 304);
    assert.equal(await answer.text(), "");
  }
  assert.equal((await get("/assets/a-1f2e.js", { ...packed, "if-none-match": '"other"' })).status, 200);
});

test("a file that is not there is 404, not the page", async () => {
  for (const path of ["/assets/b.js", "/favicon.ico", "/index.html/x.js"]) {
    const answer = await get(path);
    assert.equal(answer.status, 404);
    assert.match(answer.headers.get("content-type") ?? "", /json/);
  }
});

test("a dashboard that was not built says so", async () => {
  const answer = await createApi(fakeDeps(host, clock)).fetch(new Request("http://127.0.0.1:9466/"));
  assert.equal(answer.status, 404);
  assert.match(await answer.text(), /was not built/);
});

const steps = [
  "..",
  "%2e%2e",
  "%2E%2E%2f",
  "..%5c",
  "\\",
  "//",
  "%00",
  "etc",
  "passwd",
  "assets",
  ".",
  "%252e%252e",
];

test("whatever the path, only names without a step up are looked for", async () => {
  asked.length = 0;
  const path = fc.array(fc.oneof(fc.constantFrom(...steps), fc.webSegment()), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(path, async (parts) => {
      const answer = await get(`/${parts.join("/")}`);
      assert.ok([200, 404].includes(answer.status), `${answer.status}`);
    }),
  );
  for (const name of asked) assert.doesNotMatch(name, /(^|\/)\.|^\/|\\|%|\/\//);
});

for (const [header, packing] of [
  [null, undefined],
  ["identity", undefined],
  ["GZIP", "gzip"],
  ["gzip ; q=0.000", undefined],
  ["gzip;q=0.001", "gzip"],
] as const) {
  test(`packingOf ${String(header)} is ${String(packing)}`, () => {
    assert.equal(packingOf(header, ["br", "gzip"]), packing);
  });
}

test("what is short or packed already is not packed", () => {
  assert.equal(isWorthPacking("text/css", 1399), false);
  assert.equal(isWorthPacking("font/woff2", 90_000), false);
  assert.equal(isWorthPacking("image/svg+xml", 2000), true);
});

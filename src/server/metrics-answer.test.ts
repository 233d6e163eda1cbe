/** /metrics as an answer: what is negotiated, packed and kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { ManualClock } from "../base/clock.ts";
import { fakeDeps } from "../../test/support/fake-api.ts";
import { fakeHost } from "../../test/support/fake-watched.ts";
import { createApi } from "./api.ts";
import type { MetricsText } from "./api-deps.ts";

const clock = new ManualClock(Date.UTC(2026, 10, 22, 12));
const host = fakeHost(clock, { flows: 500 });
const text: MetricsText = {
  text: `# TYPE headroom_up gauge\n${"headroom_up 1\n".repeat(300)}`,
  type: "text/plain",
};
const asked: (string | undefined)[] = [];
const api = createApi({
  ...fakeDeps(host, clock),
  metrics: async (accept) => {
    asked.push(accept);
    return text;
  },
});

function get(headers: Record<string, string> = {}, method = "GET"): Promise<Response> {
  return api.fetch(new Request("http://127.0.0.1:9466/metrics", { headers, method }));
}

test("the Accept header decides of the format, and caches are told so", async () => {
  const answer = await get({ accept: "application/openmetrics-text" });
  assert.equal(asked.at(-1), "application/openmetrics-text");
  assert.equal(answer.headers.get("content-type"), "text/plain");
  assert.match(answer.headers.get("vary") ?? "", /^accept, accept-encoding/);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("content-encoding"), null);
  assert.equal(await answer.text(), text.text);
  await get();
  assert.equal(asked.at(-1), undefined);
});

test("it is packed for those who take that, once for each text, and says how long it is", async () => {
  for (let times = 0; times < 2; times += 1) {
    const answer = await get({ "accept-encoding": "gzip" });
    assert.equal(answer.headers.get("content-encoding"), "gzip");
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(Number(answer.headers.get("content-length")), bytes.length);
    assert.ok(bytes.length < text.text.length / 10);
    assert.equal(new TextDecoder().decode(gunzipSync(bytes)), text.text);
  }
});

test("HEAD has no body, POST is refused", async () => {
  const head = await get({}, "HEAD");
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  assert.equal((await get({}, "POST")).status, 405);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { readTraffic } from "./traffic-words.ts";

test("readTraffic() reads rates, connections, times and the protocol", () => {
  assert.deepEqual(readTraffic("--from-traffic", "pageviews=100000/h,connections-per-page=10,hold=120s"), {
    viewsPerSecond: 100_000 / 3600,
    viewsText: "100,000 page views an hour",
    viewsWhat: "page views",
    connectionsPerView: 10,
    holdSeconds: 120,
    keepaliveSeconds: 0,
    protocol: "tcp",
  });
  assert.deepEqual(readTraffic("--from-traffic", "connections=1.5k/s, keepalive=1m, protocol=udp"), {
    viewsPerSecond: 1500,
    viewsText: "1,500 connections a second",
    viewsWhat: "connections",
    connectionsPerView: 1,
    keepaliveSeconds: 60,
    protocol: "udp",
  });
});

const refused: readonly (readonly [string, RegExp])[] = [
  ["hold=120s", /wanted one rate/],
  ["pageviews=1/h,connections=1/s", /wanted one rate/],
  ["pageviews=100000", /100000 is no rate/],
  ["pageviews=0/h", /0 is no number above 0/],
  ["pageviews=1/h,pageviews=2/h", /given twice/],
  ["pageviews=1/h,colour=red", /there is no word colour/],
  ["pageviews=1/h,hold=12 hours", /`hold=12 hours` is not WORD=VALUE/],
  ["pageviews=1/h,hold=soon", /soon is no duration/],
  ["pageviews=1/h,protocol=sctp", /protocol is tcp or udp/],
  ["connections=1/s,connections-per-page=2", /goes with pageviews/],
];

for (const [text, why] of refused) {
  test(`readTraffic() refuses ${text}`, () => {
    assert.throws(() => readTraffic("--from-traffic", text), why);
  });
}

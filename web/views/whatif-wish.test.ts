import assert from "node:assert/strict";
import { test } from "node:test";

import {
  BUCKETS,
  ESTABLISHED,
  MAX,
  otherTimeouts,
  readWish,
  type SettingRow,
  shortName,
  stopsOf,
  whatifPath,
  wished,
  wishSets,
} from "./whatif-wish.ts";

function row(key: string, value: number, unit = "seconds"): SettingRow {
  return { key, value, unit, min: 0, max: 2 ** 31, about: "" };
}
const max = row(MAX, 262_144, "flows");
const buckets = row(BUCKETS, 65_536, "buckets");
const established = row(ESTABLISHED, 432_000);

test("a wish is read back from the address", () => {
  const wish = readWish(["a=5", "b=12", "bad", "c=x"]);
  assert.deepEqual(wishSets(wish), ["a=5", "b=12"]);
});

test("a limit takes its buckets along, unless they were let go", () => {
  const coupled = wished(new Map(), max, 524_288, { buckets, isCoupled: true });
  assert.deepEqual(
    [...coupled],
    [
      [MAX, 524_288],
      [BUCKETS, 524_288],
    ],
  );
  const alone = wished(new Map(), max, 524_288, { buckets, isCoupled: false });
  assert.deepEqual([...alone], [[MAX, 524_288]]);
});

test("what is in force is no wish", () => {
  const wish = wished(new Map([[ESTABLISHED, 3600]]), established, 432_000, { buckets, isCoupled: true });
  assert.equal(wish.size, 0);
  assert.equal(whatifPath(wish, [established]), `whatif?set=${ESTABLISHED}%3D432000`);
  assert.equal(whatifPath(wish, []), undefined);
});

test("sliders hold what is in force and what is wished", () => {
  assert.ok(stopsOf(established, 7440).includes(7440));
  assert.ok(stopsOf(max, 1_000_000).includes(1_000_000));
});

test("other timeouts: the usual ones first", () => {
  const rows = [row("nf_conntrack_gre_timeout", 30), established, row("nf_conntrack_udp_timeout", 30), max];
  assert.deepEqual(
    otherTimeouts(rows).map(({ key }) => shortName(key)),
    ["udp", "gre"],
  );
  assert.equal(shortName("nf_conntrack_tcp_timeout_time_wait"), "tcp time_wait");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress } from "../table/address.ts";
import { packetsOf } from "../../test/support/packets.ts";
import { DropCause, DropLog } from "./drops.ts";

test("drops less than a second apart are one stretch", () => {
  const log = new DropLog();
  const batch = packetsOf([{}], 7);
  for (const atMs of [0, 900, 1900, 3000]) log.note(batch, 0, atMs, DropCause.TABLE_FULL);
  const { episodes, first } = log.report(10);
  assert.deepEqual(
    episodes.map(({ fromMs, toMs, packets }) => [fromMs, toMs, packets.tableFull]),
    [
      [0, 1900, 3],
      [3000, 3000, 1],
    ],
  );
  assert.equal(episodes[0]?.firstRecord, 7);
  assert.equal(first[0]?.record, 7);
  assert.equal(first[0]?.cause, "tableFull");
});

test("who lost most comes first, IPv4 and IPv6 apart", () => {
  const log = new DropLog();
  const batch = packetsOf([
    { source: "10.0.0.1" },
    { source: "10.0.0.2" },
    { source: "a00:2::", destination: "fd00::1" },
  ]);
  for (const row of [0, 1, 1, 1, 2, 2]) log.note(batch, row, 0, DropCause.CHAIN_TOO_LONG);
  assert.deepEqual(
    log.report(2).sources.map(({ address, packets }) => [formatAddress(address), packets]),
    [
      ["10.0.0.2", 3],
      ["a00:2::", 2],
    ],
  );
});

test("a flood from everywhere takes no more room, and nothing is lost from the sums", () => {
  const log = new DropLog();
  const batch = packetsOf([{}]);
  const drops = 30_000;
  for (let number = 0; number < drops; number += 1) {
    batch.source[0] = number;
    log.note(batch, 0, number * 1500, DropCause.TABLE_FULL);
  }
  const report = log.report(drops);
  const ofSources = report.sources.reduce((sum, { packets }) => sum + packets, 0);
  assert.equal(ofSources + report.packetsOfOtherSources, drops);
  assert.ok(report.sources.length < 13_000);
  const ofEpisodes = report.episodes.reduce((sum, { packets }) => sum + packets.tableFull, 0);
  assert.equal(ofEpisodes + report.packetsBeyondEpisodes, drops);
  assert.equal(report.first.length, 1024);
});

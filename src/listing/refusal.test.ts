import assert from "node:assert/strict";
import { test } from "node:test";
import { listingFixture, readRows } from "../../test/support/listing-rows.ts";
import { ListingError } from "./listing.ts";

const encoder = new TextEncoder();
const tar = new Uint8Array(600);
tar.set(encoder.encode("sosreport/proc/"), 0);
tar.set(encoder.encode("ustar"), 257);

const inputs: readonly [name: string, bytes: Uint8Array, code: string, found: string][] = [
  ["xz data", new Uint8Array([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1]), "unsupported", "xz-compressed data"],
  ["bzip2 data", encoder.encode("BZh91AY&SY"), "unsupported", "bzip2-compressed data"],
  ["lz4 data", new Uint8Array([4, 0x22, 0x4d, 0x18, 64]), "unsupported", "lz4-compressed data"],
  ["a zip archive", encoder.encode("PK\u0003\u0004..."), "unsupported", "a zip archive"],
  ["a tar archive", tar, "unsupported", "a tar archive"],
  ["UTF-16", new Uint8Array([0xff, 0xfe, 0x74, 0, 0x63, 0, 0x70, 0]), "unsupported", "UTF-16 text"],
  ["a capture", new Uint8Array([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]), "unsupported", "a packet capture"],
  ["a new capture", new Uint8Array([10, 13, 13, 10, 28, 0, 0, 0]), "unsupported", "a packet capture"],
  ["conntrack -o save", listingFixture("conntrack-save.txt"), "unsupported", "commands of conntrack -o save"],
  ["conntrack -S", listingFixture("conntrack-statistics.txt"), "unsupported", "the counters of conntrack -S"],
  [
    "conntrack -L expect",
    encoder.encode("297 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=40001 mask-src=255.255.255.255\n"),
    "unsupported",
    "a listing of expected connections",
  ],
  [
    "nf_conntrack_expect",
    encoder.encode("297 l3proto = 2 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=40001 ftp\n"),
    "unsupported",
    "a listing of expected connections",
  ],
  [
    "the stat file",
    encoder.encode("entries  clashres found new invalid\n00000001  00000000 00000000 00000000 00000000\n"),
    "unsupported",
    "the counters of /proc/net/stat/nf_conntrack",
  ],
  ["a program", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]), "not-text", "bytes that are no text"],
  [
    "an error page",
    encoder.encode("\n  <html>\u001b[31mNot found\u0007</html>\n"),
    "not-a-listing",
    "no line that is a flow; the first line is '<html>?[31mNot found?</html>'",
  ],
  [
    "one long line",
    encoder.encode("a".repeat(100)),
    "not-a-listing",
    `the first line is '${"a".repeat(72)}...'`,
  ],
];

for (const [name, bytes, code, found] of inputs) {
  test(`${name} is refused as what it is`, () => {
    assert.throws(
      () => readRows(bytes, { origin: "saved" }),
      (error) => {
        assert.ok(error instanceof ListingError);
        assert.equal(error.code, code);
        assert.ok(error.found.includes(found), error.found);
        assert.ok(error.message.startsWith("Cannot read flows from saved: "));
        assert.ok(error.message.endsWith(error.help));
        assert.doesNotMatch(error.message, /[\p{Cc}]/u);
        return true;
      },
    );
  });
}

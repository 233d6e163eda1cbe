import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "../base/assert.ts";
import { assertGolden } from "../../test/support/golden.ts";
import {
  chunksOf,
  listingFixture,
  listingFixtures,
  plainLine,
  readRows,
  readRowsAsync,
} from "../../test/support/listing-rows.ts";
import { textTable } from "../../test/support/text-table.ts";
import { DCCP } from "../table/protocol.ts";
import { flowToJson, formatFlow, ListingError, readListing } from "./listing.ts";

/** Fixtures that hold no flows. */
const refused = new Set(["conntrack-save.txt", "conntrack-statistics.txt"]);
const readable = listingFixtures.filter((name) => !refused.has(name));

const formats = textTable(
  ["fixture", "format", "flows", "oddities"],
  `
  fixture                        format                flows  oddities
  conntrack-1.0.txt              conntrack             3      -
  conntrack-all.txt              conntrack-extended    37     -
  conntrack-events-1.0.txt       conntrack-events      2      -
  conntrack-events-extended.txt  conntrack-events      32     -
  conntrack-events-xml.txt       conntrack-xml-events  24     -
  conntrack-events.txt           conntrack-events      32     -
  conntrack-extended.txt         conntrack-extended    37     -
  conntrack-id.txt               conntrack-extended    37     -
  conntrack-ktimestamp.txt       conntrack             37     -
  conntrack-labels.txt           conntrack             37     -
  conntrack-plain.txt            conntrack             37     -
  conntrack-xml.txt              conntrack-xml         37     -
  ip_conntrack-2.4.txt           ip_conntrack          7      -
  ip_conntrack-2.6.11.txt        conntrack             5      -
  ip_conntrack-2.6.18.txt        ip_conntrack          7      -
  ip_conntrack-3.10.txt          ip_conntrack          2      -
  nf_conntrack-2.6.32.txt        nf_conntrack          8      -
  nf_conntrack-3.10.txt          nf_conntrack          5      -
  nf_conntrack-4.19.txt          nf_conntrack          4      -
  nf_conntrack-6.12.txt          nf_conntrack          5      -
  nf_conntrack-6.18-bare.txt     nf_conntrack          37     -
  nf_conntrack-6.18.txt          nf_conntrack          37     -
  nf_conntrack-7.3.txt           nf_conntrack          3      -
  pasted.txt                     conntrack             9      {"skippedLines":3,"unknownWords":1}
`,
);

test("every fixture that can be read stands in the table of formats", () => {
  assert.deepEqual(formats.map(({ fixture }) => fixture).toSorted(), readable);
});

for (const { fixture = "", format, flows, oddities = "{}" } of formats) {
  test(`${fixture} is read whole, and its format recognised`, () => {
    const { flows: found, listing } = readRows(listingFixture(fixture));
    assert.equal(listing.format, format);
    assert.equal(String(found.length), flows);
    assert.deepEqual(listing.oddities, JSON.parse(oddities));
    assert.equal(listing.complete, true);
  });

  test(`${fixture}: every field of every row`, () => {
    const { flows: found } = readRows(listingFixture(fixture), { utcOffsetMinutes: 0 });
    const lines = found.map((flow) => JSON.stringify(flowToJson(flow)));
    assertGolden(`listing/${fixture.replace(/txt$/, "jsonl")}`, lines);
  });

  test(`${fixture}: chunks of any size give the same`, () => {
    const bytes = listingFixture(fixture);
    const whole = readRows(bytes);
    for (const size of [1, 2, 3, 7, 64, 1000, 1023, 1024, 1025, 4096, 65_536]) {
      const { flows: found, listing } = readRows(chunksOf(bytes, size), { batchRows: 5 });
      assert.deepEqual(found, whole.flows, `chunks of ${size}`);
      assert.deepEqual(listing.oddities, whole.listing.oddities);
      assert.deepEqual(listing.format, whole.listing.format);
    }
  });

  test(`${fixture}: both readers of lines agree`, () => {
    // Plain lines in front, so that the lines of interest are not those the format is judged from.
    const bytes = new Uint8Array(Buffer.concat([Buffer.from(plainLine.repeat(80)), listingFixture(fixture)]));
    const [usual, general] = [readRows(bytes), readRows(bytes, { isGeneral: true })];
    assert.deepEqual(usual.flows, general.flows);
    assert.deepEqual(usual.listing.oddities, general.listing.oddities);
  });

  test(`${fixture}: asynchronous chunks give the same`, async () => {
    const bytes = listingFixture(fixture);
    const slowly = async function* (): AsyncGenerator<Uint8Array> {
      for (const chunk of chunksOf(bytes, 100)) yield chunk;
    };
    const found = await readRowsAsync(slowly());
    assert.deepEqual(found.flows, readRows(bytes).flows);
  });
}

const kernelFixtures = readable.filter((name) => /^(nf|ip)_conntrack/.test(name));

for (const fixture of kernelFixtures) {
  test(`${fixture}: the lines written are the kernel's own`, () => {
    const bytes = listingFixture(fixture);
    const { flows, listing } = readRows(bytes);
    // 2.4 ended its lines with a blank, 2.6.10 printed signed marks and LISTEN for a state of another name
    // now.
    const lines = new TextDecoder()
      .decode(bytes)
      .split("\n")
      .map((line) => line.trimEnd().replace("mark=-1", "mark=4294967295").replace("LISTEN", "SYN_SENT2"))
      .filter((line) => line !== "" && !line.startsWith("EXPECTING"));
    assert.deepEqual(
      flows.map((flow) => formatFlow(flow, listing.style)),
      lines,
    );
  });
}

/** What the same flow has in every source: no times, which run on, and nothing that a notation leaves out. */
function comparable(name: string): string[] {
  return readRows(listingFixture(name))
    .flows.map((flow) => flowToJson(flow))
    .filter(({ protocolNumber }) => protocolNumber !== DCCP)
    .map(({ protocol, state, original, reply, status, mark, zone = 0 }) => {
      const { type: _type, code: _code, id: _id, ...rest } = original;
      const { type: _replyType, code: _replyCode, id: _replyId, ...replyRest } = reply ?? {};
      return JSON.stringify({ protocol, state, original: rest, reply: replyRest, status, mark, zone });
    })
    .toSorted();
}

for (const name of [
  "conntrack-plain.txt",
  "conntrack-extended.txt",
  "conntrack-id.txt",
  "conntrack-xml.txt",
]) {
  test(`${name} has the same flows as the kernel's own file of the same moment`, () => {
    const kernel = comparable("nf_conntrack-6.18.txt");
    assert.equal(kernel.length, 36);
    // Netlink leaves zone 0 out, and says nothing of a zone where only one direction has one.
    assert.deepEqual(comparable(name), kernel);
  });
}

for (const fixture of readable) {
  test(`${fixture}: cut off anywhere, what came is used and the cut is counted`, () => {
    const bytes = listingFixture(fixture);
    const whole = readRows(bytes).flows.map((flow) => JSON.stringify(flowToJson(flow)));
    for (let length = 0; length < Math.min(bytes.length, 1000); length++) {
      const found = readOrRefuse(bytes.subarray(0, length));
      const last = found?.flows.pop();
      if (found === undefined || last === undefined) continue;
      const before = found.flows.map((flow) => JSON.stringify(flowToJson(flow)));
      assert.deepEqual(before, whole.slice(0, before.length), `${length} bytes`);
      assertPart(flowToJson(last), JSON.parse(whole[before.length] ?? "") as object, `${length} bytes`);
    }
  });
}

/** Undefined for an input that was cut before its first flow told what it is. */
function readOrRefuse(bytes: Uint8Array): ReturnType<typeof readRows> | undefined {
  try {
    return readRows(bytes, { batchRows: 8 });
  } catch (error) {
    assert.ok(error instanceof ListingError);
    assert.ok(!new TextDecoder().decode(bytes).includes(" dst="));
    return undefined;
  }
}

/** Fails unless every field of `part` is one of `whole`. */
function assertPart(part: object, whole: object, message: string): void {
  for (const [name, value] of Object.entries(part)) {
    const other: unknown = (whole as Record<string, unknown>)[name];
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      assertPart(value as object, other as object, message);
    else if (name !== "status" && name !== "use") assert.deepEqual(value, other, `${message}: ${name}`);
  }
}

test("a source is named with its format and packing, the running kernel's file as it is", () => {
  assert.equal(
    readRows(plainLine, { origin: "saved.txt" }).listing.origin,
    "saved.txt (/proc/net/nf_conntrack)",
  );
  const live = readRows(plainLine, { origin: "/proc/net/nf_conntrack", source: "procfs" }).listing;
  assert.equal(live.origin, "/proc/net/nf_conntrack");
  assert.equal(live.source, "procfs");
});

test("an empty table is no error", () => {
  for (const text of [
    "",
    "\n",
    "  \r\n\n",
    "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been shown.\n",
  ]) {
    const { flows, listing } = readRows(text);
    assert.deepEqual(flows, []);
    assert.deepEqual(listing.oddities, {});
    assert.equal(listing.complete, true);
  }
  assert.deepEqual(readRows('<?xml version="1.0"?>\n<conntrack>\n</conntrack>\n').flows, []);
});

test("a listing is read once", () => {
  const listing = readListing([], { origin: "test" });
  for (const _ of listing.batches() as Iterable<unknown>) assert.fail();
  assert.throws(() => listing.batches(), AssertionError);
});

test("leaving early releases the input and is not complete", () => {
  let released = false;
  const endless = function* (): Generator<Uint8Array> {
    try {
      for (;;) yield new TextEncoder().encode(plainLine);
    } finally {
      released = true;
    }
  };
  const listing = readListing(endless(), { origin: "test", batchRows: 10 });
  for (const columns of listing.batches() as Iterable<{ count: number }>) {
    assert.equal(columns.count, 10);
    break;
  }
  assert.equal(released, true);
  assert.equal(listing.complete, false);
});

test("expected connections of 2.4 are counted aside", () => {
  assert.equal(readRows(listingFixture("ip_conntrack-2.4.txt")).listing.expectations, 2);
});

test("errors of the input pass through", () => {
  const broken = function* (): Generator<Uint8Array> {
    yield new TextEncoder().encode(plainLine);
    throw new RangeError("disk on fire");
  };
  assert.throws(() => readRows(broken()), RangeError);
});

test("a listing that nobody can read says what was tried, found and what to do", () => {
  assert.throws(
    () => readRows("Dear reader,\nthis is a letter.\n", { origin: "letter.txt" }),
    (error) => {
      assert.ok(error instanceof ListingError);
      assert.equal(error.code, "not-a-listing");
      assert.equal(
        error.message,
        "Cannot read flows from letter.txt: no line that is a flow; the first line is 'Dear reader,'; " +
          "give the output of conntrack -L -o extended or a copy of /proc/net/nf_conntrack",
      );
      return true;
    },
  );
});

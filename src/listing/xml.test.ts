/** The XML of conntrack(8), and what is left of it on its way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chunksOf, listingFixture, readRows } from "../../test/support/listing-rows.ts";
import { flowToJson, type FlowJson } from "./listing.ts";

const layer3 = '<layer3 protonum="2" protoname="ipv4"><src>10.0.0.1</src><dst>10.0.0.2</dst></layer3>';
const layer4 = '<layer4 protonum="6" protoname="tcp"><sport>40000</sport><dport>443</dport></layer4>';
const original = `<meta direction="original">${layer3}${layer4}</meta>`;
const reply =
  '<meta direction="reply">' +
  '<layer3 protonum="2" protoname="ipv4"><src>10.0.0.2</src><dst>10.0.0.1</dst></layer3>' +
  '<layer4 protonum="6" protoname="tcp"><sport>443</sport><dport>40000</dport></layer4></meta>';

function flow(independent: string, attributes = ""): string {
  return `<flow${attributes}>${original}${reply}<meta direction="independent">${independent}</meta></flow>\n`;
}

function listing(...flows: string[]): string {
  return `<?xml version="1.0" encoding="utf-8"?>\n<conntrack>\n${flows.join("")}</conntrack>\n`;
}

const cases: readonly [
  name: string,
  independent: string,
  expected: Partial<FlowJson>,
  attributes?: string,
][] = [
  [
    "an answered flow",
    "<state>ESTABLISHED</state><assured/>",
    { state: "ESTABLISHED", status: ["seen-reply", "assured"] },
  ],
  ["an unanswered flow", "<unreplied/>", { status: ["unreplied"] }],
  [
    "numbers",
    "<timeout>5</timeout><mark>7</mark><zone>3</zone><use>1</use><id>9</id><secmark>4</secmark>",
    {
      timeoutSeconds: 5,
      mark: 7,
      zone: 3,
      use: 1,
      id: 9,
      secmark: 4,
    },
  ],
  ["labels", "<labels><label>dns</label><label>odd one</label></labels>", { labels: ["dns", "odd one"] }],
  ["entities", "<helper>a&lt;b&amp;c&#x41;&#66;&quot;&apos;&gt;&no;</helper>", { helper: `a<b&cAB"'>&no;` }],
  [
    "a security context",
    "<secctx>system_u:object_r:x:s0</secctx>",
    { securityContext: "system_u:object_r:x:s0" },
  ],
  [
    "start and stop",
    "<timestamp><start>1795350022299383727</start><stop>1795350023000000001</stop></timestamp>" +
      "<deltatime>1</deltatime>",
    { startedAtMs: 1_795_350_022_299, stoppedAtMs: 1_795_350_023_000, ageSeconds: 1 },
  ],
  [
    "an element of a newer version",
    "<colour>red</colour><mark>5</mark>",
    { mark: 5, unknownWords: ["colour"] },
  ],
  ["an event", "<use>1</use>", { event: "destroy" }, ' type="destroy"'],
];

for (const [name, independent, expected, attributes] of cases) {
  test(`XML: ${name}`, () => {
    const bytes = new TextEncoder().encode(listing(flow(independent, attributes)));
    for (const size of [1, 7, bytes.length]) {
      const { flows } = readRows(chunksOf(bytes, size));
      assert.equal(flows.length, 1);
      const found = flows.map((each) => flowToJson(each))[0];
      assert.deepEqual({ ...found, ...expected }, found);
      assert.deepEqual(found?.original, {
        source: "10.0.0.1",
        destination: "10.0.0.2",
        sourcePort: 40_000,
        destinationPort: 443,
      });
      assert.equal(found?.reply?.sourcePort, 443);
    }
  });
}

test("XML: the time of an event is that of the local clock", () => {
  const when =
    "<when><hour>12</hour><min>20</min><sec>22</sec><wday>1</wday>" +
    "<day>22</day><month>11</month><year>2026</year></when>";
  const text = listing(flow("<use>1</use>", ' type="new"').replace("</flow>", `${when}</flow>`));
  const atMs = (utcOffsetMinutes: number): number | undefined =>
    readRows(text, { utcOffsetMinutes }).flows[0]?.rare?.eventAtMs;
  assert.equal(atMs(0), Date.UTC(2026, 10, 22, 12, 20, 22));
  assert.equal(atMs(60), Date.UTC(2026, 10, 22, 11, 20, 22));
});

test("XML: states of SCTP are those of the same number in TCP's names", () => {
  const states = readRows(listingFixture("conntrack-xml.txt"))
    .flows.filter(({ protocol }) => protocol === 132)
    .map(({ state, original: { destination: _to, ...tuple } }) => [
      state,
      tuple.kind === "ports" ? tuple.sourcePort : 0,
    ]);
  assert.deepEqual(
    states.toSorted((a, b) => Number(a[1]) - Number(b[1])),
    [
      ["CLOSED", 4001],
      ["CLOSED", 6000],
      ["COOKIE_WAIT", 6001],
      ["COOKIE_ECHOED", 6002],
      ["ESTABLISHED", 6003],
      ["SHUTDOWN_SENT", 6004],
      ["SHUTDOWN_RECD", 6005],
      ["SHUTDOWN_ACK_SENT", 6006],
    ],
  );
});

test("XML: formatted by another program it is the same", () => {
  const pretty = listing(flow("<state>CLOSE</state><mark>5</mark>")).replaceAll("><", ">\n    <");
  const { flows, listing: found } = readRows(pretty);
  assert.equal(flows[0]?.state, "CLOSE");
  assert.equal(flows[0]?.mark, 5);
  assert.deepEqual(found.oddities, {});
});

test("XML: a flow that is none is left out, the others are used", () => {
  const broken = [
    "<flow></flow>",
    `<flow>${original.replace("10.0.0.1", "10.0.0")}</flow>`,
    `<flow>${original.replace(/<layer4.*<\/layer4>/, "")}</flow>`,
    `<flow>${original.replace(layer3, "")}</flow>`,
  ];
  const { flows, listing: found } = readRows(
    listing(flow("<mark>1</mark>"), ...broken, flow("<mark>2</mark>")),
  );
  assert.deepEqual(
    flows.map(({ mark }) => mark),
    [1, 2],
  );
  assert.deepEqual(found.oddities, { skippedLines: 4 });
});

test("XML: without its end the listing is cut, and the open flow is left out", () => {
  const text = listing(flow("<mark>1</mark>"), flow("<mark>2</mark>"));
  const lengths = [
    text.length - 3,
    text.indexOf("</conntrack>"),
    text.lastIndexOf("<mark>"),
    text.lastIndexOf("</flow>") + 3,
  ];
  for (const length of lengths) {
    const { flows, listing: found } = readRows(text.slice(0, length));
    assert.equal(flows.length, length > text.lastIndexOf("</flow>") + 6 ? 2 : 1);
    assert.deepEqual(found.oddities, { truncatedInput: 1 });
    assert.equal(found.complete, false);
  }
});

test("XML: prompts, warnings and the closing line around it are left alone", () => {
  const remark = "conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.";
  const text = `$ conntrack -L -o xml\n${listing(flow("<mark>1</mark>"))}${remark}\n`;
  const { flows, listing: found } = readRows(text);
  assert.equal(flows.length, 1);
  assert.deepEqual(found.oddities, {});
});

test("XML: a text of 10 MB is left out", () => {
  const { flows, listing: found } = readRows(
    listing(flow(`<helper>${"x".repeat(10_000_000)}</helper><mark>1</mark>`)),
  );
  assert.equal(flows[0]?.mark, 1);
  assert.equal(found.oddities.overlongLines, 1);
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PacketColumns } from "../packet/columns.ts";
import { addressToWords, addressFromWords, formatAddress } from "../table/address.ts";
import { parseAddress } from "../table/address-text.ts";
import { TCP } from "../table/protocol.ts";
import { Expectations } from "./expectations.ts";
import { Flow, FLOW_WORDS, FlowRows } from "./flow-rows.ts";
import { FtpHelper, isFtpControl } from "./ftp.ts";
import { type Generation, rulesOf } from "./generation.ts";

const HZ = 250;
const addresses = { ipv4: ["10.77.1.2", "10.77.2.2"], ipv6: ["fd77:1::2", "fd77:2::2"] } as const;

/** Two hosts, their control connections, and what is expected between them. */
class Hosts {
  readonly rows = new FlowRows();
  readonly batch = new PacketColumns(1);
  readonly expectations: Expectations;
  readonly helper: FtpHelper;
  readonly controls: number[] = [];
  readonly #data = new Set<string>();
  readonly #words: readonly [Uint32Array, Uint32Array];
  readonly #family: 4 | 6;
  now = 0x7fff_fff0;

  constructor(family: "ipv4" | "ipv6" = "ipv4", capacity = 4096, generation: Generation = "6.18") {
    this.expectations = new Expectations(capacity);
    this.helper = new FtpHelper(this.expectations, HZ, rulesOf(generation));
    this.#family = family === "ipv4" ? 4 : 6;
    const words = addresses[family].map((text) => {
      const address = new Uint32Array(4);
      const parsed = parseAddress(text);
      assert.ok(parsed !== undefined);
      addressToWords(parsed, address, 0);
      return address;
    });
    this.#words = [words[0] as Uint32Array, words[1] as Uint32Array];
    this.batch.family[0] = this.#family;
    this.batch.protocol[0] = TCP;
  }

  open(): number {
    const flow = this.rows.take();
    const at = flow * FLOW_WORDS;
    const words = this.rows.words;
    words[at + Flow.KIND] = this.#family | (TCP << 8);
    words[at + Flow.SOURCE] = this.#words[0][0] as number;
    words[at + Flow.DESTINATION] = this.#words[1][0] as number;
    words.set(this.#words[0].subarray(1), at + Flow.SOURCE_REST);
    words.set(this.#words[1].subarray(1), at + Flow.DESTINATION_REST);
    this.controls.push(flow);
    this.helper.attach(flow);
    return flow;
  }

  /** `captured`: bytes of the text that the capture kept. */
  say(flow: number, side: number, sequence: number, text: string, captured = text.length): boolean {
    const bytes = Buffer.from(text, "latin1");
    this.batch.tcpSequence[0] = sequence;
    this.batch.tcpDataBytes[0] = bytes.length;
    this.batch.payload.set(bytes.subarray(0, captured), 100);
    this.batch.payloadAt[0] = 100;
    this.batch.payloadBytes[0] = captured;
    return this.helper.packet(this.rows, flow, side, this.batch, 0, this.now);
  }

  /** Whether the first packet of a data connection was expected. */
  connect(side: number, sourcePort: number, destinationPort: number): boolean {
    const flow = this.rows.take();
    const [source, destination] = side === 0 ? this.#words : [this.#words[1], this.#words[0]];
    this.batch.source.set(source);
    this.batch.destination.set(destination);
    this.batch.sourceDiscriminator[0] = sourcePort;
    this.batch.destinationDiscriminator[0] = destinationPort;
    if (!this.expectations.claim(flow, this.batch, 0, this.now)) {
      this.rows.release(flow);
      return false;
    }
    return true;
  }

  /** A packet between data ports, as the fixture has it; undefined when a flow of that tuple is there. */
  packet(side: number, sourcePort: number, destinationPort: number, flags: number): string | undefined {
    const [there, back] = [
      `${side} ${sourcePort} ${destinationPort}`,
      `${1 - side} ${destinationPort} ${sourcePort}`,
    ];
    if (this.#data.has(there) || this.#data.has(back)) return undefined;
    const isExpected = this.connect(side, sourcePort, destinationPort);
    // A SYN, or an ACK in mid-stream, begins a flow; RST does not.
    if ((flags & 4) !== 0) return "invalid";
    this.#data.add(there);
    return isExpected ? "related" : "new";
  }

  /** ` | <control connection> <source> <destination> <port>` for all that is expected. */
  describe(): string {
    const lines = this.controls.flatMap((flow, index) =>
      this.expectations.expectedBy(flow).map(({ family, source, destination, destinationPort }) => {
        const text = [source, destination].map((words) => formatAddress(addressFromWords(words, 0, family)));
        return ` | ${index} ${text.join(" ")} ${destinationPort}`;
      }),
    );
    return lines.join("");
  }
}

const recorded =
  process.env["FTP_FIXTURE"] ?? `${import.meta.dirname}/../../test/fixtures/model/ftp-6.18.txt`;

/** What the model says of a line of the fixture. */
function replayed(hosts: Hosts, line: string): string {
  const [, step = "", verdict = ""] = /^(.*) : (\w+)/.exec(line) ?? [];
  const [kind = "", ...rest] = step.split(" ");
  if (kind === "packet") {
    const [side = 0, source = 0, destination = 0, flags = 0] = rest.map(Number);
    const said = hosts.packet(side, source, destination, flags) ?? verdict;
    return `${step} : ${said}${hosts.describe()}`;
  }
  const [connection = 0, side = 0, sequence = 0] = rest.slice(0, 3).map(Number);
  const text = JSON.parse(rest.slice(3).join(" ")) as string;
  // What TCP finds invalid never reaches the helper.
  const passed =
    verdict === "invalid" || hosts.say(hosts.controls[connection] as number, side, sequence, text);
  const accepted = verdict === "drop" ? "established" : verdict;
  return `${step} : ${passed ? accepted : "drop"}${hosts.describe()}`;
}

test("ftp answers every recorded line as the kernel did", () => {
  let hosts = new Hosts();
  const said: string[] = [];
  const expected: string[] = [];
  for (const line of readFileSync(recorded, "utf8").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    expected.push(line);
    if (line.startsWith("sequence")) hosts = new Hosts(line.endsWith("ipv6") ? "ipv6" : "ipv4");
    else if (line.startsWith("open")) hosts.open();
    said.push(/^(sequence|open)/.test(line) ? line : replayed(hosts, line));
  }
  assert.equal(said.join("\n"), expected.join("\n"));
  assert.ok(said.length > 1000, "the fixture is there");
});

/** A server's greeting and a client's name, after which both sides are read. */
function greeted(hosts: Hosts): number {
  const flow = hosts.open();
  hosts.say(flow, 1, 5001, "220 a\r\n");
  hosts.say(flow, 0, 1001, "USER b\r\n");
  return flow;
}

test("an expectation is over after 300 seconds, and not before", () => {
  const hosts = new Hosts();
  const flow = greeted(hosts);
  hosts.say(flow, 0, 1009, "PORT 10,77,1,2,10,1\r\n");
  hosts.now = (hosts.now + 300 * HZ) | 0;
  assert.equal(hosts.connect(1, 20, 2561), false);
  hosts.now = (hosts.now - 1) | 0;
  assert.equal(hosts.connect(1, 20, 2561), true);
  assert.equal(hosts.connect(1, 20, 2561), false);
});

test("what is over makes room", () => {
  const hosts = new Hosts("ipv4", 1);
  const [first, second] = [greeted(hosts), greeted(hosts)];
  assert.equal(hosts.say(first, 0, 1009, "PORT 10,77,1,2,10,1\r\n"), true);
  assert.equal(hosts.say(second, 0, 1009, "PORT 10,77,1,2,10,2\r\n"), false);
  hosts.now = (hosts.now + 300 * HZ) | 0;
  assert.equal(hosts.say(second, 0, 1030, "PORT 10,77,1,2,10,2\r\n"), true);
  assert.equal(hosts.expectations.count, 1);
});

test("a master is held while a child lives, and its expectations go with it", () => {
  const hosts = new Hosts();
  const { expectations } = hosts;
  const master = greeted(hosts);
  hosts.say(master, 0, 1009, "PORT 10,77,1,2,10,1\r\n");
  assert.equal(hosts.connect(1, 20, 2561), true);
  const child = master + 1;
  hosts.say(master, 0, 1030, "PORT 10,77,1,2,10,2\r\n");
  assert.deepEqual([expectations.count, expectations.families, expectations.held], [1, 2, 0]);
  expectations.forget(master);
  assert.deepEqual([expectations.count, expectations.families, expectations.held], [0, 1, 1]);
  expectations.forget(child);
  assert.deepEqual([expectations.count, expectations.families, expectations.held], [0, 0, 0]);
});

test("a segment the capture cut off is read as far as it goes, and never dropped", () => {
  const hosts = new Hosts();
  const flow = greeted(hosts);
  assert.equal(hosts.say(flow, 0, 1009, "PORT 10,77,1,2,10,1\r\n", 8), true);
  assert.equal(hosts.describe(), "");
  assert.equal(hosts.say(flow, 1, 5008, "227 (10,77,2,2,10,2).\r\n", 21), true);
  assert.equal(hosts.describe(), " | 0 10.77.1.2 10.77.2.2 2562");
  assert.equal(hosts.say(flow, 1, 5031, "226 done\r\n", 0), true);
  assert.equal(hosts.say(flow, 1, 5041, "229 (|||2563|)\r\n"), true);
  assert.equal(hosts.describe(), " | 0 10.77.1.2 10.77.2.2 2563");
});

test("a number above 255 was one for the helper until 7.3", () => {
  for (const [generation, said] of [
    ["6.18", true],
    ["7.3", false],
  ] as const) {
    const hosts = new Hosts("ipv4", 4096, generation);
    const flow = greeted(hosts);
    assert.equal(hosts.say(flow, 0, 1009, "PORT 10,77,1,2,10,255\r\n"), true, generation);
    assert.equal(hosts.say(flow, 0, 1032, "PORT 10,77,1,2,10,256\r\n"), said, generation);
    assert.equal(hosts.say(flow, 1, 5008, "227 (256,77,2,2,10,2).\r\n"), said, generation);
  }
});

test("only control connections are helped", () => {
  assert.equal(isFtpControl(TCP, 21), true);
  assert.equal(isFtpControl(TCP, 20), false);
  assert.equal(isFtpControl(17, 21), false);
  const hosts = new Hosts();
  const flow = greeted(hosts);
  hosts.helper.forget(flow);
  assert.equal(hosts.helper.count, 0);
  assert.equal(hosts.say(flow, 0, 1009, "PORT 1\r\n"), true);
});

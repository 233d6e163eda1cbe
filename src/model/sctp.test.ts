import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Fault, PacketColumns, PacketKind, SctpExtra } from "../packet/columns.ts";
import { SCTP } from "../table/protocol.ts";
import { SctpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Answer } from "./answer.ts";
import { FLOW_WORDS, Flow, FlowByte, FlowRows } from "./flow-rows.ts";
import { type Generation, rulesOf } from "./generation.ts";
import { sctpNew, sctpPacket, type SctpSettings } from "./sctp.ts";

const chunkTypes: Readonly<Record<string, number>> = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HB: 4,
  HBA: 5,
  ABORT: 6,
  SHUT: 7,
  SHUTA: 8,
  ERROR: 9,
  CE: 10,
  CA: 11,
  SHUTC: 14,
  UNK: 200,
};

const letters = ["NONE", "CL", "CW", "CE", "ES", "SS", "SR", "SA", "HS", "HA"];

/** One association: packets in, what netlink would say of the flow out. */
class Association {
  readonly rows = new FlowRows();
  readonly batch = new PacketColumns(1);
  readonly settings: SctpSettings;
  flow = 0;
  renewedAt = "";
  #originalSide = 0;
  #step = 0;

  constructor(generation: Generation) {
    this.settings = {
      rules: rulesOf(generation),
      sctpTimeouts: Int32Array.from({ length: 10 }, (_, at) => at),
    };
  }

  /** A packet as the fixture writes it: `<side> <tag> <chunk[/flags][=tag]>...`. Gives the verdict. */
  send(text: string): string {
    this.#step += 1;
    const [side = "", tag = "", ...chunks] = text.trim().split(" ");
    this.#lay(Number(tag), chunks);
    const { rows, batch, settings } = this;
    const isNew = this.flow === 0;
    if (isNew) this.#originalSide = Number(side);
    const direction = Number(side) ^ this.#originalSide;
    const flow = isNew ? rows.take() : this.flow;
    if (isNew && !sctpNew(rows, flow, batch, 0, settings)) {
      rows.release(flow);
      return "invalid";
    }
    const answer = sctpPacket(rows, flow, direction, batch, 0, settings);
    if (answer === Answer.INVALID) {
      if (isNew) rows.release(flow);
      return "invalid";
    }
    this.flow = flow;
    if (answer >= 0) this.renewedAt = `${letters[answer] ?? "?"}@${this.#step}`;
    if (direction === 1) this.status |= Status.SEEN_REPLY;
    return (this.status & Status.SEEN_REPLY) === 0 ? "new" : "established";
  }

  get status(): number {
    return this.rows.words[this.flow * FLOW_WORDS + Flow.STATUS] as number;
  }
  set status(bits: number) {
    this.rows.words[this.flow * FLOW_WORDS + Flow.STATUS] = bits;
  }
  get state(): number {
    return this.rows.bytes[this.flow * FLOW_WORDS * 4 + FlowByte.STATE] as number;
  }

  /** As the fixture writes it: `<state> <tag> <tag> <timeout>@<packet>[ A][ R]`. */
  describe(): string {
    if (this.flow === 0) return "-";
    const tags = this.flow * FLOW_WORDS + Flow.VTAG;
    const words = [letters[this.state], this.rows.words[tags], this.rows.words[tags + 1], this.renewedAt];
    if ((this.status & Status.ASSURED) !== 0) words.push("A");
    if ((this.status & Status.SEEN_REPLY) !== 0) words.push("R");
    return words.join(" ");
  }

  #lay(tag: number, chunks: string[]): void {
    const { batch } = this;
    batch.clear(1);
    batch.count = 1;
    batch.kind[0] = PacketKind.IP;
    batch.family[0] = 4;
    batch.protocol[0] = SCTP;
    batch.fault[0] = 0;
    batch.extraAt[0] = 0;
    batch.extra[SctpExtra.VTAG] = tag;
    batch.extra[SctpExtra.INIT_TAG] = 0;
    batch.extra[SctpExtra.CHUNKS] = chunks.length;
    for (const [at, chunk] of chunks.entries()) {
      const [, name = "", flags = "0", init = "0"] = /^(\w+)(?:\/(\d+))?(?:=(\d+))?$/.exec(chunk) ?? [];
      batch.extra[SctpExtra.FIRST_CHUNK + at] = ((chunkTypes[name] as number) << 8) | Number(flags);
      if (init !== "0") batch.extra[SctpExtra.INIT_TAG] = Number(init);
    }
  }
}

const recorded =
  process.env["SCTP_FIXTURE"] ?? `${import.meta.dirname}/../../test/fixtures/model/sctp-6.18.txt`;

test("sctp answers every recorded packet as the kernel did", () => {
  let association = new Association("6.18");
  const said: string[] = [];
  const expected: string[] = [];
  for (const line of readFileSync(recorded, "utf8").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    if (line.startsWith("sequence")) {
      association = new Association("6.18");
      said.push(line);
    } else {
      const packet = line.slice(0, line.indexOf(" : "));
      said.push(`${packet} : ${association.send(packet)} ${association.describe()}`);
    }
    expected.push(line);
  }
  // Text, because comparing thousands of array members that differ takes minutes.
  assert.equal(said.join("\n"), expected.join("\n"));
  assert.ok(said.length > 1000, "the fixture is there");
});

const handshake = ["0 0 INIT=11", "1 11 INIT_ACK=12", "0 12 CE", "1 11 CA"];

test("before 6.2 an INIT waits for its cookie, and only a reply's COOKIE ACK assures", () => {
  const association = new Association("4.19");
  const verdicts = handshake.map((packet) => `${association.send(packet)} ${association.describe()}`);
  assert.deepEqual(verdicts, [
    "new CW 0 11 CW@1",
    "established CW 12 11 CW@2 R",
    "established CE 12 11 CE@3 R",
    "established ES 12 11 ES@4 A R",
  ]);
});

test("before 6.2 a further path is HEARTBEAT_ACKED and not assured", () => {
  const association = new Association("4.19");
  association.send("0 7 HB");
  association.send("1 9 HBA");
  assert.equal(association.describe(), "HA 7 9 HA@2 R");
  assert.equal(association.state, SctpState.HEARTBEAT_ACKED);
});

test("a chunk list that could not be read is invalid", () => {
  const association = new Association("6.18");
  for (const packet of handshake) association.send(packet);
  const before = association.describe();
  const { batch, rows, settings, flow } = association;
  batch.fault[0] = Fault.BAD_PROTOCOL;
  assert.equal(sctpPacket(rows, flow, 0, batch, 0, settings), Answer.INVALID);
  batch.fault[0] = 0;
  batch.extraAt[0] = -1;
  assert.equal(sctpPacket(rows, flow, 0, batch, 0, settings), Answer.INVALID);
  assert.equal(association.describe(), before);
});

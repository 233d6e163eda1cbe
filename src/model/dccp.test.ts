import assert from "node:assert/strict";
import { test } from "node:test";
import { DccpExtra, PacketColumns } from "../packet/columns.ts";
import { DCCP } from "../table/protocol.ts";
import { stateName } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Answer } from "./answer.ts";
import { dccpNew, dccpPacket, DccpType } from "./dccp.ts";
import { Flow, FLOW_WORDS, FlowByte, FlowRows } from "./flow-rows.ts";

const settings = { dccpTimeouts: Int32Array.from({ length: 16 }, (_, state) => 100 * state) };

class Connection {
  readonly rows = new FlowRows();
  readonly batch = new PacketColumns(1);
  flow = 0;

  /** `<side> <type> [sequence [acknowledgment]]`; gives `<answer> <state>[ A]`. */
  send(text: string): string {
    const [side = "", type = "", sequence = "0", ack = "0"] = text.split(" ");
    const { rows, batch } = this;
    batch.extraAt[0] = 0;
    batch.extra[DccpExtra.TYPE] = DccpType[type as keyof typeof DccpType] ?? 12;
    batch.extra[DccpExtra.SEQUENCE_HIGH] = 0xffff;
    batch.extra[DccpExtra.SEQUENCE_LOW] = Number(sequence);
    batch.extra[DccpExtra.ACK_HIGH] = 0xffff;
    batch.extra[DccpExtra.ACK_LOW] = Number(ack);
    if (this.flow === 0) {
      const flow = rows.take();
      if (!dccpNew(rows, flow, batch, 0)) return "refused";
      this.flow = flow;
    }
    const statusAt = this.flow * FLOW_WORDS + Flow.STATUS;
    const answer = dccpPacket(rows, this.flow, Number(side), batch, 0, settings);
    const isAccepted = answer !== Answer.INVALID;
    if (side === "1" && isAccepted)
      rows.words[statusAt] = (rows.words[statusAt] as number) | Status.SEEN_REPLY;
    const state = rows.bytes[this.flow * FLOW_WORDS * 4 + FlowByte.STATE] as number;
    const assured = ((rows.words[statusAt] as number) & Status.ASSURED) !== 0 ? " A" : "";
    return `${answer} ${stateName(DCCP, state)}${assured}`;
  }
}

const conversations: readonly (readonly [name: string, packets: readonly (readonly [string, string])[]])[] = [
  [
    "a connection from Request to Reset",
    [
      ["0 REQUEST 10", "100 REQUEST"],
      ["1 RESPONSE 4294967290 10", "200 RESPOND"],
      ["0 ACK 11 4294967290", "300 PARTOPEN A"],
      ["1 DATA 21", "400 OPEN A"],
      ["0 DATAACK 12 21", "400 OPEN A"],
      ["1 CLOSEREQ 22", "500 CLOSEREQ A"],
      ["0 CLOSE 13", "600 CLOSING A"],
      ["1 RESET 23", "700 TIMEWAIT A"],
      ["0 RESET 23", "-2 TIMEWAIT A"],
    ],
  ],
  [
    "an Ack of something else does not assure",
    [
      ["0 REQUEST 10", "100 REQUEST"],
      ["1 RESPONSE 20 10", "200 RESPOND"],
      ["0 ACK 11 19", "300 PARTOPEN"],
    ],
  ],
  [
    "a Request answered by a Reset alone",
    [
      ["0 REQUEST 10", "100 REQUEST"],
      ["1 RESET 20", "-4 REQUEST"],
    ],
  ],
  ["data alone begins nothing", [["0 DATA 10", "refused"]]],
  ["a reserved type begins nothing", [["0 NONSENSE 10", "refused"]]],
  [
    "invalid packets change nothing",
    [
      ["0 REQUEST 10", "100 REQUEST"],
      ["0 DATA 11", "-1 REQUEST"],
      ["0 NONSENSE 11", "-1 REQUEST"],
    ],
  ],
  [
    "an ignored Request that gets its Response reopens with the roles reversed",
    [
      ["0 REQUEST 10", "100 REQUEST"],
      ["1 RESPONSE 20 10", "200 RESPOND"],
      ["1 REQUEST 30", "-2 RESPOND"],
      ["0 RESPONSE 40 30", "200 RESPOND"],
      ["1 ACK 31 40", "300 PARTOPEN A"],
    ],
  ],
  [
    "a Request of the server after the end reverses the roles",
    [
      ["0 REQUEST 10", "100 REQUEST"],
      ["1 RESPONSE 20 10", "200 RESPOND"],
      ["0 RESET 11", "700 TIMEWAIT"],
      ["1 REQUEST 30", "100 REQUEST"],
      ["0 RESPONSE 40 30", "200 RESPOND"],
    ],
  ],
];

for (const [name, packets] of conversations) {
  test(`dccp: ${name}`, () => {
    const connection = new Connection();
    const said = packets.map(([packet]) => [packet, connection.send(packet)]);
    assert.deepEqual(said, packets);
  });
}

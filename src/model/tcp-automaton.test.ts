import assert from "node:assert/strict";
import { test } from "node:test";
import { play, OPENED, TcpTalk } from "../../test/support/tcp-talk.ts";
import { GENERATIONS } from "./generation.ts";
import { tcpFlagsAreValid } from "./tcp.ts";
import { TcpFlag } from "../packet/packet.ts";
import { TCP } from "../table/protocol.ts";
import { stateName, TcpState } from "../table/state.ts";

/**
 * What 6.18.44 made of one packet in window, for a flow forced into each state after its handshake, so that
 * neither the first FIN nor an earlier RST is remembered: reopening and resynchronizing therefore do not
 * happen here. `.` let by without effect, `-` INVALID.
 */
const STATES = Object.keys(TcpState).slice(1);
const CELLS = `
client SYN      SYN_SENT  .          .           .          .          .         .         .     SYN_SENT2
client SYN_ACK  -         SYN_RECV   -           -          -          -         -         -     SYN_RECV
client FIN      -         FIN_WAIT   FIN_WAIT    LAST_ACK   LAST_ACK   LAST_ACK  TIME_WAIT CLOSE -
client ACK      -         ESTABLISHED ESTABLISHED CLOSE_WAIT CLOSE_WAIT TIME_WAIT TIME_WAIT CLOSE -
client RST      CLOSE     CLOSE      CLOSE       CLOSE      CLOSE      CLOSE     CLOSE     CLOSE CLOSE
client PSH      -         -          -           -          -          -         -         -     -
server SYN      SYN_SENT2 -          -           -          -          -         .         -     SYN_SENT2
server SYN_ACK  SYN_RECV  .          .           .          .          .         .         .     SYN_RECV
server FIN      -         FIN_WAIT   FIN_WAIT    LAST_ACK   LAST_ACK   LAST_ACK  TIME_WAIT CLOSE -
server ACK      .         SYN_RECV   ESTABLISHED CLOSE_WAIT CLOSE_WAIT TIME_WAIT TIME_WAIT CLOSE .
server RST      CLOSE     CLOSE      CLOSE       CLOSE      CLOSE      CLOSE     CLOSE     CLOSE CLOSE
server PSH      -         -          -           -          -          -         -         -     -
`;

const FLAGS: Readonly<Record<string, string>> = { SYN_ACK: "SYN+ACK", FIN: "FIN+ACK" };
/** Seconds left before the packet: longer than any timeout but that of ESTABLISHED. */
const LEFT = 1000;
const SECONDS: Readonly<Record<string, number>> = {
  SYN_SENT: 120,
  SYN_RECV: 60,
  ESTABLISHED: 432_000,
  FIN_WAIT: 120,
  CLOSE_WAIT: 60,
  LAST_ACK: 30,
  TIME_WAIT: 120,
  CLOSE: 10,
  SYN_SENT2: 120,
};

for (const line of CELLS.trim().split("\n")) {
  const [side = "", kind = "", ...cells] = line.split(/\s+/);
  for (const [index, cell] of cells.entries()) {
    const state = STATES[index] ?? "";
    test(`TCP: ${kind} of the ${side} in ${state} gives ${cell}`, () => {
      for (const generation of GENERATIONS) {
        const talk = new TcpTalk({ generation });
        assert.deepEqual(play(OPENED, {}, talk), []);
        talk.state = TcpState[state as keyof typeof TcpState];
        talk.expires = talk.nowJiffies + LEFT * 250;
        const client = side === "client";
        // In window, and nothing the tracker has noted before.
        const numbers = client ? "1001:5001" : "5001:1001";
        const verdict = talk.send(client ? "client" : "server", `${FLAGS[kind] ?? kind} ${numbers}`);
        const found = `${verdict} ${stateName(TCP, talk.state)} ${talk.secondsLeft}`;
        assert.equal(found, wanted(cell, state), generation);
      }
    });
  }
}

function wanted(cell: string, state: string): string {
  if (cell === "-") return `invalid ${state} ${LEFT}`;
  if (cell === ".") return `established ${state} ${LEFT}`;
  return `established ${cell} ${cell === "FIN_WAIT" ? 120 : SECONDS[cell]}`;
}

const { FIN, SYN, RST, PSH, ACK, URG, ECE, CWR } = TcpFlag;
const VALID = [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG];
const OF_NO_MATTER = [0, PSH, ECE, CWR, PSH | ECE, PSH | CWR, ECE | CWR, PSH | ECE | CWR];
const validFlags = new Set(VALID.flatMap((flags) => OF_NO_MATTER.map((more) => flags | more)));

test("TCP: of the 256 sets of flags 72 are valid, with or without a flow", () => {
  assert.equal(validFlags.size, 72);
  for (let flags = 0; flags < 256; flags++) {
    const valid = validFlags.has(flags);
    assert.equal(tcpFlagsAreValid(flags), valid, `flags ${flags}`);
    const begins = valid && (flags & (FIN | RST)) === 0 && (flags & (SYN | ACK)) !== (SYN | ACK);
    assert.equal(
      new TcpTalk().send("client", `${flags} 1000:1`),
      begins ? "new" : "invalid",
      `flags ${flags}`,
    );
    const talk = new TcpTalk();
    assert.deepEqual(play(OPENED, {}, talk), []);
    const before = talk.words;
    const verdict = talk.send("client", `${flags} 1001:5001`);
    if (!valid || (flags & (SYN | ACK)) === (SYN | ACK)) {
      assert.equal(verdict, "invalid", `flags ${flags}`);
      assert.deepEqual(talk.words, before, `flags ${flags} change nothing`);
    } else {
      assert.equal(verdict, "established", `flags ${flags}`);
    }
  }
});

test("TCP: a flow begins with a SYN, or in mid-stream with an ACK; nothing else", () => {
  const cases = [
    ["SYN 1000", "new", "SYN_SENT 120"],
    ["SYN+URG 1000", "new", "SYN_SENT 120"],
    ["ACK 1000:1", "new", "ESTABLISHED 300"],
    ["ACK+PSH 1000:1 10B", "new", "ESTABLISHED 300"],
    ["ACK+URG 1000:1", "new", "ESTABLISHED 300"],
    ["SYN+ACK 1000:1", "invalid", undefined],
    ["FIN+ACK 1000:1", "invalid", undefined],
    ["RST 1000:1", "invalid", undefined],
    ["RST+ACK 1000:1", "invalid", undefined],
  ] as const;
  for (const [segment, verdict, facts] of cases) {
    const talk = new TcpTalk();
    assert.equal(talk.send("client", segment), verdict, segment);
    assert.equal(talk.facts, facts, segment);
  }
});

/**
 * TCP's automaton: what kind of packet a set of flags makes, and which state follows upon it. The table is
 * the same in every kernel from 3.14 to 7.3; each of its cells was measured on 6.18.44 and is tested. What a
 * cell cannot say (reopening, resynchronizing, resets) is in tcp.ts and tcp-reset.ts.
 */
import { assert } from "../base/assert.ts";
import { TcpFlag } from "../packet/packet.ts";
import { TcpState } from "../table/state.ts";

/** Rows of the automaton. NONE stands for "no packet yet" in FlowByte.LAST_KIND. */
export const TcpKind = { NONE: 0, SYN: 1, SYN_ACK: 2, FIN: 3, ACK: 4, RST: 5, INVALID: 6 } as const;

/** What a cell says besides a state: accepted without any effect, and INVALID. */
export const IGNORED = 14;
export const REFUSED = 15;

/** States and kinds take 16 places each in the table, so that an index is made of shifts alone. */
const STATE_BITS = 4;
const DIRECTION_BITS = STATE_BITS + 3;

// `.` is a packet that is accepted and changes nothing (it has its flow's class, and renews no timeout),
// `-` is INVALID, ESTAB is ESTABLISHED. Reopening (a SYN into TIME_WAIT or CLOSE) is SYN_SENT here.
const TABLE = `
          NONE     SYN_SENT  SYN_RECV ESTAB    FIN_WAIT   CLOSE_WAIT LAST_ACK  TIME_WAIT CLOSE    SYN_SENT2
original
  SYN     SYN_SENT SYN_SENT  .        .        .          .          .         SYN_SENT  SYN_SENT SYN_SENT2
  SYN_ACK -        -         SYN_RECV -        -          -          -         -         -        SYN_RECV
  FIN     -        -         FIN_WAIT FIN_WAIT LAST_ACK   LAST_ACK   LAST_ACK  TIME_WAIT CLOSE    -
  ACK     ESTAB    -         ESTAB    ESTAB    CLOSE_WAIT CLOSE_WAIT TIME_WAIT TIME_WAIT CLOSE    -
  RST     -        CLOSE     CLOSE    CLOSE    CLOSE      CLOSE      CLOSE     CLOSE     CLOSE    CLOSE
reply
  SYN     -        SYN_SENT2 -        -        -          -          -         SYN_SENT  -        SYN_SENT2
  SYN_ACK -        SYN_RECV  .        .        .          .          .         .         .        SYN_RECV
  FIN     -        -         FIN_WAIT FIN_WAIT LAST_ACK   LAST_ACK   LAST_ACK  TIME_WAIT CLOSE    -
  ACK     -        .         SYN_RECV ESTAB    CLOSE_WAIT CLOSE_WAIT TIME_WAIT TIME_WAIT CLOSE    .
  RST     -        CLOSE     CLOSE    CLOSE    CLOSE      CLOSE      CLOSE     CLOSE     CLOSE    CLOSE
`;

const nextStates = compileTable(TABLE);
const kinds = compileKinds();

/** The row of the automaton for TCP's flag byte; TcpKind.INVALID for flags that never go together. */
export function tcpKind(flags: number): number {
  return kinds[flags] as number;
}

/** The state that follows, or IGNORED or REFUSED. */
export function nextState(direction: number, kind: number, state: number): number {
  return nextStates[(direction << DIRECTION_BITS) | (kind << STATE_BITS) | state] as number;
}

function compileTable(text: string): Uint8Array {
  const compiled = new Uint8Array(2 << DIRECTION_BITS).fill(REFUSED);
  const [header, ...lines] = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  let direction = 0;
  for (const [name = "", ...cells] of lines) {
    if (cells.length === 0) {
      direction = name === "reply" ? 1 : 0;
      continue;
    }
    assert(cells.length === header?.length, `Row ${name} of TCP's automaton has a cell for each state`);
    const kind = TcpKind[name as keyof typeof TcpKind];
    for (const [column, cell] of cells.entries()) {
      const state = meaningOf(header[column] ?? "");
      compiled[(direction << DIRECTION_BITS) | (kind << STATE_BITS) | state] = meaningOf(cell);
    }
  }
  return compiled;
}

function meaningOf(cell: string): number {
  if (cell === ".") return IGNORED;
  if (cell === "-") return REFUSED;
  return TcpState[(cell === "ESTAB" ? "ESTABLISHED" : cell) as keyof typeof TcpState];
}

/** PSH, ECE and CWR never matter; URG only where it is odd. A reset outweighs SYN, SYN outweighs FIN. */
function compileKinds(): Uint8Array {
  const { FIN, SYN, RST, PSH, ACK, URG, ECE, CWR } = TcpFlag;
  const valid = new Map<number, number>([
    [SYN, TcpKind.SYN],
    [SYN | URG, TcpKind.SYN],
    [SYN | ACK, TcpKind.SYN_ACK],
    [RST, TcpKind.RST],
    [RST | ACK, TcpKind.RST],
    [FIN | ACK, TcpKind.FIN],
    [FIN | ACK | URG, TcpKind.FIN],
    [ACK, TcpKind.ACK],
    [ACK | URG, TcpKind.ACK],
  ]);
  const ignored = PSH | ECE | CWR;
  return Uint8Array.from({ length: 256 }, (_, flags) => valid.get(flags & ~ignored) ?? TcpKind.INVALID);
}

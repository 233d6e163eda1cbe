/**
 * DCCP as the tracker saw it from 2.6.26 to 6.16 (RFC 4340): a state for the client's side of the connection,
 * and which side that is.
 *
 * The cells are those known of net/netfilter/nf_conntrack_proto_dccp.c, whose automaton did not change from
 * 3.10 to 6.12; its states are those of RFC 4340, section 4.3. Random sequences of packets on 5.10.262,
 * 6.1.192 and 6.12.117 agree with them. Later kernels take a DCCP packet as generic (`tracksDccp`), and
 * nothing here is called.
 */
import { DccpExtra, type PacketColumns } from "../packet/packet.ts";
import { DccpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Answer } from "./answer.ts";
import { Flow, FLOW_WORDS, FlowByte, type FlowRows } from "./flow-rows.ts";

/** What DCCP must know of the settings. */
export interface DccpSettings {
  /** Jiffies by state (DccpState), from `nf_conntrack_dccp_timeout_*`. */
  readonly dccpTimeouts: Int32Array;
}

/** Packet types (RFC 4340, section 5.1); 10 to 15 are reserved and INVALID. */
export const DccpType = {
  REQUEST: 0,
  RESPONSE: 1,
  DATA: 2,
  ACK: 3,
  DATAACK: 4,
  CLOSEREQ: 5,
  CLOSE: 6,
  RESET: 7,
  SYNC: 8,
  SYNCACK: 9,
} as const;
const TYPES = 10;
const STATES = 8;

/** Words and bytes of a flow that only DCCP uses. */
const HANDSHAKE_HIGH = Flow.VTAG;
const HANDSHAKE_LOW = Flow.VTAG + 1;
const LAST_TYPE = FlowByte.LAST_KIND;
/** Direction of the client: 0 unless the roles were reversed. */
const CLIENT = FlowByte.RETRANSMISSIONS;

/**
 * Whether a packet nobody knows may begin a flow: a Request does. (`nf_conntrack_dccp_loose` lets others in,
 * but every other type is INVALID before any state, so that it never mattered.)
 */
export function dccpNew(rows: FlowRows, flow: number, batch: PacketColumns, row: number): boolean {
  if (typeOf(batch, row) !== DccpType.REQUEST) return false;
  const at = flow * FLOW_WORDS * 4;
  rows.bytes[at + FlowByte.STATE] = DccpState.NONE;
  rows.bytes[at + CLIENT] = 0;
  rows.bytes[at + LAST_TYPE] = DccpType.REQUEST;
  rows.bytes[at + FlowByte.LAST_DIRECTION] = 0;
  return true;
}

/** An Answer for a packet of a flow; for the one that began it right after `dccpNew`. */
export function dccpPacket(
  rows: FlowRows,
  flow: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  settings: DccpSettings,
): number {
  const type = typeOf(batch, row);
  if (type === RESERVED) return Answer.INVALID;
  const { words, bytes } = rows;
  const word = flow * FLOW_WORDS;
  const byte = word * 4;
  const status = words[word + Flow.STATUS] as number;
  // A Request that is only answered by a Reset leaves nothing behind.
  if (type === DccpType.RESET && (status & Status.SEEN_REPLY) === 0) return Answer.ACCEPT_AND_REMOVE;

  const before = bytes[byte + FlowByte.STATE] as number;
  const side = direction === bytes[byte + CLIENT] ? 0 : 1;
  let state = automaton[(side * TYPES + type) * STATES + before] as number;
  if (state === DccpState.INVALID) return Answer.INVALID;
  if (state === DccpState.IGNORE) {
    if (!resyncs(bytes, byte, direction, type)) {
      bytes[byte + FlowByte.LAST_DIRECTION] = direction;
      bytes[byte + LAST_TYPE] = type;
      return Answer.ACCEPT;
    }
    // A Request that was ignored got its Response: it was right, and this flow out of date.
    bytes[byte + CLIENT] = 1 - direction;
    noteHandshake(words, word, batch, row);
    state = DccpState.RESPOND;
  } else if (state === DccpState.REQUEST && before === DccpState.TIMEWAIT) {
    bytes[byte + CLIENT] = direction;
  } else if (state === DccpState.RESPOND && before === DccpState.REQUEST) {
    noteHandshake(words, word, batch, row);
  } else if (state === DccpState.PARTOPEN && before === DccpState.RESPOND && type === DccpType.ACK) {
    // Only an Ack of the Response itself, not a DataAck, shows that the client is no guess.
    if (acknowledgesHandshake(words, word, batch, row)) {
      words[word + Flow.STATUS] = status | Status.ASSURED;
    }
  }
  bytes[byte + FlowByte.LAST_DIRECTION] = direction;
  bytes[byte + LAST_TYPE] = type;
  bytes[byte + FlowByte.STATE] = state;
  return settings.dccpTimeouts[state] as number;
}

const RESERVED = -1;

function typeOf(batch: PacketColumns, row: number): number {
  const at = batch.extraAt[row] as number;
  const type = at < 0 ? RESERVED : (batch.extra[at + DccpExtra.TYPE] as number);
  return type < TYPES ? type : RESERVED;
}

function resyncs(bytes: Uint8Array, byte: number, direction: number, type: number): boolean {
  return (
    type === DccpType.RESPONSE &&
    bytes[byte + LAST_TYPE] === DccpType.REQUEST &&
    bytes[byte + FlowByte.LAST_DIRECTION] === 1 - direction
  );
}

function noteHandshake(words: Int32Array, word: number, batch: PacketColumns, row: number): void {
  const at = batch.extraAt[row] as number;
  words[word + HANDSHAKE_HIGH] = batch.extra[at + DccpExtra.SEQUENCE_HIGH] as number;
  words[word + HANDSHAKE_LOW] = batch.extra[at + DccpExtra.SEQUENCE_LOW] as number;
}

function acknowledgesHandshake(words: Int32Array, word: number, batch: PacketColumns, row: number): boolean {
  const at = batch.extraAt[row] as number;
  return (
    words[word + HANDSHAKE_HIGH] === ((batch.extra[at + DccpExtra.ACK_HIGH] as number) | 0) &&
    words[word + HANDSHAKE_LOW] === ((batch.extra[at + DccpExtra.ACK_LOW] as number) | 0)
  );
}

const stateByLetters: Readonly<Record<string, number>> = {
  RQ: DccpState.REQUEST,
  RS: DccpState.RESPOND,
  PO: DccpState.PARTOPEN,
  OP: DccpState.OPEN,
  CR: DccpState.CLOSEREQ,
  CG: DccpState.CLOSING,
  TW: DccpState.TIMEWAIT,
  IG: DccpState.IGNORE,
  IV: DccpState.INVALID,
};

/**
 * The state after a packet: a row a type in the order of DccpType, left from the client, right from the
 * server; in each the states NO RQ RS PO OP CR CG TW. (A Reset of the server renews TIMEWAIT, one of the
 * client does not: so it is.)
 */
const cells = `
RQ RQ RS IG IG IG IG RQ | IV IG IG IG IG IG IG RQ
IV IG IG IG IG IG IG IV | IV RS RS IG IG IG IG IV
IV IV IV IV OP CR CG IV | IV IV IV OP OP IV CG IV
IV IV PO PO OP CR CG IV | IV IV IV OP OP IV CG IV
IV IV PO PO OP CR CG IV | IV IV IV OP OP IV CG IV
IV IV IV IV IV IV IV IV | IV IV IV CR CR CR CR IV
IV IV IV CG CG CG IV IV | IV IV IV CG CG IV CG IV
IV TW TW TW TW TW TW IG | IV TW TW TW TW TW TW TW
IV IG IG IG IG IG IG IG | IV IG IG IG IG IG IG IG
IV IG IG IG IG IG IG IG | IV IG IG IG IG IG IG IG
`;

const automaton = new Uint8Array(2 * TYPES * STATES).fill(DccpState.INVALID);
for (const [type, line] of cells.trim().split("\n").entries()) {
  for (const [side, half] of line.split("|").entries()) {
    for (const [state, letters] of half.trim().split(/\s+/).entries()) {
      automaton[(side * TYPES + type) * STATES + state] = stateByLetters[letters] ?? DccpState.INVALID;
    }
  }
}

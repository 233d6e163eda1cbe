/**
 * SCTP as the tracker sees it: an automaton that every chunk of a packet walks, and the verification tags by
 * which packets of an association are told from guesses (RFC 9260, sections 8.4 and 8.5).
 *
 * Sources: all cells and every rule below were measured on 6.18.44, by 9000 random sequences of packets whose
 * verdict, state, tags and renewal were read back over netlink (a share of them is test/fixtures/model). The
 * automaton before 6.2 (`sctpInitIsClosed` false) is unmeasured; it is known from the states and cells of
 * 4.19.
 *
 * A packet that is INVALID half-way keeps what its earlier chunks did to state and tags: the kernel does not
 * undo them, and neither does this.
 */
import { Fault, type PacketColumns, SctpExtra } from "../packet/packet.ts";
import { SctpState } from "../table/state.ts";
import { Status } from "../table/status.ts";
import { Answer } from "./answer.ts";
import { FLOW_WORDS, Flow, FlowByte, type FlowRows } from "./flow-rows.ts";
import type { KernelRules } from "./generation.ts";

/** What SCTP must know of the settings. */
export interface SctpSettings {
  readonly rules: KernelRules;
  /** Timeouts in jiffies by state (SctpState, 0 to 9), from `nf_conntrack_sctp_timeout_*`. */
  readonly sctpTimeouts: Int32Array;
}

/** Chunk types (RFC 9260, section 3.2). */
const Chunk = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  SHUTDOWN_COMPLETE: 14,
} as const;

/** The T bit of ABORT and SHUTDOWN COMPLETE: the sender had no tag and gave back the one it was sent. */
const TAG_REFLECTED = 1;

/** Bits of the flow's memory byte. */
const Memory = {
  /** An INIT came from the original direction, and one from the other (shifted by the direction). */
  INIT: 1,
  /** A heartbeat came with a foreign tag; its direction is in LAST_DIRECTION. */
  FOREIGN_HEARTBEAT: 4,
} as const;
const MEMORY = FlowByte.LAST_KIND;

const STATES = 10;
const INVALID_STATE = 0xff;

/** Chunks that are checked one by one against the tags, so that the packet as a whole is not. */
const OWN_TAG_RULE =
  bit(Chunk.INIT) |
  bit(Chunk.SHUTDOWN_COMPLETE) |
  bit(Chunk.COOKIE_ECHO) |
  bit(Chunk.ABORT) |
  bit(Chunk.SHUTDOWN_ACK) |
  bit(Chunk.HEARTBEAT) |
  bit(Chunk.HEARTBEAT_ACK);

/** Chunks that must be alone in a packet, and those that must be its first. */
const ALONE = bit(Chunk.INIT) | bit(Chunk.INIT_ACK) | bit(Chunk.SHUTDOWN_COMPLETE);
const FIRST = bit(Chunk.COOKIE_ECHO) | bit(Chunk.COOKIE_ACK);

/** Chunks with which nobody begins: they answer something. */
const NEVER_NEW = bit(Chunk.ABORT) | bit(Chunk.SHUTDOWN_COMPLETE) | bit(Chunk.COOKIE_ACK);

/** `walk` found the chunks impossible. */
const IMPOSSIBLE = -1;

/**
 * Whether a packet nobody knows may begin a flow; takes its tags, leaves the state NONE.
 *
 * Every chunk must lead somewhere from NONE (DATA does not). What leads to CLOSED is let through here, and
 * then mostly fails the check of its tag: the other side's tag is zero as yet, and so must the packet's be.
 */
export function sctpNew(
  rows: FlowRows,
  flow: number,
  batch: PacketColumns,
  row: number,
  settings: SctpSettings,
): boolean {
  const seen = chunksOf(batch, row);
  if (seen === IMPOSSIBLE || (seen & NEVER_NEW) !== 0) return false;
  const at = batch.extraAt[row] as number;
  const words = rows.words;
  const tags = flow * FLOW_WORDS + Flow.VTAG;
  const tag = batch.extra[at + SctpExtra.VTAG] as number;
  const count = batch.extra[at + SctpExtra.CHUNKS] as number;
  const table = automatonOf(settings.rules);
  for (let chunk = 0; chunk < count; chunk++) {
    const type = (batch.extra[at + SctpExtra.FIRST_CHUNK + chunk] as number) >>> 8;
    const next = nextState(table, 0, SctpState.NONE, type);
    if (next === SctpState.NONE || next === INVALID_STATE) return false;
    if (type === Chunk.INIT) {
      if (tag !== 0) return false;
      words[tags + 1] = batch.extra[at + SctpExtra.INIT_TAG] as number;
    } else if (type === Chunk.HEARTBEAT) {
      words[tags] = tag;
    } else if (type === Chunk.SHUTDOWN_ACK) {
      // Out of the blue it is answered by SHUTDOWN COMPLETE with the same tag (RFC 9260, 8.4 point 5).
      words[tags + 1] = tag;
    }
  }
  rows.bytes[flow * FLOW_WORDS * 4 + FlowByte.STATE] = SctpState.NONE;
  return true;
}

/** An Answer for a packet of a flow; for the one that began it right after `sctpNew`. */
export function sctpPacket(
  rows: FlowRows,
  flow: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  settings: SctpSettings,
): number {
  const seen = chunksOf(batch, row);
  if (seen === IMPOSSIBLE) return Answer.INVALID;
  const at = batch.extraAt[row] as number;
  const tag = (batch.extra[at + SctpExtra.VTAG] as number) | 0;
  const tagAt = flow * FLOW_WORDS + Flow.VTAG + direction;
  if ((seen & OWN_TAG_RULE) === 0 && tag !== rows.words[tagAt]) return Answer.INVALID;

  const bytes = rows.bytes;
  const stateAt = flow * FLOW_WORDS * 4 + FlowByte.STATE;
  const count = batch.extra[at + SctpExtra.CHUNKS] as number;
  const initTag = (batch.extra[at + SctpExtra.INIT_TAG] as number) | 0;
  const { rules } = settings;
  const table = automatonOf(rules);
  let renews = true;
  let state: number = SctpState.NONE;
  for (let chunk = 0; chunk < count; chunk++) {
    const word = batch.extra[at + SctpExtra.FIRST_CHUNK + chunk] as number;
    const type = word >>> 8;
    const check = checkTag(rows, flow, direction, type, word & 0xff, tag);
    if (check === TagCheck.WRONG) return Answer.INVALID;
    if (check === TagCheck.FOREIGN) {
      // Another path of the association may use it; it is believed once, and never next to data.
      if (!renews || (seen & bit(Chunk.DATA)) !== 0) return Answer.INVALID;
      if (type === Chunk.HEARTBEAT) {
        noteForeignHeartbeat(rows, flow, direction);
        renews = false;
        continue;
      }
      if (!answersForeignHeartbeat(rows, flow, direction)) return Answer.INVALID;
      adoptTag(rows, flow, direction, tag);
    }
    const before = bytes[stateAt] as number;
    state = nextState(table, direction, before, type);
    if (state === INVALID_STATE) return Answer.INVALID;
    if (type === Chunk.INIT) {
      noteInit(rows, flow, direction, initTag, before);
      // Since 5.17: whoever uses the ports anew must not keep a closed flow alive.
      const closed = state === SctpState.CLOSED && before === SctpState.CLOSED;
      if (closed && rules.sctpClosedKeepsTimeout) renews = false;
    } else if (type === Chunk.INIT_ACK && !noteInitAck(rows, flow, direction, initTag, rules)) {
      return Answer.INVALID;
    }
    bytes[stateAt] = state;
    if (state !== before && isAssured(before, state, direction, rules)) {
      const statusAt = flow * FLOW_WORDS + Flow.STATUS;
      rows.words[statusAt] = (rows.words[statusAt] as number) | Status.ASSURED;
    }
  }
  return renews ? (settings.sctpTimeouts[state] as number) : Answer.ACCEPT;
}

/** The chunk types of a packet as bits (those under 32), or IMPOSSIBLE when they may not stand together. */
function chunksOf(batch: PacketColumns, row: number): number {
  const at = batch.extraAt[row] as number;
  if (at < 0 || ((batch.fault[row] as number) & Fault.BAD_PROTOCOL) !== 0) return IMPOSSIBLE;
  const count = batch.extra[at + SctpExtra.CHUNKS] as number;
  if (count === 0) return IMPOSSIBLE;
  let seen = 0;
  for (let chunk = 0; chunk < count; chunk++) {
    const mask = bit((batch.extra[at + SctpExtra.FIRST_CHUNK + chunk] as number) >>> 8);
    seen |= mask;
    if (chunk > 0 && ((seen & ALONE) !== 0 || (mask & FIRST) !== 0)) return IMPOSSIBLE;
  }
  return seen;
}

function bit(type: number): number {
  return type < 31 ? 1 << type : 0;
}

/** What a chunk's own rule says of the packet's tag. */
const TagCheck = { RIGHT: 0, WRONG: 1, FOREIGN: 2 } as const;

function checkTag(
  rows: FlowRows,
  flow: number,
  direction: number,
  type: number,
  flags: number,
  tag: number,
): number {
  const words = rows.words;
  const tags = flow * FLOW_WORDS + Flow.VTAG;
  switch (type) {
    case Chunk.INIT:
      return tag === 0 ? TagCheck.RIGHT : TagCheck.WRONG;
    case Chunk.ABORT:
    case Chunk.SHUTDOWN_COMPLETE: {
      const whose = (flags & TAG_REFLECTED) === 0 ? direction : 1 - direction;
      return tag === words[tags + whose] ? TagCheck.RIGHT : TagCheck.WRONG;
    }
    case Chunk.COOKIE_ECHO:
      return tag === words[tags + direction] ? TagCheck.RIGHT : TagCheck.WRONG;
    case Chunk.COOKIE_ACK:
      forget(rows, flow, Memory.INIT | (Memory.INIT << 1));
      return TagCheck.RIGHT;
    case Chunk.HEARTBEAT:
    case Chunk.HEARTBEAT_ACK: {
      const known = words[tags + direction];
      if (known === 0) words[tags + direction] = tag;
      else if (known !== tag) return TagCheck.FOREIGN;
      else forget(rows, flow, Memory.FOREIGN_HEARTBEAT);
      return TagCheck.RIGHT;
    }
    default:
      return TagCheck.RIGHT;
  }
}

function memoryAt(flow: number): number {
  return flow * FLOW_WORDS * 4 + MEMORY;
}

function forget(rows: FlowRows, flow: number, bits: number): void {
  const at = memoryAt(flow);
  rows.bytes[at] = (rows.bytes[at] as number) & ~bits;
}

function noteForeignHeartbeat(rows: FlowRows, flow: number, direction: number): void {
  const at = memoryAt(flow);
  rows.bytes[at] = (rows.bytes[at] as number) | Memory.FOREIGN_HEARTBEAT;
  rows.bytes[flow * FLOW_WORDS * 4 + FlowByte.LAST_DIRECTION] = direction;
}

function answersForeignHeartbeat(rows: FlowRows, flow: number, direction: number): boolean {
  const asked = ((rows.bytes[memoryAt(flow)] as number) & Memory.FOREIGN_HEARTBEAT) !== 0;
  return asked && rows.bytes[flow * FLOW_WORDS * 4 + FlowByte.LAST_DIRECTION] !== direction;
}

/**
 * The tag of the answer is this direction's from now on; the other side's is learnt from its next
 * heartbeat.
 */
function adoptTag(rows: FlowRows, flow: number, direction: number, tag: number): void {
  forget(rows, flow, Memory.FOREIGN_HEARTBEAT);
  const tags = flow * FLOW_WORDS + Flow.VTAG;
  rows.words[tags + direction] = tag;
  rows.words[tags + 1 - direction] = 0;
}

/** Takes the tag an INIT offers. One that offers the tag already known is a repetition, and is not noted. */
function noteInit(rows: FlowRows, flow: number, direction: number, initTag: number, before: number): void {
  const tagAt = flow * FLOW_WORDS + Flow.VTAG + 1 - direction;
  if (rows.words[tagAt] === initTag && before !== SctpState.NONE) return;
  const at = memoryAt(flow);
  const both = Memory.INIT | (Memory.INIT << 1);
  let memory = rows.bytes[at] as number;
  if ((memory & both) === both) memory &= ~(Memory.INIT << (1 - direction));
  rows.bytes[at] = memory | (Memory.INIT << direction);
  rows.words[tagAt] = initTag;
}

/** Takes the tag an INIT ACK offers; false when it contradicts one that is in use. */
function noteInitAck(
  rows: FlowRows,
  flow: number,
  direction: number,
  initTag: number,
  rules: KernelRules,
): boolean {
  const tagAt = flow * FLOW_WORDS + Flow.VTAG + 1 - direction;
  const known = rows.words[tagAt] as number;
  if (rules.sctpInitIsClosed && known !== initTag) {
    const memory = rows.bytes[memoryAt(flow)] as number;
    const wasAsked = (memory & (Memory.INIT << (1 - direction))) !== 0;
    const hasAsked = (memory & (Memory.INIT << direction)) !== 0;
    if (!wasAsked && known !== 0) return false;
    // Both sides began at once: the tag each one chose in its INIT stands.
    if (wasAsked && hasAsked) return false;
  }
  rows.words[tagAt] = initTag;
  return true;
}

function isAssured(before: number, state: number, direction: number, rules: KernelRules): boolean {
  if (state !== SctpState.ESTABLISHED) return false;
  return rules.sctpInitIsClosed || (before === SctpState.COOKIE_ECHOED && direction === 1);
}

/** The state after a chunk; chunks without a row of their own (DATA, SACK) change nothing. */
function nextState(table: Uint8Array, direction: number, state: number, type: number): number {
  const chunkRow = type < ROWS.length ? (ROWS[type] as number) : NO_ROW;
  if (chunkRow === NO_ROW) return state;
  return table[(direction * CHUNK_ROWS + chunkRow) * STATES + state] as number;
}

/** Rows of the automata, by chunk. */
const chunkOrder = [
  Chunk.INIT,
  Chunk.INIT_ACK,
  Chunk.ABORT,
  Chunk.SHUTDOWN,
  Chunk.SHUTDOWN_ACK,
  Chunk.ERROR,
  Chunk.COOKIE_ECHO,
  Chunk.COOKIE_ACK,
  Chunk.SHUTDOWN_COMPLETE,
  Chunk.HEARTBEAT,
  Chunk.HEARTBEAT_ACK,
];
const CHUNK_ROWS = chunkOrder.length;
const NO_ROW = 0xff;
const ROWS = new Uint8Array(16).fill(NO_ROW);
for (const [order, type] of chunkOrder.entries()) ROWS[type] = order;

const stateByLetters: Readonly<Record<string, number>> = {
  NO: SctpState.NONE,
  CL: SctpState.CLOSED,
  CW: SctpState.COOKIE_WAIT,
  CE: SctpState.COOKIE_ECHOED,
  ES: SctpState.ESTABLISHED,
  SS: SctpState.SHUTDOWN_SENT,
  SR: SctpState.SHUTDOWN_RECD,
  SA: SctpState.SHUTDOWN_ACK_SENT,
  HS: SctpState.HEARTBEAT_SENT,
  HA: SctpState.HEARTBEAT_ACKED,
  IV: INVALID_STATE,
};

/** A row a chunk in the order above; left the original direction, right the reply. */
function automaton(text: string): Uint8Array {
  const table = new Uint8Array(2 * CHUNK_ROWS * STATES).fill(INVALID_STATE);
  for (const [chunk, line] of text.trim().split("\n").entries()) {
    for (const [direction, half] of line.split("|").entries()) {
      for (const [state, letters] of half.trim().split(/\s+/).entries()) {
        table[(direction * CHUNK_ROWS + chunk) * STATES + state] = stateByLetters[letters] ?? INVALID_STATE;
      }
    }
  }
  return table;
}

/** 6.2 and later, and the long-term kernels that took it over. States: NO CL CW CE ES SS SR SA HS. */
const unified = automaton(`
CL CL CW CE ES CL CL SA CW | IV CL CW CE ES SS SR SA IV
CL CL CW CE ES SS SR SA CL | IV CW CW CE ES SS SR SA IV
CL CL CL CL CL CL CL CL CL | IV CL CL CL CL CL CL CL IV
CL CL CW CE SS SS SR SA CL | IV CL CW CE SR SS SR SA IV
SA CL CW CE ES SA SA SA SA | IV CL CW CE ES SA SA SA IV
CL CL CW CE ES SS SR SA CL | IV CL CW CL ES SS SR SA IV
CL CL CE CE ES SS SR SA CL | IV CL CE CE ES SS SR SA IV
CL CL CW ES ES SS SR SA CL | IV CL CW ES ES SS SR SA IV
CL CL CW CE ES SS SR CL CL | IV CL CW CE ES SS SR CL IV
HS CL CW CE ES SS SR SA HS | IV CL CW CE ES SS SR SA HS
CL CL CW CE ES SS SR SA HS | IV CL CW CE ES SS SR SA ES
`);

/** Before: a tenth state, HEARTBEAT_ACKED, for the further paths of an association. */
const withHeartbeatAcked = automaton(`
CW CW CW CE ES CL CL SA CW HA | IV CL CW CE ES SS SR SA IV HA
CL CL CW CE ES SS SR SA CL HA | IV CL CW CE ES SS SR SA IV HA
CL CL CL CL CL CL CL CL CL CL | IV CL CL CL CL CL CL CL IV CL
CL CL CW CE SS SS SR SA CL SS | IV CL CW CE SR SS SR SA IV SR
SA CL CW CE ES SA SA SA SA HA | IV CL CW CE ES SA SA SA IV HA
CL CL CW CE ES SS SR SA CL HA | IV CL CW CL ES SS SR SA IV HA
CL CL CE CE ES SS SR SA CL HA | IV CL CW CE ES SS SR SA IV HA
CL CL CW CE ES SS SR SA CL HA | IV CL CW ES ES SS SR SA IV HA
CL CL CW CE ES SS SR CL CL HA | IV CL CW CE ES SS SR CL IV HA
HS CL CW CE ES SS SR SA HS HA | IV CL CW CE ES SS SR SA HS HA
CL CL CW CE ES SS SR SA HS HA | IV CL CW CE ES SS SR SA HA HA
`);

function automatonOf(rules: KernelRules): Uint8Array {
  return rules.sctpInitIsClosed ? unified : withHeartbeatAcked;
}

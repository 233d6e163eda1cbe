/**
 * Flows as events tell of them, and the words they are known to have said, in columns that grow: a record of
 * an hour has millions, which as objects would not fit.
 */
import { ADDRESS_WORDS } from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { ICMP, ICMPV6 } from "../table/protocol.ts";

/** What a flow said, as far as events tell. The original direction speaks unless a name says otherwise. */
export const Word = {
  /** The packet that made the flow. */
  BIRTH: 1,
  /** The first answer. */
  ANSWER: 2,
  /** TCP: the handshake is complete. */
  OPEN: 3,
  FIN: 4,
  /** TCP: the other side acknowledges the FIN, sends its own, and has that acknowledged. */
  FIN_SEEN: 5,
  FIN_BACK: 6,
  LAST: 7,
  RESET: 8,
  RESET_BACK: 9,
  /** Something that changed nothing but the time left. */
  SPEAK: 10,
  SPEAK_BACK: 11,
  /** No word: somebody deleted the flow. */
  DELETED: 12,
} as const;

const FIRST_ROWS = 4096;

function grown<Column extends Uint8Array | Uint32Array | Float64Array>(
  column: Column,
  length: number,
): Column {
  const larger = new (column.constructor as new (length: number) => Column)(length);
  larger.set(column);
  return larger;
}

/** Flows by number. */
export class EventFlows {
  count = 0;
  /** family | protocol << 8 | zone << 16. */
  kind = new Uint32Array(FIRST_ROWS);
  source = new Uint32Array(FIRST_ROWS * ADDRESS_WORDS);
  destination = new Uint32Array(FIRST_ROWS * ADDRESS_WORDS);
  /** Source's | destination's << 16, of each direction. */
  discriminators = new Uint32Array(FIRST_ROWS);
  turned = new Uint32Array(FIRST_ROWS);
  id = new Uint32Array(FIRST_ROWS);
  /** TcpState, and the bits SEEN_REPLY and ASSURED of its status. */
  state = new Uint8Array(FIRST_ROWS);
  status = new Uint8Array(FIRST_ROWS);
  bornMs = new Float64Array(FIRST_ROWS);
  /** Its last known word, and when it expires if that was the last. */
  spokeMs = new Float64Array(FIRST_ROWS);
  expiresMs = new Float64Array(FIRST_ROWS);
  /** The last dump it was in; 0 for none. */
  dump = new Uint32Array(FIRST_ROWS);

  /** A flow as a row of a table or an event has it; who adds it knows its state, status and expiry. */
  addRow(columns: FlowColumns, row: number, bornMs: number): number {
    const flow = this.#add();
    const family = columns.family[row] as number;
    const protocol = columns.protocol[row] as number;
    this.kind[flow] = (family | (protocol << 8) | (zoneOf(columns, row) << 16)) >>> 0;
    const words = family === 6 ? ADDRESS_WORDS : 1;
    for (let word = 0; word < ADDRESS_WORDS; word += 1) {
      const from = row * ADDRESS_WORDS + word;
      const to = flow * ADDRESS_WORDS + word;
      this.source[to] = word < words ? (columns.originalSource[from] as number) : 0;
      this.destination[to] = word < words ? (columns.originalDestination[from] as number) : 0;
    }
    const first = columns.originalSourceDiscriminator[row] as number;
    const second = columns.originalDestinationDiscriminator[row] as number;
    this.discriminators[flow] = (first | (second << 16)) >>> 0;
    // The id of an ICMP flow stands at the same place in both directions; its type does not.
    const isIcmp = protocol === ICMP || protocol === ICMPV6;
    const answer = isIcmp ? (columns.replyDestinationDiscriminator[row] as number) : first;
    this.turned[flow] = ((isIcmp ? first : second) | (answer << 16)) >>> 0;
    this.id[flow] = columns.id[row] as number;
    this.bornMs[flow] = bornMs;
    this.spokeMs[flow] = bornMs;
    this.dump[flow] = 0;
    return flow;
  }

  protocolOf(flow: number): number {
    return ((this.kind[flow] as number) >>> 8) & 0xff;
  }

  /** Room for one more; its number. Its columns hold anything. */
  #add(): number {
    const flow = this.count;
    if (flow === this.kind.length) this.#grow(flow * 2);
    this.count = flow + 1;
    return flow;
  }

  #grow(rows: number): void {
    this.kind = grown(this.kind, rows);
    this.source = grown(this.source, rows * ADDRESS_WORDS);
    this.destination = grown(this.destination, rows * ADDRESS_WORDS);
    this.discriminators = grown(this.discriminators, rows);
    this.turned = grown(this.turned, rows);
    this.id = grown(this.id, rows);
    this.state = grown(this.state, rows);
    this.status = grown(this.status, rows);
    this.bornMs = grown(this.bornMs, rows);
    this.spokeMs = grown(this.spokeMs, rows);
    this.expiresMs = grown(this.expiresMs, rows);
    this.dump = grown(this.dump, rows);
  }
}

/** The zone of the original direction; flows without one are of zone 0. */
function zoneOf(columns: FlowColumns, row: number): number {
  const has = columns.has[row] as number;
  if (has & Has.zone) return columns.zone[row] as number;
  return has & Has.originalZone ? (columns.originalZone[row] as number) : 0;
}

/** Words in the order they were learnt, or sorted by time. */
export class Words {
  count = 0;
  timeMs = new Float64Array(FIRST_ROWS);
  flow = new Uint32Array(FIRST_ROWS);
  word = new Uint8Array(FIRST_ROWS);
  /** What the flow's state and status were after it. */
  state = new Uint8Array(FIRST_ROWS);
  status = new Uint8Array(FIRST_ROWS);

  add(timeMs: number, flow: number, word: number, state: number, status: number): void {
    const row = this.count;
    if (row === this.flow.length) this.#grow(row * 2);
    this.timeMs[row] = timeMs;
    this.flow[row] = flow;
    this.word[row] = word;
    this.state[row] = state;
    this.status[row] = status;
    this.count = row + 1;
  }

  #grow(rows: number): void {
    this.timeMs = grown(this.timeMs, rows);
    this.flow = grown(this.flow, rows);
    this.word = grown(this.word, rows);
    this.state = grown(this.state, rows);
    this.status = grown(this.status, rows);
  }

  #addRow(from: Words, row: number): void {
    this.add(
      from.timeMs[row] as number,
      from.flow[row] as number,
      from.word[row] as number,
      from.state[row] as number,
      from.status[row] as number,
    );
  }

  /** A copy in the order of time; words of one instant stay in theirs. */
  sorted(): Words {
    const { timeMs, count } = this;
    const order = Uint32Array.from({ length: count }, (_, row) => row);
    order.sort((one, other) => (timeMs[one] as number) - (timeMs[other] as number) || one - other);
    const sorted = new Words();
    for (const row of order) sorted.#addRow(this, row);
    return sorted;
  }

  /** Both, each in the order of time, as one; of one instant those of `other` come first. */
  mergedWith(other: Words): Words {
    const merged = new Words();
    let at = 0;
    for (let row = 0; row < this.count; row += 1) {
      const ms = this.timeMs[row] as number;
      for (; at < other.count && (other.timeMs[at] as number) <= ms; at += 1) merged.#addRow(other, at);
      merged.#addRow(this, row);
    }
    for (; at < other.count; at += 1) merged.#addRow(other, at);
    return merged;
  }
}

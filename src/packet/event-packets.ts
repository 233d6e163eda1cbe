/**
 * Words of flows (event-flows.ts) as the packets they imply, in batches for the tracker. Numbers of TCP are
 * made up so that every packet is within all windows: what a record knows is that the tracker took them.
 */
import { ADDRESS_WORDS } from "../table/address.ts";
import { TCP } from "../table/protocol.ts";
import { PacketKind, type PacketColumns, TcpFlag } from "./columns.ts";
import { type EventFlows, Word, Words } from "./event-flows.ts";
import { hashTuple } from "./tuple-hash.ts";

/** Where the made-up numbers of both sides begin. */
const ORIGINAL_NUMBER = 1000;
const REPLY_NUMBER = 5000;
const WINDOW = 60_000;
/** Two packets that are alike are a retransmission; windows make them differ. */
const WINDOWS = 256;
const TCP_BYTES = 40;
const PLAIN_BYTES = 60;

/** Which words the other side says. */
const backwards = new Set<number>([
  Word.ANSWER,
  Word.FIN_SEEN,
  Word.FIN_BACK,
  Word.RESET_BACK,
  Word.SPEAK_BACK,
]);
const flagsOf: Readonly<Record<number, number>> = {
  [Word.BIRTH]: TcpFlag.SYN,
  [Word.ANSWER]: TcpFlag.SYN | TcpFlag.ACK,
  [Word.FIN]: TcpFlag.FIN | TcpFlag.ACK,
  [Word.FIN_BACK]: TcpFlag.FIN | TcpFlag.ACK,
  [Word.RESET]: TcpFlag.RST,
  [Word.RESET_BACK]: TcpFlag.RST | TcpFlag.ACK,
};

function kindOf(word: number): number {
  if (word === Word.BIRTH) return PacketKind.FIRST;
  return word === Word.DELETED ? PacketKind.DELETED : PacketKind.LATER;
}

/** Uses a batch up; the one to fill next, or undefined when no more are wanted. */
type HandOver = (batch: PacketColumns) => PacketColumns | undefined;

export interface PacketsOfWords {
  flows: EventFlows;
  words: Words;
  /** `seed` of the hashes. */
  seed: number;
  /** A batch ends before these instants, ascending, so that things can change between two. */
  cutsMs: readonly number[];
}

/** Fills batches with all packets, in the order of time. */
export class EventPackets {
  readonly #request: PacketsOfWords;
  /** FINs of each flow, by direction, as bits 1 and 2; what its windows count above. */
  readonly #fins: Uint8Array;
  readonly #turns: Uint8Array;
  packets = 0;

  constructor(request: PacketsOfWords) {
    this.#request = request;
    this.#fins = new Uint8Array(request.flows.count);
    this.#turns = new Uint8Array(request.flows.count);
  }

  /** Hands over every batch; stops where nobody wants more. Returns false then. */
  *into(first: PacketColumns, handOver: HandOver): Generator<number, boolean, undefined> {
    const { words, cutsMs } = this.#request;
    let batch: PacketColumns | undefined = first;
    let cut = 0;
    batch.clear(1);
    for (let row = 0; row < words.count; row += 1) {
      const ms = words.timeMs[row] as number;
      const isCut = cut < cutsMs.length && ms >= (cutsMs[cut] as number);
      if (batch.count === batch.capacity || (isCut && batch.count > 0)) {
        batch = handOver(batch);
        if (batch === undefined) return false;
        batch.clear(this.packets + 1);
        yield row;
      }
      while (cut < cutsMs.length && ms >= (cutsMs[cut] as number)) cut += 1;
      this.#write(batch, row);
      this.packets += 1;
    }
    return batch.count === 0 || handOver(batch) !== undefined;
  }

  #write(batch: PacketColumns, wordRow: number): void {
    const { flows, words, seed } = this.#request;
    const flow = words.flow[wordRow] as number;
    const word = words.word[wordRow] as number;
    const row = batch.count;
    batch.count = row + 1;
    const kind = flows.kind[flow] as number;
    const isBack = backwards.has(word);
    const discriminators = (isBack ? flows.turned[flow] : flows.discriminators[flow]) as number;
    const [from, to] = isBack ? [flows.destination, flows.source] : [flows.source, flows.destination];
    for (let part = 0; part < ADDRESS_WORDS; part += 1) {
      batch.source[row * ADDRESS_WORDS + part] = from[flow * ADDRESS_WORDS + part] as number;
      batch.destination[row * ADDRESS_WORDS + part] = to[flow * ADDRESS_WORDS + part] as number;
    }
    batch.kind[row] = kindOf(word);
    batch.timeMs[row] = words.timeMs[wordRow] as number;
    batch.family[row] = kind & 0xff;
    batch.protocol[row] = flows.protocolOf(flow);
    batch.zone[row] = kind >>> 16;
    batch.sourceDiscriminator[row] = discriminators & 0xffff;
    batch.destinationDiscriminator[row] = discriminators >>> 16;
    batch.hash[row] = hashTuple(
      seed,
      kind,
      batch.source,
      batch.destination,
      row * ADDRESS_WORDS,
      discriminators | 0,
    );
    batch.fault[row] = 0;
    batch.vlan[row] = 0;
    batch.interfaceIndex[row] = 0;
    batch.datagram[row] = flow;
    batch.extraAt[row] = -1;
    batch.payloadAt[row] = -1;
    batch.payloadBytes[row] = 0;
    batch.lengthBytes[row] = PLAIN_BYTES;
    if (batch.protocol[row] === TCP) this.#writeTcp(batch, row, flow, word, isBack);
  }

  #writeTcp(batch: PacketColumns, row: number, flow: number, word: number, isBack: boolean): void {
    if (word === Word.BIRTH) this.#fins[flow] = 0;
    const fins = this.#fins[flow] as number;
    const turn = ((this.#turns[flow] as number) + 1) % WINDOWS;
    this.#turns[flow] = turn;
    const own = isBack ? 2 : 1;
    const [mine, theirs] = isBack ? [REPLY_NUMBER, ORIGINAL_NUMBER] : [ORIGINAL_NUMBER, REPLY_NUMBER];
    const flags = flagsOf[word] ?? TcpFlag.ACK;
    const isFirst = (flags & TcpFlag.SYN) !== 0;
    batch.tcpFlags[row] = flags;
    batch.tcpSequence[row] = mine + (isFirst ? 0 : 1) + ((fins & own) === 0 ? 0 : 1);
    const acknowledges = (flags & TcpFlag.ACK) !== 0;
    batch.tcpAcknowledgment[row] = acknowledges ? theirs + 1 + ((fins & (3 - own)) === 0 ? 0 : 1) : 0;
    batch.tcpWindow[row] = WINDOW + turn;
    batch.tcpDataBytes[row] = 0;
    batch.tcpOptions[row] = 0;
    batch.tcpWindowScale[row] = 0;
    batch.tcpSack[row] = batch.tcpAcknowledgment[row];
    batch.lengthBytes[row] = TCP_BYTES;
    if ((flags & TcpFlag.FIN) !== 0) this.#fins[flow] = fins | own;
  }
}

/**
 * The same words, with packets added wherever a flow may have spoken and is not known to: often enough that
 * no timeout of `timeoutMs` passes: after so much of it as `share` says. Between two known words nothing is
 * known; behind the last one the flow was silent. Gives the words, and how many flows got some.
 */
export function talking(
  flows: EventFlows,
  words: Words,
  timeoutMs: (protocol: number, state: number, status: number) => number | undefined,
  mayRenew: (protocol: number, state: number) => boolean,
  share: number,
): { words: Words; flows: number } {
  const before = new Int32Array(flows.count).fill(-1);
  const added = new Words();
  const filled = new Set<number>();
  for (let row = 0; row < words.count; row += 1) {
    const flow = words.flow[row] as number;
    const last = before[flow] as number;
    before[flow] = row;
    if (last < 0) continue;
    const protocol = flows.protocolOf(flow);
    const [state, status] = [words.state[last] as number, words.status[last] as number];
    if (!mayRenew(protocol, state)) continue;
    const timeout = timeoutMs(protocol, state, status);
    const fromMs = words.timeMs[last] as number;
    const toMs = words.timeMs[row] as number;
    if (timeout === undefined || toMs - fromMs <= timeout) continue;
    const stepMs = Math.max(STEP_LEAST_MS, timeout * share);
    filled.add(flow);
    for (let ms = fromMs + stepMs; ms < toMs; ms += stepMs) added.add(ms, flow, Word.SPEAK, state, status);
  }
  return { words: added.count === 0 ? words : words.mergedWith(added.sorted()), flows: filled.size };
}

const STEP_LEAST_MS = 100;

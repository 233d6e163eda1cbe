/**
 * The table of a tracker as every other source gives it: columns with the fields that ctnetlink sends, in the
 * order of the buckets. Expired flows are left out, as every dump leaves them out.
 */
import { FlowColumns, Has } from "../table/columns.ts";
import { ADDRESS_WORDS } from "../table/address.ts";
import { DCCP, GRE, SCTP, TCP } from "../table/protocol.ts";
import type { FlowReading } from "../table/source.ts";
import { ALL_STATUS } from "../table/status.ts";
import type { Chains } from "./chains.ts";
import { COUNTERS_PER_FLOW, Flow, FLOW_WORDS, FlowByte } from "./flow-rows.ts";
import { isGeneric } from "./icmp.ts";
import type { TrackerSettings } from "./tracker-settings.ts";
import { FlowMark } from "./flow-mark.ts";

const BATCH_ROWS = 1024;
/** The kernel's bits of the status word. */
const KERNEL_STATUS = 0xffff;
/** An idle flow that is being read is held twice. */
const USE = 2;

/** The flows that live at `now` (jiffies since `startMs`). The table must not change while it is read. */
export function readFlows(
  chains: Chains,
  now: number,
  startMs: number,
  settings: TrackerSettings,
): FlowReading {
  const writer = new RowWriter(chains, now, startMs, settings);
  let complete = false;
  return {
    source: "model",
    origin: `model of kernel ${settings.generation}`,
    oddities: {},
    get complete() {
      return complete;
    },
    *batches() {
      const columns = new FlowColumns(BATCH_ROWS, ALL_STATUS);
      const { heads } = chains;
      for (let bucket = chains.nextInUse(0); bucket < heads.length; bucket = chains.nextInUse(bucket + 1)) {
        let node = heads[bucket] as number;
        while (node !== 0) {
          if ((node & 1) === 0) writer.write(columns, node >>> 1);
          node = chains.rows.words[(node >>> 1) * FLOW_WORDS + (node & 1)] as number;
          if (columns.count < columns.capacity) continue;
          yield columns;
          columns.clear();
        }
      }
      complete = true;
      if (columns.count > 0) yield columns;
    },
  };
}

/** Writes flows as rows. */
class RowWriter {
  readonly #chains: Chains;
  readonly #now: number;
  readonly #startMs: number;
  readonly #settings: TrackerSettings;

  constructor(chains: Chains, now: number, startMs: number, settings: TrackerSettings) {
    this.#chains = chains;
    this.#now = now;
    this.#startMs = startMs;
    this.#settings = settings;
  }

  /** Appends a flow, unless it has expired. There must be room. */
  write(columns: FlowColumns, flow: number): void {
    const { words } = this.#chains.rows;
    const at = flow * FLOW_WORDS;
    const remaining = ((words[at + Flow.EXPIRES] as number) - (this.#now | 0)) | 0;
    if (remaining <= 0) return;
    const row = columns.count;
    columns.count = row + 1;
    const kind = words[at + Flow.KIND] as number;
    const status = words[at + Flow.STATUS] as number;
    columns.has[row] = Has.timeout | Has.status | Has.reply | Has.use | Has.mark;
    columns.family[row] = kind & 0xff;
    columns.protocol[row] = (kind >>> 8) & 0xff;
    columns.status[row] = status & KERNEL_STATUS;
    columns.timeoutSeconds[row] = Math.floor(remaining / this.#settings.hz);
    columns.use[row] = USE;
    columns.mark[row] = 0;
    if (kind >>> 16 !== 0) {
      columns.zone[row] = kind >>> 16;
      this.#add(columns, row, Has.zone);
    }
    this.#writeTuples(columns, row, at);
    this.#writeProtocol(columns, row, flow, (kind >>> 8) & 0xff);
    if ((status & FlowMark.COUNTED) !== 0) this.#writeCounters(columns, row, flow);
    if ((status & FlowMark.STAMPED) !== 0) {
      const ageJiffies = (((this.#now | 0) - (words[at + Flow.CREATED] as number)) | 0) >>> 0;
      columns.startedAtMs[row] = this.#startMs + ((this.#now - ageJiffies) * 1000) / this.#settings.hz;
      this.#add(columns, row, Has.startedAt);
    }
  }

  #add(columns: FlowColumns, row: number, bits: number): void {
    columns.has[row] = (columns.has[row] as number) | bits;
  }

  #writeTuples(columns: FlowColumns, row: number, at: number): void {
    const { words } = this.#chains.rows;
    const { originalSource, originalDestination, replySource, replyDestination } = columns;
    const original = words[at + Flow.DISCRIMINATORS_ORIGINAL] as number;
    const reply = words[at + Flow.DISCRIMINATORS_REPLY] as number;
    columns.originalSourceDiscriminator[row] = original & 0xffff;
    columns.originalDestinationDiscriminator[row] = original >>> 16;
    columns.replySourceDiscriminator[row] = reply & 0xffff;
    columns.replyDestinationDiscriminator[row] = reply >>> 16;
    const address = row * ADDRESS_WORDS;
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      const source = words[at + (word === 0 ? Flow.SOURCE : Flow.SOURCE_REST + word - 1)] as number;
      const rest = word === 0 ? Flow.DESTINATION : Flow.DESTINATION_REST + word - 1;
      const destination = words[at + rest] as number;
      const isThere = word === 0 || columns.family[row] === 6;
      originalSource[address + word] = isThere ? source : 0;
      originalDestination[address + word] = isThere ? destination : 0;
      replySource[address + word] = isThere ? destination : 0;
      replyDestination[address + word] = isThere ? source : 0;
    }
  }

  #writeProtocol(columns: FlowColumns, row: number, flow: number, protocol: number): void {
    const { words, bytes } = this.#chains.rows;
    const at = flow * FLOW_WORDS;
    const byte = 4 * at;
    if (protocol === TCP) {
      const scales =
        ((bytes[byte + FlowByte.SCALE_ORIGINAL] as number) << 24) |
        ((bytes[byte + FlowByte.SCALE_REPLY] as number) << 16);
      const flags =
        ((bytes[byte + FlowByte.FLAGS_ORIGINAL] as number) << 8) |
        (bytes[byte + FlowByte.FLAGS_REPLY] as number);
      columns.tcpInfo[row] = scales | flags;
      this.#add(columns, row, Has.tcpInfo | Has.state);
    } else if (protocol === SCTP) {
      columns.originalVtag[row] = words[at + Flow.VTAG] as number;
      columns.replyVtag[row] = words[at + Flow.VTAG + 1] as number;
      this.#add(columns, row, Has.vtags | Has.state);
    } else if (protocol === DCCP && !isGeneric(protocol, this.#settings)) {
      this.#add(columns, row, Has.state);
    } else if (protocol === GRE) {
      const { hz } = this.#settings;
      columns.greTimeoutSeconds[row] = (words[at + Flow.GRE_TIMEOUT] as number) / hz;
      columns.greStreamTimeoutSeconds[row] = (words[at + Flow.GRE_STREAM_TIMEOUT] as number) / hz;
      this.#add(columns, row, Has.greTimeouts);
    }
    columns.state[row] = bytes[byte + FlowByte.STATE] as number;
  }

  #writeCounters(columns: FlowColumns, row: number, flow: number): void {
    const { counters } = this.#chains.rows;
    if (counters === undefined) return;
    const at = flow * COUNTERS_PER_FLOW;
    columns.originalPackets[row] = counters[at] as number;
    columns.originalBytes[row] = counters[at + 1] as number;
    columns.replyPackets[row] = counters[at + 2] as number;
    columns.replyBytes[row] = counters[at + 3] as number;
    this.#add(columns, row, Has.originalCounters | Has.replyCounters);
  }
}

/**
 * The FTP helper: reads control connections and expects the data connections they announce, active (PORT,
 * EPRT) and passive (227, 229). net/netfilter/nf_conntrack_ftp.c without `loose` and without NAT; measured on
 * 6.18.44. How it is wired is told in expectations.ts.
 *
 * Only a segment that begins where a line of its sender ended is read; of each side the last two such places
 * are remembered. The first line of a side is therefore never read.
 */
import type { PacketColumns } from "../packet/packet.ts";
import { ADDRESS_WORDS } from "../table/address.ts";
import { TCP } from "../table/protocol.ts";
import type { Expectations } from "./expectations.ts";
import { Flow, FLOW_WORDS, type FlowRows } from "./flow-rows.ts";
import { FtpCommand, Line } from "./ftp-command.ts";
import type { KernelRules } from "./generation.ts";

/** Where FTP servers listen: connections to it get the helper (RFC 959). */
export const FTP_PORT = 21;
const TIMEOUT_SECONDS = 300;
/** One data connection is expected at a time; the next command replaces it. */
const EXPECTED_MOST = 1;
const LINE_ENDS_KEPT = 2;
const NEWLINE = 0x0a;

/** Whether a flow is one the helper is for. */
export function isFtpControl(protocol: number, destinationPort: number): boolean {
  return protocol === TCP && destinationPort === FTP_PORT;
}

/** Sequence numbers behind a newline, by direction. */
type LineEnds = readonly [number[], number[]];

export class FtpHelper {
  /** Flows it reads. */
  count = 0;
  readonly #lineEnds = new Map<number, LineEnds>();
  readonly #expectations: Expectations;
  readonly #timeout: number;
  readonly #command: FtpCommand;

  /** `hz`: jiffies a second. */
  constructor(expectations: Expectations, hz: number, rules: KernelRules) {
    this.#expectations = expectations;
    this.#timeout = TIMEOUT_SECONDS * hz;
    this.#command = new FtpCommand(rules.ftpNumbersAreBytes);
  }

  has(flow: number): boolean {
    return this.#lineEnds.has(flow);
  }

  attach(flow: number): void {
    this.#lineEnds.set(flow, [[], []]);
    this.count = this.#lineEnds.size;
  }

  forget(flow: number): void {
    this.#lineEnds.delete(flow);
    this.count = this.#lineEnds.size;
  }

  /**
   * Reads an accepted TCP packet of class ESTABLISHED. False: the kernel drops it, because it begins like an
   * announcement without being a whole one, or because what it announces cannot be expected.
   *
   * Of a segment the capture cut off, what is there is read; it is never dropped, and taken to end a line, as
   * nearly every segment of a control connection does.
   */
  packet(
    rows: FlowRows,
    flow: number,
    direction: number,
    batch: PacketColumns,
    row: number,
    now: number,
  ): boolean {
    const dataBytes = batch.tcpDataBytes[row] as number;
    const lineEnds = this.#lineEnds.get(flow)?.[direction];
    if (dataBytes === 0 || lineEnds === undefined) return true;
    const at = batch.payloadAt[row] as number;
    const haveBytes = at < 0 ? 0 : Math.min(batch.payloadBytes[row] as number, dataBytes);
    const isWhole = haveBytes === dataBytes;
    const sequence = (batch.tcpSequence[row] as number) | 0;
    let isAccepted = true;
    if (haveBytes > 0 && lineEnds.includes(sequence)) {
      speakerOf(rows, flow, direction, this.#command);
      const line = this.#command.read(batch.payload, at, at + haveBytes, direction);
      if (line === Line.PARTIAL && isWhole) return false;
      if (line === Line.WHOLE) isAccepted = this.#expect(rows, flow, direction, now);
    }
    // Of a line that could not be expected the end is remembered all the same.
    if (!isWhole || batch.payload[at + dataBytes - 1] === NEWLINE)
      noteEnd(lineEnds, (sequence + dataBytes) | 0);
    return isAccepted;
  }

  /** Expects what the command announces; true also when it is not the speaker's own address (`loose` off). */
  #expect(rows: FlowRows, flow: number, direction: number, now: number): boolean {
    const { address, port } = this.#command;
    const own = addressOf(rows, flow, direction);
    if (address.some((word, at) => word !== own[at])) return true;
    const kind = rows.words[flow * FLOW_WORDS + Flow.KIND] as number;
    const expected = {
      family: kind & 0xff,
      protocol: TCP,
      zone: kind >>> 16,
      source: addressOf(rows, flow, 1 - direction),
      destination: own,
      destinationPort: port,
    };
    return this.#expectations.expect(flow, expected, this.#timeout, EXPECTED_MOST, now);
  }
}

/** Makes the command begin with its speaker's family and address: 229 names none. */
function speakerOf(rows: FlowRows, flow: number, direction: number, command: FtpCommand): void {
  command.family = (rows.words[flow * FLOW_WORDS + Flow.KIND] as number) & 0xff;
  command.address.set(addressOf(rows, flow, direction));
}

/** The address of the side that sends in `direction`. */
function addressOf(rows: FlowRows, flow: number, direction: number): Uint32Array {
  const word = flow * FLOW_WORDS;
  const rest = word + (direction === 0 ? Flow.SOURCE_REST : Flow.DESTINATION_REST);
  const address = new Uint32Array(ADDRESS_WORDS);
  address[0] = rows.words[word + (direction === 0 ? Flow.SOURCE : Flow.DESTINATION)] as number;
  address.set(rows.words.subarray(rest, rest + ADDRESS_WORDS - 1), 1);
  return address;
}

/** Remembers the end of a line; of two the one further back gives way, and only to one behind it. */
function noteEnd(lineEnds: number[], end: number): void {
  if (lineEnds.includes(end)) return;
  if (lineEnds.length < LINE_ENDS_KEPT) {
    lineEnds.push(end);
    return;
  }
  const [first = 0, second = 0] = lineEnds;
  const oldest = ((first - second) | 0) < 0 ? 0 : 1;
  if (((end - (lineEnds[oldest] as number)) | 0) > 0) lineEnds[oldest] = end;
}

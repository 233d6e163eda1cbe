/**
 * Recording flow events: the table as it is, then what happens to it, as the kernel's own messages in whole
 * blocks of a capture (record-blocks.ts). Nothing is decoded but the dumps, whose rows are counted.
 *
 * Times are those at which a message was fetched: whoever records fetches often. After a loss the table is
 * read again, so that what follows can be understood.
 */
import type { Clock } from "../base/clock.ts";
import type { HostAccess } from "./host-access.ts";
import type { FlowEvents } from "./flow-events.ts";
import { MESSAGE_HEADER_BYTES } from "./netlink.ts";
import { RecordBlocks } from "./record-blocks.ts";
import type { DumpReason } from "./record-notes.ts";
import type { Settings } from "../table/settings.ts";

export interface RecorderOptions {
  host: HostAccess;
  clock: Clock;
  /** Of so many flows the events of one; all: 1. */
  oneOf?: number;
  /** Of the socket's buffer; as listenToFlows has it when absent. */
  bufferBytes?: number;
  /** As it was named. */
  namespace?: string;
  version: string;
}

/** Events fetched between two datagrams of a dump: where they come faster, they must be written meanwhile. */
const BETWEEN_EVENTS_MAX = 16_384;
/** No event of one flow is as long (a page at most, measured on 6.18). */
const EVENT_BYTES_MAX = 8192;

/** Records one namespace. Close it in a `finally`. */
export class FlowRecorder {
  events = 0;
  /** Rows of all dumps, and of the last one. */
  dumpedFlows = 0;
  tableFlows = 0;
  readonly #events: FlowEvents;
  readonly #options: RecorderOptions;
  readonly #blocks = new RecordBlocks();
  readonly #event = new Uint8Array(EVENT_BYTES_MAX);
  readonly #startMs: number;
  readonly #startElapsedMs: number;
  #toldLosses = 0;

  /** Listens from now on. Throws KernelError as HostAccess.events does. */
  constructor(options: RecorderOptions) {
    const { host, clock, oneOf = 1, bufferBytes } = options;
    this.#options = options;
    this.#events = host.events({ oneOf, ...(bufferBytes === undefined ? {} : { bufferBytes }) });
    this.#startMs = clock.nowMs();
    this.#startElapsedMs = clock.elapsedMs();
  }

  get losses(): number {
    return this.#events.losses;
  }

  get lostEvents(): number | undefined {
    return this.#events.lostEvents;
  }

  get coverage(): FlowEvents["coverage"] {
    return this.#events.coverage;
  }

  /** Bytes that wait to be taken. */
  get lengthBytes(): number {
    return this.#blocks.lengthBytes;
  }

  /** Whole blocks since the last taking; good until more is recorded. */
  take(): Uint8Array {
    return this.#blocks.take();
  }

  /** What the file begins with. */
  begin(): void {
    const { host, oneOf = 1, namespace, version } = this.#options;
    const { kernelRelease, hostname, namespaceInode } = host.host();
    const place = namespace === undefined ? "" : ` in network namespace ${namespace}`;
    this.#blocks.begin({
      comment: `Flow events of the connection tracker${place}; headroom replay and whatif read it`,
      ...(kernelRelease === undefined ? {} : { system: `Linux ${kernelRelease}` }),
      program: `headroom ${version}`,
      interfaceName: "ctnetlink",
    });
    this.#blocks.note(this.#startMs, {
      kind: "beginning",
      ...(kernelRelease === undefined ? {} : { kernelRelease }),
      ...(hostname === undefined ? {} : { hostname }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(namespaceInode === undefined ? {} : { namespaceInode }),
      settings: host.settings().values,
      oneOf,
      coverage: this.#events.coverage,
      clockMs: Math.round(this.#startMs),
      version,
    });
  }

  /**
   * Fetches the events that wait, so many at most; gives their number. Throws KernelError when the kernel
   * refuses for another reason than loss.
   */
  drain(atMost: number): number {
    let fetched = 0;
    const nowMs = this.#nowMs();
    while (fetched < atMost) {
      const length = this.#events.receive(this.#event);
      if (length === 0) break;
      fetched += 1;
      if (length >= MESSAGE_HEADER_BYTES) this.#blocks.datagram(nowMs, this.#event.subarray(0, length));
    }
    this.events += fetched;
    return fetched;
  }

  /** Whether events were lost since this was asked last; a loss is written down. */
  noteLoss(): boolean {
    const { losses, lostEvents } = this.#events;
    if (losses === this.#toldLosses) return false;
    this.#toldLosses = losses;
    const nowMs = this.#nowMs();
    this.#blocks.overrun(nowMs);
    this.#blocks.note(nowMs, { kind: "loss", losses, ...(lostEvents === undefined ? {} : { lostEvents }) });
    return true;
  }

  /**
   * The whole table, datagram by datagram, with the events that come meanwhile; `between` is called after
   * each, so that what waits can be written away. Throws KernelError as HostAccess.flows does.
   */
  async dump(reason: DumpReason, between: () => Promise<void> | undefined): Promise<void> {
    this.#blocks.note(this.#nowMs(), { kind: "dump", reason });
    const opened = this.#options.host.flows({
      source: "netlink",
      onDatagram: (datagram) => this.#blocks.datagram(this.#nowMs(), datagram),
    });
    let flows = 0;
    let complete = false;
    if (opened.kind === "reading") {
      for await (const columns of opened.reading.batches()) {
        flows += columns.count;
        this.drain(BETWEEN_EVENTS_MAX);
        const pause = between();
        if (pause !== undefined) await pause;
      }
      complete = opened.reading.complete;
    }
    this.dumpedFlows += flows;
    this.tableFlows = flows;
    this.#blocks.note(this.#nowMs(), { kind: "dump-end", complete, flows });
  }

  /** The kernel's own count of now. */
  noteCount(occupancyFlows: number): void {
    this.#blocks.note(this.#nowMs(), { kind: "count", occupancyFlows });
  }

  /** Settings that have other values from now on. */
  noteSettings(settings: Settings): void {
    this.#blocks.note(this.#nowMs(), { kind: "settings", settings });
  }

  noteEnd(): void {
    const { losses, lostEvents } = this.#events;
    this.#blocks.note(this.#nowMs(), {
      kind: "end",
      events: this.events,
      losses,
      ...(lostEvents === undefined ? {} : { lostEvents }),
    });
  }

  close(): void {
    this.#events.close();
  }

  /** By a clock that never jumps. */
  #nowMs(): number {
    return this.#startMs + this.#options.clock.elapsedMs() - this.#startElapsedMs;
  }
}

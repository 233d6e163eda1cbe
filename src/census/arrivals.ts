/**
 * Arrivals: how many flows are made in a second, by protocol and by service, from the events of an
 * observation. A service is the protocol and destination port of the original direction.
 *
 * A fold: feed it every batch, then ask for the result. Memory is constant: services are counted exactly
 * while they fit a table and with a stated bound after (key-tally.ts).
 *
 * Lost events make the counts a lower bound. Where the kernel counted how many were lost, the rates are
 * scaled up by what is known to be missing, and say so; where not, they stay a lower bound.
 */
import { type FlowColumns, Has } from "../table/columns.ts";
import { EventKind, type FlowEventBatch } from "../table/flow-event.ts";
import { discriminatorOf, protocolName } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { KeyTally } from "./key-tally.ts";

/** What the listener knows when the observation is over. */
export interface ObservationEnd {
  /** Length of the observation. */
  seconds: number;
  /** Times events were lost, and how many where the kernel counted them. */
  losses: number;
  lostEvents?: number;
  /** Whether answers (UPDATE events) were watched too: whether a flow was answered is unknown without. */
  updatesWatched: boolean;
  /** Services listed by name; the rest is `otherServices`. 20 when absent. */
  topServices?: number;
}

export interface ArrivalCount {
  /** NEW events counted. */
  flows: number;
  /** Per second, scaled for known losses; its standard error as of a count (Poisson). */
  perSecond: number;
  standardErrorPerSecond: number;
  /** Of `flows`, how many saw a reply until the end of the observation. Absent: not watched. */
  answered?: number;
}

/** Plain and JSON-able. */
export interface Arrivals extends ArrivalCount {
  seconds: number;
  byProtocol: readonly (ArrivalCount & { protocol: string })[];
  /** Greatest first. `port` is absent for protocols without ports. */
  services: readonly (ArrivalCount & { protocol: string; port?: number })[];
  /** All services that are not listed. */
  otherServices: ArrivalCount;
  /** Flows by which the figure of a service may be too low; 0: exact. */
  serviceErrorBoundFlows: number;
  /** Absent: nothing was lost. */
  lost?: { times: number; events?: number };
  /** By how much counts were multiplied for rates; 1 without losses. */
  scale: number;
  /** Events were lost and the kernel did not say how many: every figure is a lower bound. */
  lowerBound: boolean;
  /** For people. */
  how: string;
}

/** Services counted exactly: far more than a host has, few enough to stay near the processor. */
const EXACT_SERVICES = 8192;
/** New flows whose answer is waited for at a time. Beyond it, further ones are not waited for. */
const AWAITED_FLOWS = 1 << 18;
const DEFAULT_TOP_SERVICES = 20;
const NO_PORT = -1;

export class ArrivalsBuilder {
  readonly #byProtocol = new Uint32Array(256);
  readonly #answeredByProtocol = new Uint32Array(256);
  readonly #services = new KeyTally(1, EXACT_SERVICES, 0);
  readonly #answeredServices = new KeyTally(1, EXACT_SERVICES, 0);
  readonly #key = new Int32Array(1);
  /** Ids of flows that were made and not answered yet. */
  readonly #awaited = new Set<number>();
  #flows = 0;
  #answered = 0;
  #events = 0;
  #notAwaited = 0;

  /** Counts every event of a batch. The batch may be overwritten afterwards. */
  add(batch: FlowEventBatch): void {
    const { columns, kinds } = batch;
    for (let row = 0; row < columns.count; row++) {
      this.#events += 1;
      const told = ((columns.has[row] as number) & Has.status) !== 0;
      const replied = told && ((columns.status[row] as number) & Status.SEEN_REPLY) !== 0;
      switch (kinds[row]) {
        case EventKind.NEW:
          this.#addNew(columns, row, replied);
          break;
        case EventKind.UPDATE:
          if (replied && this.#awaited.delete(columns.id[row] as number)) this.#addAnswer(columns, row);
          break;
        case EventKind.DESTROY:
          // A lost UPDATE is made good: the flow says at its end whether it was answered.
          if (this.#awaited.delete(columns.id[row] as number) && replied) this.#addAnswer(columns, row);
          break;
        default:
      }
    }
  }

  #addNew(columns: FlowColumns, row: number, replied: boolean): void {
    const protocol = columns.protocol[row] as number;
    this.#flows += 1;
    this.#byProtocol[protocol] = (this.#byProtocol[protocol] as number) + 1;
    this.#key[0] = serviceOf(columns, row);
    this.#services.addFlows(this.#key, 0, 1);
    if (replied) this.#addAnswer(columns, row);
    else if (this.#awaited.size < AWAITED_FLOWS) this.#awaited.add(columns.id[row] as number);
    else this.#notAwaited += 1;
  }

  #addAnswer(columns: FlowColumns, row: number): void {
    const protocol = columns.protocol[row] as number;
    this.#answered += 1;
    this.#answeredByProtocol[protocol] = (this.#answeredByProtocol[protocol] as number) + 1;
    this.#key[0] = serviceOf(columns, row);
    this.#answeredServices.addFlows(this.#key, 0, 1);
  }

  /** The result. The builder may go on counting afterwards. */
  finish(end: ObservationEnd): Arrivals {
    const scale = this.#scaleFor(end);
    const known = end.updatesWatched && this.#notAwaited === 0;
    const count = (flows: number, answered: number): ArrivalCount => ({
      flows,
      perSecond: (flows * scale) / end.seconds,
      standardErrorPerSecond: (Math.sqrt(flows) * scale) / end.seconds,
      ...(known ? { answered } : {}),
    });
    const top = this.#services.top(end.topServices ?? DEFAULT_TOP_SERVICES);
    const answers = new Map<number, number>();
    this.#answeredServices.forEach((words, at, flows) => answers.set(words[at] as number, flows));
    const services = top.map(({ words, flows }) => {
      const key = words[0] as number;
      return { ...nameOf(key), ...count(flows, answers.get(key) ?? 0) };
    });
    const listed = services.reduce((sum, { flows }) => sum + flows, 0);
    const listedAnswers = services.reduce((sum, { answered }) => sum + (answered ?? 0), 0);
    return {
      seconds: end.seconds,
      ...count(this.#flows, this.#answered),
      byProtocol: this.#protocols().map((protocol) => ({
        protocol: protocolName(protocol),
        ...count(this.#byProtocol[protocol] as number, this.#answeredByProtocol[protocol] as number),
      })),
      services,
      otherServices: count(this.#flows - listed, this.#answered - listedAnswers),
      serviceErrorBoundFlows: this.#services.errorBoundFlows,
      ...lossOf(end),
      scale,
      lowerBound: end.losses > 0 && end.lostEvents === undefined,
      how: this.#how(end, scale),
    };
  }

  /** Protocols that came, the most frequent first. */
  #protocols(): number[] {
    const seen = [...this.#byProtocol.keys()].filter((protocol) => this.#byProtocol[protocol] !== 0);
    return seen.toSorted(
      (one, other) => (this.#byProtocol[other] as number) - (this.#byProtocol[one] as number),
    );
  }

  /** Lost events are taken to be of the same kinds, in the same shares, as those that came. */
  #scaleFor({ lostEvents = 0 }: ObservationEnd): number {
    return this.#events === 0 ? 1 : 1 + lostEvents / this.#events;
  }

  #how({ seconds, losses, lostEvents }: ObservationEnd, scale: number): string {
    const counted = `counted from ${this.#events} flow events in ${seconds.toFixed(1)} s`;
    if (losses === 0 && (lostEvents ?? 0) === 0) return counted;
    if (lostEvents === undefined) {
      return `${counted}; the kernel lost some ${losses} times and does not say how many: a lower bound`;
    }
    return `${counted}; ${lostEvents} more were lost, so rates are scaled by ${scale.toFixed(3)}`;
  }
}

function lossOf({ losses, lostEvents }: ObservationEnd): Pick<Arrivals, "lost"> {
  if (losses === 0 && (lostEvents ?? 0) === 0) return {};
  return { lost: lostEvents === undefined ? { times: losses } : { times: losses, events: lostEvents } };
}

/** Protocol and destination port in one word; a protocol without ports has none. */
function serviceOf(columns: FlowColumns, row: number): number {
  const protocol = columns.protocol[row] as number;
  const port =
    discriminatorOf(protocol) === "ports"
      ? (columns.originalDestinationDiscriminator[row] as number)
      : NO_PORT;
  return (protocol << 17) | (port + 1);
}

function nameOf(service: number): { protocol: string; port?: number } {
  const protocol = protocolName(service >>> 17);
  const port = (service & 0x1_ffff) - 1;
  return port === NO_PORT ? { protocol } : { protocol, port };
}

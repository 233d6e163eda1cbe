/**
 * Flows that are silent for longer than they may be under other timeouts: by service, and whether they are
 * translated. A fold over columns, of services in dense arrays: a count costs an addition.
 */
import type { FlowColumns } from "../table/columns.ts";
import {
  fillRegimes,
  IDLE_REGIMES,
  type IdleContext,
  IdleLookup,
  regimeFacts,
  timeoutCandidates,
} from "../table/idle.ts";
import { fillNat, Nat } from "../table/nat.ts";
import { discriminatorOf, protocolName, TCP, UDP } from "../table/protocol.ts";
import type { Settings } from "../table/settings.ts";
import { SctpState, TcpState } from "../table/state.ts";

const CHUNK_ROWS = 512;
const PORTS = 65_536;
/** Places of the services: TCP's ports, UDP's, and one place for each other protocol. */
const OTHERS = PORTS * 2;
const PLACES = OTHERS + 256;

/** Silent flows of a service; `port` where the protocol has ports. */
export interface SilentService {
  protocol: string;
  port?: number;
  flows: number;
  translatedFlows: number;
}

/** One choice of settings, and the silent flows it would cut off. */
interface Choice {
  wanted: Settings;
  /** Longest silence a flow of a regime may have and stay; Infinity: any. */
  mayBeSilent: Float64Array;
  counts: Uint32Array;
}

/** Counts for several choices at once: what a row is need be worked out but once. */
export class SilentFlows {
  readonly #context: IdleContext;
  readonly #choices: readonly Choice[];
  readonly #lookup: IdleLookup;
  /** The least that any choice allows, by regime; not worked out: NaN. */
  readonly #least = new Float64Array(IDLE_REGIMES).fill(Number.NaN);
  readonly #idle = new Int32Array(CHUNK_ROWS);
  readonly #regimes = new Uint16Array(CHUNK_ROWS);
  readonly #nat = new Uint8Array(CHUNK_ROWS);

  /** Each of `choices` are settings that would change. */
  constructor(context: IdleContext, choices: readonly Settings[]) {
    this.#context = context;
    this.#choices = choices.map((wanted) => ({
      wanted,
      mayBeSilent: new Float64Array(IDLE_REGIMES),
      counts: new Uint32Array(PLACES * 2),
    }));
    this.#lookup = new IdleLookup(context);
  }

  add(columns: FlowColumns): void {
    for (let from = 0; from < columns.count; from += CHUNK_ROWS) {
      const to = Math.min(from + CHUNK_ROWS, columns.count);
      this.#lookup.fill(columns, from, to, this.#idle);
      fillRegimes(columns, from, to, this.#regimes);
      fillNat(columns, from, to, this.#nat);
      for (let row = from; row < to; row++) this.#addRow(columns, row, row - from);
    }
  }

  #addRow(columns: FlowColumns, row: number, index: number): void {
    const regime = this.#regimes[index] as number;
    let least = this.#least[regime] as number;
    if (Number.isNaN(least)) least = this.#learn(regime);
    const idleSeconds = this.#idle[index] as number;
    if (idleSeconds <= least) return;
    const protocol = columns.protocol[row] as number;
    const port = columns.originalDestinationDiscriminator[row] as number;
    let place = OTHERS + protocol;
    if (protocol === TCP) place = port;
    else if (protocol === UDP) place = PORTS + port;
    const nat = this.#nat[index] as number;
    const at = place * 2 + (nat === Nat.NONE || nat === Nat.UNKNOWN ? 0 : 1);
    for (const { mayBeSilent, counts } of this.#choices) {
      if (idleSeconds > (mayBeSilent[regime] as number)) counts[at] = (counts[at] as number) + 1;
    }
  }

  #learn(regime: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { wanted, mayBeSilent } of this.#choices) {
      mayBeSilent[regime] = this.#longestOf(regime, wanted);
      least = Math.min(least, mayBeSilent[regime]);
    }
    this.#least[regime] = least;
    return least;
  }

  /** Only of flows whose end breaks something: what is answered and not closing. */
  #longestOf(regime: number, wanted: Settings): number {
    const { protocol, flow } = regimeFacts(regime);
    if (!isInUse(protocol, flow.state, flow.assured)) return Number.POSITIVE_INFINITY;
    const settings = { ...this.#context.settings, ...wanted };
    const now = timeoutCandidates(this.#context, protocol, flow);
    const then = timeoutCandidates({ ...this.#context, settings }, protocol, flow);
    if (typeof now === "string" || typeof then === "string") return Number.POSITIVE_INFINITY;
    const [before = 0] = now;
    const [after = 0] = then;
    return after < before ? Math.max(0, after) : Number.POSITIVE_INFINITY;
  }

  /** Of one choice, the most frequent first. */
  services(choice: number): SilentService[] {
    const { counts } = this.#choices[choice] ?? {};
    if (counts === undefined) return [];
    const services: SilentService[] = [];
    for (let place = 0; place < PLACES; place++) {
      const translatedFlows = counts[place * 2 + 1] as number;
      const flows = (counts[place * 2] as number) + translatedFlows;
      if (flows > 0) services.push({ ...serviceOf(place), flows, translatedFlows });
    }
    return services.toSorted((left, right) => right.flows - left.flows);
  }
}

function serviceOf(place: number): Pick<SilentService, "protocol" | "port"> {
  if (place >= OTHERS) return { protocol: protocolName(place - OTHERS) };
  return place < PORTS ? { protocol: "tcp", port: place } : { protocol: "udp", port: place - PORTS };
}

/**
 * Whether two ends may still want to talk over such a flow when it is silent: connected TCP (half-closed,
 * too) and SCTP, and answered flows of what has no connections. DCCP's number for connected is SCTP's.
 */
export function isInUse(protocol: number, state: number | undefined, assured: boolean | undefined): boolean {
  if (protocol === TCP) {
    return state === TcpState.ESTABLISHED || state === TcpState.FIN_WAIT || state === TcpState.CLOSE_WAIT;
  }
  if (state !== undefined) return state === SctpState.ESTABLISHED;
  return assured !== false && (discriminatorOf(protocol) === "ports" || discriminatorOf(protocol) === "keys");
}

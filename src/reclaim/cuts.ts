/**
 * Cuts for a table that is full now: kinds of flows that serve nobody, each as a filter, told from a
 * sample. What protects a flow protects it from a cut as well.
 */
import { addressFromWords, ADDRESS_WORDS, formatAddress } from "../table/address.ts";
import { type FlowColumns, Has } from "../table/columns.ts";
import { formatDuration } from "../table/duration.ts";
import { parseFilter } from "../table/filter.ts";
import { compileTruth, type RowTruth } from "../table/filter-match.ts";
import type { IdleLookup } from "../table/idle.ts";
import { Status } from "../table/status.ts";
import { type Protections, UNPROTECTED } from "./protections.ts";

/** Names that stay: what `--cut` takes. */
export type CutName =
  | "closed"
  | "unanswered-source"
  | "unanswered-tcp"
  | "unanswered-other"
  | "answered-udp"
  | "half-closed"
  | "silent";

export interface Cut {
  name: CutName;
  /** What goes, for people. */
  title: string;
  /** What that costs, at worst. */
  costs: string;
  /** As `headroom reclaim FILTER` takes it. */
  filter: string;
  /** Flows of the table, estimated when only a part of it was read. */
  flows: number;
  standardErrorFlows?: number;
}

export interface CutSample {
  /** The kernel's own count; what was read stands for it. */
  occupancyFlows?: number;
  complete: boolean;
}

/** What is offered. */
const OFFERED = 3;
/** Kinds that a cut of one source takes the place of. */
const OF_MANY: ReadonlySet<CutName> = new Set(["unanswered-tcp", "unanswered-other"]);
/** One source is cut alone when it has this share of all that is unanswered. */
const GREATEST_SHARE = 0.8;
/** Sources of unanswered flows that are told apart; a sample has no more flows than this. */
const SOURCES_MAX = 65_536;

type Kind = Omit<Cut, "flows" | "standardErrorFlows">;

/** Safest first: of two cuts of one size the earlier one is offered first. */
function kindsOf(floorSeconds: number): Kind[] {
  const floor = formatDuration(floorSeconds);
  return [
    {
      name: "closed",
      title: "TCP connections that both sides have closed",
      costs: "nothing; a late packet of one of them may be logged as invalid",
      filter: "tcp state=TIME_WAIT,CLOSE,LAST_ACK",
    },
    {
      name: "unanswered-tcp",
      title: "TCP connections that were never answered",
      costs: "an answer that comes later than 5 s is lost; the client tries again by itself",
      filter: "tcp state=SYN_SENT,SYN_RECV not assured",
    },
    {
      name: "unanswered-other",
      title: "one-way UDP and other flows that were never answered",
      costs: "an answer that comes later than 5 s is lost; one-way streams make a new flow at once",
      filter: "not tcp unreplied",
    },
    {
      name: "answered-udp",
      title: "UDP questions that have their answer (DNS, NTP)",
      costs: "a second answer to the same question is lost",
      filter: "udp seen-reply not assured",
    },
    {
      // The kernel's collector gives these up, too: tcp_can_early_drop(), since 4.12.
      name: "half-closed",
      title: "TCP connections that one side has closed",
      costs:
        "what the other side still sends, such as the end of a download, is lost where a firewall refuses " +
        "packets of no connection; a table that is 95 % full gives these up by itself, too",
      filter: "tcp state=FIN_WAIT,CLOSE_WAIT",
    },
    {
      name: "silent",
      title: `established TCP connections silent for ${floor} and more`,
      costs:
        "a connection that still lives must be opened again where a firewall refuses packets of no " +
        "connection",
      filter: `state=ESTABLISHED idle>=${floor}`,
    },
  ];
}

/** Counts a sample by cuts. */
export class CutTally {
  readonly #protections: Protections;
  readonly #idle: IdleLookup;
  readonly #kinds: readonly { kind: Kind; match: RowTruth }[];
  readonly #flows: Float64Array;
  readonly #sources = new Map<string, number>();
  #readFlows = 0;

  constructor(options: { protections: Protections; idle: IdleLookup; nowMs: number; floorSeconds: number }) {
    this.#protections = options.protections;
    this.#idle = options.idle;
    const reading = { idle: options.idle, nowMs: options.nowMs };
    this.#kinds = kindsOf(options.floorSeconds).map((kind) => ({
      kind,
      match: compileTruth(parseFilter(kind.filter), reading),
    }));
    this.#flows = new Float64Array(this.#kinds.length);
  }

  get readFlows(): number {
    return this.#readFlows;
  }

  add(columns: FlowColumns): void {
    this.#readFlows += columns.count;
    for (let row = 0; row < columns.count; row += 1) {
      const silent = this.#idle.secondsAt(columns, row);
      if (this.#protections.reasonAt(columns, row, silent) !== UNPROTECTED) continue;
      for (const [index, { match }] of this.#kinds.entries()) {
        if (match(columns, row) > 0) this.#flows[index] = (this.#flows[index] as number) + 1;
      }
      if (isUnanswered(columns, row)) this.#countSource(columns, row);
    }
  }

  #countSource(columns: FlowColumns, row: number): void {
    const family = columns.family[row] === 4 ? 4 : 6;
    const source = addressFromWords(columns.originalSource, row * ADDRESS_WORDS, family);
    const known = this.#sources.get(source);
    if (known === undefined && this.#sources.size >= SOURCES_MAX) return;
    this.#sources.set(source, (known ?? 0) + 1);
  }

  /**
   * Every kind with its flows; one source that is ahead of all others comes before them.
   */
  found(): { kind: Kind; flows: number }[] {
    const found = this.#kinds.map(({ kind }, index) => ({ kind, flows: this.#flows[index] as number }));
    const unanswered = found
      .filter(({ kind }) => OF_MANY.has(kind.name))
      .reduce((sum, { flows }) => sum + flows, 0);
    const [address, most] = [...this.#sources].reduce(
      (best, each) => (each[1] > best[1] ? each : best),
      ["", 0],
    );
    if (most === 0 || most < unanswered * GREATEST_SHARE) return found;
    const text = formatAddress(address as Parameters<typeof formatAddress>[0]);
    const kind: Kind = {
      name: "unanswered-source",
      title: `flows from ${text} that were never answered`,
      costs: "an answer that comes later than 5 s is lost; nobody but this source is touched",
      filter: `source=${text} unreplied`,
    };
    return [{ kind, flows: most }, ...found];
  }
}

function isUnanswered(columns: FlowColumns, row: number): boolean {
  const told = (columns.knownStatus & Status.SEEN_REPLY) !== 0 && (columns.has[row] as number) & Has.status;
  return Boolean(told) && ((columns.status[row] as number) & Status.SEEN_REPLY) === 0;
}

/** What is offered: the greatest cuts, greatest first; where one source is ahead, it alone of its kinds. */
export function greatest(cuts: readonly Cut[]): Cut[] {
  const ofOne = cuts.some(({ name }) => name === "unanswered-source");
  return cuts
    .filter(({ name, flows }) => flows > 0 && !(ofOne && OF_MANY.has(name)))
    .toSorted((left, right) => right.flows - left.flows)
    .slice(0, OFFERED);
}

/** Every cut that can be made, also of nothing, with its flows of the whole table; safest first. */
export function cutsOf(tally: CutTally, sample: CutSample): Cut[] {
  const { readFlows } = tally;
  const whole = sample.complete ? readFlows : Math.max(readFlows, sample.occupancyFlows ?? readFlows);
  const scale = readFlows === 0 ? 0 : whole / readFlows;
  return tally.found().map(({ kind, flows }) => {
    const cut = { ...kind, flows: Math.round(flows * scale) };
    if (scale === 1) return cut;
    // Drawn without putting back: the rest of the table is what can surprise.
    const share = flows / readFlows;
    const error = whole * Math.sqrt(((share * (1 - share)) / readFlows) * (1 - readFlows / whole));
    return { ...cut, standardErrorFlows: error };
  });
}

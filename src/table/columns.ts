/**
 * A batch of flows as columns: one typed array per field, one row per flow. The hot path's only shape: a
 * decoder fills the same FlowColumns again and again, the census folds it and forgets it, nothing is
 * allocated per flow.
 *
 * Invariants:
 * - a row's optional fields count only where the bit in `has[row]` is set; the array holds rubbish otherwise;
 * - an IPv4 row uses the first word of each address and the other three are zero;
 * - discriminators follow the kernel's own union (struct nf_conntrack_tuple): ports are (source,
 *   destination), ICMP is
 *   (id, type << 8 | code), GRE is (source key, destination key), other protocols have zeros;
 * - what few flows have (helper, labels, security context, a master tuple ...) is in `rare`, by row.
 *
 * A batch belongs to its reader and is overwritten by the next one: copy what must outlive it (`flowAt` in
 * flow.ts).
 */
import { ADDRESS_WORDS } from "./address.ts";
import { ColumnMemory, columnMemoryBytes } from "./column-memory.ts";

/** Bits of `has`: which optional fields a row carries. */
export const Has = {
  timeout: 1 << 0,
  state: 1 << 1,
  status: 1 << 2,
  originalCounters: 1 << 3,
  replyCounters: 1 << 4,
  mark: 1 << 5,
  /** Zone of both directions. */
  zone: 1 << 6,
  originalZone: 1 << 7,
  replyZone: 1 << 8,
  use: 1 << 9,
  id: 1 << 10,
  /** startedAtMs: wall clock of creation (nf_conntrack_timestamp). */
  startedAt: 1 << 11,
  stoppedAt: 1 << 12,
  /** ageSeconds: text gives `delta-time`, netlink leaves it to the reader who knows the clock. */
  age: 1 << 13,
  secmark: 1 << 14,
  /** `rare` has something for this row. */
  rare: 1 << 15,
  /** The reply tuple was given (absent in some saved forms). */
  reply: 1 << 16,
  /** SCTP verification tags. */
  vtags: 1 << 17,
  /** TCP window scales and flags. */
  tcpInfo: 1 << 18,
  /** GRE's timeouts, which are fixed per flow: `timeout=`, `stream_timeout=` of the text form. */
  greTimeouts: 1 << 19,
  /** Ports, keys or ICMP words were left out (some saved forms): the discriminators mean nothing. */
  bare: 1 << 20,
} as const;

/** What few flows have. */
export interface Rare {
  helper?: string;
  /** Connection labels: 16 bytes as the kernel sends them. */
  labels?: Uint8Array;
  /** Labels by name, as `conntrack -o labels` prints them. */
  labelNames?: readonly string[];
  securityContext?: string;
  /** The flow that made this one expected: its original tuple. */
  master?: {
    family: number;
    protocol: number;
    source: Uint32Array;
    destination: Uint32Array;
    sourceDiscriminator: number;
    destinationDiscriminator: number;
  };
  dccp?: { role: number; handshake: number };
  /** Zones that an event or a text form names in another way, unknown words of a line. */
  unknownWords?: readonly string[];
  /** `[NEW]`, `[UPDATE]`, `[DESTROY]` of a saved event listing. */
  eventKind?: "new" | "update" | "destroy";
  /** Wall clock of a saved event, where the listing has it (`conntrack -E -o timestamp`). */
  eventAtMs?: number;
}

/** Bytes of a row, in all columns together, and how many columns there are. */
const ROW_BYTES = 185;
const COLUMNS = 33;
/** Bytes of memory that columns of so many rows lie in. */
export function columnBytes(capacity: number): number {
  return columnMemoryBytes(capacity, ROW_BYTES, COLUMNS);
}

export class FlowColumns {
  /** Rows there is room for. */
  readonly capacity: number;
  /** Rows in use. */
  count = 0;
  /** Status bits this source can tell (table/status.ts). */
  knownStatus: number;

  readonly has: Uint32Array;
  /** 4 or 6; 0 when the source did not say. */
  readonly family: Uint8Array;
  readonly protocol: Uint8Array;
  readonly originalSource: Uint32Array;
  readonly originalDestination: Uint32Array;
  readonly replySource: Uint32Array;
  readonly replyDestination: Uint32Array;
  readonly originalSourceDiscriminator: Uint16Array;
  readonly originalDestinationDiscriminator: Uint16Array;
  readonly replySourceDiscriminator: Uint16Array;
  readonly replyDestinationDiscriminator: Uint16Array;

  /** Seconds until expiry, rounded down as the kernel does. */
  readonly timeoutSeconds: Uint32Array;
  /** The kernel's state number (table/state.ts). */
  readonly state: Uint8Array;
  readonly status: Uint32Array;
  readonly originalPackets: Float64Array;
  readonly originalBytes: Float64Array;
  readonly replyPackets: Float64Array;
  readonly replyBytes: Float64Array;
  readonly mark: Uint32Array;
  readonly secmark: Uint32Array;
  readonly zone: Uint16Array;
  readonly originalZone: Uint16Array;
  readonly replyZone: Uint16Array;
  readonly use: Uint32Array;
  readonly id: Uint32Array;
  readonly startedAtMs: Float64Array;
  readonly stoppedAtMs: Float64Array;
  readonly ageSeconds: Float64Array;
  readonly originalVtag: Uint32Array;
  readonly replyVtag: Uint32Array;
  /** TCP: original scale, reply scale, original flags, reply flags, one byte each from the top. */
  readonly tcpInfo: Uint32Array;
  /** GRE text form: `timeout=` and `stream_timeout=`, seconds. */
  readonly greTimeoutSeconds: Uint32Array;
  readonly greStreamTimeoutSeconds: Uint32Array;
  readonly rare = new Map<number, Rare>();

  /**
   * `memory`, of columnBytes(capacity), is what the columns lie in: give a SharedArrayBuffer, and columns of
   * the same capacity in another thread are the same rows, all but `count`, `knownStatus` and `rare`.
   */
  constructor(
    capacity: number,
    knownStatus: number,
    memory: ArrayBufferLike = new ArrayBuffer(columnBytes(capacity)),
  ) {
    this.capacity = capacity;
    this.knownStatus = knownStatus;
    const words = capacity * ADDRESS_WORDS;
    const columns = new ColumnMemory(memory);
    this.has = columns.lay(Uint32Array, 4, capacity);
    this.family = columns.lay(Uint8Array, 1, capacity);
    this.protocol = columns.lay(Uint8Array, 1, capacity);
    this.originalSource = columns.lay(Uint32Array, 4, words);
    this.originalDestination = columns.lay(Uint32Array, 4, words);
    this.replySource = columns.lay(Uint32Array, 4, words);
    this.replyDestination = columns.lay(Uint32Array, 4, words);
    this.originalSourceDiscriminator = columns.lay(Uint16Array, 2, capacity);
    this.originalDestinationDiscriminator = columns.lay(Uint16Array, 2, capacity);
    this.replySourceDiscriminator = columns.lay(Uint16Array, 2, capacity);
    this.replyDestinationDiscriminator = columns.lay(Uint16Array, 2, capacity);
    this.timeoutSeconds = columns.lay(Uint32Array, 4, capacity);
    this.state = columns.lay(Uint8Array, 1, capacity);
    this.status = columns.lay(Uint32Array, 4, capacity);
    this.originalPackets = columns.lay(Float64Array, 8, capacity);
    this.originalBytes = columns.lay(Float64Array, 8, capacity);
    this.replyPackets = columns.lay(Float64Array, 8, capacity);
    this.replyBytes = columns.lay(Float64Array, 8, capacity);
    this.mark = columns.lay(Uint32Array, 4, capacity);
    this.secmark = columns.lay(Uint32Array, 4, capacity);
    this.zone = columns.lay(Uint16Array, 2, capacity);
    this.originalZone = columns.lay(Uint16Array, 2, capacity);
    this.replyZone = columns.lay(Uint16Array, 2, capacity);
    this.use = columns.lay(Uint32Array, 4, capacity);
    this.id = columns.lay(Uint32Array, 4, capacity);
    this.startedAtMs = columns.lay(Float64Array, 8, capacity);
    this.stoppedAtMs = columns.lay(Float64Array, 8, capacity);
    this.ageSeconds = columns.lay(Float64Array, 8, capacity);
    this.originalVtag = columns.lay(Uint32Array, 4, capacity);
    this.replyVtag = columns.lay(Uint32Array, 4, capacity);
    this.tcpInfo = columns.lay(Uint32Array, 4, capacity);
    this.greTimeoutSeconds = columns.lay(Uint32Array, 4, capacity);
    this.greStreamTimeoutSeconds = columns.lay(Uint32Array, 4, capacity);
  }

  /** Empties the batch for the next reading. Rows keep their old words until they are written again. */
  clear(): void {
    this.count = 0;
    if (this.rare.size > 0) this.rare.clear();
  }

  /**
   * Copies a row of another batch behind the last one here. For the few rows that a filter keeps, not for hot
   * paths. There must be room.
   */
  append(from: FlowColumns, row: number): void {
    const at = this.count;
    for (const name of ROW_FIELDS) this[name][at] = from[name][row] as number;
    for (const name of ADDRESS_FIELDS) {
      for (let word = 0; word < ADDRESS_WORDS; word++) {
        this[name][at * ADDRESS_WORDS + word] = from[name][row * ADDRESS_WORDS + word] as number;
      }
    }
    const rare = from.rare.get(row);
    if (rare !== undefined) this.rare.set(at, rare);
    this.count = at + 1;
  }

  /** Becomes a copy of another batch, all but `rare`, for which there must be room. */
  copyColumns(from: FlowColumns): void {
    const { count } = from;
    this.count = count;
    this.knownStatus = from.knownStatus;
    let given = 0;
    for (let row = 0; row < count; row++) given |= from.has[row] as number;
    for (const name of ADDRESS_FIELDS) this[name].set(from[name].subarray(0, count * ADDRESS_WORDS));
    for (const name of ROW_FIELDS) {
      const bit = OPTIONAL_FIELDS[name];
      if (bit === undefined || (given & bit) !== 0) this[name].set(from[name].subarray(0, count));
    }
  }

  /** The rare fields of a row, made on first use; sets the row's bit. */
  rareAt(row: number): Rare {
    this.has[row] = (this.has[row] as number) | Has.rare;
    let rare = this.rare.get(row);
    if (rare === undefined) this.rare.set(row, (rare = {}));
    return rare;
  }
}

/** Columns with four words a row. */
const ADDRESS_FIELDS = ["originalSource", "originalDestination", "replySource", "replyDestination"] as const;

/** All others: one number a row. */
const ROW_FIELDS = [
  "has",
  "family",
  "protocol",
  "originalSourceDiscriminator",
  "originalDestinationDiscriminator",
  "replySourceDiscriminator",
  "replyDestinationDiscriminator",
  "timeoutSeconds",
  "state",
  "status",
  "originalPackets",
  "originalBytes",
  "replyPackets",
  "replyBytes",
  "mark",
  "secmark",
  "zone",
  "originalZone",
  "replyZone",
  "use",
  "id",
  "startedAtMs",
  "stoppedAtMs",
  "ageSeconds",
  "originalVtag",
  "replyVtag",
  "tcpInfo",
  "greTimeoutSeconds",
  "greStreamTimeoutSeconds",
] as const;

/** Columns that a batch may do without, and the bit that says whether a row has them. */
const OPTIONAL_FIELDS: Partial<Record<(typeof ROW_FIELDS)[number], number>> = {
  timeoutSeconds: Has.timeout,
  state: Has.state,
  originalPackets: Has.originalCounters,
  originalBytes: Has.originalCounters,
  replyPackets: Has.replyCounters,
  replyBytes: Has.replyCounters,
  mark: Has.mark,
  secmark: Has.secmark,
  zone: Has.zone,
  originalZone: Has.originalZone,
  replyZone: Has.replyZone,
  use: Has.use,
  id: Has.id,
  startedAtMs: Has.startedAt,
  stoppedAtMs: Has.stoppedAt,
  ageSeconds: Has.age,
  originalVtag: Has.vtags,
  replyVtag: Has.vtags,
  tcpInfo: Has.tcpInfo,
  greTimeoutSeconds: Has.greTimeouts,
  greStreamTimeoutSeconds: Has.greTimeouts,
};

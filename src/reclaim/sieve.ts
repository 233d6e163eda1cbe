/**
 * Which flows of a batch go: those that are meant and that nothing protects. Counts the others by what
 * keeps them.
 */
import type { FlowColumns } from "../table/columns.ts";
import { Has } from "../table/columns.ts";
import type { RowTruth } from "../table/filter-match.ts";
import type { IdleLookup } from "../table/idle.ts";
import { PROTECTION_REASONS, type ProtectionReason, type Protections, UNPROTECTED } from "./protections.ts";

export interface SieveOptions {
  protections: Protections;
  idle: IdleLookup;
  /** Absent: every flow is meant that is silent for long enough. */
  match?: RowTruth;
  /** Only flows that have been silent for so long. */
  idleSeconds?: number;
  /** Only flows that have more than this left: what is shortened must not be lengthened. */
  shortenToSeconds?: number;
}

export interface SieveCounts {
  /** Flows looked at. */
  readFlows: number;
  /** Flows that the filter and --idle mean. */
  meantFlows: number;
  /** Flows that go. */
  chosenFlows: number;
  /** The source does not tell what the filter asks. */
  undecidedFlows: number;
  /** Silent for how long is unknown, and --idle was asked for. */
  idleUnknownFlows: number;
  /** They have no more left than they would be given. */
  alreadyShortFlows: number;
  protectedFlows: Record<ProtectionReason, number>;
}

export class Sieve {
  /** Rows of the last batch that go; `count` of them. */
  rows = new Uint16Array(0);
  count = 0;
  readonly counts: SieveCounts;
  readonly #options: SieveOptions;
  #idle = new Int32Array(0);

  constructor(options: SieveOptions) {
    this.#options = options;
    this.counts = {
      readFlows: 0,
      meantFlows: 0,
      chosenFlows: 0,
      undecidedFlows: 0,
      idleUnknownFlows: 0,
      alreadyShortFlows: 0,
      protectedFlows: Object.fromEntries(PROTECTION_REASONS.map((reason) => [reason, 0])) as Record<
        ProtectionReason,
        number
      >,
    };
  }

  /** Chooses among all rows of a batch, and counts them. */
  sift(columns: FlowColumns): void {
    const { counts } = this;
    if (this.rows.length < columns.count) {
      this.rows = new Uint16Array(columns.capacity);
      this.#idle = new Int32Array(columns.capacity);
    }
    this.#options.idle.fill(columns, 0, columns.count, this.#idle);
    this.count = 0;
    for (let row = 0; row < columns.count; row += 1) {
      if (!this.#isMeant(columns, row, this.#idle[row] as number)) continue;
      counts.meantFlows += 1;
      const reason = this.#options.protections.reasonAt(columns, row, this.#idle[row] as number);
      if (reason !== UNPROTECTED) counts.protectedFlows[PROTECTION_REASONS[reason] as ProtectionReason] += 1;
      else if (this.#isShortAlready(columns, row)) counts.alreadyShortFlows += 1;
      else {
        this.rows[this.count] = row;
        this.count += 1;
      }
    }
    counts.readFlows += columns.count;
    counts.chosenFlows += this.count;
  }

  /** Whether a row that was read anew still goes; counts nothing. */
  stillGoes(columns: FlowColumns, row: number): boolean {
    const { idle, match, idleSeconds, protections } = this.#options;
    const silent = idle.secondsAt(columns, row);
    if (match !== undefined && match(columns, row) <= 0) return false;
    if (idleSeconds !== undefined && silent <= idleSeconds) return false;
    return protections.reasonAt(columns, row, silent) === UNPROTECTED && !this.#isShortAlready(columns, row);
  }

  #isMeant(columns: FlowColumns, row: number, silent: number): boolean {
    const { match, idleSeconds } = this.#options;
    const truth = match === undefined ? 1 : match(columns, row);
    if (truth === 0) this.counts.undecidedFlows += 1;
    if (truth <= 0) return false;
    // An idle age is up to a second too high (table/idle.ts), so that second is not enough.
    if (idleSeconds === undefined || silent > idleSeconds) return true;
    if (silent < 0) this.counts.idleUnknownFlows += 1;
    return false;
  }

  #isShortAlready(columns: FlowColumns, row: number): boolean {
    const { shortenToSeconds } = this.#options;
    if (shortenToSeconds === undefined) return false;
    const hasTimeout = ((columns.has[row] as number) & Has.timeout) !== 0;
    return !hasTimeout || (columns.timeoutSeconds[row] as number) <= shortenToSeconds;
  }
}

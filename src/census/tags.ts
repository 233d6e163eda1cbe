/**
 * What rules put on flows: zone, mark and helper. Most tables have none of them, so rows without cost one
 * test.
 *
 * Zone 0 and mark 0 are what a flow has when nobody set one (netlink leaves zone 0 out). They are counted
 * only where some flow has another, and then as what is left.
 */
import { type FlowColumns, Has } from "../table/columns.ts";
import { CHUNK_KEYS, hashKey, KeyTally } from "./key-tally.ts";
import { PAGE_SHIFT, SparseCounts } from "./sparse-counts.ts";
import { SIDE_BY_SIDE, type TallyLimits, type TopTally } from "./talkers.ts";

const ZONES = 65_536;
/** Distinct helpers counted apart; the kernel knows about a dozen, a hostile file may name any. */
const HELPERS_LIMIT = 256;

const MARK_BIT = Math.log2(Has.mark);
const ANY_ZONE = Has.zone | Has.originalZone;

export class Tags {
  readonly #zones = new SparseCounts(ZONES);
  readonly #marks: KeyTally;
  readonly #markKeys = new Int32Array(CHUNK_KEYS);
  readonly #markHashes = new Int32Array(CHUNK_KEYS);
  readonly #seed: number;
  #unmarked = 0;
  readonly #helpers = new Map<string, number>();
  #helpersLeftOut = 0;

  constructor(limits: TallyLimits) {
    this.#seed = limits.seed;
    this.#marks = new KeyTally(1, limits.capacityKeys, limits.seed);
  }

  /**
   * Counts rows `from` up to, not including, `to`: at most CHUNK_KEYS of them; `given` are the bits of Has
   * they have.
   */
  add(columns: FlowColumns, from: number, to: number, given: number): void {
    if (given & ANY_ZONE) this.#addZones(columns, from, to);
    if (given & Has.mark) this.#addMarks(columns, from, to);
    if (columns.rare.size > 0) this.#addHelpers(columns, from, to);
  }

  #addZones(columns: FlowColumns, from: number, to: number): void {
    const { counts, pages } = this.#zones;
    const { has, zone, originalZone } = columns;
    for (let row = from; row < to; row++) {
      const bits = has[row] as number;
      if ((bits & ANY_ZONE) === 0) continue;
      const tagged = (bits & Has.zone ? zone[row] : originalZone[row]) as number;
      counts[tagged] = (counts[tagged] as number) + 1;
      pages[tagged >>> PAGE_SHIFT] = 1;
    }
  }

  #addMarks(columns: FlowColumns, from: number, to: number): void {
    const { has, mark } = columns;
    const [keys, hashes] = [this.#markKeys, this.#markHashes];
    let marked = 0;
    let given = 0;
    for (let row = from; row < to; row++) {
      const word = mark[row] as number;
      const hasMark = ((has[row] as number) >>> MARK_BIT) & 1;
      keys[marked] = word;
      marked += hasMark & ((word | -word) >>> 31);
      given += hasMark;
    }
    this.#unmarked += given - marked;
    if (marked === 0) return;
    for (let index = 0; index < marked; index++) hashes[index] = hashKey(keys, index, 1, this.#seed);
    this.#marks.add(keys, SIDE_BY_SIDE, hashes, marked);
  }

  #addHelpers(columns: FlowColumns, from: number, to: number): void {
    for (const [row, { helper }] of columns.rare) {
      if (row >= from && row < to && helper !== undefined) this.#addHelper(helper, 1);
    }
  }

  #addHelper(helper: string, flows: number): void {
    const before = this.#helpers.get(helper);
    if (before === undefined && this.#helpers.size >= HELPERS_LIMIT) this.#helpersLeftOut += flows;
    else this.#helpers.set(helper, (before ?? 0) + flows);
  }

  merge(other: Tags): void {
    this.#zones.merge(other.#zones);
    this.#marks.merge(other.#marks);
    this.#unmarked += other.#unmarked;
    for (const [helper, flows] of other.#helpers) this.#addHelper(helper, flows);
    this.#helpersLeftOut += other.#helpersLeftOut;
  }

  /** Flows by zone (that of the original direction where there are two); none when nobody uses zones. */
  topZones(rows: number, allFlows: number): TopTally<{ zone: number }> {
    const tagged: { zone: number; flows: number }[] = [];
    let untagged = allFlows;
    this.#zones.forEach((flows, zone) => {
      if (zone === 0) return;
      tagged.push({ zone, flows });
      untagged -= flows;
    });
    if (tagged.length > 0 && untagged > 0) tagged.push({ zone: 0, flows: untagged });
    return { rows: greatest(tagged, rows), distinct: tagged.length, errorBoundFlows: 0 };
  }

  /** Flows by mark; none when every mark is 0 or none is given. */
  topMarks(rows: number): TopTally<{ mark: number }> {
    const marked = this.#marks
      .top(rows)
      .map(({ words, flows }) => ({ mark: (words[0] as number) >>> 0, flows }));
    if (marked.length === 0) return { rows: [], distinct: 0, errorBoundFlows: 0 };
    const unmarked = this.#unmarked > 0 ? [{ mark: 0, flows: this.#unmarked }] : [];
    return {
      rows: greatest([...unmarked, ...marked], rows),
      distinct: this.#marks.distinct + unmarked.length,
      errorBoundFlows: this.#marks.errorBoundFlows,
    };
  }

  topHelpers(rows: number): TopTally<{ helper: string }> {
    const all = [...this.#helpers].map(([helper, flows]) => ({ helper, flows }));
    all.sort((left, right) => (left.helper < right.helper ? -1 : 1));
    return { rows: greatest(all, rows), distinct: all.length, errorBoundFlows: this.#helpersLeftOut };
  }
}

/** The rows with most flows, greatest first; equal ones stay in order. */
function greatest<Row extends { flows: number }>(rows: Row[], count: number): Row[] {
  return rows.toSorted((left, right) => right.flows - left.flows).slice(0, count);
}

/**
 * What the kernel counts, read again and again: sums over CPUs, and how much was counted in between.
 *
 * From /proc/net/stat/nf_conntrack, whose bytes are summed without making text of them; where there is none,
 * over netlink. Which columns mean what, and which this kernel does not move, is conntrack-stat.ts's
 * business: it is asked at the beginning and whenever the header is another one.
 */
import type { CounterName, Counters, CounterValues } from "../table/counters.ts";
import { counterOfColumn, parseConntrackStat } from "./conntrack-stat.ts";

/** A counter of one CPU has 32 bits; one that goes back from its upper half to its lower has wrapped. */
const WRAP = 2 ** 32;
const HALF = 2 ** 31;

/** Sums and differences of counters by CPU. */
export class CounterSteps {
  readonly #names: readonly CounterName[];
  /** Row by CPU, column by name. */
  readonly #last: Float64Array;
  readonly #sums: Float64Array;
  readonly #added: Float64Array;
  /** By column, what counters lost by wrapping since the first reading. */
  readonly #wrapped: Float64Array;
  #isFirst = true;
  #hasRestarted = false;

  constructor(names: readonly CounterName[], cpus: number) {
    this.#names = names;
    this.#last = new Float64Array(names.length * cpus);
    this.#sums = new Float64Array(names.length);
    this.#added = new Float64Array(names.length);
    this.#wrapped = new Float64Array(names.length);
  }

  begin(): void {
    this.#sums.fill(0);
    this.#added.fill(0);
    this.#hasRestarted = false;
  }

  /** The counter of column `column` of a CPU's row. */
  put(row: number, column: number, value: number): void {
    const at = row * this.#names.length + column;
    const before = this.#last[at] as number;
    this.#last[at] = value;
    this.#sums[column] = (this.#sums[column] as number) + value;
    let added = value - before;
    if (added < 0) {
      const hasWrapped = before >= HALF && value < HALF;
      if (hasWrapped) this.#wrapped[column] = (this.#wrapped[column] as number) + WRAP;
      else this.#hasRestarted = true;
      added += WRAP;
    }
    this.#added[column] = (this.#added[column] as number) + added;
  }

  /**
   * What was put since `begin`; `counted` is absent the first time and when the counters began anew. Sums
   * go on rising where a counter wrapped.
   */
  end(): { counters: CounterValues; counted?: CounterValues } {
    if (this.#hasRestarted) this.#wrapped.fill(0);
    this.#wrapped.forEach((wrapped, column) => {
      this.#sums[column] = (this.#sums[column] as number) + wrapped;
    });
    const counters = this.#valuesOf(this.#sums);
    const isComparable = !this.#isFirst && !this.#hasRestarted;
    this.#isFirst = false;
    return isComparable ? { counters, counted: this.#valuesOf(this.#added) } : { counters };
  }

  #valuesOf(figures: Float64Array): CounterValues {
    const values: { [name in CounterName]?: number } = {};
    this.#names.forEach((name, column) => {
      values[name] = figures[column] as number;
    });
    return values;
  }
}

export interface CountersStep {
  occupancyFlows?: number;
  counters: CounterValues;
  counted?: CounterValues;
  expectationFlows?: number;
}

/** How many are expected is how many were made less how many ended, each counted in 32 bits. */
function stepOf(
  { counters, counted }: ReturnType<CounterSteps["end"]>,
  occupancyFlows: number | undefined,
): CountersStep {
  const step: CountersStep = { counters };
  if (counted !== undefined) step.counted = counted;
  if (occupancyFlows !== undefined) step.occupancyFlows = occupancyFlows;
  const { expectCreate, expectDelete } = counters;
  if (expectCreate === undefined || expectDelete === undefined) return step;
  const there = (((expectCreate - expectDelete) % WRAP) + WRAP) % WRAP;
  if (there < HALF) step.expectationFlows = there;
  return step;
}

const SPACE = 32;
const NEWLINE = 10;
const NOT_COUNTED = -1;

/** Reads the file's bytes, which `bytes` holds anew before each step. */
export class StatBytesReader {
  readonly #release: string | undefined;
  #header: Uint8Array = new Uint8Array();
  #rows = 0;
  /** By column of the file, the column of the steps; or NOT_COUNTED. */
  #columns: Int32Array = new Int32Array();
  #steps: CounterSteps | undefined;

  constructor(release: string | undefined) {
    this.#release = release;
  }

  /** Forgets what was read: the file is another one. */
  restart(): void {
    this.#steps = undefined;
  }

  /** Undefined when the bytes are not such a file. */
  step(bytes: Uint8Array, length: number): CountersStep | undefined {
    let steps = this.#steps;
    if (steps === undefined || !startsWith(bytes, this.#header) || countLines(bytes, length) !== this.#rows) {
      if (!this.#learn(bytes.subarray(0, length))) return undefined;
      steps = this.#steps;
    }
    if (steps === undefined) return undefined;
    steps.begin();
    const occupancyFlows = this.#walk(steps, bytes, length);
    return stepOf(steps.end(), occupancyFlows);
  }

  /** Puts all figures; gives the first of a row, which is the count of flows. */
  #walk(steps: CounterSteps, bytes: Uint8Array, length: number): number | undefined {
    let occupancyFlows: number | undefined;
    let row = 0;
    let column = 0;
    let value = 0;
    let digits = 0;
    for (let at = this.#header.length; at < length; at++) {
      const byte = bytes[at] as number;
      if (byte !== SPACE && byte !== NEWLINE) {
        value = value * 16 + hexadecimalDigit(byte);
        digits += 1;
        continue;
      }
      if (digits > 0) {
        const known = this.#columns[column] ?? NOT_COUNTED;
        if (column === 0) occupancyFlows ??= value;
        if (known !== NOT_COUNTED) steps.put(row, known, value);
        column += 1;
        value = 0;
        digits = 0;
      }
      if (byte !== NEWLINE) continue;
      row += 1;
      column = 0;
    }
    return occupancyFlows;
  }

  #learn(bytes: Uint8Array): boolean {
    const text = new TextDecoder().decode(bytes);
    const counters = parseConntrackStat(text, this.#release);
    if (counters === undefined) return false;
    this.#header = bytes.slice(0, bytes.indexOf(NEWLINE) + 1);
    this.#rows = countLines(bytes, bytes.length);
    const words = (text.split("\n", 1)[0] ?? "").split(/ +/).filter((word) => word !== "");
    const names = Object.keys(counters.total) as CounterName[];
    this.#columns = Int32Array.from(words, (word) => {
      const name = counterOfColumn(word);
      return name === undefined ? NOT_COUNTED : names.indexOf(name);
    });
    this.#steps = new CounterSteps(names, this.#rows);
    return true;
  }
}

/** Steps of counters as netlink gives them. */
export class NetlinkSteps {
  #steps: CounterSteps | undefined;
  #shape = "";

  restart(): void {
    this.#steps = undefined;
  }

  step(counters: Counters): CountersStep {
    const names = Object.keys(counters.total) as CounterName[];
    const shape = `${counters.perCpu.map(({ cpu }) => cpu).join(",")} ${names.join(",")}`;
    if (this.#steps === undefined || shape !== this.#shape) {
      this.#steps = new CounterSteps(names, counters.perCpu.length);
      this.#shape = shape;
    }
    const steps = this.#steps;
    steps.begin();
    counters.perCpu.forEach(({ values }, row) => {
      names.forEach((name, column) => steps.put(row, column, values[name] ?? 0));
    });
    return stepOf(steps.end(), counters.occupancyFlows);
  }
}

/** Any other byte makes a number nobody takes for a counter; the header said what file this is. */
function hexadecimalDigit(byte: number): number {
  if (byte <= 57) return byte - 48;
  return (byte | 32) - 87;
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let at = 0; at < start.length; at++) if (bytes[at] !== start[at]) return false;
  return true;
}

/** Rows behind the header. */
function countLines(bytes: Uint8Array, length: number): number {
  let lines = 0;
  for (let at = 0; at < length; at++) if (bytes[at] === NEWLINE) lines += 1;
  return lines - 1;
}

/**
 * Points of many series in few bytes: columns one after the other, the bytes of their numbers sorted by
 * significance, compressed by zstd with a checksum. A point knows the samples behind it, their sum, the
 * least and the greatest, so that points can be put together again and again without loss.
 *
 * Whole numbers are kept exactly; fractions to seven digits (float32), which halves what they take.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

/** Columns of one length. No samples behind a point: `count` is 0 and the rest NaN. */
export interface PointColumns {
  count: Float64Array;
  sum: Float64Array;
  min: Float64Array;
  max: Float64Array;
}

export interface Points {
  /** Beginning of each point's span; ascending. */
  atMs: Float64Array;
  series: ReadonlyMap<string, PointColumns>;
}

/** What a number becomes when it is kept: itself when whole, else what float32 has of it. */
export function kept(value: number): number {
  // Adding 0 makes 0 of -0, which JSON does not know.
  return (Number.isInteger(value) ? value : Math.fround(value)) + 0;
}

type Part = keyof PointColumns;
/** Parts of a column that are written; of single samples the others follow from the sum. */
const PARTS: readonly Part[] = ["count", "sum", "min", "max"];

/** Name and part of a column, and how it is written: one value for all, or bytes a value. */
type Layout = [name: string, part: Part | "atMs", bytes: 0 | 4 | 8, value: number | null];

interface Head {
  rows: number;
  /** Points are single samples: only their values are written. */
  single: boolean;
  columns: Layout[];
}

const COMPRESSION = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

/** Packs points; `single` when each is one sample. */
export function packPoints(points: Points, single: boolean): Uint8Array {
  const rows = points.atMs.length;
  const head: Head = { rows, single, columns: [] };
  const bodies: Uint8Array[] = [];
  const write = (name: string, part: Part | "atMs", column: Float64Array): void => {
    const [layout, body] = packColumn(name, part, column);
    head.columns.push(layout);
    bodies.push(body);
  };
  write("", "atMs", differences(points.atMs));
  for (const [name, columns] of points.series) {
    for (const part of single ? (["sum"] as const) : PARTS) write(name, part, columns[part]);
  }
  const headText = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(4 + headText.length + bodies.reduce((sum, { length }) => sum + length, 0));
  new DataView(bytes.buffer).setUint32(0, headText.length, true);
  bytes.set(headText, 4);
  let at = 4 + headText.length;
  for (const body of bodies) {
    bytes.set(body, at);
    at += body.length;
  }
  return zstdCompressSync(bytes, COMPRESSION);
}

/** Takes points apart; of the series in `names` alone when given. Undefined when the bytes are damaged. */
export function unpackPoints(packed: Uint8Array, names?: ReadonlySet<string>): Points | undefined {
  let bytes: Uint8Array;
  let head: Head;
  try {
    bytes = zstdDecompressSync(packed);
    const headBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    // The checksum says that these are the bytes that were packed.
    head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headBytes))) as Head;
    bytes = bytes.subarray(4 + headBytes);
  } catch {
    return undefined;
  }
  let atMs: Float64Array = new Float64Array(head.rows);
  const series = new Map<string, PointColumns>();
  let at = 0;
  for (const [name, part, width, value] of head.columns) {
    const body = bytes.subarray(at, at + head.rows * width);
    at += head.rows * width;
    if (part === "atMs") atMs = sums(unpackColumn(body, head.rows, width, value));
    else if (names === undefined || names.has(name)) {
      const column = unpackColumn(body, head.rows, width, value);
      if (head.single) series.set(name, ofSingles(column));
      else {
        const columns = series.get(name) ?? { count: column, sum: column, min: column, max: column };
        columns[part] = column;
        series.set(name, columns);
      }
    }
  }
  return { atMs, series };
}

/** Points that are one sample each; NaN where there is none. */
export function ofSingles(values: Float64Array): PointColumns {
  return {
    count: values.map((value) => (Number.isNaN(value) ? 0 : 1)),
    sum: values,
    min: values,
    max: values,
  };
}

function packColumn(name: string, part: Part | "atMs", column: Float64Array): [Layout, Uint8Array] {
  const first = column[0] ?? 0;
  if (column.every((value) => Object.is(value, first))) {
    return [[name, part, 0, Number.isNaN(first) ? null : first], new Uint8Array()];
  }
  const narrow = column.every((value) => Number.isNaN(value) || Math.fround(value) === value);
  const numbers = narrow ? Float32Array.from(column) : column;
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return [[name, part, narrow ? 4 : 8, null], sorted(bytes, numbers.BYTES_PER_ELEMENT)];
}

function unpackColumn(body: Uint8Array, rows: number, width: 0 | 4 | 8, value: number | null): Float64Array {
  if (width === 0) return new Float64Array(rows).fill(value ?? Number.NaN);
  const bytes = new Uint8Array(body.length);
  for (let plane = 0, from = 0; plane < width; plane += 1) {
    for (let to = plane; to < bytes.length; to += width, from += 1) bytes[to] = body[from] as number;
  }
  return width === 8 ? new Float64Array(bytes.buffer) : Float64Array.from(new Float32Array(bytes.buffer));
}

/** All first bytes, then all second bytes, ...: neighbours are alike and compress. */
function sorted(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let plane = 0, to = 0; plane < width; plane += 1) {
    for (let from = plane; from < bytes.length; from += width, to += 1) out[to] = bytes[from] as number;
  }
  return out;
}

function differences(values: Float64Array): Float64Array {
  return values.map((value, row) => value - (values[row - 1] ?? 0));
}

function sums(values: Float64Array): Float64Array {
  let sum = 0;
  return values.map((value) => (sum += value));
}

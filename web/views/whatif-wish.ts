/** What is wished for: values by key, kept in the address. Pure. */
import type { SettingsJson } from "../../src/server/api-schema.ts";
import { durationStops, establishedStops, sizeStops } from "../words/stops.ts";

export type SettingRow = SettingsJson["settings"][number];

export const MAX = "nf_conntrack_max";
export const BUCKETS = "nf_conntrack_buckets";
export const ESTABLISHED = "nf_conntrack_tcp_timeout_established";

/** Timeouts behind "more", the ones that help oftenest first; others follow by name. */
const USUAL = ["udp_timeout", "udp_timeout_stream", "tcp_timeout_time_wait", "tcp_timeout_syn_sent"];

export type Wish = ReadonlyMap<string, number>;

/** Reads `set=KEY=VALUE` of an address. */
export function readWish(sets: readonly string[]): Wish {
  const wish = new Map<string, number>();
  for (const text of sets) {
    const [key = "", value = ""] = text.split("=", 2);
    if (key !== "" && /^\d+$/.test(value)) wish.set(key, Number(value));
  }
  return wish;
}

export function wishSets(wish: Wish): string[] {
  return [...wish].map(([key, value]) => `${key}=${value}`);
}

/** A wish with another value; what is in force is no wish. A limit takes its buckets along. */
export function wished(
  wish: Wish,
  row: SettingRow,
  value: number,
  { buckets, isCoupled }: { buckets: SettingRow | undefined; isCoupled: boolean },
): Wish {
  const next = new Map(wish);
  put(next, row, value);
  if (row.key === MAX && isCoupled && buckets !== undefined) put(next, buckets, value);
  return next;
}

function put(wish: Map<string, number>, row: SettingRow, value: number): void {
  if (value === row.value) wish.delete(row.key);
  else wish.set(row.key, value);
}

/** The question to the API; what is in force where nothing is wished, so that there is a drawing at once. */
export function whatifPath(wish: Wish, rows: readonly SettingRow[]): string | undefined {
  const sets = wishSets(wish);
  const first = rows.find(({ key }) => key === ESTABLISHED || key === MAX);
  if (sets.length === 0 && first !== undefined) sets.push(`${first.key}=${first.value}`);
  if (sets.length === 0) return undefined;
  return `whatif?${sets.map((set) => `set=${encodeURIComponent(set)}`).join("&")}`;
}

/** Where the slider of a setting rests. */
export function stopsOf({ key, value, defaultValue, unit }: SettingRow, wishedValue: number): number[] {
  if (unit !== "seconds") return sizeStops(value, wishedValue, defaultValue);
  const stops = key === ESTABLISHED ? establishedStops : durationStops;
  return stops(value, defaultValue, wishedValue);
}

/** Timeouts besides the established one. */
export function otherTimeouts(rows: readonly SettingRow[]): SettingRow[] {
  const rank = (key: string): number => {
    const index = USUAL.findIndex((suffix) => key === `nf_conntrack_${suffix}`);
    return index < 0 ? USUAL.length : index;
  };
  return rows
    .filter(({ key, unit }) => unit === "seconds" && key !== ESTABLISHED && /timeout/.test(key))
    .toSorted((a, b) => rank(a.key) - rank(b.key) || a.key.localeCompare(b.key));
}

/** `nf_conntrack_tcp_timeout_time_wait` as `tcp time_wait`. */
export function shortName(key: string): string {
  const name = key.replace(/^nf_conntrack_/, "");
  const match = /^(\w+?)_timeout_?(.*)$/.exec(name);
  if (match === null) return name.replaceAll("_", " ");
  const [, protocol = "", state = ""] = match;
  return state === "" ? protocol : `${protocol} ${state}`;
}

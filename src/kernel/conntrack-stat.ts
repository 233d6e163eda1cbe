/**
 * What the kernel counts, from text: /proc/net/stat/nf_conntrack (and ip_conntrack), and a saved `conntrack
 * -S`.
 *
 * The file has a header line and one line per possible CPU, all figures hexadecimal. Its history
 * (net/netfilter/nf_conntrack_standalone.c):
 *   2.6.9   ip_conntrack: 16 columns, `entries` to `expect_delete`; the first is the same on every line
 *   2.6.35  a 17th, `search_restart`
 *   4.9     `searched`, `new`, `delete`, `delete_list` stay 0; `found` and `insert` count rare cases only
 *   5.10    the second column is `clashres` instead of `searched`; `ignore` stays 0
 *   5.15    the eighth column is `chainlength` instead of `delete_list`
 * So columns go by their name, never by their position; a column that this kernel keeps at zero is not a zero
 * but "not counted", and a name nobody has heard of is kept.
 */
import type { CounterName, Counters, CounterValues } from "../table/counters.ts";
import { isSince, type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";

/** Rows read at most: the kernel's largest NR_CPUS is 8192. */
const ROWS_MAX = 16_384;
/** A line has 17 figures of eight digits; far longer ones are no such lines and not worth taking apart. */
const LINE_MAX_CHARACTERS = 4096;

const nameByColumn: Readonly<Record<string, CounterName>> = {
  searched: "searched",
  clashres: "clashResolved",
  found: "found",
  new: "new",
  invalid: "invalid",
  ignore: "ignore",
  delete: "delete",
  delete_list: "deleteList",
  chainlength: "chainTooLong",
  insert: "insert",
  insert_failed: "insertFailed",
  drop: "drop",
  early_drop: "earlyDrop",
  icmp_error: "icmpError",
  expect_new: "expectNew",
  expect_create: "expectCreate",
  expect_delete: "expectDelete",
  search_restart: "searchRestart",
  // As conntrack(8) names what it gets by netlink.
  error: "icmpError",
  clash_resolve: "clashResolved",
  chaintoolong: "chainTooLong",
};

/** The counter a column of the file holds; undefined for `entries` and for what has no name here. */
export function counterOfColumn(column: string): CounterName | undefined {
  return Object.hasOwn(nameByColumn, column) ? nameByColumn[column] : undefined;
}

/** Since and until when the packet path moves a counter. Names that are missing here always did. */
const history: Readonly<{ [name in CounterName]?: { since?: string; until?: string } }> = {
  searched: { until: "4.9" },
  new: { until: "4.9" },
  delete: { until: "4.9" },
  deleteList: { until: "4.9" },
  ignore: { until: "5.10" },
  searchRestart: { since: "2.6.35" },
  clashResolved: { since: "5.10" },
  chainTooLong: { since: "5.15" },
};

/** Counters as a source gives them, before it is known which of them this kernel counts. */
export interface RawCounters {
  occupancyFlows?: number;
  perCpu: readonly { cpu: number; values: CounterValues }[];
  unknown: readonly { name: string; total: number }[];
  source: Counters["source"];
}

/**
 * Reads the text of /proc/net/stat/nf_conntrack. `release` (`uname -r`) tells columns that stay zero on this
 * kernel from those that are zero now; without it only the header can. Undefined when `text` has no such
 * header. CPUs are numbered in the order of the lines.
 */
export function parseConntrackStat(text: string, release?: string): Counters | undefined {
  const lines = text.split("\n", ROWS_MAX + 1);
  const columns = words(lines[0] ?? "");
  if (columns[0] !== "entries" || !columns.includes("insert_failed")) return undefined;
  const rows: { cpu: number; values: CounterValues }[] = [];
  const unknown = new Map<string, number>();
  let occupancyFlows: number | undefined;
  for (const line of lines.slice(1)) {
    const cells = words(line);
    if (cells.length === 0) continue;
    const figures = cells.map(hexadecimal);
    const [entries] = figures;
    if (cells.length < columns.length || entries === undefined || figures.includes(undefined)) {
      unknown.set("unreadable rows", (unknown.get("unreadable rows") ?? 0) + 1);
      continue;
    }
    occupancyFlows ??= entries;
    rows.push({ cpu: rows.length, values: rowValues(columns, figures, unknown) });
  }
  const raw = { perCpu: rows, unknown: [...unknown].map(([name, total]) => ({ name, total })) };
  return countedByKernel(
    occupancyFlows === undefined
      ? { ...raw, source: "procfs" }
      : { ...raw, occupancyFlows, source: "procfs" },
    release,
  );
}

/**
 * Reads what `conntrack -S` printed: `cpu=0 found=0 invalid=1 ...` per CPU, decimal. Undefined when no line
 * is one.
 */
export function parseConntrackStatistics(text: string, release?: string): Counters | undefined {
  const perCpu: { cpu: number; values: CounterValues }[] = [];
  const unknown = new Map<string, number>();
  for (const line of text.split("\n", ROWS_MAX)) {
    const cpu = /^cpu=(\d{1,5})\s/.exec(line)?.[1];
    if (cpu === undefined) continue;
    const pairs = words(line.replace(/^cpu=\d+\s/, "")).map((word) => word.split("="));
    const columns = pairs.map(([name = ""]) => name);
    const figures = pairs.map(([, figure = ""]) => (/^\d{1,10}$/.test(figure) ? Number(figure) : undefined));
    perCpu.push({ cpu: Number(cpu), values: rowValues(columns, figures, unknown) });
  }
  if (perCpu.length === 0) return undefined;
  const kept = [...unknown].map(([name, total]) => ({ name, total }));
  return countedByKernel({ perCpu, unknown: kept, source: "netlink" }, release);
}

/**
 * One row by name; columns without a name here are summed up in `unknown`. `entries` is the table's, not a
 * CPU's.
 */
function rowValues(
  columns: readonly string[],
  figures: readonly (number | undefined)[],
  unknown: Map<string, number>,
): CounterValues {
  const values: { [name in CounterName]?: number } = {};
  columns.forEach((column, index) => {
    const figure = figures[index];
    if (column === "entries" || figure === undefined) return;
    const name = counterOfColumn(column);
    if (name === undefined) unknown.set(column, (unknown.get(column) ?? 0) + figure);
    else values[name] = figure;
  });
  return values;
}

function words(line: string): readonly string[] {
  return line
    .slice(0, LINE_MAX_CHARACTERS)
    .split(/\s+/)
    .filter((word) => word !== "");
}

function hexadecimal(text: string): number | undefined {
  return /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : undefined;
}

/**
 * Sums up and leaves out what this kernel does not count, with the reason: the same for procfs and netlink,
 * so that both give the same names and figures.
 */
export function countedByKernel(raw: RawCounters, release?: string): Counters {
  const sums: { [name in CounterName]?: number } = {};
  for (const { values } of raw.perCpu) {
    for (const [name, value] of Object.entries(values) as [CounterName, number][]) {
      sums[name] = (sums[name] ?? 0) + value;
    }
  }
  const kernel = kernelOf(sums, release);
  const notCounted: { name: CounterName; why: string }[] = [];
  for (const name of COUNTER_NAMES) {
    const why = whyNotCounted(name, sums[name], kernel);
    if (why !== undefined) notCounted.push({ name, why });
  }
  const left = new Set(notCounted.map(({ name }) => name));
  return {
    ...(raw.occupancyFlows === undefined ? {} : { occupancyFlows: raw.occupancyFlows }),
    total: without(sums, left),
    perCpu: raw.perCpu.map(({ cpu, values }) => ({ cpu, values: without(values, left) })),
    notCounted,
    unknown: raw.unknown,
    source: raw.source,
  };
}

const COUNTER_NAMES = [...new Set(Object.values(nameByColumn))];

/**
 * The kernel as its counters behave: the columns prove more than the release, which a distribution may have
 * left behind. Undefined when neither tells.
 */
function kernelOf(sums: CounterValues, release: string | undefined): KernelRelease | undefined {
  const stated = release === undefined ? undefined : parseKernelRelease(release);
  const atLeast = (since: string): KernelRelease | undefined =>
    stated !== undefined && isSince(stated, since) ? stated : parseKernelRelease(since);
  if (sums.chainTooLong !== undefined) return atLeast("5.15");
  if (sums.clashResolved !== undefined) return atLeast("5.10");
  return stated;
}

function whyNotCounted(
  name: CounterName,
  sum: number | undefined,
  kernel: KernelRelease | undefined,
): string | undefined {
  const { since, until } = history[name] ?? {};
  if (sum !== undefined) {
    if (until === undefined || sum > 0) return undefined;
    if (kernel === undefined)
      return `always 0 on kernels since ${until}, and this kernel's release is unknown`;
    return isSince(kernel, until) ? `always 0 on kernels since ${until}` : undefined;
  }
  if (since !== undefined && (kernel === undefined || !isSince(kernel, since))) {
    return `only counted by kernels since ${since}`;
  }
  if (until !== undefined && (kernel === undefined || isSince(kernel, until))) {
    return `not counted by kernels since ${until}`;
  }
  return "not given by this source";
}

function without(values: CounterValues, left: ReadonlySet<CounterName>): CounterValues {
  const entries = Object.entries(values) as [CounterName, number][];
  return Object.fromEntries(entries.filter(([name]) => !left.has(name)));
}

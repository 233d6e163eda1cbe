/**
 * One line of a kernel log: what was written in front of the message, and what the message says of the
 * tracker.
 *
 * Wordings by kernel (net/netfilter/nf_conntrack_core.c, nf_conntrack_expect.c, lib/ratelimit.c):
 *   2.4.0   ip_conntrack: maximum limit of 65536 entries exceeded
 *   2.4.4   ip_conntrack: table full, dropping packet.        OpenVZ: ip_conntrack: VPS 101 table full, ...
 *   2.6.15  nf_conntrack: table full, dropping packet.        without the full stop from about 3.5 on
 *   4.10    nf_conntrack: nf_conntrack: table full, dropping packet
 *   6.17    nf_conntrack: nf_conntrack: table full in netns 4026532177, dropping packet
 *   all     nf_conntrack: expectation table full, Can't alloc conntrack., falling back to vmalloc.
 * and around them, when the rate limit held messages back: `printk: 5 messages suppressed.` (before 2.6.27),
 * `__ratelimit: 5 callbacks suppressed`, `net_ratelimit: 5 callbacks suppressed`.
 *
 * A line counts only when the kernel wrote it: a shell's history of somebody who searched for these words is
 * in /var/log/messages, too.
 */
import type { KernelLogKind } from "../table/host.ts";

/** What a line says, without its time. */
export interface LogEvent {
  kind: KernelLogKind;
  /**
   * How many messages the line stands for: `last message repeated 5 times` is 5. For `suppressed`: held back.
   */
  messages: number;
  namespaceInode?: number;
  container?: string;
  limitFlows?: number;
}

/** A line taken apart. */
export interface LogLine {
  /** What the kernel wrote. */
  message: string;
  /** Wall clock, milliseconds. */
  atMs?: number;
  uptimeSeconds?: number;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS = 86_400_000;

const month = `(${MONTHS.join("|")})`;
const clockTime = String.raw`(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?`;
const weekday = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
/** `<4>` of a raw ring, `kern  :warn  : ` of dmesg -x. */
const levelPrefix = /^(?:<\d{1,3}>|\w{2,8} *:\w{2,7} *: (?=\[))/;
/** `[   12.345678] ` and what some kernels put behind it: the thread or the processor that wrote. */
const uptimePrefix = /^\[ *(\d{1,12}\.\d{1,9})\] ?(?:\[ *[TC]\d+\] ?)?/;
/** dmesg -T: `[Sat Nov 22 10:00:00 2025] `. */
const humanPrefix = new RegExp(String.raw`^\[${weekday} ${month} +(\d\d?) ${clockTime} (\d{4})\] `);
/**
 * `2025-11-22T10:00:00.123456+00:00 `, also with a blank, a comma, without a zone, after a weekday
 * (short-full).
 */
const isoPrefix = new RegExp(
  String.raw`^(?:${weekday} )?(\d{4})-(\d\d)-(\d\d)[T ]${clockTime} ?(Z|UTC|GMT|[+-]\d\d:?\d\d|[A-Z]{3,5})? `,
);
/** `Nov 22 10:00:00 ` without a year; with one behind it as OpenWrt's logread prints it. */
const syslogPrefix = new RegExp(String.raw`^(?:${weekday} )?${month} +(\d\d?) ${clockTime} (?:(\d{4}) )?`);
/** `host kernel: `, `kern.warn kernel: `, `host kern.warn kernel[0]: `. */
const kernelTag = /^(?:[^\s:[\]]+ ){0,2}kernel(?:\[\d+\])?: ?/;

/**
 * Takes a line apart; undefined when another program than the kernel wrote it. `nowMs` decides the year of
 * times without one (the last such day that is not in the future) and local time is this machine's, as no log
 * tells its own.
 */
export function parseLogLine(line: string, nowMs: number): LogLine | undefined {
  if (line.startsWith("{")) return parseJournalRecord(line);
  const bare = line.replace(levelPrefix, "");
  const wall = wallTime(bare, nowMs);
  let rest = wall === undefined ? bare : bare.slice(wall.length);
  if (wall !== undefined && !wall.bracketed) {
    const own = ofKernel(rest);
    if (own === undefined) return undefined;
    rest = own;
  }
  const uptime = uptimePrefix.exec(rest);
  if (uptime !== null) rest = rest.slice(uptime[0].length);
  // `journalctl -o short-monotonic` names host and program behind the time, a serial console's capture
  // without one.
  const written: LogLine = { message: rest.replace(kernelTag, "") };
  if (wall?.atMs !== undefined) written.atMs = wall.atMs;
  if (uptime !== null) written.uptimeSeconds = Number(uptime[1]);
  return written;
}

/**
 * What follows host and program behind a time of syslog or of `dmesg --time-format iso`; undefined: not the
 * kernel.
 */
function ofKernel(rest: string): string | undefined {
  const tag = kernelTag.exec(rest)?.[0];
  if (tag !== undefined) return rest.slice(tag.length);
  const again = /^(?:\S+ )?(?=last message repeated \d)/.exec(rest)?.[0];
  if (again !== undefined) return rest.slice(again.length);
  return uptimePrefix.test(rest) || kernelWords.test(rest) ? rest : undefined;
}

interface WallTime {
  atMs?: number;
  /** Characters it takes at the beginning of the line. */
  length: number;
  /** In brackets, as dmesg prints it: no host and no tag follow. */
  bracketed: boolean;
}

function wallTime(line: string, nowMs: number): WallTime | undefined {
  const human = humanPrefix.exec(line);
  if (human !== null) {
    const [all, name = "", day, hour, minute, second, fraction, year] = human;
    const date = { year: Number(year), month: MONTHS.indexOf(name), day: Number(day) };
    return wallAt(date, [hour, minute, second, fraction], all.length, true);
  }
  const iso = isoPrefix.exec(line);
  if (iso !== null) {
    const [all, year, monthText, day, hour, minute, second, fraction, zone] = iso;
    const date = { year: Number(year), month: Number(monthText) - 1, day: Number(day) };
    return wallAt(date, [hour, minute, second, fraction], all.length, false, zone);
  }
  const syslog = syslogPrefix.exec(line);
  if (syslog === null) return undefined;
  const [all, name = "", day, hour, minute, second, fraction, stated] = syslog;
  const year = stated === undefined ? new Date(nowMs).getFullYear() : Number(stated);
  const date = { year, month: MONTHS.indexOf(name), day: Number(day) };
  const time = wallAt(date, [hour, minute, second, fraction], all.length, false);
  if (stated !== undefined || time.atMs === undefined || time.atMs <= nowMs + DAY_MS) return time;
  return wallAt({ ...date, year: year - 1 }, [hour, minute, second, fraction], all.length, false);
}

function wallAt(
  date: { year: number; month: number; day: number },
  time: readonly (string | undefined)[],
  length: number,
  bracketed: boolean,
  zone?: string,
): WallTime {
  const [hour = 0, minute = 0, second = 0] = time.slice(0, 3).map(Number);
  const milliseconds = Math.floor(Number(`0.${time[3] ?? "0"}`) * 1000);
  const offset = zoneOffsetMs(zone);
  const { year, month: monthIndex, day } = date;
  const atMs =
    offset === undefined
      ? new Date(year, monthIndex, day, hour, minute, second, milliseconds).getTime()
      : Date.UTC(year, monthIndex, day, hour, minute, second, milliseconds) - offset;
  return Number.isFinite(atMs) ? { atMs, length, bracketed } : { length, bracketed };
}

/** Undefined for local time: no zone, or a name that only its own machine knows. */
function zoneOffsetMs(zone: string | undefined): number | undefined {
  if (zone === "Z" || zone === "UTC" || zone === "GMT") return 0;
  const match = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? "");
  if (match === null) return undefined;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return (match[1] === "-" ? -minutes : minutes) * 60_000;
}

/** One object of `journalctl -o json`. */
function parseJournalRecord(line: string): LogLine | undefined {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof record !== "object" || record === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(record));
  const message = fields.get("MESSAGE");
  const transport = fields.get("_TRANSPORT") ?? "kernel";
  if (typeof message !== "string" || transport !== "kernel") return undefined;
  const written: LogLine = { message };
  const wallUs = Number(fields.get("__REALTIME_TIMESTAMP") ?? Number.NaN);
  const uptimeUs = Number(fields.get("_SOURCE_MONOTONIC_TIMESTAMP") ?? Number.NaN);
  if (Number.isFinite(wallUs)) written.atMs = Math.floor(wallUs / 1000);
  if (Number.isFinite(uptimeUs)) written.uptimeSeconds = uptimeUs / 1e6;
  return written;
}

/** How a message begins that is looked for here. */
const kernelWords = /^(?:nf_conntrack|ip_conntrack|net_ratelimit|__ratelimit|printk|Can't alloc)\b/;

/** The tracker's own words begin a message; more than one prefix since 4.10. */
const ownWords = /^(?:(?:nf|ip)_conntrack: ?)+/;
const repeated = /^(?:last )?message repeated (\d{1,9}) times?(?:: \[ ?(.*)\])?/;
const suppressed = /^(?:net_ratelimit|__ratelimit|printk): (\d{1,15}) (?:callbacks|messages) suppressed/;

/**
 * What a message says of the tracker; undefined when it says nothing of it. `repeated` stands for the line
 * before.
 */
export function classifyMessage(message: string): LogEvent | "repeated" | undefined {
  const held = suppressed.exec(message);
  if (held !== null) return { kind: "suppressed", messages: Number(held[1]) };
  const again = repeated.exec(message);
  if (again !== null) {
    if (again[2] === undefined) return "repeated";
    // rsyslog quotes the message, with its time of the kernel in front.
    const quoted = classifyMessage(again[2].replace(uptimePrefix, ""));
    if (quoted === undefined || quoted === "repeated" || quoted.kind === "suppressed") return undefined;
    return { ...quoted, messages: Number(again[1]) };
  }
  const prefix = ownWords.exec(message)?.[0];
  if (prefix === undefined) return bareWords(message);
  return classifyWords(message.slice(prefix.length));
}

/** How many times `last message repeated N times` says. */
export function repeatsOf(message: string): number {
  return Number(repeated.exec(message)?.[1] ?? 0);
}

/** Messages that carry no prefix of the tracker on some kernels. */
function bareWords(message: string): LogEvent | undefined {
  if (/^Can't alloc(?:ate)? conntrack\b/.test(message)) return { kind: "allocation-failed", messages: 1 };
  return undefined;
}

function classifyWords(words: string): LogEvent | undefined {
  if (words.startsWith("expectation table full")) return { kind: "expectation-table-full", messages: 1 };
  if (/^Can't alloc(?:ate)? conntrack\b/i.test(words)) return { kind: "allocation-failed", messages: 1 };
  if (words.startsWith("falling back to vmalloc")) return { kind: "vmalloc-fallback", messages: 1 };
  const limit = /^maximum limit of (\d{1,10}) entries exceeded/.exec(words);
  if (limit !== null) return { kind: "table-full", messages: 1, limitFlows: Number(limit[1]) };
  const full = /^(?:(?:VPS|VE|CT) (\S{1,64}?):? )?table full(?: in netns (\d{1,15}))?\b/.exec(words);
  if (full === null) return undefined;
  const event: LogEvent = { kind: "table-full", messages: 1 };
  if (full[1] !== undefined) event.container = full[1];
  if (full[2] !== undefined) event.namespaceInode = Number(full[2]);
  return event;
}

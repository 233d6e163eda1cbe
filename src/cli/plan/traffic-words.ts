/**
 * The words of `--from-traffic`: `pageviews=100000/h,connections-per-page=10,hold=120s`. Text in, values out;
 * whatever cannot be meant is a UsageError that says what would do.
 */
import type { Traffic } from "../../plan/plan.ts";
import { parseDuration } from "../../table/duration.ts";
import { formatCount } from "../figures.ts";
import { UsageError } from "../usage-error.ts";

const EXAMPLE = "As in --from-traffic pageviews=100000/h,connections-per-page=10,hold=120s";

const periods: Readonly<Record<string, { seconds: number; text: string }>> = {
  s: { seconds: 1, text: "a second" },
  m: { seconds: 60, text: "a minute" },
  min: { seconds: 60, text: "a minute" },
  h: { seconds: 3600, text: "an hour" },
  d: { seconds: 86_400, text: "a day" },
};

const factors: Readonly<Record<string, number>> = { "": 1, k: 1000, K: 1000, M: 1_000_000 };

/** Words that are the same. */
const others: Readonly<Record<string, string>> = {
  "page-views": "pageviews",
  requests: "pageviews",
  "connections-per-request": "connections-per-page",
};

/** What a rate may be of, for people. */
const rates: Readonly<Record<string, string>> = { pageviews: "page views", connections: "connections" };

export function readTraffic(option: string, text: string): Traffic {
  const words = readWords(option, text);
  const kind = Object.keys(rates).find((name) => words.has(name));
  if (kind === undefined || (words.has("pageviews") && words.has("connections"))) {
    throw wrong(option, text, "wanted one rate, pageviews=N/h or connections=N/s");
  }
  const rate = readRate(option, text, words.get(kind) ?? "", rates[kind] ?? kind);
  const perView = words.get("connections-per-page");
  if (kind === "connections" && perView !== undefined) {
    throw wrong(option, text, "connections-per-page goes with pageviews");
  }
  const protocol = words.get("protocol") ?? "tcp";
  if (protocol !== "tcp" && protocol !== "udp") throw wrong(option, text, "protocol is tcp or udp");
  const hold = words.get("hold");
  return {
    ...rate,
    connectionsPerView: perView === undefined ? 1 : readNumber(option, text, perView),
    ...(hold === undefined ? {} : { holdSeconds: readHold(option, text, hold) }),
    keepaliveSeconds: readHold(option, text, words.get("keepalive") ?? "0"),
    protocol,
  };
}

function readWords(option: string, text: string): Map<string, string> {
  const known = [...Object.keys(rates), "connections-per-page", "hold", "keepalive", "protocol"];
  const words = new Map<string, string>();
  for (const part of text.split(",")) {
    const [, written = "", value = ""] = /^\s*([a-z-]+)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
    const name = others[written] ?? written;
    if (written === "") throw wrong(option, text, `\`${part.trim()}\` is not WORD=VALUE`);
    if (!known.includes(name))
      throw wrong(option, text, `there is no word ${written}; words are ${known.join(", ")}`);
    if (words.has(name)) throw wrong(option, text, `${name} is given twice`);
    words.set(name, value);
  }
  return words;
}

function readRate(
  option: string,
  text: string,
  value: string,
  what: string,
): Pick<Traffic, "viewsPerSecond" | "viewsText" | "viewsWhat"> {
  const [, amount = "", period = ""] = /^([^/]+)\/([a-z]+)$/.exec(value) ?? [];
  const { seconds, text: every } = periods[period] ?? {};
  if (seconds === undefined) throw wrong(option, text, `${value} is no rate such as 100000/h or 30/s`);
  const views = readNumber(option, text, amount);
  const shown = Number.isInteger(views) ? formatCount(views) : String(views);
  return { viewsPerSecond: views / seconds, viewsText: `${shown} ${what} ${every ?? ""}`, viewsWhat: what };
}

function readNumber(option: string, text: string, amount: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKM]?)$/.exec(amount);
  const value = Number(match?.[1]) * (factors[match?.[2] ?? ""] ?? 1);
  if (!(value > 0)) throw wrong(option, text, `${amount} is no number above 0`);
  return value;
}

function readHold(option: string, text: string, value: string): number {
  const seconds = parseDuration(value);
  if (seconds === undefined) throw wrong(option, text, `${value} is no duration such as 120s or 2m`);
  return seconds;
}

function wrong(option: string, text: string, why: string): UsageError {
  return new UsageError(`Cannot use \`${option} ${text}\`: ${why}`, EXAMPLE);
}

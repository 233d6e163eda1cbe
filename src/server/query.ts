/**
 * The query of a URL, read strictly: every parameter has its reader, and one that nobody reads is a mistake.
 */
import * as z from "zod/mini";

import { parseDuration, formatDuration } from "../table/duration.ts";
import { type Filter, FilterError, parseFilter } from "../table/filter.ts";
import { SERIES_NAMES, type SeriesName } from "../table/series.ts";
import { type SettingKey, settingKeyFor, settingOf, type Settings } from "../table/settings.ts";
import { SORT_KEYS, type SortKey } from "./api-deps.ts";
import { ApiProblem } from "./problem.ts";

/** Points of a series, at most and when nobody says. */
const MOST_POINTS = 5000;
const USUAL_POINTS = 600;
/** Flows of a listing. */
const MOST_FLOWS = 1000;
const USUAL_FLOWS = 100;
const LONGEST_FILTER = 2000;
const MOST_SETTINGS = 32;

/** A parameter, for the OpenAPI document. */
export interface Parameter {
  about: string;
  schema: z.ZodMiniType;
  /** May be given several times. */
  several?: true;
  required?: true;
}

const milliseconds = z.int().check(z.nonnegative());

/** All parameters there are, by name. */
export const PARAMETERS = {
  names: {
    about: `Series, with commas between them; by default occupancyFlows,capacityFlows`,
    schema: z.string(),
  },
  from: {
    about:
      "Begin, milliseconds since 1970; by default an hour before `to` (a day for happenings and censuses, " +
      "30 days for incidents)",
    schema: milliseconds,
  },
  to: { about: "End, milliseconds since 1970; by default now", schema: milliseconds },
  points: {
    about: `At most so many points; spans are put together until they fit. ${USUAL_POINTS} by default`,
    schema: z.int().check(z.gte(1), z.lte(MOST_POINTS)),
  },
  namespace: {
    about: "Label of another network namespace; of these there are occupancyFlows and capacityFlows",
    schema: z.string(),
  },
  at: { about: "The last census at or before this instant, milliseconds since 1970", schema: milliseconds },
  filter: {
    about: "As of `headroom list`: state=ESTABLISHED and idle>1h. Empty: all flows. Reads the table anew",
    schema: z.string().check(z.maxLength(LONGEST_FILTER)),
  },
  sort: { about: "The greatest first", schema: z.enum(SORT_KEYS) },
  limit: {
    about: `At most so many flows; ${USUAL_FLOWS} by default`,
    schema: z.int().check(z.gte(1), z.lte(MOST_FLOWS)),
  },
  set: {
    about: "KEY=VALUE, a setting by any of its names; durations as 12h, numbers as 512k",
    schema: z.string(),
    several: true,
    required: true,
  },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof PARAMETERS;

/** The parameters of one request. */
export class Query {
  readonly #search: URLSearchParams;
  readonly #nowMs: number;

  /** Refuses parameters that are not in `known`, and what is given twice but may be given once. */
  constructor(search: URLSearchParams, known: readonly ParameterName[], nowMs: number) {
    this.#search = search;
    this.#nowMs = nowMs;
    for (const name of new Set(search.keys())) {
      if (!(known as readonly string[]).includes(name)) {
        throw unknownParameter(name, known);
      }
      const { several }: Parameter = PARAMETERS[name as ParameterName];
      if (several !== true && search.getAll(name).length > 1) {
        throw new ApiProblem(
          "bad-parameter",
          `Cannot use ${name}: it is given ${search.getAll(name).length} times`,
        );
      }
    }
  }

  /** An instant; undefined when it is not given. */
  atMs(name: "from" | "to" | "at"): number | undefined {
    return this.#whole(name, 0, 8.64e15, "a time in milliseconds since 1970");
  }

  /** From and to, `usualSeconds` up to now where nothing else is said. */
  span(usualSeconds: number): { fromMs: number; toMs: number } {
    const toMs = this.atMs("to") ?? this.#nowMs;
    const fromMs = this.atMs("from") ?? Math.max(0, toMs - usualSeconds * 1000);
    if (fromMs >= toMs) {
      throw new ApiProblem("bad-parameter", `Cannot use from=${fromMs}: it is not before to=${toMs}`);
    }
    return { fromMs, toMs };
  }

  points(): number {
    return this.#whole("points", 1, MOST_POINTS, `a number from 1 to ${MOST_POINTS}`) ?? USUAL_POINTS;
  }

  limit(): number {
    return this.#whole("limit", 1, MOST_FLOWS, `a number from 1 to ${MOST_FLOWS}`) ?? USUAL_FLOWS;
  }

  names(): SeriesName[] {
    const text = this.#search.get("names");
    if (text === null) return ["occupancyFlows", "capacityFlows"];
    const names = [...new Set(text.split(",").map((name) => name.trim()))];
    const unknown = names.find((name) => !(SERIES_NAMES as readonly string[]).includes(name));
    if (unknown !== undefined) {
      throw new ApiProblem("bad-parameter", `Cannot use names: there is no series ${shown(unknown)}`, {
        help: `Series are ${SERIES_NAMES.join(", ")}`,
      });
    }
    return names as SeriesName[];
  }

  namespace(known: readonly string[]): string | undefined {
    const label = this.#search.get("namespace");
    if (label === null || known.includes(label)) return label ?? undefined;
    throw new ApiProblem(
      "bad-parameter",
      `Cannot use namespace=${shown(label)}: there are no samples of it`,
      {
        help: known.length === 0 ? "There are none of any other" : `There are some of ${known.join(", ")}`,
      },
    );
  }

  sort(): SortKey | undefined {
    const text = this.#search.get("sort");
    if (text === null) return undefined;
    if ((SORT_KEYS as readonly string[]).includes(text)) return text as SortKey;
    throw new ApiProblem("bad-parameter", `Cannot use sort=${shown(text)}: flows have no such order`, {
      help: `It is one of ${SORT_KEYS.join(", ")}`,
    });
  }

  /** The filter as it was written and as it is meant; undefined when it is not given. */
  filter(): { text: string; filter: Filter } | undefined {
    const text = this.#search.get("filter");
    if (text === null) return undefined;
    if (text.length > LONGEST_FILTER) {
      const found = `it has ${text.length} characters, and at most ${LONGEST_FILTER} are read`;
      throw new ApiProblem("bad-filter", `Cannot read the filter: ${found}`);
    }
    try {
      return { text, filter: parseFilter(text) };
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      throw filterProblem(error);
    }
  }

  /** What `set` asks for; at least one. */
  settings(): Settings {
    const texts = this.#search.getAll("set");
    if (texts.length === 0 || texts.length > MOST_SETTINGS) {
      const found = texts.length === 0 ? "no setting was given" : `${texts.length} settings were given`;
      throw new ApiProblem("bad-parameter", `Cannot preview that: ${found}`, {
        help: "As in ?set=nf_conntrack_tcp_timeout_established=12h",
      });
    }
    const wanted: Record<string, number> = {};
    for (const text of texts) {
      const { key, value } = readSetting(text);
      if (Object.hasOwn(wanted, key)) {
        throw new ApiProblem("bad-parameter", `Cannot use set=${shown(text)}: ${key} is set twice`);
      }
      wanted[key] = value;
    }
    return wanted;
  }

  #whole(name: ParameterName, least: number, most: number, wanted: string): number | undefined {
    const text = this.#search.get(name);
    if (text === null) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new ApiProblem("bad-parameter", `Cannot use ${name}=${shown(text)}: it is not ${wanted}`);
  }
}

export function unknownParameter(name: string, known: readonly string[]): ApiProblem {
  return new ApiProblem("unknown-parameter", `Cannot use ${shown(name)}: there is no such parameter here`, {
    help: known.length === 0 ? "This path takes none" : `Parameters are ${known.join(", ")}`,
  });
}

/** The first line says what is wrong, the fourth what would do; the place is given by numbers. */
function filterProblem(error: FilterError): ApiProblem {
  const [problem = "", , , help] = error.message.split("\n");
  const said = problem.replaceAll(/\p{C}/gu, "?");
  return new ApiProblem("bad-filter", said.length > 300 ? `${said.slice(0, 300)}...` : said, {
    at: error.at,
    length: error.length,
    ...(help === undefined ? {} : { help }),
  });
}

/** Text of a stranger in a message: short, and without what would break a line. */
export function shown(text: string): string {
  const clean = text.replaceAll(/[^\x20-\x7e]/g, "?");
  return clean.length > 60 ? `${clean.slice(0, 60)}...` : clean;
}

const factors: Readonly<Record<string, number>> = { "": 1, k: 1000, K: 1000, M: 1_000_000 };

/** `KEY=VALUE`. */
function readSetting(text: string): { key: SettingKey; value: number } {
  const [, name = "", value = ""] = /^\s*([^=\s]+)\s*=\s*(\S+)\s*$/.exec(text) ?? [];
  if (name === "") {
    throw new ApiProblem("bad-parameter", `Cannot use set=${shown(text)}: it is not KEY=VALUE`, {
      help: "As in ?set=nf_conntrack_tcp_timeout_established=12h",
    });
  }
  const key = readKey(name);
  const [, digits, factor = ""] = /^(\d+)([kKM]?)$/.exec(value) ?? [];
  const number =
    digits === undefined && settingOf(key).unit === "seconds"
      ? parseDuration(value)
      : Number(digits) * (factors[factor] ?? 1);
  return { key, value: checkedValue(key, number ?? Number.NaN, shown(value)) };
}

/** The setting that is meant, by any of its names; one that can be written. */
export function readKey(name: string): SettingKey {
  const key = settingKeyFor(name) ?? settingKeyFor(`nf_conntrack_${name}`);
  if (key === undefined) {
    throw new ApiProblem("bad-parameter", `Cannot use ${shown(name)}: there is no such setting`, {
      help: "GET /api/v1/settings lists them",
    });
  }
  if (settingOf(key).readOnly === true) {
    throw new ApiProblem("bad-parameter", `Cannot use ${shown(name)}: it is read-only`);
  }
  return key === "hashsize" ? "nf_conntrack_buckets" : key;
}

/** A value the setting can have. */
export function checkedValue(key: SettingKey, value: number, found = String(value)): number {
  const { unit, min, max } = settingOf(key);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const most = unit === "seconds" ? formatDuration(max) : String(max);
  throw new ApiProblem("bad-parameter", `Cannot use ${found} for ${key}: it takes ${min} to ${most}`);
}

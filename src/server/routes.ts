/**
 * Every path of /api/v1 as one row: what it takes, what it answers, what it costs. The router and the OpenAPI
 * document are both made of this table, so neither knows a path that the other does not.
 */
import type * as z from "zod/mini";

import {
  alertJson,
  censusJson,
  forecastJson,
  incidentJson,
  namespacesJson,
  seriesJson,
  settingsJson,
  statusJson,
} from "./answers.ts";
import type { ApiDeps } from "./api-deps.ts";
import {
  alertsSchema,
  censusSchema,
  censusTimesSchema,
  changedSchema,
  changeRequestSchema,
  flowsSchema,
  forecastSchema,
  happeningsSchema,
  incidentSchema,
  incidentsSchema,
  namespacesSchema,
  planSchema,
  seriesSchema,
  settingsSchema,
  statusSchema,
  whatifSchema,
} from "./api-schema.ts";
import { readChange } from "./change-request.ts";
import { ApiProblem, type ProblemCode } from "./problem.ts";
import { type ParameterName, type Query, shown } from "./query.ts";
import type { WhatifAnswers } from "./whatif-answer.ts";

/** Before every path of the table. */
export const API_PREFIX = "/api/v1";

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;

/** A request that got as far as its route. */
export interface Asked {
  query: Query;
  /** Of `{id}` in the path. */
  id: string;
  signal: AbortSignal;
  nowMs: number;
  body: () => Promise<unknown>;
}

export interface RouteDeps extends ApiDeps {
  whatifAnswers: WhatifAnswers;
}

export interface Route {
  method: "GET" | "POST";
  /** After the prefix; `{id}` stands for any segment. */
  path: string;
  summary: string;
  parameters: readonly ParameterName[];
  answer: z.ZodMiniType;
  body?: z.ZodMiniType;
  /** Problems besides those that every path may answer with. */
  problems: readonly ProblemCode[];
  /** Reads the table: `always`, or where a filter is given. */
  costly?: "always" | "with-filter";
  handle(deps: RouteDeps, asked: Asked): object | Promise<object>;
}

const reads: readonly Route[] = [
  {
    method: "GET",
    path: "/status",
    summary: "How it stands: figures, findings, alerts, forecast in one line",
    parameters: [],
    answer: statusSchema,
    problems: [],
    handle: ({ watched, history, version, options, applyChange }, { nowMs }) =>
      statusJson(watched.state(), {
        version,
        nowMs,
        size: history.size(),
        allowChanges: options.allowChanges === true && applyChange !== undefined,
      }),
  },
  {
    method: "GET",
    path: "/series",
    summary: "What was measured, as columns; gaps are null",
    parameters: ["names", "from", "to", "points", "namespace"],
    answer: seriesSchema,
    problems: ["bad-parameter"],
    handle: ({ history }, { query }) => {
      const span = query.span(HOUR_SECONDS);
      const namespace = query.namespace(history.namespaces());
      const [names, points] = [query.names(), query.points()];
      const asked = { names, points, ...span, ...(namespace === undefined ? {} : { namespace }) };
      return seriesJson(history.series(asked), span);
    },
  },
  {
    method: "GET",
    path: "/forecast",
    summary: "When the table will be full, and the band ahead",
    parameters: [],
    answer: forecastSchema,
    problems: ["not-yet-known"],
    handle: ({ watched }) => {
      const { forecast } = watched.state();
      if (forecast === undefined) throw notYet("a forecast", "There is one within a minute of the beginning");
      return forecastJson(forecast);
    },
  },
  {
    method: "GET",
    path: "/census",
    summary: "What fills the table: now, at an instant of the past, or narrowed down by a filter",
    parameters: ["at", "filter"],
    answer: censusSchema,
    problems: ["bad-parameter", "bad-filter", "not-yet-known", "busy"],
    costly: "with-filter",
    handle: async ({ watched, history, census }, { query, signal }) => {
      const [at, filter] = [query.atMs("at"), query.filter()];
      if (at !== undefined && filter !== undefined) {
        throw new ApiProblem(
          "bad-parameter",
          "Cannot use at and filter together: the past was counted as it was",
        );
      }
      if (filter !== undefined)
        return censusJson(await census({ filter: filter.filter, signal }), filter.text);
      const found = at === undefined ? watched.state().census : history.censusAt(at);
      if (found === undefined)
        throw notYet(
          "a census",
          at === undefined
            ? "The first is there some seconds after the beginning"
            : "That is before the first one that is kept",
        );
      return censusJson(found);
    },
  },
  {
    method: "GET",
    path: "/census/times",
    summary: "When censuses were taken that are kept",
    parameters: ["from", "to"],
    answer: censusTimesSchema,
    problems: ["bad-parameter"],
    handle: ({ history }, { query }) => {
      const { fromMs, toMs } = query.span(DAY_SECONDS);
      return { atMs: [...history.censusTimes(fromMs, toMs)] };
    },
  },
  {
    method: "GET",
    path: "/flows",
    summary: "Entries of the table, as `headroom list --json` prints them",
    parameters: ["filter", "sort", "limit"],
    answer: flowsSchema,
    problems: ["bad-parameter", "bad-filter", "busy"],
    costly: "always",
    handle: async ({ flows }, { query, signal }) => {
      const { text, filter } = query.filter() ?? { text: "", filter: { kind: "all" } as const };
      const [sort, limit] = [query.sort(), query.limit()];
      const found = await flows({ filter, limit, signal, ...(sort === undefined ? {} : { sort }) });
      return { ...found, filter: text };
    },
  },
  {
    method: "GET",
    path: "/namespaces",
    summary: "All network namespaces and what they hold",
    parameters: [],
    answer: namespacesSchema,
    problems: [],
    handle: ({ watched }) => namespacesJson(watched.state()),
  },
  {
    method: "GET",
    path: "/settings",
    summary: "Values in force, where they come from, and what is known of each",
    parameters: [],
    answer: settingsSchema,
    problems: [],
    handle: ({ watched }) => settingsJson(watched.state().facts),
  },
];

const remembered: readonly Route[] = [
  {
    method: "GET",
    path: "/happenings",
    summary: "Settings that changed, incidents and notes of the watching, on one time axis",
    parameters: ["from", "to"],
    answer: happeningsSchema,
    problems: ["bad-parameter"],
    handle: ({ history }, { query }) => {
      const { fromMs, toMs } = query.span(DAY_SECONDS);
      return {
        settingChanges: history.settingChanges(fromMs, toMs),
        incidents: history.incidents(fromMs, toMs).map(({ alert }) => alertJson(alert)),
        notes: history.notes(fromMs, toMs),
      };
    },
  },
  {
    method: "GET",
    path: "/alerts",
    summary: "Alerts that are pending or firing, most important first",
    parameters: [],
    answer: alertsSchema,
    problems: [],
    handle: ({ watched }) => ({ alerts: watched.state().alerts.map(alertJson) }),
  },
  {
    method: "GET",
    path: "/incidents",
    summary: "Alerts that fired",
    parameters: ["from", "to"],
    answer: incidentsSchema,
    problems: ["bad-parameter"],
    handle: ({ history }, { query }) => {
      const { fromMs, toMs } = query.span(30 * DAY_SECONDS);
      return { incidents: history.incidents(fromMs, toMs).map(({ alert }) => alertJson(alert)) };
    },
  },
  {
    method: "GET",
    path: "/incidents/{id}",
    summary: "One of them, with what filled the table at that moment",
    parameters: [],
    answer: incidentSchema,
    problems: ["not-found"],
    handle: ({ history }, { id }) => {
      const incident = history.incident(id);
      if (incident === undefined) throw new ApiProblem("not-found", `Cannot find the incident ${shown(id)}`);
      return incidentJson(incident);
    },
  },
  {
    method: "GET",
    path: "/whatif",
    summary: "The table under other settings, from the last two readings of idle ages",
    parameters: ["set"],
    answer: whatifSchema,
    problems: ["bad-parameter", "not-yet-known"],
    handle: ({ watched, whatifAnswers }, { query }) => {
      const wanted = query.settings();
      const state = watched.state();
      if (state.observation === undefined) {
        throw notYet(
          "a preview",
          "Two readings of idle ages are needed: there are some a minute after the beginning",
        );
      }
      return whatifAnswers.of(state, state.observation, wanted);
    },
  },
  {
    method: "GET",
    path: "/plan",
    summary: "Which settings to choose and why, as `headroom plan --json`",
    parameters: [],
    answer: planSchema,
    problems: ["busy"],
    costly: "always",
    handle: ({ plan }, { signal }) => plan(signal),
  },
];

const writes: readonly Route[] = [
  {
    method: "POST",
    path: "/changes",
    summary: "Makes a change that lasts, as `headroom apply`; only where allow_changes is true",
    parameters: [],
    body: changeRequestSchema,
    answer: changedSchema,
    problems: [
      "bad-body",
      "bad-parameter",
      "changes-not-allowed",
      "change-refused",
      "unsupported-media-type",
    ],
    costly: "always",
    handle: async ({ applyChange, options }, { body }) => {
      if (applyChange === undefined || options.allowChanges !== true) {
        throw new ApiProblem("changes-not-allowed", "Cannot make the change: this server only looks", {
          help: "Use headroom apply on the host, or set allow_changes = true in headroom.toml",
        });
      }
      return applyChange(readChange(await body()));
    },
  },
];

export const ROUTES: readonly Route[] = [...reads, ...remembered, ...writes];

function notYet(what: string, help: string): ApiProblem {
  return new ApiProblem("not-yet-known", `Cannot give ${what}: there is none yet`, { help });
}

/**
 * The OpenAPI 3.1 document, made of the table of routes and of the schemas that the answers are held to.
 */
import * as z from "zod/mini";

import { liveSchemas, problemSchema } from "./api-schema.ts";
import { SESSION_COOKIE } from "./guard.ts";
import { PROBLEM_STATUS, type ProblemCode } from "./problem.ts";
import { type Parameter, PARAMETERS } from "./query.ts";
import { API_PREFIX, type Route } from "./routes.ts";

/** What every path may answer with instead. */
const EVERYWHERE: readonly ProblemCode[] = [
  "unknown-parameter",
  "token-missing",
  "token-wrong",
  "not-permitted",
  "origin-refused",
  "host-refused",
  "url-too-long",
  "too-many-requests",
  "internal",
];

type Json = Readonly<Record<string, unknown>>;

/** A plain value for JSON.stringify. */
export function openApiDocument(version: string, routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.1",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: {
      title: "Headroom",
      version,
      summary: "What fills a Linux host's connection-tracking table, and when it will be full",
      description:
        "Times are milliseconds since 1970. What was not seen is absent; gaps in columns are null. Names " +
        "are fixed; others may be added. Requests are limited by client; 429 and 503 say when to ask again.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: API_PREFIX }],
    security: [{}, { token: [] }, { session: [] }, { certificate: [] }],
    paths: { ...paths, "/live": { get: liveOperation() }, "/openapi.json": { get: documentOperation() } },
    components: {
      schemas: {
        Problem: schemaOf(problemSchema),
        ...Object.fromEntries(
          Object.entries(liveSchemas).map(([event, schema]) => [`Live_${event}`, schemaOf(schema)]),
        ),
      },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "Where a token is set" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: SESSION_COOKIE,
          description: "Of a browser in which the token was given at /login",
        },
        certificate: { type: "mutualTLS", description: "Where client certificates are asked for" },
      },
    },
  };
}

function operationOf(route: Route): Json {
  const parameters = route.parameters.map((name) => {
    const { about, schema, several, required }: Parameter = PARAMETERS[name];
    const one = schemaOf(schema);
    return {
      name,
      in: "query",
      required: required === true,
      description: about,
      schema: several === true ? { type: "array", items: one, minItems: 1 } : one,
      ...(several === true ? { style: "form", explode: true } : {}),
    };
  });
  const ids = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const changes = {
    name: "x-headroom",
    in: "header",
    required: true,
    description: "Any value; it proves that no page from elsewhere asks",
    schema: { type: "string" },
  };
  return {
    operationId: idOf(route),
    summary: route.summary,
    parameters: [...ids, ...parameters, ...(route.method === "POST" ? [changes] : [])],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { "application/json": { schema: schemaOf(route.body) } } },
        }),
    responses: {
      "200": {
        description: route.summary,
        content: { "application/json": { schema: schemaOf(route.answer) } },
      },
      ...problemsOf([
        ...EVERYWHERE,
        ...route.problems,
        ...(route.costly === undefined ? [] : (["unavailable", "busy"] as const)),
        ...(route.body === undefined ? [] : (["body-too-large"] as const)),
      ]),
    },
  };
}

/** `getIncidentsById`, `postChanges`. */
function idOf({ method, path }: Route): string {
  const words = path.split("/").flatMap((part) => {
    const name = part.replace(
      /^\{(\w)(\w*)\}$/,
      (_, first: string, rest: string) => `By${first.toUpperCase()}${rest}`,
    );
    return name === "" ? [] : [name.charAt(0).toUpperCase() + name.slice(1)];
  });
  return method.toLowerCase() + words.join("");
}

function problemsOf(codes: readonly ProblemCode[]): Record<string, Json> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    const status = PROBLEM_STATUS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const entries = [...byStatus].toSorted(([left], [right]) => left - right);
  return Object.fromEntries(
    entries.map(([status, found]) => [
      String(status),
      {
        description: found.join(", "),
        content: { "application/json": { schema: { $ref: "#/components/schemas/Problem" } } },
        ...(status === 429 || status === 503
          ? { headers: { "Retry-After": { description: "Seconds to wait", schema: { type: "integer" } } } }
          : {}),
      },
    ]),
  );
}

function liveOperation(): Json {
  const events = Object.keys(liveSchemas);
  const wait = { name: "last-event-id", in: "header", required: false, schema: { type: "string" } };
  return {
    operationId: "getLive",
    summary: "News as Server-Sent Events",
    description:
      `Events are ${events.join(", ")}; the data of each is the schema Live_NAME as JSON. Samples have an ` +
      "id: with Last-Event-ID those that were missed are sent again, up to a minute. A comment is sent " +
      "every 15 s.",
    parameters: [{ ...wait, description: "The id of the last sample; browsers send it by themselves" }],
    responses: {
      "200": { description: "The stream", content: { "text/event-stream": { schema: { type: "string" } } } },
      ...problemsOf([...EVERYWHERE, "busy"]),
    },
  };
}

function documentOperation(): Json {
  return {
    operationId: "getOpenapi",
    summary: "This document",
    responses: {
      "200": { description: "OpenAPI 3.1", content: { "application/json": { schema: { type: "object" } } } },
      ...problemsOf(EVERYWHERE),
    },
  };
}

/** As OpenAPI has it: the dialect is named once, for the whole document. */
function schemaOf(schema: z.ZodMiniType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: "output" });
  return rest;
}

import assert from "node:assert/strict";
import { before, test } from "node:test";
import * as z from "zod";
import { fakeDeps } from "../../test/support/fake-api.ts";
import { type FakeHost, fakeHost } from "../../test/support/fake-watched.ts";
import { ManualClock } from "../base/clock.ts";
import { createApi } from "./api.ts";
import { openApiDocument } from "./openapi.ts";
import { PROBLEM_STATUS } from "./problem.ts";
import { ROUTES } from "./routes.ts";

interface Operation {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: object }[];
  requestBody?: { content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}

interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
  security: Record<string, unknown>[];
}

const clock = new ManualClock(1_795_383_154_000);
const document = openApiDocument("1.2.3", ROUTES) as unknown as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);
let host: FakeHost;

before(() => {
  host = fakeHost(clock, { flows: 500 });
});

test("the document is OpenAPI 3.1 with every route, and with nothing else", () => {
  assert.match(document.openapi, /^3\.1\./);
  assert.equal(document.info.version, "1.2.3");
  const routes = ROUTES.map(({ method, path }) => `${method.toLowerCase()} ${path}`);
  const found = operations.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(found.toSorted(), [...routes, "get /live", "get /openapi.json"].toSorted());
});

test("operations have names of their own and describe their parameters, those of the path too", () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const { path, operation } of operations) {
    assert.match(operation.operationId, /^[a-z][A-Za-z]+$/);
    const { parameters = [] } = operation;
    assert.equal(new Set(parameters.map((one) => `${one.in} ${one.name}`)).size, parameters.length);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    assert.deepEqual(
      parameters.filter((one) => one.in === "path").map(({ name }) => name),
      inPath,
    );
    for (const one of parameters) assert.ok(one.in === "path" ? one.required : one.description !== undefined);
    assert.ok(operation.responses["200"] !== undefined);
  }
});

test("every reference leads somewhere, no schema is empty, and the dialect is named once", () => {
  const text = JSON.stringify(document);
  for (const [, name = ""] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok(Object.hasOwn(document.components.schemas, name), name);
  }
  assert.doesNotMatch(text, /"\$schema"|"schema":\{\}/);
  for (const { name } of document.security.flatMap((one) => Object.keys(one).map((key) => ({ name: key })))) {
    assert.ok(Object.hasOwn(document.components.securitySchemes, name), name);
  }
});

test("every status with which a route may refuse is in the document", () => {
  for (const route of ROUTES) {
    const { responses } = document.paths[route.path]?.[route.method.toLowerCase()] ?? { responses: {} };
    for (const code of [...route.problems, "host-refused", "token-missing", "too-many-requests"] as const) {
      assert.ok(Object.hasOwn(responses, String(PROBLEM_STATUS[code])), `${route.path}: ${code}`);
    }
  }
});

const examples: Readonly<Record<string, string>> = {
  "/incidents/{id}": "/incidents/table-full-1",
  "/whatif": "/whatif?set=nf_conntrack_max=524288",
};

for (const { path, operation } of operations.filter(
  ({ method, path: at }) => method === "get" && at !== "/live",
)) {
  test(`GET ${path} answers as the document says`, async () => {
    clock.advance(60_000);
    const api = createApi(fakeDeps(host, clock));
    const answer = await api.fetch(new Request(`http://127.0.0.1:9466/api/v1${examples[path] ?? path}`));
    const body: unknown = await answer.json();
    const { content = {} } = operation.responses[String(answer.status)] ?? {};
    const schema = content["application/json"]?.schema;
    assert.ok(schema !== undefined);
    assert.equal(
      z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]).safeParse(body).error,
      undefined,
    );
    if (path === "/openapi.json") assert.equal((body as Document).info.title, "Headroom");
  });
}

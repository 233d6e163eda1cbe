/**
 * The HTTP API and the files of the dashboard: what the watcher knows and remembers, for whoever may ask.
 *
 * It refuses to read the system (what does is an argument), to answer where it would be open to everybody,
 * and to change anything unless it was told to allow that. It has no opinion.
 *
 * Invariants: every answer is as its schema says, and the OpenAPI document is made of the same schemas; no
 * client can make the watcher wait or its memory grow; a page from elsewhere can neither read nor change.
 *
 * Read first: routes.ts (the table of paths), api-deps.ts (what it needs), guard.ts (who may ask).
 */
export { type Api, createApi } from "./api.ts";
export type {
  ApiDeps,
  ApiLimits,
  ApiOptions,
  Asset,
  CensusAsked,
  FlowsAsked,
  FlowsFound,
  MetricsText,
  RequestLine,
} from "./api-deps.ts";
export { isLoopback } from "./guard.ts";
export { checkCertificate, listen, type Listening, type ListenOptions, type Tls } from "./listen.ts";
export { ListenError, type ListenErrorCode } from "./listen-error.ts";
export { Metrics, type MetricsOptions } from "./metrics.ts";
export { censusRowsFor } from "./metrics-ranking.ts";
export type { OwnProcess } from "./metrics-family.ts";
export { ApiProblem, type ProblemCode } from "./problem.ts";

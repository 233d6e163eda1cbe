/**
 * What the API needs of whoever runs it. It reads nothing itself: the watcher and the history are given, and
 * so is everything that touches the system.
 */
import type { Clock } from "../base/clock.ts";
import type { Census } from "../census/census.ts";
import type { Filter } from "../table/filter.ts";
import type { Settings } from "../table/settings.ts";
import type { History, Watched } from "../watch/watch.ts";

/** By what flows are ordered, the greatest first. */
export const SORT_KEYS = ["idle", "remaining", "age", "bytes", "packets"] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export interface ApiDeps {
  watched: Watched;
  history: History;
  clock: Clock;
  version: string;
  /** Reads the table once and gives what matches; stops when `signal` says so. Throws ApiProblem. */
  flows: (asked: FlowsAsked) => Promise<FlowsFound>;
  /** Reads the table once and counts what matches. Throws ApiProblem. */
  census: (asked: CensusAsked) => Promise<{ atMs: number; census: Census }>;
  /** What `headroom plan --json` prints. Throws ApiProblem. */
  plan: (signal: AbortSignal) => Promise<object>;
  /** Makes a change as `headroom apply --json` does, and gives what that prints. Throws ApiProblem. */
  applyChange?: (settings: Settings) => Promise<object>;
  /** A built file of the dashboard by its path from the root (`index.html`, `assets/a-1f2e.js`). */
  asset: (path: string) => Asset | undefined;
  /**
   * The text of /metrics for a client with this Accept header, the same object as long as nothing is new;
   * absent: there are none.
   */
  metrics?: (accept: string | undefined) => Promise<MetricsText>;
  log: (line: RequestLine) => void;
  /** Calls again and again until the returned function is called. Left out: as setInterval does. */
  every?: (milliseconds: number, call: () => void) => () => void;
  options: ApiOptions;
}

export interface MetricsText {
  text: string;
  /** The media type, with its version. */
  type: string;
}

export interface FlowsAsked {
  filter: Filter;
  sort?: SortKey;
  limit: number;
  signal: AbortSignal;
}

export interface FlowsFound {
  atMs: number;
  /** As lines of `headroom list --json`. */
  flows: readonly object[];
  lookedAtFlows: number;
  matchedFlows: number;
  /** The whole table was read. */
  complete: boolean;
}

export interface CensusAsked {
  filter: Filter;
  signal: AbortSignal;
}

export interface Asset {
  bytes: Uint8Array<ArrayBuffer>;
  /** The media type, with its charset. */
  type: string;
  /** Of the content; with quotation marks. */
  etag: string;
  /** The name has a hash of the content: it never changes. */
  immutable: boolean;
}

export interface ApiOptions {
  /** Whoever asks must know it. Absent: no token is asked for. */
  token?: string;
  /** Only clients with a certificate get as far as here: listen() asks for one. */
  clientCertificates?: boolean;
  /** Where it listens; decides which Host headers are answered. */
  listen: { address: string; port: number };
  /** It is reached by https: by TLS of its own, or of a proxy before it. */
  secure?: boolean;
  /** Names by which this host is called besides its address, with or without a port. */
  allowedHosts?: readonly string[];
  /** Origins whose pages may read the API, as `https://example.org`. None by default. */
  allowedOrigins?: readonly string[];
  /** POST /api/v1/changes is there. */
  allowChanges?: boolean;
  limits?: Partial<ApiLimits>;
}

/** What the API bears. Each is there so that a client cannot make the watcher fall behind. */
export interface ApiLimits {
  /** Requests of one client: so many a second on the long run, so many at once. */
  requestsPerSecond: number;
  requestsAtOnce: number;
  /** The same for what reads the table. */
  costlyPerSecond: number;
  costlyAtOnce: number;
  /** Readings that wait for the one that is made. */
  costlyWaiting: number;
  /** Wrong tokens of one client, per minute. */
  wrongTokensPerMinute: number;
  liveClients: number;
  /** What may wait for a client of /live before it is cut off. */
  liveQueueBytes: number;
  bodyBytes: number;
  urlBytes: number;
}

export const DEFAULT_LIMITS: ApiLimits = {
  requestsPerSecond: 30,
  requestsAtOnce: 120,
  costlyPerSecond: 1,
  costlyAtOnce: 6,
  costlyWaiting: 4,
  wrongTokensPerMinute: 10,
  liveClients: 64,
  liveQueueBytes: 256 * 1024,
  bodyBytes: 64 * 1024,
  urlBytes: 8 * 1024,
};

/** Who asks, as the connection tells. */
export interface Peer {
  address: string;
  /** Its certificate was verified. */
  certified?: boolean;
  /** Ends the connection at once, whatever is under way. */
  cut?: () => void;
}

/** One request, for the log. */
export interface RequestLine {
  method: string;
  /** With its query; a token in it is left out. */
  path: string;
  status: number;
  milliseconds: number;
  /** Of the answer's body; absent where it is not known. */
  bytes?: number;
  remote: string;
  /** What went wrong inside. */
  error?: string;
}

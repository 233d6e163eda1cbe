/** What the API needs, made of a host that is made up. */
import type { Clock } from "../../src/base/clock.ts";
import type { ApiDeps, ApiOptions, RequestLine } from "../../src/server/server.ts";
import type { FakeHost } from "./fake-watched.ts";

export interface FakeDeps extends ApiDeps {
  /** What was logged. */
  lines: RequestLine[];
}

/** Deps without files of a dashboard; flows, censuses and plans are of the host that is made up. */
export function fakeDeps(host: FakeHost, clock: Clock, options: Partial<ApiOptions> = {}): FakeDeps {
  const lines: RequestLine[] = [];
  return {
    watched: host.watched,
    history: host.history,
    clock,
    version: "0.0.0-made-up",
    flows: async ({ filter, sort, limit }) => host.flows(filter, sort, limit),
    census: async ({ filter }) => host.census(filter),
    plan: async () => ({
      schema: "headroom/plan/v1",
      settings: [
        {
          key: "nf_conntrack_tcp_timeout_established",
          from: 432_000,
          to: 86_400,
          reason: "101,000 flows; 1d saves 40,100 flows (23 % of the table)",
        },
        {
          key: "nf_conntrack_buckets",
          from: 65_536,
          to: 262_144,
          reason: "1 flow a bucket when the table is full",
        },
      ],
      capacityFlows: 262_144,
      bucketCount: 262_144,
      notes: [],
    }),
    applyChange: async (settings) => ({ schema: "headroom/apply/v1", outcome: "applied", settings }),
    asset: () => undefined,
    metrics: async () => ({ text: "headroom_up 1\n", type: "text/plain; version=0.0.4; charset=utf-8" }),
    log: (line) => lines.push(line),
    options: { listen: { address: "127.0.0.1", port: 0 }, ...options },
    lines,
  };
}

/**
 * headroom.toml as a schema: every option with its default, written as people write it. deploy/headroom.toml
 * is the same with comments; a test holds the two together.
 */
import * as z from "zod/mini";

import { alertsSchema } from "../alerts/alerts-options-schema.ts";
import { countOption, durationOption, listenOption, shareOption, sizeOption } from "./option-values.ts";

const DAY = 86_400;
const KIB = 1024;
const MIB = KIB ** 2;
const TIB = KIB ** 4;

const watchSection = z.strictObject({
  /** Of one core, all that watching may cost. */
  cpu_budget: z.prefault(
    shareOption("a share of one core from 0.1% to 100%", { least: 0.001, most: 1 }),
    "1%",
  ),
  /** Between two counts of flows by kind, at the least and at the most; and flows of a count. */
  census_interval: z.prefault(durationOption("a duration from 5s to 1h", { least: 5, most: 3600 }), "10s"),
  census_longest_interval: z.prefault(
    durationOption("a duration from 30s to 1d", { least: 30, most: DAY }),
    "10m",
  ),
  census_flows: z.prefault(countOption(1000, 10_000_000), 20_000),
  /** Listen to flow events, of a share of the flows. */
  events: z.prefault(z.boolean(), true),
  /** Follow the kernel log. */
  kernel_log: z.prefault(z.boolean(), true),
  /** Count the flows of all network namespaces. */
  namespaces: z.prefault(z.boolean(), true),
  /** The namespace whose table is watched; empty: the own one. */
  namespace: z.prefault(z.string(), ""),
});

function keepOption(standard: string) {
  const option = durationOption("a duration from 1h to 3650d", { least: 3600, most: 3650 * DAY });
  return z.prefault(option, standard);
}

const historySection = z.strictObject({
  /** Empty: /var/lib/headroom/history as root, else under the home directory. */
  directory: z.prefault(z.string(), ""),
  /** Seconds, and what is put together of them: of 10 and of 60 seconds. */
  keep_seconds: keepOption("2d"),
  keep_10s: keepOption("30d"),
  keep_60s: keepOption("400d"),
  max_size: z.prefault(sizeOption("a size from 32M on", { least: 32 * MIB, most: TIB }), "256M"),
});

const forecastSection = z.strictObject({
  enabled: z.prefault(z.boolean(), true),
  horizon: z.prefault(durationOption("a duration from 1h to 28d", { least: 3600, most: 28 * DAY }), "7d"),
});

const serverSection = z.strictObject({
  listen: z.prefault(listenOption, "127.0.0.1:9466"),
  token_file: z.prefault(z.string(), ""),
  tls_certificate: z.prefault(z.string(), ""),
  tls_key: z.prefault(z.string(), ""),
  client_ca: z.prefault(z.string(), ""),
  allowed_hosts: z.prefault(z.array(z.string()), []),
  cors_origins: z.prefault(z.array(z.string()), []),
  allow_changes: z.prefault(z.boolean(), false),
  max_request_size: z.prefault(sizeOption("a size from 1K to 16M", { least: KIB, most: 16 * MIB }), "64K"),
  requests_per_second: z.prefault(countOption(1, 100_000), 30),
  live_clients: z.prefault(countOption(1, 10_000), 64),
});

const metricsSection = z.strictObject({
  top: z.prefault(countOption(0, 100), 10),
  node_exporter_names: z.prefault(z.boolean(), false),
});

const logSection = z.strictObject({
  level: z.prefault(z.enum(["debug", "info", "warn", "error"]), "info"),
  format: z.prefault(z.enum(["auto", "text", "json"]), "auto"),
});

/** What a file may say. Sections and options that are not there have their defaults. */
export const configurationSchema = z.strictObject({
  watch: z.prefault(watchSection, {}),
  history: z.prefault(historySection, {}),
  forecast: z.prefault(forecastSection, {}),
  alerts: z.prefault(alertsSchema, {}),
  server: z.prefault(serverSection, {}),
  metrics: z.prefault(metricsSection, {}),
  log: z.prefault(logSection, {}),
});

/** The options as they are meant: seconds, bytes, shares of 1. Names are those of the file. */
export type Configuration = z.infer<typeof configurationSchema>;

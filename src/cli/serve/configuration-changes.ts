/**
 * What another version of the file changes, by the names of its options: what is taken over while `serve`
 * runs, and what waits for a restart.
 */
import type { Configuration } from "./configuration-schema.ts";

/** Sections and options that can change while it runs. */
const IN_PLACE = [
  "log.level",
  "alerts",
  "metrics.node_exporter_names",
  "server.token_file",
  "server.allowed_hosts",
  "server.cors_origins",
  "server.allow_changes",
  "server.max_request_size",
  "server.requests_per_second",
  "server.live_clients",
] as const;

export interface ConfigurationChanges {
  inPlace: readonly string[];
  afterRestart: readonly string[];
}

export function changesBetween(before: Configuration, after: Configuration): ConfigurationChanges {
  const names = changedNames(before, after, "");
  return {
    inPlace: names.filter(isInPlace),
    afterRestart: names.filter((name) => !isInPlace(name)),
  };
}

/** Options that are taken over come from the new file, all others from the one that is in force. */
export function withInPlace(before: Configuration, after: Configuration): Configuration {
  return taken(before, after, "") as Configuration;
}

function taken(before: unknown, after: unknown, name: string): unknown {
  if (isInPlace(name)) return after;
  if (!isTable(before) || !isTable(after)) return before;
  return Object.fromEntries(
    Object.entries(before).map(([key, value]) => [key, taken(value, after[key], inside(name, key))]),
  );
}

/** `server.listen`; at the top the name of a section. */
function inside(name: string, key: string): string {
  return name === "" ? key : `${name}.${key}`;
}

function isInPlace(name: string): boolean {
  return IN_PLACE.some((place) => name === place || name.startsWith(`${place}.`));
}

function changedNames(before: unknown, after: unknown, name: string): string[] {
  if (!isTable(before) || !isTable(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [name];
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => changedNames(before[key], after[key], inside(name, key)));
}

/** An address is a value, though it has parts. */
function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("port" in value);
}

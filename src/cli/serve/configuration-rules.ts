/**
 * What options of headroom.toml must be to each other: each may be right by itself, and the file still cannot
 * be meant. Pure; what the files it names are is looked at elsewhere.
 */
import { isLoopback } from "../../server/server.ts";
import { formatDuration } from "../../table/duration.ts";
import type { ReceiverOptions } from "../alerts/alerts-options-schema.ts";
import { formatShare } from "../figures.ts";
import type { Configuration } from "./configuration-schema.ts";
import type { KeyPath } from "./toml-places.ts";

/** A mistake, and the options it is about: its place is that of the first one that is written. */
export interface BrokenRule {
  paths: readonly KeyPath[];
  text: string;
}

/** The options, and the receivers as they stand in the file; undefined: one that has mistakes of its own. */
export interface WrittenOptions {
  configuration: Configuration;
  receivers: readonly (ReceiverOptions | undefined)[];
}

export function brokenRules(written: WrittenOptions): readonly BrokenRule[] {
  const { configuration, receivers } = written;
  return [
    ...brokenThresholds(configuration),
    ...twiceNamed(receivers),
    ...brokenTls(configuration),
    ...openToAll(configuration),
    ...namedPaths(written).flatMap(relativePath),
  ];
}

function brokenThresholds({ alerts }: Configuration): BrokenRule[] {
  const broken: BrokenRule[] = [];
  for (const code of ["near-full", "namespace-near-full"] as const) {
    const { warning, critical, hysteresis } = alerts[code];
    const name = `alerts.${code}`;
    const [asWarning, asCritical] = [formatShare(warning), formatShare(critical)];
    if (warning >= critical) {
      const order = `${name}.warning (${asWarning}) is not below critical (${asCritical})`;
      const text = `${order}: it would never come first`;
      broken.push({ paths: pathsOf(code, "warning", "critical"), text });
    }
    if (hysteresis >= warning) {
      const order = `${name}.hysteresis (${formatShare(hysteresis)}) is not below warning (${asWarning})`;
      const text = `${order}: what began would never be over`;
      broken.push({ paths: pathsOf(code, "hysteresis", "warning"), text });
    }
  }
  const { warning, critical } = alerts.filling;
  if (warning <= critical) {
    const [asWarning, asCritical] = [formatDuration(warning), formatDuration(critical)];
    const order = `alerts.filling.warning (${asWarning}) is not longer than critical (${asCritical})`;
    const text = `${order}: it would never come first`;
    broken.push({ paths: pathsOf("filling", "warning", "critical"), text });
  }
  return broken;
}

function pathsOf(code: string, ...names: readonly string[]): KeyPath[] {
  return names.map((name) => ["alerts", code, name]);
}

function twiceNamed(receivers: WrittenOptions["receivers"]): BrokenRule[] {
  const names = new Set<string>();
  return receivers.flatMap((receiver, index) => {
    if (receiver === undefined) return [];
    const { name } = receiver;
    if (!names.has(name)) {
      names.add(name);
      return [];
    }
    const text = `there are two receivers named ${JSON.stringify(name)}`;
    return [{ paths: [["alerts", "receivers", index, "name"]], text }];
  });
}

/** The option that is there, and what it needs. */
function brokenPair(hasCertificate: boolean, hasKey: boolean): [named: string, missing: string] {
  if (hasCertificate) return ["tls_certificate", "tls_key"];
  if (hasKey) return ["tls_key", "tls_certificate"];
  return ["client_ca", "tls_certificate and tls_key"];
}

function brokenTls({ server }: Configuration): BrokenRule[] {
  const { tls_certificate: certificate, tls_key: key, client_ca: authority } = server;
  if ((certificate === "") === (key === "") && (certificate !== "" || authority === "")) return [];
  const [named, missing] = brokenPair(certificate !== "", key !== "");
  return [{ paths: [["server", named]], text: `server.${named} needs ${missing} as well` }];
}

/** The same that a server refuses when it starts; here it is a mistake of the file. */
function openToAll({ server }: Configuration): BrokenRule[] {
  const { host } = server.listen;
  if (isLoopback(host) || server.token_file !== "" || server.client_ca !== "") return [];
  const text =
    `server.listen is ${host}, where whoever reaches it could read who talks to whom: ` +
    "give it a token_file or a client_ca, or listen on 127.0.0.1";
  return [{ paths: [["server", "listen"]], text }];
}

/** A file, a directory or a program that an option names. */
export interface NamedPath {
  path: KeyPath;
  named: string;
  is: "file" | "directory" | "program";
}

/** Everything that is named and could be missing. */
export function namedPaths({ configuration, receivers }: WrittenOptions): readonly NamedPath[] {
  const { server, history } = configuration;
  const named: NamedPath[] = [{ path: ["history", "directory"], named: history.directory, is: "directory" }];
  for (const name of ["token_file", "tls_certificate", "tls_key", "client_ca"] as const) {
    named.push({ path: ["server", name], named: server[name], is: "file" });
  }
  for (const [index, receiver] of receivers.entries()) {
    for (const one of receiver === undefined ? [] : pathsOfReceiver(receiver)) {
      named.push({ ...one, path: ["alerts", "receivers", index, ...one.path] });
    }
  }
  return named.filter((one) => one.named !== "");
}

function pathsOfReceiver(receiver: ReceiverOptions): NamedPath[] {
  switch (receiver.kind) {
    case "command":
      return [{ path: ["command"], named: receiver.command[0] ?? "", is: "program" }];
    case "mail":
      return [{ path: ["sendmail"], named: receiver.sendmail, is: "program" }];
    case "webhook":
      return [{ path: ["secret_file"], named: receiver.secret_file, is: "file" }, ...tlsPaths(receiver)];
    case "alertmanager":
      return tlsPaths(receiver);
  }
}

function tlsPaths(receiver: { ca: string; certificate: string; key: string }): NamedPath[] {
  const names = ["ca", "certificate", "key"] as const;
  return names.map((name) => ({ path: [name], named: receiver[name], is: "file" }));
}

/** Where it would be depends on who starts it: systemd does so in /. A program may be found by its name. */
function relativePath({ path, named, is }: NamedPath): BrokenRule[] {
  if (named.startsWith("/") || (is === "program" && !named.includes("/"))) return [];
  return [
    {
      paths: [path],
      text: `${optionName(path)} cannot be ${JSON.stringify(named)}: wanted a path from / on`,
    },
  ];
}

/** `server.listen`, `alerts.receivers[0].url`. */
export function optionName(path: KeyPath): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");
}

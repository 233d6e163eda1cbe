/** The real `headroom serve`, watching the router: started, asked each second, and its alerts heard. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

import type { StatusJson } from "../src/server/api-schema.ts";
import { ROUTER } from "./lab.ts";
import type { Ledger } from "./ledger.ts";

const HEADROOM = fileURLToPath(new URL("../bin/headroom", import.meta.url));
const USUAL_PORT = 9466;
const MORE_PORTS = 10;

/** An alert as the receiver got it. */
export interface Heard {
  kind: string;
  level: string;
  code: string;
  title: string;
}

/**
 * All as it comes, but quicker: the story has seconds where a host has minutes. The receiver writes what it
 * is told to a file, which the story reads.
 */
function configurationText(alertsFile: string): string {
  const words = ["KIND", "LEVEL", "CODE", "TITLE"].map((name) => `"$HEADROOM_ALERT_${name}"`).join(" ");
  const receiver = ["sh", "-c", `printf '%s\\t%s\\t%s\\t%s\\n' ${words} >>"$0"`, alertsFile];
  return `[watch]
cpu_budget = "10%"
census_interval = "5s"

[alerts]
cooldown = "0s"
near-full = { for = "2s", clear = "4s" }
filling = { for = "3s", clear = "4s" }
table-full = { clear = "4s" }
one-source-hoards = { for = "5s", clear = "4s" }

[[alerts.receivers]]
name = "terminal"
kind = "command"
command = ${JSON.stringify(receiver)}
`;
}

export class Watching {
  /** Of the dashboard, with a slash at its end. */
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #alertsFile: string;
  readonly #logFile: string;
  #alertsRead = 0;

  constructor(child: ChildProcess, files: { alerts: string; log: string }, url: string) {
    this.#child = child;
    this.#alertsFile = files.alerts;
    this.#logFile = files.log;
    this.url = url;
  }

  /** How it stands. Throws when it has ended, with what it said last. */
  async status(): Promise<StatusJson> {
    return (await this.ask("status")) as StatusJson;
  }

  /** Something of the API. */
  async ask(path: string): Promise<unknown> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(`headroom serve has ended; it said last: ${lastLine(this.#logFile)}`);
    }
    const answer = await fetch(`${this.url}api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) throw new Error(`headroom serve answered ${answer.status} to ${path}`);
    return answer.json();
  }

  /** Alerts that came since the last call. */
  newAlerts(): readonly Heard[] {
    const text = readFileSync(this.#alertsFile, "utf8");
    const lines = text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .slice(0, -1);
    const fresh = lines.slice(this.#alertsRead);
    this.#alertsRead = lines.length;
    return fresh.map((line) => {
      const [kind = "", level = "", code = "", title = ""] = line.split("\t");
      return { kind, level, code, title };
    });
  }
}

/** Starts it; `port` 0 takes any. */
export async function startWatching(
  ledger: Ledger,
  directory: string,
  port: number | undefined,
): Promise<Watching> {
  const files = { alerts: `${directory}/alerts`, log: `${directory}/serve.log` };
  const configuration = `${directory}/headroom.toml`;
  writeFileSync(files.alerts, "");
  writeFileSync(configuration, configurationText(files.alerts));
  const listen = `127.0.0.1:${port ?? (await freePort())}`;
  const words = ["--config", configuration, "--state", `${directory}/history`, "--listen", listen];
  const child = spawn(HEADROOM, ["serve", "--json", "--netns", ROUTER, ...words], {
    detached: true,
    stdio: ["ignore", "pipe", openSync(files.log, "w")],
  });
  if (child.pid !== undefined) ledger.note("process", child.pid, directory);
  return new Watching(child, files, await urlOf(child, files.log));
}

function urlOf(child: ChildProcess, logFile: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (out.includes("\n")) resolve((JSON.parse(out) as { url: string }).url);
    });
    child.on("error", reject);
    child.on("close", () => reject(new Error(`headroom serve did not start: ${lastLine(logFile)}`)));
  });
}

/** Its last words; they may be JSON or text. */
function lastLine(logFile: string): string {
  const line = readFileSync(logFile, "utf8").trim().split("\n").at(-1) ?? "";
  return line === "" ? "nothing" : line;
}

/** Flows in the tables of this host's namespaces, by what people call them. */
export async function occupancies(): Promise<ReadonlyMap<string, number>> {
  // It ends with 1, 2 or 3 where it has found something; what it says is the same.
  const out = await new Promise<string>((resolve) => {
    execFile(HEADROOM, ["check", "--all-netns", "--json"], (_, text) => resolve(text));
  });
  const { namespaces = [] } = JSON.parse(out) as {
    namespaces?: { initial: boolean; inode: number; name?: string; occupancyFlows?: number }[];
  };
  return new Map(
    namespaces.map(({ initial, inode, name, occupancyFlows = 0 }) => [
      initial ? "This host" : `The namespace ${name ?? inode}`,
      occupancyFlows,
    ]),
  );
}

/** Runs another command of Headroom and gives what it printed. Throws with its error where it fails. */
export function headroom(words: readonly string[]): Promise<string> {
  return run(HEADROOM, words);
}

/**
 * The same for a command that writes below /var/lib/headroom: receipts of a demo are no business of this
 * host, so /var/lib is another, empty one for it.
 */
export function headroomAside(words: readonly string[]): Promise<string> {
  const script = 'mount -t tmpfs -o mode=0755 headroom-demo /var/lib && exec "$@"';
  return run("unshare", ["--mount", "sh", "-c", script, "sh", HEADROOM, ...words]);
}

function run(program: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, words, { maxBuffer: 1 << 26 }, (error, out, errors) => {
      if (error === null) resolve(out);
      else reject(new Error(`headroom ${words.slice(-6).join(" ")}: ${errors.trim() || out.trim()}`));
    });
  });
}

/** The usual port, else the next that nobody listens on, else any. */
async function freePort(): Promise<number> {
  for (let port = USUAL_PORT; port < USUAL_PORT + MORE_PORTS; port += 1) if (await isFree(port)) return port;
  return 0;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

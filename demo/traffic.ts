/** Who talks through the router: nginx and a name server on one side, visitors and a hoarder on the other. */
import { type ChildProcess, execFile, execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import {
  CLIENT,
  HOARDER_ADDRESS,
  NEWCOMER_ADDRESS,
  SERVER,
  SERVER_ADDRESS,
  startIn,
  visitorAddresses,
} from "./lab.ts";

/** What the hoarder asks; visitors use 80. */
const JOBS_PORT = 8080;

export interface Visits {
  pages: number;
  failed: number;
}

/** Starts nginx, the name server and the visitors; `heard` gets what the visitors say each second. */
export function startTraffic(directory: string, heard: (visits: Visits) => void): void {
  startNginx(directory);
  startProgram(SERVER, "names");
  const visitors = startProgram(CLIENT, "visitors", SERVER_ADDRESS, visitorAddresses().join(","));
  if (visitors.stdout === null) return;
  createInterface({ input: visitors.stdout }).on("line", (line) => heard(JSON.parse(line) as Visits));
}

/** Starts the client that never closes. */
export function startHoarder(connectionsPerSecond: number): void {
  startProgram(CLIENT, "hoarder", SERVER_ADDRESS, `${JOBS_PORT}`, HOARDER_ADDRESS, `${connectionsPerSecond}`);
}

function startProgram(namespace: string, name: string, ...words: string[]): ChildProcess {
  const file = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  return startIn(namespace, process.execPath, "--disable-warning=ExperimentalWarning", file, ...words);
}

function startNginx(directory: string): void {
  const own = `${directory}/nginx`;
  mkdirSync(own);
  writeFileSync(`${own}/nginx.conf`, nginxText(own));
  const words = ["-p", own, "-e", `${own}/error.log`, "-c", `${own}/nginx.conf`];
  execFileSync("ip", ["netns", "exec", SERVER, "nginx", ...words], { stdio: ["ignore", "ignore", "pipe"] });
}

/** A server that keeps idle connections for an hour, as many do behind a balancer. */
function nginxText(own: string): string {
  const bodies = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${own}/${kind};`)
    .join("\n");
  return `worker_processes 1;
worker_rlimit_nofile 50000;
pid ${own}/nginx.pid;
events { worker_connections 45000; }
http {
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000;
${bodies}
  server {
    listen 80 backlog=4096;
    listen ${JOBS_PORT} backlog=4096;
    default_type text/plain;
    location / { return 200 "Hello\\n"; }
  }
}
`;
}

export interface Answer {
  /** Milliseconds; absent when there was none in time. */
  ms?: number;
  words: string;
}

/** What the newcomer types. */
export const NEWCOMER_COMMAND = `curl --max-time 3 http://${SERVER_ADDRESS}/`;

/** Asks for a page with curl: as somebody who comes new, through the router. */
export function askAsNewcomer(): Promise<Answer> {
  return curl(CLIENT, "--interface", NEWCOMER_ADDRESS);
}

/** The same on the server's own side of the router. */
export function askBesideServer(): Promise<Answer> {
  return curl(SERVER);
}

function curl(namespace: string, ...more: string[]): Promise<Answer> {
  const words = ["-sS", "-o", "/dev/null", "-w", "%{time_total}", "--max-time", "3", ...more];
  return new Promise((resolve) => {
    execFile(
      "ip",
      ["netns", "exec", namespace, "curl", ...words, `http://${SERVER_ADDRESS}/`],
      (error, out, errors) => {
        if (error === null) resolve({ ms: Number(out) * 1000, words: "" });
        else resolve({ words: errors.trim().split("\n").at(-1) ?? "" });
      },
    );
  });
}

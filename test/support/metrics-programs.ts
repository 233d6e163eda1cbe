/** Programs around /metrics, started on free ports of this host and ended with whoever started them. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";

import { startServe as serve, until } from "./served.ts";

/** A program that answers over HTTP. */
export interface Answering {
  /** Without a slash at its end. */
  url: string;
  pid: number;
  /** Standard error so far. */
  said(): string;
  stop(): Promise<void>;
}

/** Why a program cannot be started; false when it can. */
export function missing(...programs: readonly string[]): string | false {
  const gone = programs.find((program) => spawnSync(program, ["--version"]).error !== undefined);
  return gone === undefined ? false : `${gone} is not installed`;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts `headroom serve` and waits until it listens. */
export async function startServe(words: readonly string[]): Promise<Answering> {
  const started = await serve(words);
  return { ...started, url: started.url.replace(/\/$/, ""), stop: async () => void (await started.end()) };
}

/** Starts Debian's node_exporter with everything it collects by itself, and waits until it answers. */
export async function startNodeExporter(): Promise<Answering> {
  const port = await freePort();
  const child = spawn("prometheus-node-exporter", [`--web.listen-address=127.0.0.1:${port}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const program = answering(child, `http://127.0.0.1:${port}`);
  await until("node_exporter answers", async () => (await fetch(program.url)).ok);
  return program;
}

/** Starts Debian's Prometheus in a directory and waits until it is ready. */
export async function startPrometheus(directory: string, file: string): Promise<Answering> {
  const port = await freePort();
  const child = spawn(
    "prometheus",
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"], cwd: directory },
  );
  const program = answering(child, `http://127.0.0.1:${port}`);
  await until("Prometheus is ready", async () => (await fetch(`${program.url}/-/ready`)).ok);
  return program;
}

function answering(child: ChildProcess, url: string): Answering {
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const last = (): void => void child.kill("SIGKILL");
  process.once("exit", last);
  return {
    url,
    pid: child.pid ?? 0,
    said: () => errors,
    stop: async () => {
      process.off("exit", last);
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(late);
    },
  };
}

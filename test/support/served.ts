/**
 * The real `headroom serve` as a process: started, asked over HTTP as the dashboard does, ended or killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import * as z from "zod/mini";

import { serveSchema } from "../../src/cli/serve/serve-schema.ts";

export const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));

const children = new Set<ChildProcess>();
process.on("exit", killServed);

/** Ends what still runs: for `after` of a test file, which would wait for it otherwise. */
export function killServed(): void {
  for (const child of children) child.kill("SIGKILL");
}

export interface Served {
  child: ChildProcess;
  pid: number;
  /** Where it listens; it ends with a slash. */
  url: string;
  /** Standard error so far. */
  said(): string;
  /** An answer of /api/v1. Throws when it is not 200. */
  get(path: string): Promise<Record<string, unknown>>;
  /** Sends a signal and waits for the end; gives the exit code, null after a signal that killed. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface ServeAs {
  /** The words before `headroom`, which is their last argument: `setpriv ...`. */
  as?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/**
 * Starts it on a free port, or where `words` say, and waits until it listens; rejects with what it said when
 * it ends before.
 */
export async function startServe(words: readonly string[], { as = [], env }: ServeAs = {}): Promise<Served> {
  const line = [...as, headroom, "serve", "--json", "--listen", "127.0.0.1:0", ...words];
  const child = spawn(line[0] as string, line.slice(1), {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  children.add(child);
  let [out, errors] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  child.stdout.setEncoding("utf8");
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      children.delete(child);
      resolve(code);
    });
  });
  const listening = new Promise<void>((resolve) => {
    child.stdout.on("data", (text: string) => {
      out += text;
      if (out.includes("\n")) resolve();
    });
  });
  const code = await Promise.race([listening, ended]);
  if (!out.includes("\n")) throw new Error(`headroom serve ended with ${String(code)}: ${errors}`);
  const { url } = z.parse(serveSchema, JSON.parse(out));
  return {
    child,
    pid: child.pid as number,
    url,
    said: () => errors,
    get: async (path) => {
      const answer = await fetch(`${url}api/v1/${path}`);
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`${path} was answered by ${answer.status}: ${text}`);
      return JSON.parse(text) as Record<string, unknown>;
    },
    end: (signal = "SIGTERM") => {
      child.kill(signal);
      return ended;
    },
  };
}

/** proc(5): VmRSS, which is in kB of 1024 bytes. */
export function residentBytes(pid: number): number {
  const [, kibibytes = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}

/**
 * Sockets that a process has open. Other descriptors come and go with the namespaces of the host, which are
 * watched too.
 */
export function socketsOf(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  const isSocket = (name: string): boolean => {
    try {
      return readlinkSync(`${directory}/${name}`).startsWith("socket:");
    } catch {
      // It was closed meanwhile.
      return false;
    }
  };
  return readdirSync(directory).filter(isSocket).length;
}

/** Waits until something is so, half a minute at most; a question that fails is asked again. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  let refused: unknown;
  for (let tries = 0; tries < 300; tries += 1) {
    try {
      if (await isSo()) return;
    } catch (error) {
      refused = error;
    }
    await sleep(100);
  }
  throw new Error(`Waited in vain until ${what}`, { cause: refused });
}

/** A client of /api/v1/live that reads what comes. */
export interface LivePage {
  /** What came, by kind. */
  events: string[];
  /** When the samples are from that came. */
  samplesAtMs: number[];
  stop(): void;
}

export async function hearLive(url: string): Promise<LivePage> {
  const aborting = new AbortController();
  const answer = await fetch(`${url}api/v1/live`, { signal: aborting.signal });
  const page: LivePage = { events: [], samplesAtMs: [], stop: () => aborting.abort() };
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const [, kind] = /^event: (.+)$/m.exec(event) ?? [];
        const [, id] = /^id: (\d+)$/m.exec(event) ?? [];
        if (kind !== undefined) page.events.push(kind);
        if (id !== undefined) page.samplesAtMs.push(Number(id));
      }
    }
  };
  // It ends when the other side does.
  read().catch(() => undefined);
  return page;
}

/**
 * The real `headroom serve` for tests: started, asked, ended. What is left of it when a test dies is killed
 * with the process.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import * as z from "zod/mini";

import { serveSchema } from "../../src/cli/serve/serve-schema.ts";

export const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));

const children = new Set<ChildProcess>();
const killAll = (): void => {
  for (const child of children) child.kill("SIGKILL");
};
after(killAll);
process.on("exit", killAll);

export interface RealServe {
  child: ChildProcess;
  /** Where it listens; it ends with a slash. */
  url: string;
  /** Standard error so far. */
  said(): string;
  /** The exit code; null when a signal ended it. */
  ended: Promise<number | null>;
}

export interface StartOptions {
  env?: NodeJS.ProcessEnv;
  /** The words before `headroom`; it is their last arguments. */
  as?: readonly string[];
}

/** Starts it on a free port and waits until it listens; rejects with what it said when it ends before. */
export function startServe(words: readonly string[], options: StartOptions = {}): Promise<RealServe> {
  const [program = headroom, ...before] = options.as ?? [];
  const line = options.as === undefined ? [] : [...before, headroom];
  const child = spawn(program, [...line, "serve", "--json", "--listen", "127.0.0.1:0", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  children.add(child);
  let [out, errors] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", (code) => {
      children.delete(child);
      resolve(code);
    });
  });
  return new Promise<RealServe>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (!out.includes("\n")) return;
      const { url } = z.parse(serveSchema, JSON.parse(out));
      resolve({ child, url, said: () => errors, ended });
    });
    void ended.then((code) => reject(new Error(`ended with ${code}: ${errors}`)));
  });
}

/** Ends it, and gives its exit code. */
export async function stopServe(
  { child, ended }: RealServe,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<number | null> {
  child.kill(signal);
  return ended;
}

/** What a path of the API answers; it must be 200. */
export async function getApi(url: string, path: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}api/v1/${path}`);
  assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
  return (await answer.json()) as Record<string, unknown>;
}

/** Waits for it, 30 s at most. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await isSo()) return;
    await sleep(100);
  }
  assert.fail(`waited in vain until ${what}`);
}

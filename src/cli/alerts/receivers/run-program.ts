/** Runs a program with text on its standard input, within a time, without a shell. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";

import { plainLine } from "../../../watch/watch.ts";
import { ReceiverError } from "./receiver.ts";

export interface ProgramRun {
  program: string;
  programArguments: readonly string[];
  input: string;
  environment: Readonly<Record<string, string>>;
  timeoutSeconds: number;
  signal: AbortSignal;
}

/** Of what it prints, so much is kept. */
const OUTPUT_MAX = 4096;
/** Waited at most for what a program that has ended said. */
const LAST_WORDS_MS = 250;
const ENDINGS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such program",
  ENOTDIR: "there is no such program",
  EACCES: "it may not be run",
};

/** What it printed, both streams. Throws ReceiverError unless it ends with 0 in time. */
export async function runProgram(run: ProgramRun): Promise<string> {
  const { program, timeoutSeconds, signal, input } = run;
  const child = begun(run);
  return new Promise<string>((resolve, reject) => {
    let [output, ending]: [string, "time" | "stop" | undefined] = ["", undefined];
    const end = (why: "time" | "stop"): void => {
      ending ??= why;
      killGroup(child.pid);
    };
    const timer = setTimeout(() => end("time"), timeoutSeconds * 1000);
    const stop = (): void => end("stop");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    };
    for (const stream of [child.stdout, child.stderr]) {
      const decoder = new TextDecoder();
      stream.on("data", (chunk: Uint8Array) => {
        if (output.length < OUTPUT_MAX) output += decoder.decode(chunk, { stream: true });
      });
    }
    // A program that does not read its input is none the worse for it.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (cause: NodeJS.ErrnoException) => {
      settle();
      reject(notRun(program, cause));
    });
    // What it left running may hold the pipes open: `exit`, not `close`, says that it is done. What it said
    // last may still be on its way then.
    child.on("exit", (code, killedBy) => {
      settle();
      let isOver = false;
      const finish = (): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(lastWords);
        const said = plainLine(output.slice(0, OUTPUT_MAX), 500);
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
        if (ending === undefined && code === 0) resolve(said);
        else reject(endedBadly({ program, timeoutSeconds }, { ending, code, killedBy, said }));
      };
      const lastWords = setTimeout(finish, LAST_WORDS_MS);
      child.once("close", finish);
    });
  });
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Throws ReceiverError for what is refused at once; the rest comes as an `error` of the child. */
function begun({ program, programArguments, environment }: ProgramRun): Child {
  try {
    // A group of its own: what it starts ends with it when the time is over.
    const child: ChildProcess = spawn(program, programArguments, {
      env: environment,
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    if (hasPipes(child)) return child;
    // Without a file left there is no pipe; that this is so comes as an `error` nobody waits for any more.
    child.on("error", () => {});
    throw new Error("too many files are open");
  } catch (cause) {
    throw notRun(program, cause as NodeJS.ErrnoException);
  }
}

function hasPipes(child: ChildProcess): child is ChildProcess & Child {
  return [child.stdin, child.stdout, child.stderr].every((stream) => stream !== null && stream !== undefined);
}

function notRun(program: string, cause: NodeJS.ErrnoException): ReceiverError {
  const why = ENDINGS[cause.code ?? ""] ?? cause.message;
  return new ReceiverError("not-usable", `Cannot run ${program}: ${why}`, undefined, cause);
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

interface Ending {
  ending: "time" | "stop" | undefined;
  code: number | null;
  killedBy: string | null;
  said: string;
}

function endedBadly(
  { program, timeoutSeconds }: Pick<ProgramRun, "program" | "timeoutSeconds">,
  { ending, code, killedBy, said }: Ending,
): ReceiverError {
  if (ending === "stop") return new ReceiverError("stopped", `Stopped ${program}`);
  if (ending === "time") {
    return new ReceiverError("timed-out", `${program} was stopped: not done within ${timeoutSeconds} s`);
  }
  const how = code === null ? `was ended by ${killedBy ?? "a signal"}` : `ended with ${code}`;
  return new ReceiverError("failing", `${program} ${how}${said === "" ? "" : `: ${said}`}`);
}

/**
 * A command run for somebody who asks over HTTP: what it would print with `--json` is the answer, and what
 * it says beside that is why there is none. Thus both ways check and do exactly the same.
 */
import type { Context } from "../context.ts";
import type { ExitCode } from "../exit-code.ts";
import type { Sink, Terminal } from "../terminal.ts";

export interface Captured {
  code: ExitCode;
  /** The last line of standard output; absent when there was none. */
  answer?: object;
  /** Standard error, without the name of the program. */
  said: string;
}

/** Runs the command with a terminal that keeps what it is given. Throws what the command throws. */
export async function captured(
  context: Context,
  signal: AbortSignal,
  run: (context: Context) => Promise<ExitCode>,
): Promise<Captured> {
  const [out, errors] = [new TextSink(), new TextSink()];
  const terminal: Terminal = {
    ...context.terminal,
    stdout: out,
    stderr: errors,
    stdoutIsTerminal: false,
    stderrIsTerminal: false,
    interruption: () => signal,
  };
  const code = await run({ ...context, terminal });
  const line = out.text.trimEnd().split("\n").at(-1) ?? "";
  const said = errors.text.replaceAll(/^headroom: /gm, "").trim();
  return { code, said, ...(line === "" ? {} : { answer: JSON.parse(line) as object }) };
}

class TextSink implements Sink {
  text = "";
  readonly #decoder = new TextDecoder();

  write(chunk: string | Uint8Array): void {
    this.text += typeof chunk === "string" ? chunk : this.#decoder.decode(chunk, { stream: true });
  }
}

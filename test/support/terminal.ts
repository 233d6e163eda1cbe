/**
 * A terminal that keeps what is written to it, for code that is handed one. It can be as inconvenient as a
 * real one: the reader of its output may leave early, and ^C may come at any moment.
 */
import type { Terminal } from "../../src/cli/terminal.ts";
import { ReaderGone } from "../../src/cli/terminal.ts";

export interface FakeTerminalOptions {
  columns?: number;
  isTerminal?: boolean;
  environment?: Readonly<Record<string, string>>;
  /** The reader leaves when so many characters have come. */
  readerLeavesAfter?: number;
}

export class FakeTerminal implements Terminal {
  out = "";
  err = "";
  readonly stdoutIsTerminal: boolean;
  readonly stderrIsTerminal: boolean;
  readonly columns: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly runtime = "v0.0.0";
  readonly #leavesAfter: number;
  readonly #interruption = new AbortController();

  constructor(options: FakeTerminalOptions = {}) {
    this.stdoutIsTerminal = options.isTerminal ?? false;
    this.stderrIsTerminal = options.isTerminal ?? false;
    this.columns = options.columns ?? 80;
    this.environment = options.environment ?? {};
    this.#leavesAfter = options.readerLeavesAfter ?? Infinity;
  }

  readonly stdout = {
    write: (chunk: string | Uint8Array): void => {
      if (this.out.length >= this.#leavesAfter) throw new ReaderGone("Nobody reads the output any more");
      this.out += text(chunk);
    },
  };

  readonly stderr = {
    write: (chunk: string | Uint8Array): void => {
      this.err += text(chunk);
    },
  };

  interruption(): AbortSignal {
    return this.#interruption.signal;
  }

  /** What ^C does. */
  interrupt(): void {
    this.#interruption.abort();
  }
}

function text(chunk: string | Uint8Array): string {
  return typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk);
}

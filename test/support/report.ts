/**
 * What a test run says: progress as it happens, failures where they happen, and at the end every skipped test
 * with its reason and one closing line that a program can read. It counts; it decides nothing else.
 */
import { inspect } from "node:util";

/**
 * The part of node:test's events that a report needs; `error` is text already, so that it can cross
 * processes.
 */
export interface TestEvent {
  readonly kind: "pass" | "fail" | "late-error";
  readonly name: string;
  readonly file: string;
  readonly line?: number;
  readonly suite?: boolean;
  readonly skip?: string;
  readonly todo?: string;
  readonly error?: string;
  readonly durationMs?: number;
}

/** What node:test emits, as far as `toTestEvent` looks at it. */
export interface RawEvent {
  readonly type: string;
  readonly data: {
    readonly name?: string;
    readonly file?: string;
    readonly line?: number;
    readonly nesting?: number;
    readonly skip?: string | boolean;
    readonly todo?: string | boolean;
    readonly message?: string;
    readonly details?: { readonly type?: string; readonly error?: unknown; readonly duration_ms?: number };
  };
}

/** Reduces an event of node:test to what is reported; nothing for the events that only repeat. */
export function toTestEvent(raw: RawEvent): TestEvent | undefined {
  const { type, data } = raw;
  const where = { name: data.name ?? "", file: data.file ?? "", ...optional("line", data.line) };
  if (type === "test:diagnostic" && data.message?.startsWith("Error:") === true) {
    return { kind: "late-error", ...where, error: data.message };
  }
  if (type !== "test:pass" && type !== "test:fail") return undefined;
  return {
    kind: type === "test:pass" ? "pass" : "fail",
    ...where,
    ...optional("durationMs", data.nesting === 0 ? data.details?.duration_ms : undefined),
    ...optional("suite", data.details?.type === "suite" ? true : undefined),
    ...optional("skip", reason(data.skip)),
    ...optional("todo", reason(data.todo)),
    ...optional("error", type === "test:fail" ? errorText(data.details?.error) : undefined),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}

function reason(given: string | boolean | undefined): string | undefined {
  if (given === undefined || given === false) return undefined;
  return given === true || given === "" ? "no reason given" : given;
}

/** The error a test threw, without the wrapper of node:test and without the frames of Node itself. */
function errorText(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
  return text
    .split("\n")
    .filter((line) => !/^\s+at .*(node:internal|node:async_hooks|\(node:)/.test(line))
    .join("\n");
}

interface Named {
  readonly file: string;
  readonly name: string;
  readonly why: string;
}

/** From here on the time a file took is shown: the quick gate has twenty seconds for all. */
const SLOW_FILE_MS = 1000;

export class Report {
  readonly #say: (line: string) => void;
  readonly #root: string;
  readonly #skipped: Named[] = [];
  readonly #failed: Named[] = [];
  #passed = 0;
  #file = "";
  #inFile = { passed: 0, failed: 0, skipped: 0, durationMs: 0 };

  /** Lines go to `say`; paths are shown from `root` on. */
  constructor(say: (line: string) => void, root: string) {
    this.#say = say;
    this.#root = root;
  }

  /** One check that is not a test: formatting, lint, types. Its output is shown when it failed. */
  gate(name: string, passed: boolean, output: string): void {
    this.#endFile();
    this.#say(`${passed ? "ok  " : "FAIL"} ${name}`);
    if (passed) this.#passed += 1;
    else {
      this.#failed.push({ file: name, name, why: output });
      this.#say(indent(output));
    }
  }

  /** Whole files that were not run, and why. */
  skipFiles(files: readonly string[], why: string): void {
    this.#endFile();
    for (const file of files) this.#skipped.push({ file: this.#shown(file), name: "all tests", why });
  }

  /** Something outside of any test went wrong: a test process that died, a file that did not load. */
  fail(file: string, name: string, why: string): void {
    this.#failed.push({ file: this.#shown(file), name, why });
    this.#inFile.failed += 1;
    this.#say(`FAIL ${this.#shown(file)}: ${name}\n${indent(why)}`);
  }

  event(event: TestEvent): void {
    const file = this.#shown(event.file);
    if (file !== this.#file) {
      this.#endFile();
      this.#file = file;
    }
    this.#inFile.durationMs += event.durationMs ?? 0;
    if (event.kind === "late-error") return this.fail(file, "after a test ended", event.error ?? "");
    if (event.kind === "fail") {
      // A suite fails because a test in it failed, and that one has been counted.
      if (event.suite !== true) this.fail(place(file, event.line), event.name, event.error ?? "");
      return;
    }
    if (event.suite === true) return;
    if (event.name === event.file) return this.fail(file, "the file has no tests", "remove it or write them");
    const why = event.skip ?? (event.todo === undefined ? undefined : `to do: ${event.todo}`);
    if (why === undefined) {
      this.#passed += 1;
      this.#inFile.passed += 1;
    } else {
      this.#skipped.push({ file, name: event.name, why });
      this.#inFile.skipped += 1;
    }
  }

  /** Ends the report. The last line is always `N passed, N failed, N skipped`; true when nothing failed. */
  close(): boolean {
    this.#endFile();
    if (this.#skipped.length > 0) {
      this.#say("\nskipped:");
      for (const { file, name, why } of this.#skipped) this.#say(`  ${file}: ${name} (${why})`);
    }
    if (this.#failed.length > 0) {
      this.#say("\nfailed:");
      for (const { file, name } of this.#failed)
        this.#say(file === name ? `  ${name}` : `  ${file}: ${name}`);
    }
    if (this.#passed + this.#failed.length === 0)
      this.#say("\nNothing was executed, which counts as a failure.");
    this.#say("");
    this.#say(`${this.#passed} passed, ${this.#failed.length} failed, ${this.#skipped.length} skipped`);
    return this.#failed.length === 0 && this.#passed > 0;
  }

  #endFile(): void {
    if (this.#file === "") return;
    const { passed, failed, skipped, durationMs } = this.#inFile;
    const parts = [`${passed} passed`];
    if (failed > 0) parts.push(`${failed} failed`);
    if (skipped > 0) parts.push(`${skipped} skipped`);
    const took = durationMs >= SLOW_FILE_MS ? `  (${(durationMs / 1000).toFixed(1)} s)` : "";
    this.#say(`${failed > 0 ? "FAIL" : "ok  "} ${this.#file}: ${parts.join(", ")}${took}`);
    this.#file = "";
    this.#inFile = { passed: 0, failed: 0, skipped: 0, durationMs: 0 };
  }

  #shown(file: string): string {
    return file.startsWith(this.#root) ? file.slice(this.#root.length) : file;
  }
}

function place(file: string, line: number | undefined): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** More of one failure than this helps nobody. */
const FAILURE_LINES_MAX = 80;

function indent(text: string): string {
  const lines = text.trimEnd().split("\n");
  const more = lines.length - FAILURE_LINES_MAX;
  const shown = more > 0 ? [...lines.slice(0, FAILURE_LINES_MAX), `... and ${more} lines more`] : lines;
  return shown.map((line) => `     ${line}`).join("\n");
}

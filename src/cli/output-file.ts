/**
 * A file that a command writes what it was asked for into, or standard output. What was in the file before
 * stays until there is something to write.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, statSync } from "node:fs";
import { getSystemErrorMessage } from "node:util";

import { descriptorSink, type Sink } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

/** A file that could not be opened for writing; `code` is the system's name of the error. */
export class OutputError extends Error {
  override name = "OutputError";
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export class OutputFile implements Sink {
  readonly #sink: Sink;
  /** Absent of standard output. */
  readonly #descriptor: number | undefined;
  #isEmptied = false;

  constructor(sink: Sink, descriptor?: number) {
    this.#sink = sink;
    this.#descriptor = descriptor;
  }

  write(chunk: string | Uint8Array): void {
    this.#empty();
    this.#sink.write(chunk);
  }

  /** Nothing more will be written. A file that got nothing is empty then. */
  end(): void {
    this.#empty();
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }

  #empty(): void {
    if (this.#isEmptied || this.#descriptor === undefined) return;
    this.#isEmptied = true;
    if (fstatSync(this.#descriptor).isFile()) ftruncateSync(this.#descriptor);
  }
}

/**
 * Opens `path`, or takes `standardOutput` for `-`. `what` is what will be written, for errors; `source` is
 * the file that is read meanwhile, which is never written into. Throws OutputError and UsageError.
 */
export function openOutput(path: string, what: string, source: string, standardOutput: Sink): OutputFile {
  if (path === "-") return new OutputFile(standardOutput);
  if (isSameFile(path, source)) {
    throw new UsageError(`Cannot write the ${what} into ${path}: it is what is being read`);
  }
  try {
    const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o666);
    return new OutputFile(descriptorSink(descriptor), descriptor);
  } catch (cause) {
    const { code = "EIO", errno = -5 } = cause as NodeJS.ErrnoException;
    throw new OutputError(
      code,
      `Cannot write the ${what} into ${path}: ${getSystemErrorMessage(errno)} (${code})`,
      cause,
    );
  }
}

function isSameFile(path: string, other: string): boolean {
  const [one, two] = [path, other].map((name) => statSync(name, { throwIfNoEntry: false }));
  return one?.isFile() === true && one.ino === two?.ino && one.dev === two.dev;
}

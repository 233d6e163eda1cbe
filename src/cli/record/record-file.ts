/**
 * The file that a record goes to. It always ends with a whole block: when a write fails half way, what was
 * written of it is cut off again. Only its owner may read it: it says who talks to whom.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  writeSync,
} from "node:fs";
import { getSystemErrorMessage } from "node:util";

import { OutputError } from "../output-file.ts";

const OWNER_ONLY = 0o600;

export class RecordFile {
  readonly #path: string;
  readonly #descriptor: number;
  /** A pipe or a device is not cut and not synced. */
  readonly #isFile: boolean;
  #wholeBytes = 0;

  /** Opens and empties it. Throws OutputError. */
  constructor(path: string) {
    this.#path = path;
    try {
      const { O_WRONLY, O_CREAT, O_NOCTTY } = constants;
      this.#descriptor = openSync(path, O_WRONLY | O_CREAT | O_NOCTTY, OWNER_ONLY);
      this.#isFile = fstatSync(this.#descriptor).isFile();
      if (!this.#isFile) return;
      fchmodSync(this.#descriptor, OWNER_ONLY);
      ftruncateSync(this.#descriptor);
    } catch (cause) {
      throw writeError(path, cause);
    }
  }

  /** Whole blocks. Throws OutputError; the file then ends with the block before them. */
  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at);
    } catch (cause) {
      if (this.#isFile) ftruncateSync(this.#descriptor, this.#wholeBytes);
      throw writeError(this.#path, cause);
    }
    this.#wholeBytes += bytes.length;
  }

  /** Nothing more comes: on disk before anybody hears that it is done. */
  end(): void {
    if (this.#isFile) fsyncSync(this.#descriptor);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function writeError(path: string, cause: unknown): OutputError {
  const { code = "EIO", errno = -5 } = cause as NodeJS.ErrnoException;
  const why = `${getSystemErrorMessage(errno)} (${code})`;
  return new OutputError(code, `Cannot write the record to ${path}: ${why}`, cause);
}

/**
 * Streams that keep what is written to them, for code that is handed its output streams. They look like a
 * terminal or like a file, whichever the test needs, and can be as inconvenient as a real one.
 */
import { Readable, Writable } from "node:stream";

export interface FakeOutputOptions {
  /** Columns of the terminal this pretends to be. Absent: not a terminal. */
  readonly columns?: number;
  /** Fails every write with this `code`, as a closed pipe (EPIPE) or a full disk (ENOSPC) does. */
  readonly failWith?: string;
}

/** A writable stream that keeps its text. */
export class FakeOutput extends Writable {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly #failWith: string | undefined;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(options: FakeOutputOptions = {}) {
    super();
    this.isTTY = options.columns !== undefined;
    this.columns = options.columns;
    this.#failWith = options.failWith;
  }

  /** Everything written so far. */
  get text(): string {
    return this.#text;
  }

  /** The same by lines, without the empty piece after the last newline. */
  get lines(): readonly string[] {
    return this.#text === "" ? [] : this.#text.replace(/\n$/, "").split("\n");
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    if (this.#failWith !== undefined) {
      done(Object.assign(new Error(`write ${this.#failWith}`), { code: this.#failWith }));
      return;
    }
    this.#text += this.#decoder.decode(chunk, { stream: true });
    done();
  }
}

/** A readable stream of bytes that arrive in pieces of `pieceBytes`, so that every boundary can be hit. */
export function inPieces(bytes: Uint8Array, pieceBytes: number): Readable {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return Readable.from(pieces, { objectMode: false });
}

/** Every way to cut `bytes` in two: for parsers that must not care where a read ended. */
export function* everySplit(bytes: Uint8Array): Generator<readonly [Uint8Array, Uint8Array]> {
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

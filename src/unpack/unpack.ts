/**
 * The door of src/unpack: gzip and zstd, unpacked as a stream in constant memory, recognised by content. What
 * comes before the place where the data is broken or cut off is given; what to make of the rest is the
 * caller's choice.
 *
 * It waits, which the readers of the bytes do not: node:zlib has no stream that does not.
 */
import type { Transform, TransformOptions } from "node:stream";
import { joined } from "../base/bytes.ts";

export type Compression = "gzip" | "zstd";

/** First bytes that tell packed from plain. */
export const MAGIC_BYTES = 4;

/** Packed bytes unpacked at once: bounds what a bomb (1:1032 for gzip) can make of them before it is read. */
const PACKED_BYTES = 16_384;

/** What the reader of unpacked bytes wants to know besides them. */
export interface PackedNotes {
  onCompression(compression: Compression): void;
  /**
   * The data was broken or ended too early. What came before it was given; `hasOutput` is false when that was
   * not one byte. It may throw, and the loop over the bytes then does.
   */
  onBroken(error: Error, hasOutput: boolean): void;
}

/** How an input that begins with `head` is packed; undefined when it is not. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return "zstd";
  return undefined;
}

/** The bytes themselves, or what is packed in them. Errors of `bytes` pass through. */
export async function* unpacked(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  notes: PackedNotes,
): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0);
  let unpacker: Unpacker | undefined;
  try {
    for await (const chunk of bytes) {
      let part = chunk;
      if (head !== undefined) {
        head = part = joined(head, chunk);
        if (head.length < MAGIC_BYTES) continue;
        unpacker = await openUnpacker(head, notes);
        head = undefined;
      }
      if (unpacker === undefined) yield part;
      else yield* unpacker.write(part);
      if (unpacker?.broken !== undefined) break;
    }
    if (head !== undefined) yield head;
    if (unpacker !== undefined) yield* unpacker.end();
  } finally {
    unpacker?.close();
  }
  if (unpacker?.broken !== undefined) notes.onBroken(unpacker.broken, unpacker.hasOutput);
}

/** Opens what unpacks an input that begins with `head`. node:zlib is loaded here: few readings need it. */
async function openUnpacker(head: Uint8Array, notes: PackedNotes): Promise<Unpacker | undefined> {
  const compression = compressionOf(head);
  if (compression === undefined) return undefined;
  notes.onCompression(compression);
  const zlib = await import("node:zlib");
  // Without a high-water mark every write is answered in full; its answer is read before the next one.
  const options: TransformOptions = { readableHighWaterMark: Number.MAX_SAFE_INTEGER };
  return new Unpacker(
    compression === "gzip"
      ? zlib.createGunzip(options as object)
      : zlib.createZstdDecompress(options as object),
  );
}

/** A stream of node:zlib as question and answer. */
class Unpacker {
  broken: Error | undefined;
  hasOutput = false;
  readonly #stream: Transform;
  /** Ends the present waiting: a stream that breaks does not answer any more. */
  #wake: () => void = () => {};

  constructor(stream: Transform) {
    this.#stream = stream;
    stream.on("error", (error) => {
      this.broken = error;
      this.#wake();
    });
  }

  /** Takes packed bytes; gives what could be unpacked since. */
  async *write(packed: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < packed.length && this.broken === undefined; at += PACKED_BYTES) {
      const part = packed.slice(at, at + PACKED_BYTES);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#stream.write(part, () => resolve());
      });
      yield* this.#read();
    }
  }

  /** Says that there is no more; only then is a missing end noticed. */
  async *end(): AsyncGenerator<Uint8Array> {
    if (this.broken !== undefined) return;
    const parts: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.on("readable", () => parts.push(...this.#read()));
      this.#stream.once("end", resolve);
      this.#stream.end();
    });
    yield* parts;
  }

  close(): void {
    this.#stream.destroy();
  }

  *#read(): Generator<Uint8Array> {
    for (let part = this.#take(); part !== null; part = this.#take()) {
      this.hasOutput = true;
      yield part;
    }
  }

  #take(): Uint8Array | null {
    return this.#stream.read() as Uint8Array | null;
  }
}

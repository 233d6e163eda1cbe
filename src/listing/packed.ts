/**
 * gzip and zstd, unpacked as a stream in constant memory. What comes before the place where the data is
 * broken or cut off is used; when that is nothing at all, it is an error.
 *
 * Besides the door, only this file waits: node:zlib has no stream that does not.
 */
import type { Transform, TransformOptions } from "node:stream";
import { joined } from "./chunks.ts";
import { ListingError } from "./listing-error.ts";

export type Compression = "gzip" | "zstd";

/** First bytes that tell packed from plain. */
export const MAGIC_BYTES = 4;

/** Packed bytes unpacked at once: bounds what a bomb (1:1032 for gzip) can make of them before it is read. */
const PACKED_BYTES = 16_384;

/** What the reader of unpacked bytes wants to know besides them. */
export interface PackedNotes {
  /** Where the bytes come from, for the error. */
  origin: string;
  onCompression(compression: Compression): void;
  /** The data was broken or ended too early; what came before it was given. */
  onBroken(): void;
}

/** How an input that begins with `head` is packed; undefined when it is not. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return "zstd";
  return undefined;
}

/**
 * The bytes themselves, or what is packed in them.
 * @throws {ListingError} `compressed-broken` when not one byte could be unpacked.
 */
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
  if (unpacker?.broken === undefined) return;
  if (!unpacker.hasOutput) {
    const found = `packed data that cannot be unpacked (${unpacker.broken.message})`;
    throw new ListingError("compressed-broken", notes.origin, found, "copy the file again", unpacker.broken);
  }
  notes.onBroken();
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

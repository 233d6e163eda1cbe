/**
 * Telling a record of flow events from a capture of packets by its link type, before anything is run: a file
 * is looked into and opened again, of a pipe what was looked at is given once more.
 */
import { fstatSync } from "node:fs";

import { CaptureParser } from "../../packet/packet.ts";
import { unpacked } from "../../unpack/unpack.ts";
import type { Context } from "../context.ts";

/** LINKTYPE_NETLINK: a record, or a capture of an nlmon interface. */
const LINK_TYPE_NETLINK = 253;
/** A capture whose first packet is further in is not looked at any longer. */
const LOOKED_AT_BYTES = 4 * 1024 * 1024;

type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Input {
  isRecord: boolean;
  /** All bytes, for who reads here; absent where the path can be opened as if nobody had looked. */
  bytes?: AsyncIterable<Uint8Array>;
}

/** Looks into `path`, or standard input for `-`. What is no capture is left to who reads it to refuse. */
export async function lookInto(
  context: Context,
  path: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<Input> {
  const { deps } = context;
  const { openBytes } = await deps.kernel();
  if (path !== "-") return { isRecord: await isRecord(openBytes(path), path) };
  if (fstatSync(0).isFile()) return { isRecord: await isRecord(openBytes("/dev/stdin"), "standard input") };
  const source = deps.standardInput?.(signal) ?? openBytes("-");
  const tee = new Tee(source);
  return { isRecord: await isRecord(tee.looked(), "standard input"), bytes: tee.all() };
}

/** All bytes of a path that nobody has looked into, or of what was looked at. */
export async function bytesOf(context: Context, path: string, { bytes }: Input): Promise<Pieces> {
  return bytes ?? (await context.deps.kernel()).openBytes(path);
}

async function isRecord(pieces: Pieces, origin: string): Promise<boolean> {
  let found: number | undefined;
  let lookedAtBytes = 0;
  const sink = {
    record: (_bytes: Uint8Array, _at: number, _captured: number, facts: { linkType: number }): boolean => {
      found ??= facts.linkType;
      return true;
    },
  };
  const parser = new CaptureParser(sink, origin);
  try {
    const notes = { origin, onCompression: () => {}, onBroken: () => {} };
    for await (const piece of unpacked(pieces, notes)) {
      parser.push(piece);
      lookedAtBytes += piece.length;
      // Of an empty record the interface is all there is.
      found ??= parser.summary()?.interfaces[0]?.linkType;
      if (found !== undefined || parser.isBroken || lookedAtBytes > LOOKED_AT_BYTES) break;
    }
  } catch (error) {
    // Whoever reads it says what is wrong.
    if (!(error instanceof Error && "code" in error)) throw error;
  }
  return found === LINK_TYPE_NETLINK;
}

/** A pipe of which the beginning is read twice. */
class Tee {
  readonly #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #kept: Uint8Array[] = [];
  #isDone = false;

  constructor(source: Pieces) {
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** What comes first, and is kept; stopping early leaves the rest. */
  async *looked(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let piece = await this.#next(); piece !== undefined; piece = await this.#next()) {
      // The source may use its bytes again.
      this.#kept.push(piece.slice());
      yield piece;
    }
  }

  async *all(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#kept;
    for (let piece = await this.#next(); piece !== undefined; piece = await this.#next()) yield piece;
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#isDone) return undefined;
    const next = await this.#iterator.next();
    if (next.done !== true) return next.value;
    this.#isDone = true;
    return undefined;
  }
}

/**
 * Answers packed for the way: what of the dashboard never changes is packed once and kept, JSON as it comes.
 */
import { brotliCompress, constants, gzip } from "node:zlib";

import type { Asset } from "./api-deps.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Packing = "br" | "gzip";

/** Less is not worth it. */
const LEAST_BYTES = 1400;
/** Metrics repeat themselves so much that the least effort packs them to a tenth. */
const TEXT_LEVEL = 1;
/** Packed files that are kept; a dashboard has some tens. */
const MOST_KEPT = 200;

/** The packing that a client takes and that packs best; undefined: as it is. */
export function packingOf(acceptEncoding: string | null, offered: readonly Packing[]): Packing | undefined {
  const taken = new Set(
    (acceptEncoding ?? "").split(",").flatMap((part) => {
      const [name = "", ...rest] = part.trim().toLowerCase().split(";");
      return rest.some((text) => /^\s*q=0(\.0*)?$/.test(text)) ? [] : [name.trim()];
    }),
  );
  return offered.find((packing) => taken.has(packing));
}

export function isWorthPacking(type: string, bytes: number): boolean {
  return bytes >= LEAST_BYTES && /^(text\/|application\/(json|javascript|manifest)|image\/svg)/.test(type);
}

/** The bytes of an asset in a packing, made once. */
export class PackedAssets {
  readonly #kept = new Map<string, Promise<Bytes>>();

  of({ etag, bytes }: Asset, packing: Packing): Promise<Bytes> {
    const name = `${packing} ${etag}`;
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const made = packing === "br" ? brotli(bytes) : gzipped(bytes, 9);
    this.#kept.set(name, made);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
    return made;
  }
}

/** Texts that several clients get: each is encoded and packed once, and forgotten with its text. */
export class PackedTexts {
  readonly #plain = new WeakMap<object, Bytes>();
  readonly #packed = new WeakMap<object, Promise<Bytes>>();

  of(text: { text: string }, packing: Packing | undefined): Bytes | Promise<Bytes> {
    const plain = this.#plain.get(text) ?? new TextEncoder().encode(text.text);
    this.#plain.set(text, plain);
    if (packing === undefined) return plain;
    const packed = this.#packed.get(text) ?? gzipped(plain, TEXT_LEVEL);
    this.#packed.set(text, packed);
    return packed;
  }
}

function brotli(bytes: Bytes): Promise<Bytes> {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return new Promise((resolve, reject) => {
    brotliCompress(bytes, { params }, (error, packed) => {
      if (error === null) resolve(new Uint8Array(packed));
      else reject(error);
    });
  });
}

export function gzipped(bytes: Bytes, level = 4): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    gzip(bytes, { level }, (error, packed) => {
      if (error === null) resolve(new Uint8Array(packed));
      else reject(error);
    });
  });
}

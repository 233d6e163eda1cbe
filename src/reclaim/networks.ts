/** Networks whose flows stay: an address of either direction lies in one of them. */
import { type Address, ADDRESS_WORDS, addressToWords, type Prefix } from "../table/address.ts";
import type { FlowColumns } from "../table/columns.ts";

interface Network {
  family: 4 | 6;
  words: Uint32Array;
  masks: Uint32Array;
}

export class Networks {
  readonly #networks: readonly Network[];

  constructor(prefixes: readonly Prefix[]) {
    this.#networks = prefixes.map(({ address, bits }) => {
      const words = new Uint32Array(ADDRESS_WORDS);
      addressToWords(address, words, 0);
      return { family: familyOfAddress(address), words, masks: masksOf(bits) };
    });
  }

  has(columns: FlowColumns, row: number): boolean {
    for (const network of this.#networks) {
      if (columns.family[row] !== network.family) continue;
      if (
        isInside(network, columns.originalSource, row) ||
        isInside(network, columns.originalDestination, row) ||
        isInside(network, columns.replySource, row) ||
        isInside(network, columns.replyDestination, row)
      ) {
        return true;
      }
    }
    return false;
  }
}

function familyOfAddress(address: Address): 4 | 6 {
  return address.length === 4 ? 4 : 6;
}

function masksOf(bits: number): Uint32Array {
  return Uint32Array.from({ length: ADDRESS_WORDS }, (_, index) => {
    const kept = Math.min(32, Math.max(0, bits - index * 32));
    return kept === 0 ? 0 : (0xffff_ffff << (32 - kept)) >>> 0;
  });
}

function isInside({ words, masks }: Network, column: Uint32Array, row: number): boolean {
  const at = row * ADDRESS_WORDS;
  for (let index = 0; index < ADDRESS_WORDS; index += 1) {
    if (((column[at + index] as number) ^ (words[index] as number)) & (masks[index] as number)) return false;
  }
  return true;
}

/**
 * The hash of a tuple, by which a tracker finds its chain. The kernel keys its own (siphash since 5.15) with
 * a secret; which chain a tuple falls in therefore says nothing from one boot to the next, and any hash that
 * spreads as well stands for it. This one is made of 32-bit multiplications (the finishing steps of
 * MurmurHash3, public domain), because it is computed for every packet.
 */

const FIRST = 0x85eb_ca6b;
const SECOND = 0xc2b2_ae35;

/**
 * A 32-bit hash of a tuple in the direction it is written. `kind` is family (4 or 6) | protocol << 8 |
 * zone << 16, `discriminators` the source's | the destination's << 16, and each address four words from `at`.
 * Signed: the engine would make an object of a number that is not.
 */
export function hashTuple(
  seed: number,
  kind: number,
  source: Uint32Array,
  destination: Uint32Array,
  at: number,
  discriminators: number,
): number {
  let hash = seed ^ kind;
  hash = mix(hash, source[at] as number);
  hash = mix(hash, destination[at] as number);
  hash = mix(hash, discriminators);
  if ((kind & 0xff) === 6) {
    for (let word = 1; word < 4; word++) {
      hash = mix(hash, source[at + word] as number);
      hash = mix(hash, destination[at + word] as number);
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), FIRST);
  hash = Math.imul(hash ^ (hash >>> 13), SECOND);
  return hash ^ (hash >>> 16);
}

/** One multiplication a word: what is left in order is spread by the finishing steps. */
function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0xcc9e_2d51);
  return (mixed << 15) | (mixed >>> 17);
}

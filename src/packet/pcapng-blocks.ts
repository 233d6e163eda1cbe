/** Block types of pcapng (draft-ietf-opsawg-pcapng, section 10.1), and those kept aside while reading. */
import type { OtherBlocks } from "./capture-summary.ts";

export const BLOCK_SECTION = 0x0a0d0d0a;
export const BLOCK_INTERFACE = 1;
/** Obsolete, but still met. */
export const BLOCK_PACKET = 2;
export const BLOCK_SIMPLE_PACKET = 3;
export const BLOCK_ENHANCED_PACKET = 6;

const NAMES: ReadonlyMap<number, string> = new Map([
  [4, "name resolution"],
  [5, "interface statistics"],
  [7, "IRIG time"],
  [8, "ARINC 429"],
  [9, "systemd journal"],
  [10, "decryption secrets"],
  [0x0bad, "custom"],
  [0x4000_0bad, "custom, not to be copied"],
]);

/** Different types that are counted one by one: a hostile file may hold any number of them. */
const TYPES_MAX = 256;

/** Counts the blocks kept aside, by type. */
export class OtherBlockTally {
  readonly #counts = new Map<number, number>();
  #furtherBlocks = 0;

  add(type: number): void {
    const count = this.#counts.get(type);
    if (count !== undefined) this.#counts.set(type, count + 1);
    else if (this.#counts.size < TYPES_MAX) this.#counts.set(type, 1);
    else this.#furtherBlocks++;
  }

  /** Ascending by type. */
  summary(): OtherBlocks[] {
    const all: OtherBlocks[] = [...this.#counts]
      .sort(([first], [second]) => first - second)
      .map(([type, count]) => ({ type, name: NAMES.get(type) ?? "unknown", count }));
    if (this.#furtherBlocks > 0) all.push({ name: "of further types", count: this.#furtherBlocks });
    return all;
  }
}

/** An interface of a pcapng section: what its block says, and how its times become milliseconds. */
import type { CaptureInterface } from "./capture-summary.ts";
import { u16, u32 } from "./record-reader.ts";

/**
 * Interface description block (draft-ietf-opsawg-pcapng, section 4.2), from the block's first byte:
 *
 *    8  2  link type
 *   12  4  snap length (0: none)
 *   16  options, each: code (2), length (2), value, padding to 4 bytes
 */
const OPTIONS_AT = 16;
const OPTION_END = 0;
const OPTION_NAME = 2;
const OPTION_TICKS = 9;
const OPTION_FCS_LENGTH = 13;
const OPTION_OFFSET_SECONDS = 14;

export class PcapngInterface {
  readonly linkType: number;
  /** 0 where the block names none. */
  readonly snapLengthBytes: number;
  fcsBytes = 0;
  records = 0;
  #name: string | undefined;
  #ticksPerSecond = 1_000_000;
  #offsetMs = 0;
  /** The upper half of the last time, and what it alone means: whole seconds, and ticks left over. */
  #high = 0;
  #highMs = 0;
  #highTicks = 0;
  /** The second of the last time: its first tick, counted as #highTicks is, and what it means. */
  #secondTicks = 0;
  #secondMs = 0;

  /** Reads the block of `length` bytes at `at`, all of which are there. */
  constructor(bytes: Uint8Array, at: number, length: number, littleEndian: boolean) {
    this.linkType = u16(bytes, at + 8, littleEndian);
    this.snapLengthBytes = u32(bytes, at + 12, littleEndian);
    const end = at + length - 4;
    let optionAt = at + OPTIONS_AT;
    while (end - optionAt >= 4) {
      const code = u16(bytes, optionAt, littleEndian);
      const valueAt = optionAt + 4;
      const valueEnd = valueAt + u16(bytes, optionAt + 2, littleEndian);
      // An option that reaches beyond the block ends them: what it means to say nobody knows.
      if (code === OPTION_END || valueEnd > end) break;
      this.#takeOption(code, bytes.subarray(valueAt, valueEnd), littleEndian);
      optionAt = valueAt + paddedTo4(valueEnd - valueAt);
    }
    this.#enter(0);
  }

  #takeOption(code: number, value: Uint8Array, littleEndian: boolean): void {
    const first = value[0];
    if (first === undefined) return;
    if (code === OPTION_NAME) this.#name = nameOf(value);
    else if (code === OPTION_TICKS) this.#ticksPerSecond = ticksPerSecondOf(first);
    else if (code === OPTION_FCS_LENGTH) this.fcsBytes = fcsBytesOf(first);
    else if (code === OPTION_OFFSET_SECONDS && value.length >= 8) {
      const low = u32(value, littleEndian ? 0 : 4, littleEndian);
      const high = u32(value, littleEndian ? 4 : 0, littleEndian) | 0;
      this.#offsetMs = (high * 0x1_0000_0000 + low) * 1000;
    }
  }

  /**
   * Milliseconds since 1970 of a time given as two halves, to the last bit what pcap gives for the same time.
   * BigInt only where the upper half changes, and one division where the second does not.
   */
  timeMs(high: number, low: number): number {
    if (high !== this.#high) this.#enter(high);
    const ticks = this.#highTicks + low;
    const ticksPerSecond = this.#ticksPerSecond;
    let ticksOfSecond = ticks - this.#secondTicks;
    if (ticksOfSecond < 0 || ticksOfSecond >= ticksPerSecond) {
      const seconds = Math.floor(ticks / ticksPerSecond);
      this.#secondTicks = seconds * ticksPerSecond;
      this.#secondMs = this.#highMs + seconds * 1000;
      ticksOfSecond = ticks - this.#secondTicks;
    }
    return this.#secondMs + (ticksOfSecond * 1000) / ticksPerSecond;
  }

  #enter(high: number): void {
    const ticks = BigInt(high) << 32n;
    const ticksPerSecond = BigInt(this.#ticksPerSecond);
    this.#high = high;
    this.#highMs = Number(ticks / ticksPerSecond) * 1000 + this.#offsetMs;
    this.#highTicks = Number(ticks % ticksPerSecond);
    this.#secondTicks = 0;
    this.#secondMs = this.#highMs;
  }

  summary(): CaptureInterface {
    return {
      linkType: this.linkType,
      ...(this.snapLengthBytes === 0 ? {} : { snapLengthBytes: this.snapLengthBytes }),
      ...(this.#name === undefined ? {} : { name: this.#name }),
      records: this.records,
    };
  }
}

/** if_tsresol: upper bit set, a negative power of 2; else, a negative power of 10. */
function ticksPerSecondOf(resolution: number): number {
  return resolution >= 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution;
}

/** if_fcslen: bits by the text of the draft, bytes by its example (4) and by some writers. */
function fcsBytesOf(length: number): number {
  return length % 8 === 0 ? length / 8 : length;
}

/** Safe to print: nothing in it acts on a terminal. */
function nameOf(value: Uint8Array): string {
  return new TextDecoder().decode(value.subarray(0, 256)).replace(/[^\x20-\x7e\u00a1-\uffff]/g, "?");
}

/** `length` and the bytes that fill it to a multiple of 4. */
export function paddedTo4(length: number): number {
  return (length + 3) & ~3;
}

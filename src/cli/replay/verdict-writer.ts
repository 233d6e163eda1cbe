/**
 * What the tracker said of every record, a line each, in the order of the capture. A fragment has the verdict
 * of its datagram, which is known when its last fragment has come or is given up: lines behind it wait until
 * then, a byte each.
 */
import type { PacketColumns } from "../../packet/packet.ts";
import { Verdict, verdictText } from "../../model/model.ts";
import type { Sink } from "../terminal.ts";

/** Bytes gathered before they are written. */
const ROOM_BYTES = 64 * 1024;
/** No line is longer: a number of at most 16 digits and two words. */
const LINE_BYTES = 64;
const FIRST_PENDING = 4096;
const ZERO = 48;
const NINE = 57;

/** A fragment that never became part of a datagram: it does not reach the tracker and is not forwarded. */
const LOST = Verdict.UNTRACKED | Verdict.DROP;

/** ` new\n` as bytes, by verdict. */
const endings: readonly Uint8Array[] = Array.from({ length: 256 }, (_, verdict) =>
  new TextEncoder().encode(` ${verdictText(verdict)}\n`),
);

export class VerdictWriter {
  readonly #sink: Sink;
  readonly #room = new Uint8Array(ROOM_BYTES);
  #roomUsed = 0;
  /** Digits of the next line's number, at the end of the array. */
  readonly #digits = new Uint8Array(16).fill(ZERO);
  #firstDigit = 15;
  /** Verdicts that wait behind a fragment, as a ring. */
  #pending = new Uint8Array(FIRST_PENDING);
  #pendingFrom = 0;
  #pendingCount = 0;
  /** Number of the first record that waits, counted from 0. */
  #written = 0;
  /** Records of datagrams that are not whole yet, counted from 0. */
  readonly #fragments = new Map<number, number[]>();

  constructor(sink: Sink) {
    this.#sink = sink;
    this.#digits[15] = ZERO + 1;
  }

  /** Takes the verdicts of a batch, one byte a row. */
  add(batch: PacketColumns, verdicts: Uint8Array): void {
    const { count, datagram } = batch;
    for (let row = 0; row < count; row += 1) {
      const verdict = verdicts[row] as number;
      const number = datagram[row] as number;
      if (number !== 0) this.#fragment(number, verdict);
      else if (this.#pendingCount === 0) this.#line(verdict);
      else this.#wait(verdict);
    }
    for (let at = 0; at < batch.lostCount; at += 1) this.#resolve(batch.lost[at] as number, LOST);
    this.#release();
  }

  /** Writes what still waits: datagrams that are not whole now never will be. */
  end(): void {
    for (const number of this.#fragments.keys()) this.#resolve(number, LOST);
    this.#release();
    this.#flush();
  }

  #fragment(number: number, verdict: number): void {
    if (verdict !== Verdict.HELD) {
      this.#resolve(number, verdict);
      this.#wait(verdict);
      this.#release();
      return;
    }
    const records = this.#fragments.get(number);
    const record = this.#written + this.#pendingCount;
    if (records === undefined) this.#fragments.set(number, [record]);
    else records.push(record);
    this.#wait(verdict);
  }

  /** All fragments of a datagram have its verdict. */
  #resolve(number: number, verdict: number): void {
    const mask = this.#pending.length - 1;
    for (const record of this.#fragments.get(number) ?? []) {
      this.#pending[(this.#pendingFrom + record - this.#written) & mask] = verdict;
    }
    this.#fragments.delete(number);
  }

  #wait(verdict: number): void {
    if (this.#pendingCount === this.#pending.length) this.#grow();
    this.#pending[(this.#pendingFrom + this.#pendingCount) & (this.#pending.length - 1)] = verdict;
    this.#pendingCount += 1;
  }

  #grow(): void {
    const grown = new Uint8Array(this.#pending.length * 2);
    grown.set(this.#pending.subarray(this.#pendingFrom));
    grown.set(this.#pending.subarray(0, this.#pendingFrom), this.#pending.length - this.#pendingFrom);
    this.#pending = grown;
    this.#pendingFrom = 0;
  }

  /** Writes what waits, up to the next fragment whose datagram is not whole. */
  #release(): void {
    const mask = this.#pending.length - 1;
    while (this.#pendingCount > 0) {
      const verdict = this.#pending[this.#pendingFrom] as number;
      if (verdict === Verdict.HELD) return;
      this.#pendingFrom = (this.#pendingFrom + 1) & mask;
      this.#pendingCount -= 1;
      this.#line(verdict);
    }
  }

  #line(verdict: number): void {
    if (this.#roomUsed + LINE_BYTES > ROOM_BYTES) this.#flush();
    const room = this.#room;
    let at = this.#roomUsed;
    for (let digit = this.#firstDigit; digit < 16; digit += 1) room[at++] = this.#digits[digit] as number;
    const ending = endings[verdict] as Uint8Array;
    for (let byte = 0; byte < ending.length; byte += 1) room[at++] = ending[byte] as number;
    this.#roomUsed = at;
    this.#written += 1;
    this.#countUp();
  }

  #countUp(): void {
    const digits = this.#digits;
    let at = 15;
    while (digits[at] === NINE) digits[at--] = ZERO;
    digits[at] = (digits[at] as number) + 1;
    if (at < this.#firstDigit) this.#firstDigit = at;
  }

  #flush(): void {
    if (this.#roomUsed > 0) this.#sink.write(this.#room.subarray(0, this.#roomUsed));
    this.#roomUsed = 0;
  }
}

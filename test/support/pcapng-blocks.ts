/**
 * Writes pcapng by hand, block by block, in either byte order: for tests alone, so it writes whatever it is
 * told, right or wrong.
 */

/** Code and value. */
export type Option = readonly [code: number, value: readonly number[]];

export interface PacketToWrite {
  /** Within the section. */
  interfaceId: number;
  ticks: bigint;
  packet: Uint8Array;
  originalBytes?: number;
  options?: readonly Option[];
}

export class PcapngBlocks {
  /** Offsets at which blocks begin. */
  readonly starts: number[] = [];
  #littleEndian = true;
  readonly #bytes: number[] = [];

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** A section header; blocks after it are in its byte order. */
  section(littleEndian = true, major = 1): this {
    this.#littleEndian = littleEndian;
    const unknownLength = Array.from({ length: 8 }, () => 0xff);
    const version = [...this.u16(major), ...this.u16(0)];
    return this.block(0x0a0d0d0a, [...this.u32(0x1a2b3c4d), ...version, ...unknownLength]);
  }

  interface(linkType: number, snapLengthBytes = 0, options: readonly Option[] = []): this {
    const head = [...this.u16(linkType), 0, 0, ...this.u32(snapLengthBytes)];
    return this.block(1, [...head, ...this.#options(options)]);
  }

  enhanced({ interfaceId, ...packet }: PacketToWrite): this {
    return this.block(6, [...this.u32(interfaceId), ...this.#packet(packet)]);
  }

  obsolete({ interfaceId, ...packet }: PacketToWrite, drops = 0xffff): this {
    return this.block(2, [...this.u16(interfaceId), ...this.u16(drops), ...this.#packet(packet)]);
  }

  /** Captured as far as `packet` goes. */
  simple(packet: Uint8Array, originalBytes = packet.length): this {
    return this.block(3, [...this.u32(originalBytes), ...padded(packet)]);
  }

  /** Any block; `claimedLength` stands in its trailer instead of the right one. */
  block(type: number, body: readonly number[], claimedLength = body.length + 12): this {
    this.starts.push(this.#bytes.length);
    const length = this.u32(body.length + 12);
    // One by one: a body may be longer than a call may have arguments.
    for (const part of [this.u32(type), length, body, this.u32(claimedLength)])
      for (const byte of part) this.#bytes.push(byte);
    return this;
  }

  u16(value: number): number[] {
    const bytes = [value & 0xff, (value >>> 8) & 0xff];
    return this.#littleEndian ? bytes : bytes.reverse();
  }

  u32(value: number): number[] {
    const bytes = [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
    return this.#littleEndian ? bytes : bytes.reverse();
  }

  #packet({ ticks, packet, originalBytes, options }: Omit<PacketToWrite, "interfaceId">): number[] {
    const halves = [Number(ticks >> 32n), Number(ticks & 0xffff_ffffn)];
    const numbers = [...halves, packet.length, originalBytes ?? packet.length];
    return [
      ...numbers.flatMap((value) => this.u32(value)),
      ...padded(packet),
      ...this.#options(options ?? []),
    ];
  }

  #options(options: readonly Option[]): number[] {
    if (options.length === 0) return [];
    const all = options.flatMap(([code, value]) => [
      ...this.u16(code),
      ...this.u16(value.length),
      ...padded(value),
    ]);
    return [...all, 0, 0, 0, 0];
  }
}

function padded(bytes: Iterable<number>): number[] {
  const all = [...bytes];
  while (all.length % 4 !== 0) all.push(0);
  return all;
}

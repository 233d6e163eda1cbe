/** Checksums of the internet protocols (RFC 1071), over bytes that are written or read as a whole. */

/** The sum of 16-bit words in one's complement; an odd byte at the end counts as the high half. */
export function onesSum(bytes: Uint8Array, from = 0, to: number = bytes.length, start = 0): number {
  let sum = start;
  for (let at = from; at + 1 < to; at += 2) {
    sum += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  }
  if ((to - from) % 2 === 1) sum += (bytes[to - 1] as number) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}

/** Bytes of the IPv4 header. */
export function ipv4HeaderBytes(packet: Uint8Array): number {
  return ((packet[0] as number) & 15) * 4;
}

/** Writes the IPv4 header checksum. */
export function mendedPacket(packet: Uint8Array): Uint8Array {
  packet[10] = 0;
  packet[11] = 0;
  const sum = ~onesSum(packet, 0, ipv4HeaderBytes(packet)) & 0xffff;
  packet[10] = sum >> 8;
  packet[11] = sum & 255;
  return packet;
}

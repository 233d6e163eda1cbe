/**
 * The data of an IP datagram, as the transport protocols see them: behind the IP header and its extensions,
 * and put together where they came in fragments. One object per decoder, overwritten by each packet.
 */
export class Datagram {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where in `bytes` the data begin. */
  at = 0;
  /** Bytes of data that were captured: `bytes` has them from `at` on. */
  captured = 0;
  /** Bytes of data on the wire, never less than what was captured. */
  length = 0;
  /** 4 or 6. */
  family = 0;
  protocol = 0;
  /** Both addresses as 16-bit words, added: what the checksums of the transport protocols take of them. */
  addressSum = 0;

  /** Whether the capture has less of it than the wire had: then nothing is known of its checksum. */
  get isSnapped(): boolean {
    return this.captured < this.length;
  }
}

/** What a decoder met, besides what stands in the rows: for the summary of a run. */

/** Why the IP layer threw packets away (ip_rcv_core of net/ipv4/ip_input.c, ip6_rcv_core of net/ipv6). */
export interface RefusedCounts {
  /** No room for a header, a version that is not the link layer's, or a header length below the least. */
  header: number;
  /** IPv4 header checksum. */
  headerChecksum: number;
  /** A length that is less than the header, or more than there was on the wire. */
  length: number;
  /** IPv6 hop-by-hop options. */
  options: number;
  /** IPv6: a multicast address as source, or a loopback address. */
  address: number;
}

export interface DecodeCounts {
  records: number;
  /** Records that hold no IP packet; those of link types that are not decoded are among them. */
  notIp: number;
  unknownLinkType: number;
  refused: RefusedCounts;
  /** IP packets of which less was captured than the tracker would look at. */
  snapped: number;
  badChecksums: number;
  /** IP packets whose length field was zero, because the sender left cutting to its network card. */
  assumedLengths: number;
  fragments: number;
  /** Datagrams that were put together, and those that were given up. */
  datagramsWhole: number;
  datagramsLost: number;
}

export function noCounts(): DecodeCounts {
  return {
    records: 0,
    notIp: 0,
    unknownLinkType: 0,
    refused: { header: 0, headerChecksum: 0, length: 0, options: 0, address: 0 },
    snapped: 0,
    badChecksums: 0,
    assumedLengths: 0,
    fragments: 0,
    datagramsWhole: 0,
    datagramsLost: 0,
  };
}

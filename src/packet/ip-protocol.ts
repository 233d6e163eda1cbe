/** Protocol numbers of IP that are looked into, and the extension headers of IPv6. */
export const IpProtocol = {
  HOP_BY_HOP: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  ROUTING: 43,
  FRAGMENT: 44,
  GRE: 47,
  AUTHENTICATION: 51,
  ICMPV6: 58,
  NO_NEXT: 59,
  DESTINATION: 60,
  SCTP: 132,
  UDPLITE: 136,
} as const;

/** Protocols whose tuple has ports only while the kernel tracks them: not all generations do. */
export interface PortProtocols {
  readonly udplite: boolean;
  readonly dccp: boolean;
}

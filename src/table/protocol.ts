/**
 * Layer-4 protocols as the tracker knows them: number, the name the kernel prints, and what tells two flows
 * between the same two hosts apart (ports, an ICMP id, GRE keys, or nothing).
 *
 * History (nf_conntrack_standalone.c, l4proto_name): icmp tcp udp always; sctp 2.6.0; gre 2.6.21; udplite
 * 2.6.24 until after 6.18; dccp 2.6.26 until 6.16; icmpv6 printed as `unknown  58` by kernels of about 4.19
 * to 5.11.
 */

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const DCCP = 33;
export const GRE = 47;
export const ICMPV6 = 58;
export const SCTP = 132;
export const UDPLITE = 136;

const nameByNumber: Readonly<Record<number, string>> = {
  [ICMP]: "icmp",
  [TCP]: "tcp",
  [UDP]: "udp",
  [DCCP]: "dccp",
  [GRE]: "gre",
  [ICMPV6]: "icmpv6",
  [SCTP]: "sctp",
  [UDPLITE]: "udplite",
};

const numberByName = new Map(Object.entries(nameByNumber).map(([number, name]) => [name, Number(number)]));

/** The kernel's name, or `unknown` as the kernel itself prints it. */
export function kernelProtocolName(number: number): string {
  return nameByNumber[number] ?? "unknown";
}

/** A name that keeps the number: `tcp`, or `50` for a protocol the tracker has no name for. */
export function protocolName(number: number): string {
  return nameByNumber[number] ?? String(number);
}

/** The number for a name of `protocolName` (also a plain number 0..255); undefined when it is neither. */
export function protocolNumber(name: string): number | undefined {
  const known = numberByName.get(name.toLowerCase());
  if (known !== undefined) return known;
  return /^\d{1,3}$/.test(name) && Number(name) <= 255 ? Number(name) : undefined;
}

/** What distinguishes flows of this protocol besides addresses. */
export type Discriminator = "ports" | "icmp" | "keys" | "none";

/** See Discriminator; protocols without a tracker of their own have none. */
export function discriminatorOf(number: number): Discriminator {
  switch (number) {
    case TCP:
    case UDP:
    case DCCP:
    case SCTP:
    case UDPLITE:
      return "ports";
    case ICMP:
    case ICMPV6:
      return "icmp";
    case GRE:
      return "keys";
    default:
      return "none";
  }
}

/**
 * From a link layer to the IP packet in it. Link types are those of https://www.tcpdump.org/linktypes.html;
 * what is not listed here, or carries something else than IP, is not IP.
 *
 * Layers that can stand in each other (VLAN tags, PPPoE, MPLS, LLC) are walked in a loop with an end: no
 * record can make it run longer than the record is.
 */
import { i32, u16 } from "./big-endian.ts";
import { wirelessPayload } from "./link-wireless.ts";

/** LINKTYPE numbers that are decoded. */
export const LinkType = {
  NULL: 0,
  ETHERNET: 1,
  TOKEN_RING: 6,
  PPP: 9,
  FDDI: 10,
  RAW_OPENBSD: 14,
  RAW_BSD: 12,
  PPP_HDLC: 50,
  PPP_ETHER: 51,
  ATM_RFC1483: 100,
  RAW: 101,
  C_HDLC: 104,
  IEEE802_11: 105,
  FRELAY: 107,
  LOOP: 108,
  ENC: 109,
  LINUX_SLL: 113,
  PFLOG: 117,
  IEEE802_11_PRISM: 119,
  IP_OVER_FC: 122,
  IEEE802_11_RADIOTAP: 127,
  IEEE802_11_AVS: 163,
  PPP_WITH_DIR: 204,
  C_HDLC_WITH_DIR: 205,
  FRELAY_WITH_DIR: 206,
  MPLS: 219,
  IPNET: 226,
  IPV4: 228,
  IPV6: 229,
  NFLOG: 239,
  MPACKET: 274,
  LINUX_SLL2: 276,
} as const;

const known: ReadonlySet<number> = new Set(Object.values(LinkType));

/** Whether IP packets can be found in records of this link type. */
export function isKnownLinkType(linkType: number): boolean {
  return known.has(linkType);
}

const EtherType = {
  IPV4: 0x0800,
  VLAN: 0x8100,
  IPV6: 0x86dd,
  MPLS: 0x8847,
  MPLS_MULTICAST: 0x8848,
  PPPOE_SESSION: 0x8864,
  STACKED_VLAN: 0x88a8,
  OLD_STACKED_VLAN: 0x9100,
} as const;

/** An ethertype below this is the length of an IEEE 802.3 frame. */
const LEAST_ETHER_TYPE = 0x0600;

const PppProtocol = { IPV4: 0x0021, IPV6: 0x0057, MPLS: 0x0281, MPLS_MULTICAST: 0x0283 } as const;

/** Attribute of an NFLOG record that holds the packet (linux/netfilter/nfnetlink_log.h). */
const NFULA_PAYLOAD = 9;

/** Finds the IP packet of a record. One object per decoder; the fields are those of the last record. */
export class LinkLayer {
  /** 4 or 6, as the link layer says; 0 when it is not IP. */
  family = 0;
  /** VLAN identifier of the outermost tag; 0 without. */
  vlan = 0;

  /** Where in `bytes` the IP packet of the record from `at` to `end` begins; -1 when there is none. */
  locate(bytes: Uint8Array, at: number, end: number, linkType: number): number {
    this.family = 0;
    this.vlan = 0;
    if (linkType === LinkType.ETHERNET) {
      if (end - at < 14) return -1;
      const type = u16(bytes, at + 12);
      if (type !== EtherType.IPV4) return this.#payload(bytes, at + 14, end, type);
      this.family = 4;
      return at + 14;
    }
    return this.#other(bytes, at, end, linkType);
  }

  #other(bytes: Uint8Array, at: number, end: number, linkType: number): number {
    switch (linkType) {
      case LinkType.RAW:
      case LinkType.RAW_BSD:
      case LinkType.RAW_OPENBSD:
        return this.#byNibble(bytes, at, end);
      case LinkType.IPV4:
        return this.#found(4, at, end);
      case LinkType.IPV6:
        return this.#found(6, at, end);
      case LinkType.LINUX_SLL:
        return end - at < 16 ? -1 : this.#payload(bytes, at + 16, end, u16(bytes, at + 14));
      case LinkType.LINUX_SLL2:
        return end - at < 20 ? -1 : this.#payload(bytes, at + 20, end, u16(bytes, at));
      case LinkType.NULL:
      case LinkType.LOOP:
        return end - at < 4 ? -1 : this.#byAddressFamily(at + 4, end, i32(bytes, at));
      case LinkType.ENC:
        return end - at < 12 ? -1 : this.#byAddressFamily(at + 12, end, i32(bytes, at));
      case LinkType.PFLOG:
        return end - at < 2 ? -1 : this.#packetFilterLog(bytes, at, end);
      case LinkType.PPP:
      case LinkType.PPP_HDLC:
        return this.#pointToPoint(bytes, at, end);
      case LinkType.PPP_WITH_DIR:
        return this.#pointToPoint(bytes, at + 1, end);
      case LinkType.PPP_ETHER:
        return this.#payload(bytes, at, end, EtherType.PPPOE_SESSION);
      case LinkType.C_HDLC:
        return end - at < 4 ? -1 : this.#payload(bytes, at + 4, end, u16(bytes, at + 2));
      case LinkType.C_HDLC_WITH_DIR:
        return end - at < 5 ? -1 : this.#payload(bytes, at + 5, end, u16(bytes, at + 3));
      case LinkType.FRELAY:
        return this.#frameRelay(bytes, at, end);
      case LinkType.FRELAY_WITH_DIR:
        return this.#frameRelay(bytes, at + 1, end);
      case LinkType.MPLS:
        return this.#payload(bytes, at, end, EtherType.MPLS);
      case LinkType.MPACKET:
        return end - at < 22 ? -1 : this.#payload(bytes, at + 22, end, u16(bytes, at + 20));
      case LinkType.TOKEN_RING:
        return this.#linkControl(bytes, at + 14, end);
      case LinkType.FDDI:
        return this.#linkControl(bytes, at + 13, end);
      case LinkType.IP_OVER_FC:
        return this.#linkControl(bytes, at + 16, end);
      case LinkType.ATM_RFC1483:
        return this.#linkControl(bytes, at, end);
      case LinkType.IPNET:
        return end - at < 24 ? -1 : this.#byAddressFamily(at + 24, end, bytes[at + 1] as number);
      case LinkType.NFLOG:
        return this.#netfilterLog(bytes, at, end);
      case LinkType.IEEE802_11:
      case LinkType.IEEE802_11_PRISM:
      case LinkType.IEEE802_11_RADIOTAP:
      case LinkType.IEEE802_11_AVS: {
        const control = wirelessPayload(bytes, at, end, linkType);
        return control === -1 ? -1 : this.#linkControl(bytes, control, end);
      }
      default:
        return -1;
    }
  }

  #found(family: number, at: number, end: number): number {
    if (at >= end) return -1;
    this.family = family;
    return at;
  }

  #byNibble(bytes: Uint8Array, at: number, end: number): number {
    if (at >= end) return -1;
    const version = (bytes[at] as number) >>> 4;
    // Raw IP says nothing but "IP": what is neither version is for the IP layer to refuse.
    return this.#found(version === 6 ? 6 : 4, at, end);
  }

  /**
   * Address families are in the byte order of the capturing host, and IPv6 has another one on each system.
   */
  #byAddressFamily(at: number, end: number, word: number): number {
    const value = (word & 0xffff) === 0 ? swap(word) : word;
    if (value === 2) return this.#found(4, at, end);
    const isVersion6 = value === 10 || value === 23 || (value >= 24 && value <= 30);
    return isVersion6 ? this.#found(6, at, end) : -1;
  }

  #packetFilterLog(bytes: Uint8Array, at: number, end: number): number {
    const headerBytes = ((bytes[at] as number) + 3) & ~3;
    return this.#byAddressFamily(at + headerBytes, end, bytes[at + 1] as number);
  }

  /** What lies behind an ethertype: the tags and labels that may come before IP. */
  #payload(bytes: Uint8Array, from: number, end: number, firstType: number): number {
    let at = from;
    let type = firstType;
    for (;;) {
      switch (type) {
        case EtherType.IPV4:
          return this.#found(4, at, end);
        case EtherType.IPV6:
          return this.#found(6, at, end);
        case EtherType.VLAN:
        case EtherType.STACKED_VLAN:
        case EtherType.OLD_STACKED_VLAN:
          if (end - at < 4) return -1;
          if (this.vlan === 0) this.vlan = u16(bytes, at) & 0x0fff;
          type = u16(bytes, at + 2);
          at += 4;
          break;
        case EtherType.MPLS:
        case EtherType.MPLS_MULTICAST:
          return this.#labels(bytes, at, end);
        case EtherType.PPPOE_SESSION:
          return end - at < 8 ? -1 : this.#pointToPoint(bytes, at + 6, end);
        default:
          if (type >= LEAST_ETHER_TYPE) return -1;
          return type > 1500 || type < 3 ? -1 : this.#linkControl(bytes, at, end);
      }
    }
  }

  /**
   * A stack of MPLS labels. What follows says itself what it is (RFC 4928); a pseudowire begins with 0 or 1.
   */
  #labels(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    for (;;) {
      if (end - at < 4) return -1;
      const isLast = ((bytes[at + 2] as number) & 1) !== 0;
      at += 4;
      if (isLast) break;
    }
    if (at >= end) return -1;
    const version = (bytes[at] as number) >>> 4;
    return version === 4 || version === 6 ? this.#found(version, at, end) : -1;
  }

  /** PPP with or without its HDLC address and control bytes, its protocol field in two bytes or in one. */
  #pointToPoint(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    if (end - at < 2) return -1;
    // Serial lines of Cisco's are captured as PPP too; no PPP packet begins so.
    if ((bytes[at] === 0x0f || bytes[at] === 0x8f) && bytes[at + 1] === 0) {
      return end - at < 4 ? -1 : this.#payload(bytes, at + 4, end, u16(bytes, at + 2));
    }
    if (bytes[at] === 0xff && bytes[at + 1] === 0x03) at += 2;
    if (end - at < 2) return -1;
    const isCompressed = ((bytes[at] as number) & 1) !== 0;
    const protocol = isCompressed ? (bytes[at] as number) : u16(bytes, at);
    at += isCompressed ? 1 : 2;
    switch (protocol) {
      case PppProtocol.IPV4:
        return this.#found(4, at, end);
      case PppProtocol.IPV6:
        return this.#found(6, at, end);
      case PppProtocol.MPLS:
      case PppProtocol.MPLS_MULTICAST:
        return this.#labels(bytes, at, end);
      default:
        return -1;
    }
  }

  /** IEEE 802.2: SNAP with an ethertype, or the service access point of IP. */
  #linkControl(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 3) return -1;
    const points = u16(bytes, at);
    if (points === 0x0606) return this.#found(4, at + 3, end);
    if (points !== 0xaaaa || bytes[at + 2] !== 3 || end - at < 8) return -1;
    const organisation = ((bytes[at + 3] as number) << 16) | u16(bytes, at + 4);
    if (organisation !== 0 && organisation !== 0x0000f8) return -1;
    const type = u16(bytes, at + 6);
    // A length where SNAP has an ethertype would lead back here.
    return type < LEAST_ETHER_TYPE ? -1 : this.#payload(bytes, at + 8, end, type);
  }

  /** RFC 2427: two bytes of address, unnumbered information, and the network protocol. */
  #frameRelay(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 4 || bytes[at + 2] !== 3) return -1;
    switch (bytes[at + 3]) {
      case 0xcc:
        return this.#found(4, at + 4, end);
      case 0x8e:
        return this.#found(6, at + 4, end);
      default:
        return -1;
    }
  }

  /** NFLOG: attributes in the byte order of the capturing host, one of which is the packet. */
  #netfilterLog(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < 8) return -1;
    const family = bytes[start] as number;
    for (let at = start + 4; end - at >= 4;) {
      const isLittle = bytes[at + 3] === 0;
      const length = isLittle ? (bytes[at] as number) | ((bytes[at + 1] as number) << 8) : u16(bytes, at);
      const type = isLittle ? (bytes[at + 2] as number) : (bytes[at + 3] as number);
      if (length < 4) return -1;
      if (type === NFULA_PAYLOAD) return this.#byAddressFamily(at + 4, end, family);
      at += (length + 3) & ~3;
    }
    return -1;
  }
}

function swap(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

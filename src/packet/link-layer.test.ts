import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENT, ipv4, ipv6, join, udp } from "../../test/support/ip-bytes.ts";
import { addressFromWords, formatAddress } from "../table/address.ts";
import { PacketKind } from "./columns.ts";
import { decodePacket } from "./decode-packet.ts";
import { LinkType } from "./link-layer.ts";

const four = ipv4(17, udp(53, 4000, join("616263")));
const six = ipv6(17, udp(53, 4000, join("616263"), 6));
const macs = "020000000001 020000000002";
const zeros = (count: number): Uint8Array => new Uint8Array(count);
/** A data frame of 802.11 to an access point, before its 802.2 header. */
const wireless = join("0801 0000", zeros(20));
const snap = "aaaa03 000000";
const radiotap = join("0000 0800 00000000");

const found: { name: string; linkType: number; bytes: Uint8Array; vlan?: number }[] = [
  { name: "Ethernet", linkType: 1, bytes: join(macs, "0800", four) },
  { name: "Ethernet with padding", linkType: 1, bytes: join(macs, "0800", four, zeros(15)) },
  { name: "Ethernet, IPv6", linkType: 1, bytes: join(macs, "86dd", six) },
  { name: "VLAN", linkType: 1, bytes: join(macs, "8100 6123 0800", four), vlan: 0x123 },
  {
    name: "QinQ: the outer tag counts",
    linkType: 1,
    bytes: join(macs, "88a8 0007 8100 0009 86dd", six),
    vlan: 7,
  },
  { name: "old QinQ", linkType: 1, bytes: join(macs, "9100 0007 8100 0009 0800", four), vlan: 7 },
  {
    name: "priority tag, then VLAN",
    linkType: 1,
    bytes: join(macs, "8100 e000 8100 0009 0800", four),
    vlan: 9,
  },
  { name: "PPPoE", linkType: 1, bytes: join(macs, "8864 1100 0001 0030 0021", four) },
  {
    name: "PPPoE, IPv6 in a VLAN",
    linkType: 1,
    bytes: join(macs, "8100 0005 8864 1100 0001 0030 0057", six),
    vlan: 5,
  },
  { name: "MPLS, two labels", linkType: 1, bytes: join(macs, "8847 00010040 00011140", four) },
  { name: "MPLS, IPv6", linkType: 1, bytes: join(macs, "8848 00011140", six) },
  { name: "802.3 with SNAP", linkType: 1, bytes: join(macs, "0028", snap, "0800", four) },
  { name: "802.3 with the access point of IP", linkType: 1, bytes: join(macs, "0028 060603", four) },
  { name: "null, little-endian", linkType: LinkType.NULL, bytes: join("02000000", four) },
  { name: "null, big-endian", linkType: LinkType.NULL, bytes: join("0000001e", six) },
  { name: "loop", linkType: LinkType.LOOP, bytes: join("00000018", six) },
  { name: "raw", linkType: LinkType.RAW, bytes: four },
  { name: "raw, IPv6", linkType: LinkType.RAW_BSD, bytes: six },
  { name: "raw of OpenBSD", linkType: LinkType.RAW_OPENBSD, bytes: four },
  { name: "IPv4 alone", linkType: LinkType.IPV4, bytes: four },
  { name: "IPv6 alone", linkType: LinkType.IPV6, bytes: six },
  {
    name: "Linux cooked",
    linkType: LinkType.LINUX_SLL,
    bytes: join("0000 0001 0006 0000000000010000 0800", four),
  },
  {
    name: "Linux cooked, VLAN",
    linkType: LinkType.LINUX_SLL,
    bytes: join(zeros(14), "8100 0003 0800", four),
    vlan: 3,
  },
  { name: "Linux cooked 2", linkType: LinkType.LINUX_SLL2, bytes: join("86dd", zeros(18), six) },
  { name: "PPP", linkType: LinkType.PPP, bytes: join("0021", four) },
  { name: "PPP with address bytes", linkType: LinkType.PPP, bytes: join("ff03 0057", six) },
  { name: "PPP, protocol in one byte", linkType: LinkType.PPP, bytes: join("21", four) },
  { name: "PPP in HDLC", linkType: LinkType.PPP_HDLC, bytes: join("ff03 0021", four) },
  { name: "PPP type, but Cisco HDLC", linkType: LinkType.PPP_HDLC, bytes: join("0f00 0800", four) },
  { name: "PPP with MPLS", linkType: LinkType.PPP, bytes: join("0281 00011140", four) },
  { name: "PPP with direction", linkType: LinkType.PPP_WITH_DIR, bytes: join("00 0021", four) },
  { name: "PPPoE alone", linkType: LinkType.PPP_ETHER, bytes: join("1100 0001 0030 0021", four) },
  { name: "Cisco HDLC", linkType: LinkType.C_HDLC, bytes: join("0f00 0800", four) },
  { name: "Cisco HDLC, IPv6", linkType: LinkType.C_HDLC_WITH_DIR, bytes: join("00 8f00 86dd", six) },
  { name: "frame relay", linkType: LinkType.FRELAY, bytes: join("1841 03cc", four) },
  { name: "frame relay, IPv6", linkType: LinkType.FRELAY_WITH_DIR, bytes: join("00 1841 038e", six) },
  { name: "MPLS alone", linkType: LinkType.MPLS, bytes: join("00011140", six) },
  { name: "token ring", linkType: LinkType.TOKEN_RING, bytes: join(zeros(14), snap, "0800", four) },
  { name: "FDDI", linkType: LinkType.FDDI, bytes: join(zeros(13), snap, "0800", four) },
  {
    name: "IP over fibre channel",
    linkType: LinkType.IP_OVER_FC,
    bytes: join(zeros(16), snap, "0800", four),
  },
  { name: "ATM", linkType: LinkType.ATM_RFC1483, bytes: join(snap, "86dd", six) },
  { name: "packet filter of OpenBSD", linkType: LinkType.PFLOG, bytes: join("3d02", zeros(62), four) },
  { name: "IPsec of OpenBSD", linkType: LinkType.ENC, bytes: join("02000000", zeros(8), four) },
  { name: "IP of Solaris", linkType: LinkType.IPNET, bytes: join("021a", zeros(22), six) },
  { name: "NFLOG", linkType: LinkType.NFLOG, bytes: join("0200 0000 0500 0a00 61000000 0400 0900", four) },
  {
    name: "NFLOG, big-endian",
    linkType: LinkType.NFLOG,
    bytes: join("0a00 0000 0008 0001 61000000 002c 0009", six),
  },
  { name: "Ethernet with preamble", linkType: LinkType.MPACKET, bytes: join(zeros(8), macs, "0800", four) },
  { name: "802.11", linkType: LinkType.IEEE802_11, bytes: join(wireless, snap, "0800", four) },
  { name: "802.11, QoS", linkType: LinkType.IEEE802_11, bytes: join("8801", zeros(24), snap, "86dd", six) },
  {
    name: "802.11 between access points",
    linkType: LinkType.IEEE802_11,
    bytes: join("0803", zeros(28), snap, "0800", four),
  },
  {
    name: "802.11, radiotap",
    linkType: LinkType.IEEE802_11_RADIOTAP,
    bytes: join(radiotap, wireless, snap, "0800", four),
  },
  {
    name: "802.11, Prism",
    linkType: LinkType.IEEE802_11_PRISM,
    bytes: join("00000044", zeros(140), wireless, snap, "0800", four),
  },
  {
    name: "802.11, AVS",
    linkType: LinkType.IEEE802_11_AVS,
    bytes: join("80211001 00000040", zeros(56), wireless, snap, "0800", four),
  },
];

for (const { name, linkType, bytes, vlan } of found) {
  test(`the IP packet is found in: ${name}`, () => {
    const columns = decodePacket(bytes, linkType);
    assert.equal(columns.kind[0], PacketKind.IP);
    assert.equal(columns.fault[0], 0);
    assert.equal(columns.vlan[0], vlan ?? 0);
    const family = columns.family[0] as number;
    assert.equal(
      formatAddress(addressFromWords(columns.source, 0, family)),
      family === 4 ? CLIENT : "2001:db8::1",
    );
    assert.deepEqual([columns.sourceDiscriminator[0], columns.destinationDiscriminator[0]], [53, 4000]);
  });

  test(`every cut of it is read without harm: ${name}`, () => {
    for (let length = 0; length < bytes.length; length++) {
      const columns = decodePacket(bytes.slice(0, length), linkType, bytes.length);
      assert.ok(columns.kind[0] === PacketKind.NOT_IP || columns.kind[0] === PacketKind.IP);
    }
  });
}

const notIp: [string, number, Uint8Array][] = [
  ["ARP", 1, join(macs, "0806 0001 0800 0604 0001", zeros(20))],
  ["spanning tree", 1, join(macs, "0026 424203", zeros(35))],
  ["a pseudowire in MPLS", 1, join(macs, "8847 00011140 00000000", macs, "0800", four)],
  ["MPLS without an end", 1, join(macs, "8847", zeros(64))],
  ["VLAN tags without an end", 1, join(macs, ...Array.from({ length: 20 }, () => "8100 0001"))],
  ["SNAP in SNAP", 1, join(macs, "0028", snap, "0028", snap, "0800", four)],
  ["PPP's link control", LinkType.PPP, join("c021 0101 0004")],
  ["a beacon", LinkType.IEEE802_11, join("8000", zeros(60))],
  ["encrypted 802.11", LinkType.IEEE802_11, join("0841", zeros(22), snap, "0800", four)],
  [
    "several packets in one 802.11 frame",
    LinkType.IEEE802_11,
    join("8801", zeros(22), "8000", zeros(14), snap, "0800", four),
  ],
  ["radiotap longer than the record", LinkType.IEEE802_11_RADIOTAP, join("0000 ffff", zeros(60))],
  ["AVS with a length beyond reason", LinkType.IEEE802_11_AVS, join("80211001 ffffffff", zeros(60))],
  ["an NFLOG attribute without length", LinkType.NFLOG, join("0200 0000 0000 0900", four)],
  ["null with another family", LinkType.NULL, join("10000000", four)],
  ["USB", 220, join(zeros(64), four)],
  ["nothing", 1, zeros(0)],
];

for (const [name, linkType, bytes] of notIp) {
  test(`no IP packet is found in: ${name}`, () => {
    assert.equal(decodePacket(bytes, linkType).kind[0], PacketKind.NOT_IP);
  });
}

/**
 * ICMP and ICMPv6: which messages are a flow (requests and their answers), which belong to the flow of the
 * packet they complain of (errors), and which are not tracked. Source: nf_conntrack_proto_icmp.c,
 * nf_conntrack_proto_icmpv6.c, RFC 792, RFC 4443, RFC 4861; every type measured on 5.10, 6.1, 6.12, 6.18 and
 * 7.3.
 */
import { ADDRESS_WORDS } from "../table/address.ts";
import { DCCP, ICMP, ICMPV6, UDPLITE } from "../table/protocol.ts";
import { Fault, hashTuple, InnerTuple, type PacketColumns } from "../packet/packet.ts";
import type { Chains } from "./chains.ts";
import type { TrackerSettings } from "./tracker-settings.ts";
import { Verdict } from "./verdict.ts";

/** The message is one that may be a flow: go on as for any packet. */
export const GO_ON = 0;
/**
 * An error that belongs to no flow, or a broken message: INVALID, and counted apart from other invalid
 * ones.
 */
export const ICMP_ERROR = -1;

/** No answer has this type; types are bytes. */
const NO_TYPE = 0x100;
const ICMP_LAST_TYPE = 18;
const REDIRECT = 137;
/** The first ten bits of fe80::/10. */
const LINK_LOCAL = 0xfe80 >>> 6;
const ICMPV6_FIRST_INFORMATION = 128;

/** The type that answers each type. */
const answers4 = answerTypes([8, 0], [13, 14], [15, 16], [17, 18]);
const answers6 = answerTypes([128, 129], [139, 140]);

/** Types that may begin a flow. */
const beginners4 = typeSet(8, 13, 15, 17);
const beginners6 = typeSet(128, 139);
/** Errors: unreachable, quench, redirect, time exceeded, parameter problem. */
const errors4 = typeSet(3, 4, 5, 11, 12);
/** Multicast listeners and neighbour discovery. */
const untracked6 = typeSet(130, 131, 132, 133, 134, 135, 136, 143);
/** Multicast routers' advertisement and solicitation, but not their termination, 153 (measured on 6.18). */
const MULTICAST_ROUTERS = [151, 152] as const;

function answerTypes(...pairs: readonly (readonly [number, number])[]): Uint16Array {
  const types = new Uint16Array(256).fill(NO_TYPE);
  for (const [request, answer] of pairs) {
    types[request] = answer;
    types[answer] = request;
  }
  return types;
}

function typeSet(...members: readonly number[]): Uint8Array {
  const set = new Uint8Array(256);
  for (const type of members) set[type] = 1;
  return set;
}

/**
 * The discriminator of the opposite direction (type << 8 | code; the code stays); -1 when such messages are
 * never answered.
 */
export function answeredIcmp(protocol: number, typeAndCode: number): number {
  const type = (protocol === ICMP ? answers4 : answers6)[typeAndCode >>> 8] as number;
  return type === NO_TYPE ? -1 : (type << 8) | (typeAndCode & 0xff);
}

/** Whether a message that belongs to no flow may begin one. */
export function icmpMayBegin(family: number, protocol: number, typeAndCode: number): boolean {
  const type = typeAndCode >>> 8;
  if (protocol === ICMP) return family === 4 && beginners4[type] === 1;
  return family === 6 && beginners6[type] === 1;
}

/** What comes before the lookup: a Verdict, GO_ON, or ICMP_ERROR. */
export function judgeIcmp(
  chains: Chains,
  batch: PacketColumns,
  row: number,
  now: number,
  hashSeed: number,
  settings: TrackerSettings,
): number {
  const family = batch.family[row] as number;
  const protocol = batch.protocol[row] as number;
  if (family !== (protocol === ICMP ? 4 : 6)) return GO_ON;
  const fault = batch.fault[row] as number;
  if ((fault & (Fault.NO_TUPLE | Fault.SHORT_HEADER)) !== 0) return ICMP_ERROR;
  if ((fault & Fault.BAD_CHECKSUM) !== 0 && settings.verifiesChecksums) return ICMP_ERROR;
  const type = (batch.destinationDiscriminator[row] as number) >>> 8;
  if (protocol === ICMP) {
    if (type > ICMP_LAST_TYPE) return ICMP_ERROR;
    if (errors4[type] === 0) return GO_ON;
  } else {
    if (untracked6[type] === 1) return Verdict.UNTRACKED;
    if (type === MULTICAST_ROUTERS[0] || type === MULTICAST_ROUTERS[1]) {
      return settings.rules.multicastRouterIsUntracked ? Verdict.UNTRACKED : GO_ON;
    }
    if (type === REDIRECT) {
      if (!settings.rules.redirectIsRelated) return Verdict.UNTRACKED;
      // Routers talk to their neighbours: from any other source a redirect is a forgery.
      if ((batch.source[row * ADDRESS_WORDS] as number) >>> 22 !== LINK_LOCAL) return ICMP_ERROR;
    } else if (type >= ICMPV6_FIRST_INFORMATION) return GO_ON;
  }
  return judgeError(chains, batch, row, now, hashSeed, settings);
}

/**
 * The answer to the packet inside, had there been one, must belong to a flow, and go where this error goes.
 */
function judgeError(
  chains: Chains,
  batch: PacketColumns,
  row: number,
  now: number,
  hashSeed: number,
  settings: TrackerSettings,
): number {
  const at = batch.extraAt[row] as number;
  if (at < 0) return ICMP_ERROR;
  const { extra } = batch;
  const family = extra[at + InnerTuple.FAMILY] as number;
  if (family !== batch.family[row]) return ICMP_ERROR;
  const protocol = extra[at + InnerTuple.PROTOCOL] as number;
  const source = at + InnerTuple.SOURCE;
  const destination = at + InnerTuple.DESTINATION;
  let first = extra[at + InnerTuple.DESTINATION_DISCRIMINATOR] as number;
  let second = extra[at + InnerTuple.SOURCE_DISCRIMINATOR] as number;
  if (protocol === ICMP || protocol === ICMPV6) {
    [first, second] = [second, answeredIcmp(protocol, first)];
    if (second < 0) return ICMP_ERROR;
  } else if (isGeneric(protocol, settings)) {
    first = 0;
    second = 0;
  }
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    if (extra[source + word] !== batch.destination[row * ADDRESS_WORDS + word]) return ICMP_ERROR;
  }
  const zone = batch.zone[row] as number;
  turned.set(extra.subarray(destination, destination + ADDRESS_WORDS), 0);
  turned.set(extra.subarray(source, source + ADDRESS_WORDS), ADDRESS_WORDS);
  const kind = family | (protocol << 8) | (zone << 16);
  const words = first | (second << 16);
  const hash = hashTuple(hashSeed, kind, turned, turnedDestination, 0, words);
  const node = chains.find(now, hash, kind, words, turned, 0, turnedDestination, 0);
  return node === 0 ? ICMP_ERROR : Verdict.RELATED;
}

/** The inner tuple turned round, source words and destination words. */
const turned = new Uint32Array(2 * ADDRESS_WORDS);
const turnedDestination = turned.subarray(ADDRESS_WORDS);

/** Whether this generation tracks a protocol with ports by its addresses only. */
export function isGeneric(protocol: number, settings: TrackerSettings): boolean {
  if (protocol === UDPLITE) return !settings.rules.tracksUdplite;
  return protocol === DCCP && !settings.rules.tracksDccp;
}

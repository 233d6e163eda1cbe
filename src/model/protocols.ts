/**
 * Which protocol answers for a packet: one place that knows them all, and the checks of headers that come
 * before any of them. Everything is told apart by the protocol number, never by a table of functions: a call
 * that always goes to the same place is what a hot path can afford.
 */
import { DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../table/protocol.ts";
import { Fault, type PacketColumns } from "../packet/packet.ts";
import { Answer } from "./answer.ts";
import { dccpNew, dccpPacket } from "./dccp.ts";
import type { FlowRows } from "./flow-rows.ts";
import { greNew, grePacket } from "./gre.ts";
import { answeredIcmp, icmpMayBegin, isGeneric } from "./icmp.ts";
import { sctpNew, sctpPacket } from "./sctp.ts";
import { tcpFlagsAreValid, tcpNew, tcpPacket } from "./tcp.ts";
import type { TrackerSettings } from "./tracker-settings.ts";
import { udplitePacket, udpPacket } from "./udp.ts";

const BROKEN = Fault.SHORT_HEADER | Fault.BAD_LENGTH | Fault.BAD_PROTOCOL;

/**
 * Whether the header is one that its protocol refuses, whatever the flow. ICMP has its own checks
 * (icmp.ts).
 */
export function isBroken(batch: PacketColumns, row: number, settings: TrackerSettings): boolean {
  const fault = batch.fault[row] as number;
  if ((fault & (BROKEN | Fault.BAD_CHECKSUM)) === 0) return false;
  const protocol = batch.protocol[row] as number;
  if (protocol === GRE || isGeneric(protocol, settings) || !hasTracker(protocol)) return false;
  return (fault & BROKEN) !== 0 || settings.verifiesChecksums;
}

/**
 * What becomes of a packet whose header is broken: INVALID, or DROP (DCCP of older kernels that is only too
 * short: what else may be wrong with it is found first, and INVALID).
 */
export function brokenAnswer(batch: PacketColumns, row: number, settings: TrackerSettings): number {
  if (batch.protocol[row] !== DCCP || !settings.rules.shortDccpIsDropped) return Answer.INVALID;
  const minded = settings.verifiesChecksums ? BROKEN | Fault.BAD_CHECKSUM : BROKEN;
  return ((batch.fault[row] as number) & minded) === Fault.SHORT_HEADER ? Answer.DROP : Answer.INVALID;
}

/** The same with what only TCP looks at: until 4.20 all of it came before there was a flow. */
export function isRefusedBeforeLookup(batch: PacketColumns, row: number, settings: TrackerSettings): boolean {
  if (isBroken(batch, row, settings)) return true;
  return batch.protocol[row] === TCP && !tcpFlagsAreValid(batch.tcpFlags[row] as number);
}

function hasTracker(protocol: number): boolean {
  return (
    protocol === TCP || protocol === UDP || protocol === SCTP || protocol === UDPLITE || protocol === DCCP
  );
}

/** Whether there is an opposite direction: for some ICMP there is none. Discriminators as a flow has them. */
export function hasReply(protocol: number, discriminators: number): boolean {
  return (protocol !== ICMP && protocol !== ICMPV6) || answeredIcmp(protocol, discriminators >>> 16) >= 0;
}

/** The word of discriminators (source | destination << 16) in the opposite direction, which there must be. */
export function turnedDiscriminators(protocol: number, discriminators: number): number {
  if (protocol !== ICMP && protocol !== ICMPV6) return (discriminators >>> 16) | (discriminators << 16);
  return (discriminators & 0xffff) | (answeredIcmp(protocol, discriminators >>> 16) << 16);
}

/** Whether a packet that nobody knows may begin a flow; sets the flow's first words. */
export function beginFlow(
  rows: FlowRows,
  flow: number,
  batch: PacketColumns,
  row: number,
  settings: TrackerSettings,
): boolean {
  const protocol = batch.protocol[row] as number;
  switch (protocol) {
    case TCP:
      return tcpNew(rows, flow, batch, row, settings.tcp);
    case SCTP:
      return sctpNew(rows, flow, batch, row, settings);
    case DCCP:
      return isGeneric(protocol, settings) || dccpNew(rows, flow, batch, row);
    case ICMP:
    case ICMPV6:
      return icmpMayBegin(
        batch.family[row] as number,
        protocol,
        batch.destinationDiscriminator[row] as number,
      );
    case GRE:
      greNew(rows, flow, settings);
      return true;
    default:
      return true;
  }
}

/** An Answer for a packet of a flow in a direction, also for the one that began it. */
// oxlint-disable-next-line max-params -- asked for every packet: an object of them would have to be made
export function flowPacket(
  rows: FlowRows,
  flow: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  now: number,
  settings: TrackerSettings,
): number {
  const protocol = batch.protocol[row] as number;
  if (protocol === TCP) {
    return tcpPacket(rows, flow, direction, batch, row, now, settings.tcp, settings.rules);
  }
  if (protocol === UDP) return udpPacket(rows, flow, now, settings);
  return rarePacket(rows, flow, direction, batch, row, settings);
}

function rarePacket(
  rows: FlowRows,
  flow: number,
  direction: number,
  batch: PacketColumns,
  row: number,
  settings: TrackerSettings,
): number {
  switch (batch.protocol[row]) {
    case ICMP:
      return settings.icmpTimeout;
    case ICMPV6:
      return settings.icmpv6Timeout;
    case SCTP:
      return sctpPacket(rows, flow, direction, batch, row, settings);
    case GRE:
      return grePacket(rows, flow);
    case UDPLITE:
      if (!settings.rules.tracksUdplite) return settings.genericTimeout;
      return udplitePacket(rows, flow, settings);
    case DCCP:
      if (!settings.rules.tracksDccp) return settings.genericTimeout;
      return dccpPacket(rows, flow, direction, batch, row, settings);
    default:
      return settings.genericTimeout;
  }
}

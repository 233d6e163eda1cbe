/**
 * A flow as the kernel's own text files print it, byte for byte.
 *
 * Field order and forms: nf_conntrack_standalone.c (ct_seq_show), 2.6.15 to 6.18; ip_conntrack is the same
 * without the address family. Names are padded to 8, every field ends in one blank, the last is `use=`.
 */
import { formatKernelAddress } from "../table/address.ts";
import type { Flow, Traffic, Tuple } from "../table/flow.ts";
import { isSince, type KernelRelease } from "../table/kernel-release.ts";
import { DCCP, discriminatorOf, ICMPV6, kernelProtocolName, UDPLITE } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { decimal } from "./decimal.ts";

/**
 * What the kernel prints that a flow alone does not tell. A flow that came from the kernel's text has all of
 * it but `layout` and `unnamed`, which the Listing knows; a flow that came by netlink needs the others.
 */
export interface LineStyle {
  /** Default: `nf_conntrack`. */
  layout?: "nf_conntrack" | "ip_conntrack";
  /** Protocols with a name that this kernel prints as `unknown`: 58 from 4.19 to 5.11, 33 since 6.17. */
  unnamed?: ReadonlySet<number>;
  /** The kernel has zones (CONFIG_NF_CONNTRACK_ZONES): it prints `zone=0`, which netlink leaves out. */
  zones?: boolean;
  /**
   * Added to `use`: the reader of the text file holds a reference (since 2.6.30), a netlink dump does not.
   */
  useAdded?: number;
  /** The wall clock, for `delta-time=` of a flow that has its start instead of its age. */
  nowMs?: number;
  /** The timeouts that new GRE flows get: printed with each, and not sent by netlink. */
  greTimeouts?: { timeoutSeconds: number; streamTimeoutSeconds: number };
}

/**
 * Protocols with a name that this kernel prints as `unknown`: ICMPv6 lacked its name from 4.19 to 5.11 (fixes
 * went into some of their stable versions), DCCP lost it in 6.17 and UDP-Lite after 6.18.
 */
export function unnamedProtocols(release: KernelRelease): ReadonlySet<number> {
  const unnamed = new Set<number>();
  if (isSince(release, "4.19") && !isSince(release, "5.12")) unnamed.add(ICMPV6);
  if (isSince(release, "6.17")) unnamed.add(DCCP);
  if (isSince(release, "6.19")) unnamed.add(UDPLITE);
  return unnamed;
}

/** The line, without a line feed. Fields the flow lacks are left out. */
export function formatFlow(flow: Flow, style: LineStyle = {}): string {
  const layer3 = flow.family === 4 ? "ipv4     2 " : "ipv6     10 ";
  const isUnnamed = style.unnamed?.has(flow.protocol) === true;
  const name = isUnnamed ? "unknown" : kernelProtocolName(flow.protocol);
  let line = `${style.layout === "ip_conntrack" ? "" : layer3}${name.padEnd(8)} ${decimal(flow.protocol)} `;
  if (flow.timeoutSeconds !== undefined) line += `${decimal(flow.timeoutSeconds)} `;
  line += stateText(flow, style);
  line += tupleText(flow.original, isUnnamed);
  if (flow.originalZone !== undefined) line += `zone-orig=${decimal(flow.originalZone)} `;
  line += trafficText(flow.originalTraffic);
  if (knownBit(flow, Status.SEEN_REPLY) === false) line += "[UNREPLIED] ";
  if (flow.reply !== undefined) line += tupleText(flow.reply, isUnnamed);
  if (flow.replyZone !== undefined) line += `zone-reply=${decimal(flow.replyZone)} `;
  line += trafficText(flow.replyTraffic) + flagText(flow) + ownText(flow, style);
  // Every field but the last, `use=`, ends in a blank.
  return flow.use === undefined ? line.trimEnd() : line;
}

/** Whether a status bit is set; undefined when the source cannot tell. */
function knownBit(flow: Flow, bit: number): boolean | undefined {
  if (flow.status === undefined || (flow.knownStatus & bit) === 0) return undefined;
  return (flow.status & bit) !== 0;
}

function stateText(flow: Flow, style: LineStyle): string {
  if (flow.state !== undefined) return `${flow.state} `;
  if (discriminatorOf(flow.protocol) !== "keys") return "";
  const timeouts = flow.greTimeouts ?? style.greTimeouts;
  if (timeouts === undefined) return "";
  return `timeout=${timeouts.timeoutSeconds}, stream_timeout=${timeouts.streamTimeoutSeconds} `;
}

/** A protocol that the kernel has forgotten the name of has no ports either; ICMPv6 kept its words. */
function tupleText(tuple: Tuple, isUnnamed: boolean): string {
  const text = `src=${formatKernelAddress(tuple.source)} dst=${formatKernelAddress(tuple.destination)} `;
  if (isUnnamed && tuple.protocol !== ICMPV6) return text;
  switch (tuple.kind) {
    case "ports":
      return `${text}sport=${decimal(tuple.sourcePort)} dport=${decimal(tuple.destinationPort)} `;
    case "icmp":
      return `${text}type=${decimal(tuple.type)} code=${decimal(tuple.code)} id=${decimal(tuple.id)} `;
    case "keys":
      return `${text}srckey=0x${tuple.sourceKey.toString(16)} dstkey=0x${tuple.destinationKey.toString(16)} `;
    case "none":
      return text;
  }
}

function trafficText(traffic: Traffic | undefined): string {
  return traffic === undefined ? "" : `packets=${decimal(traffic.packets)} bytes=${decimal(traffic.bytes)} `;
}

/** At most one of the three, in this order (4.16, 5.7). */
function flagText(flow: Flow): string {
  if (knownBit(flow, Status.HW_OFFLOAD) === true) return "[HW_OFFLOAD] ";
  if (knownBit(flow, Status.OFFLOAD) === true) return "[OFFLOAD] ";
  return knownBit(flow, Status.ASSURED) === true ? "[ASSURED] " : "";
}

function ownText(flow: Flow, style: LineStyle): string {
  let text = "";
  if (flow.mark !== undefined) text += `mark=${decimal(flow.mark)} `;
  if (flow.secmark !== undefined) text += `secmark=${decimal(flow.secmark)} `;
  if (flow.rare?.securityContext !== undefined) text += `secctx=${flow.rare.securityContext} `;
  const zone = flow.zone ?? impliedZone(flow, style);
  if (zone !== undefined) text += `zone=${zone} `;
  const age = flow.ageSeconds ?? ageAt(flow, style.nowMs);
  if (age !== undefined) text += `delta-time=${decimal(age)} `;
  if (flow.use !== undefined) text += `use=${decimal(flow.use + (style.useAdded ?? 0))}`;
  return text;
}

/** A flow without any zone is in zone 0, which only a kernel with zones prints. */
function impliedZone(flow: Flow, style: LineStyle): number | undefined {
  const hasNone = flow.originalZone === undefined && flow.replyZone === undefined;
  return style.zones === true && hasNone ? 0 : undefined;
}

/** Whole seconds since the start, as the kernel rounds them; 0 where the clock was set back. */
function ageAt(flow: Flow, nowMs: number | undefined): number | undefined {
  if (nowMs === undefined || flow.startedAtMs === undefined) return undefined;
  return Math.max(0, Math.floor((nowMs - flow.startedAtMs) / 1000));
}

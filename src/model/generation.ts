/**
 * Kernel generations: the same packets under the rules of another kernel. One row per rule that differs, from
 * the trees and measurements named with it; a long-term kernel is taken as its last patch releases behave
 * (4.19.x, 5.10.262, 6.1.192, 6.12.117), not as its first.
 *
 * The rules of all but 4.19 are held against kernels by captures, random sequences, FTP and full tables
 * (test/kernel/replay-*.test.ts): 6.18.44, and Debian's 5.10.262, 6.1.192, 6.12.117 and 7.3.4 in QEMU
 * (`npm run test:kernels`). A release that is said to have been measured was.
 */

/** Generations there are rules for, oldest first. */
export const GENERATIONS = ["4.19", "5.10", "6.1", "6.12", "6.18", "7.3"] as const;
export type Generation = (typeof GENERATIONS)[number];

/** How expired flows are collected (net/netfilter/nf_conntrack_core.c, gc_worker). */
export type Collector =
  /** 4.9 to 5.13: a share of the buckets per run. */
  | "by-share"
  /** 5.14, and 5.10 by backport: all of them every two minutes. */
  | "every-two-minutes"
  /** 5.15 on: all of them, every 1 to 60 s by the average of what remains. */
  | "by-average";

/** What one generation does otherwise than another. */
export interface KernelRules {
  readonly generation: Generation;
  readonly collector: Collector;
  /**
   * A new flow is refused, silently, when its chain has this many nodes: a number drawn per insert between
   * both (5.15 on; raised in 6.3, in 6.1 by backport). Absent: no limit.
   */
  readonly chainLimit?: { readonly least: number; readonly most: number };
  /** Early drop looks at one bucket only (4.7 to 4.19: the next bucket was computed wrongly). */
  readonly earlyDropOneBucket: boolean;
  /** A packet is checked for broken headers before it can take room in the table (until 4.20). */
  readonly checksBeforeAllocation: boolean;
  /** UDP gets the stream timeout, and is ASSURED, only two seconds after it began (5.0; ASSURED 5.16). */
  readonly udpStreamAfterTwoSeconds: boolean;
  /** UDP-Lite (until 6.18) and DCCP (until 6.16) are tracked by their ports. */
  readonly tracksUdplite: boolean;
  readonly tracksDccp: boolean;
  /** A SYN repeated into SYN_SENT without an answer renews the timeout (until 5.14, 5.10 by backport). */
  readonly repeatedSynRenews: boolean;
  /** Data below the window and acknowledgments too old are let by without renewal, not INVALID (6.1). */
  readonly oldSegmentsPass: boolean;
  /** Data a little beyond the window are let by without renewal (6.0). */
  readonly smallOvershootPasses: boolean;
  /** A FIN or RST out of window from both sides shortens the timeout (6.1). */
  readonly closingOutOfWindowShortens: boolean;
  /** nf_conntrack_tcp_ignore_invalid_rst (5.14). */
  readonly canIgnoreInvalidReset: boolean;
  /** A challenge ACK in SYN_SENT is noted for the RST that answers it (6.2). */
  readonly challengeInSynSent: boolean;
  /**
   * An RST that leaves ESTABLISHED gives it the unacknowledged timeout, not that of CLOSE, and one that
   * closes has its timeout chosen like any packet (7.x, 6.12 by backport; both measured).
   */
  readonly resetKeepsUnacknowledged: boolean;
  /** An RST answering an ignored SYN closes whatever its sequence number is (after 5.10). */
  readonly resetOfIgnoredSynCloses: boolean;
  /** An RST into FIN_WAIT and all states behind it is not checked at all (5.14). */
  readonly resetOfClosingIsBelieved: boolean;
  /**
   * Only a SYN with other numbers replaces the SYN or SYN/ACK before it (5.17); before, any packet of the
   * client in SYN_SENT and of the server in SYN_RECV did, but not the one's SYN in the other's state.
   */
  readonly onlySynBeginsAnew: boolean;
  /**
   * SCTP: an INIT creates CLOSED, not COOKIE_WAIT; 210 s of ESTABLISHED (6.2; by backport also measured on
   * 5.10.262 and 6.1.192).
   */
  readonly sctpInitIsClosed: boolean;
  /** SCTP: an INIT into a flow in CLOSED does not renew it (5.17; by backport also measured on 5.10.262). */
  readonly sctpClosedKeepsTimeout: boolean;
  /**
   * ICMPv6 redirects are errors about a flow, RELATED or INVALID, and not untracked (6.2; by backport also
   * measured on 5.10.262 and 6.1.192).
   */
  readonly redirectIsRelated: boolean;
  /** ICMPv6 of multicast routers, types 151 and 152, is untracked, not INVALID (measured: 6.12, not 6.1). */
  readonly multicastRouterIsUntracked: boolean;
  /**
   * A DCCP packet that is too short, for any or for its type, is dropped, not only INVALID (measured on
   * 5.10.262 and 6.1.192, not on 6.12.117).
   */
  readonly shortDccpIsDropped: boolean;
  /** FTP's helper takes numbers above 255 in an address or port for no announcement (measured on 7.3.4). */
  readonly ftpNumbersAreBytes: boolean;
  /** nf_conntrack_max 0 means no limit (until 6.18). */
  readonly zeroMeansUnlimited: boolean;
}

const newest: KernelRules = {
  generation: "7.3",
  collector: "by-average",
  chainLimit: { least: 52, most: 81 },
  earlyDropOneBucket: false,
  checksBeforeAllocation: false,
  udpStreamAfterTwoSeconds: true,
  tracksUdplite: false,
  tracksDccp: false,
  repeatedSynRenews: false,
  oldSegmentsPass: true,
  smallOvershootPasses: true,
  closingOutOfWindowShortens: true,
  canIgnoreInvalidReset: true,
  challengeInSynSent: true,
  resetKeepsUnacknowledged: true,
  resetOfIgnoredSynCloses: true,
  resetOfClosingIsBelieved: true,
  onlySynBeginsAnew: true,
  sctpInitIsClosed: true,
  sctpClosedKeepsTimeout: true,
  redirectIsRelated: true,
  multicastRouterIsUntracked: true,
  shortDccpIsDropped: false,
  ftpNumbersAreBytes: true,
  zeroMeansUnlimited: false,
};

const v6_18: KernelRules = {
  ...newest,
  generation: "6.18",
  tracksUdplite: true,
  resetKeepsUnacknowledged: false,
  ftpNumbersAreBytes: false,
  zeroMeansUnlimited: true,
};

const v6_12: KernelRules = {
  ...v6_18,
  generation: "6.12",
  tracksDccp: true,
  resetKeepsUnacknowledged: true,
};

const v6_1: KernelRules = {
  ...v6_12,
  generation: "6.1",
  resetKeepsUnacknowledged: false,
  multicastRouterIsUntracked: false,
  shortDccpIsDropped: true,
};

const v5_10: KernelRules = {
  ...v6_1,
  generation: "5.10",
  collector: "every-two-minutes",
  oldSegmentsPass: false,
  smallOvershootPasses: false,
  closingOutOfWindowShortens: false,
  canIgnoreInvalidReset: false,
  challengeInSynSent: false,
  resetOfIgnoredSynCloses: false,
  resetOfClosingIsBelieved: false,
  onlySynBeginsAnew: false,
};

const v4_19: KernelRules = {
  ...v5_10,
  generation: "4.19",
  collector: "by-share",
  earlyDropOneBucket: true,
  checksBeforeAllocation: true,
  udpStreamAfterTwoSeconds: false,
  repeatedSynRenews: true,
  sctpInitIsClosed: false,
  sctpClosedKeepsTimeout: false,
  redirectIsRelated: false,
};

const withoutChainLimit = ({ chainLimit: _, ...rules }: KernelRules): KernelRules => rules;

const byGeneration: Readonly<Record<Generation, KernelRules>> = {
  "4.19": withoutChainLimit(v4_19),
  "5.10": withoutChainLimit(v5_10),
  "6.1": v6_1,
  "6.12": v6_12,
  "6.18": v6_18,
  "7.3": newest,
};

/** The rules of a generation. */
export function rulesOf(generation: Generation): KernelRules {
  return byGeneration[generation];
}

/**
 * The status bits of a flow (enum ip_conntrack_status, include/uapi/linux/netfilter/nf_conntrack_common.h).
 *
 * Netlink sends all of them. Text shows four: [UNREPLIED] is SEEN_REPLY clear, [ASSURED], [OFFLOAD],
 * [HW_OFFLOAD]; the columns therefore say which bits their source can tell (`knownStatus`).
 */

export const Status = {
  EXPECTED: 1 << 0,
  SEEN_REPLY: 1 << 1,
  ASSURED: 1 << 2,
  CONFIRMED: 1 << 3,
  SRC_NAT: 1 << 4,
  DST_NAT: 1 << 5,
  SEQ_ADJUST: 1 << 6,
  SRC_NAT_DONE: 1 << 7,
  DST_NAT_DONE: 1 << 8,
  DYING: 1 << 9,
  FIXED_TIMEOUT: 1 << 10,
  TEMPLATE: 1 << 11,
  NAT_CLASH: 1 << 12,
  HELPER: 1 << 13,
  OFFLOAD: 1 << 14,
  HW_OFFLOAD: 1 << 15,
} as const;

export type StatusBit = keyof typeof Status;

/** All bits: what a netlink source can tell. */
export const ALL_STATUS = 0xffff_ffff;

/**
 * The bits a line of text can tell. A line with [HW_OFFLOAD] or [OFFLOAD] hides ASSURED; the reader then
 * guesses nothing.
 */
export const TEXT_STATUS = Status.SEEN_REPLY | Status.ASSURED | Status.OFFLOAD | Status.HW_OFFLOAD;

/** Names of machine output and filters: `seen-reply`, `assured`, ... */
export function statusNames(status: number): string[] {
  const names = Object.entries(Status)
    .filter(([, bit]) => (status & bit) !== 0)
    .map(([name]) => name.toLowerCase().replaceAll("_", "-"));
  const unnamed = (status & ~0xffff) >>> 0;
  return unnamed === 0 ? names : [...names, `0x${unnamed.toString(16)}`];
}

/** The bit for a name of `statusNames`; undefined when there is none. */
export function statusBit(name: string): number | undefined {
  const key = name.toUpperCase().replaceAll("-", "_");
  return Object.hasOwn(Status, key) ? Status[key as StatusBit] : undefined;
}

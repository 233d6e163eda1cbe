/**
 * Translation as the tuples show it. The reply tuple is the original one inverted unless the kernel
 * translated the flow: a translated source shows as a reply destination that is not the original source, a
 * translated destination as a reply source that is not the original destination, ports included. The kernel
 * does not report its choice in any other way; the bits SRC_NAT and DST_NAT say that a rule applied, and text
 * does not even have those.
 */
import { ADDRESS_WORDS } from "./address.ts";
import { type FlowColumns, Has } from "./columns.ts";
import { ICMP, ICMPV6 } from "./protocol.ts";

/** Which side was translated. */
export type NatKind = "none" | "source" | "destination" | "both";

const SOURCE = 1;
const DESTINATION = 2;
const UNKNOWN = 4;

/** What `natAt` returns, as bits: SOURCE, DESTINATION or both of them; UNKNOWN stands alone. */
export const Nat = { NONE: 0, SOURCE, DESTINATION, BOTH: SOURCE | DESTINATION, UNKNOWN } as const;

/** The name of a value of `natAt` but UNKNOWN, by that value. */
export const NAT_NAMES: readonly NatKind[] = ["none", "source", "destination", "both"];

/** -1 (all bits) for protocols whose discriminator is an id and a type, else 0. */
const idMasks = new Int32Array(256);
idMasks[ICMP] = -1;
idMasks[ICMPV6] = -1;

const REPLY_BIT = Math.log2(Has.reply);

const single = new Uint8Array(1);

/** Translation of a row; Nat.UNKNOWN where the listing has no reply tuple. Allocates nothing. */
export function natAt(columns: FlowColumns, row: number): number {
  fillNat(columns, row, row + 1, single);
  return single[0] as number;
}

/**
 * Translation of rows `from` up to, not including, `to`, into `into` from its beginning: as natAt gives it.
 * Computed without branches, which translated and other flows in turn would defeat, and without calls, which
 * would keep the compiler from checking each column once for all rows.
 */
export function fillNat(columns: FlowColumns, from: number, to: number, into: Uint8Array): void {
  const { has, protocol } = columns;
  const { originalSource, originalDestination, replySource, replyDestination } = columns;
  const originalFirst = columns.originalSourceDiscriminator;
  const originalSecond = columns.originalDestinationDiscriminator;
  const replyFirst = columns.replySourceDiscriminator;
  const replySecond = columns.replyDestinationDiscriminator;
  for (let row = from; row < to; row++) {
    const at = row * ADDRESS_WORDS;
    const first = originalFirst[row] as number;
    const id = idMasks[protocol[row] as number] as number;
    // Ports and keys change places in the reply. An ICMP id does not, and a translated source may get another
    // one.
    const source =
      ((replyDestination[at] as number) ^ (originalSource[at] as number)) |
      (((replySecond[row] as number) ^ first) & ~id) |
      (((replyFirst[row] as number) ^ first) & id);
    const destination =
      ((replySource[at] as number) ^ (originalDestination[at] as number)) |
      (((replyFirst[row] as number) ^ (originalSecond[row] as number)) & ~id);
    const nat = ((source | -source) >>> 31) | (((destination | -destination) >>> 31) << 1);
    const given = ((has[row] as number) >>> REPLY_BIT) & 1;
    into[row - from] = UNKNOWN + (nat - UNKNOWN) * given;
  }
  compareRest(columns, from, to, into);
}

/** The three other words of IPv6 addresses: what differs there is added to what fillNat found. */
function compareRest(columns: FlowColumns, from: number, to: number, into: Uint8Array): void {
  const { family, originalSource, originalDestination, replySource, replyDestination } = columns;
  for (let row = from; row < to; row++) {
    if (family[row] === 4 || into[row - from] === UNKNOWN) continue;
    let nat = into[row - from] as number;
    for (let at = row * ADDRESS_WORDS + 1; at < (row + 1) * ADDRESS_WORDS; at++) {
      if (replyDestination[at] !== originalSource[at]) nat |= SOURCE;
      if (replySource[at] !== originalDestination[at]) nat |= DESTINATION;
    }
    into[row - from] = nat;
  }
}

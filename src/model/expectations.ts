/**
 * Expectations: flows that a helper has read about in another flow's data and that are therefore RELATED when
 * they come (net/netfilter/nf_conntrack_expect.c; what is said here was measured on 6.18.44 unless it says
 * otherwise).
 *
 * For whoever tracks, in the order of a packet's way:
 * - A packet nobody knows, once its flow has a number: `if (expectations.count !== 0)`, `claim(flow, batch,
 *   row, now)`. True: set Status.EXPECTED; the expectation is used up, whatever the protocol then says of
 *   the packet. (When the table is full the packet is dropped before it is looked for, and the expectation
 *   stays.)
 * - Class: a packet of the original direction is RELATED as long as its flow has EXPECTED and not
 *   SEEN_REPLY, so a repeated SYN is too; after that ESTABLISHED, as replies always are.
 * - A new flow to TCP port 21 (`isFtpControl`): `ftp.attach(flow)` where helpers are given (`--helper ftp`:
 *   Status.HELPER is set), or by `nf_conntrack_helper` = 1 until 5.19 (then without that bit).
 * - After every accepted packet of class ESTABLISHED: `if (ftp.count !== 0 && ftp.has(flow))`,
 *   `ftp.packet(rows, flow, direction, batch, row, now)`. False: the tracker drops the packet; counters and
 *   expiry are changed all the same, and `drop` does not count it.
 * - A flow is removed: `if (ftp.count !== 0) ftp.forget(flow)` and
 *   `if (expectations.families !== 0) expectations.forget(flow)`, before the number can be used anew.
 * - nf_conntrack_count counts a master that is gone until the last of its children is: add `held`.
 */
import type { PacketColumns } from "../packet/packet.ts";
import { ADDRESS_WORDS } from "../table/address.ts";

/** What helpers may ask for. */
export interface Expected {
  readonly family: number;
  readonly protocol: number;
  readonly zone: number;
  readonly source: Uint32Array;
  readonly destination: Uint32Array;
  readonly destinationPort: number;
}

interface Entry extends Expected {
  readonly master: Family;
  /** In jiffies, signed 32 bits that may wrap. */
  readonly expires: number;
}

/** A flow that expects or has children. It may be gone before they are, and its number in use by another. */
interface Family {
  gone: boolean;
  children: number;
  /** Oldest first. */
  readonly expecting: Entry[];
}

export class Expectations {
  /** nf_conntrack_expect_max; may change at any time. */
  capacity: number;
  /** Expectations there are; some may be over already. */
  count = 0;
  /** Flows that are a master or a child. */
  families = 0;
  /** Masters that are gone from the table but counted, because a child of theirs lives. */
  held = 0;
  readonly #byPort = new Map<number, Entry[]>();
  readonly #masters = new Map<number, Family>();
  readonly #familyOf = new Map<number, Family>();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /**
   * Adds an expectation of `master` for `timeout` jiffies. The same one again begins anew; another one pushes
   * the oldest out when the master has `most` already. False when another master expects the same, or when
   * there are `capacity` of them: the helper then drops its packet.
   */
  expect(master: number, expected: Expected, timeout: number, most: number, now: number): boolean {
    this.expire(now);
    const rivals = this.#byPort.get(expected.destinationPort) ?? [];
    const family = this.#familyOfMaster(master);
    for (const entry of rivals.filter((rival) => isSame(rival, expected))) {
      if (entry.master !== family) return false;
      this.#remove(entry);
    }
    while (family.expecting.length >= most) this.#remove(family.expecting[0] as Entry);
    if (this.count >= this.capacity) return false;
    const entry: Entry = { ...expected, master: family, expires: (now + timeout) | 0 };
    family.expecting.push(entry);
    const entries = this.#byPort.get(expected.destinationPort);
    if (entries === undefined) this.#byPort.set(expected.destinationPort, [entry]);
    else entries.push(entry);
    this.count += 1;
    return true;
  }

  /**
   * Whether the packet in `row` was expected; `flow`, which it begins, is then a child, and what expected
   * it gone.
   */
  claim(flow: number, batch: PacketColumns, row: number, now: number): boolean {
    const entries = this.#byPort.get(batch.destinationDiscriminator[row] as number);
    if (entries === undefined) return false;
    const entry = entries.find((candidate) => isAnsweredBy(candidate, batch, row, now));
    if (entry === undefined) return false;
    this.#remove(entry);
    entry.master.children += 1;
    this.#familyOf.set(flow, entry.master);
    this.#countFamilies();
    return true;
  }

  /** A flow is gone: nobody expects anything for it any more, and its master may be. */
  forget(flow: number): void {
    const family = this.#masters.get(flow);
    if (family !== undefined) {
      while (family.expecting.length > 0) this.#remove(family.expecting[0] as Entry);
      this.#masters.delete(flow);
      family.gone = true;
      if (family.children > 0) this.held += 1;
    }
    const parent = this.#familyOf.get(flow);
    if (parent !== undefined) {
      this.#familyOf.delete(flow);
      parent.children -= 1;
      if (parent.gone && parent.children === 0) this.held -= 1;
    }
    this.#countFamilies();
  }

  /** Removes what is over. Done before each `expect`; whoever walks the table may do it too. */
  expire(now: number): void {
    for (const family of this.#masters.values()) {
      for (const entry of family.expecting.filter((candidate) => isOver(candidate, now))) this.#remove(entry);
    }
  }

  /** What a flow expects, oldest first. */
  expectedBy(master: number): readonly Expected[] {
    return this.#masters.get(master)?.expecting ?? [];
  }

  #familyOfMaster(master: number): Family {
    const known = this.#masters.get(master);
    if (known !== undefined) return known;
    const family: Family = { gone: false, children: 0, expecting: [] };
    this.#masters.set(master, family);
    this.#countFamilies();
    return family;
  }

  #remove(entry: Entry): void {
    const entries = this.#byPort.get(entry.destinationPort) ?? [];
    entries.splice(entries.indexOf(entry), 1);
    if (entries.length === 0) this.#byPort.delete(entry.destinationPort);
    const { expecting } = entry.master;
    expecting.splice(expecting.indexOf(entry), 1);
    this.count -= 1;
  }

  #countFamilies(): void {
    this.families = this.#masters.size + this.#familyOf.size;
  }
}

function isOver(entry: Entry, now: number): boolean {
  return ((entry.expires - now) | 0) <= 0;
}

function isSame(a: Expected, b: Expected): boolean {
  return (
    a.family === b.family &&
    a.protocol === b.protocol &&
    a.zone === b.zone &&
    a.source.every((word, at) => word === b.source[at]) &&
    a.destination.every((word, at) => word === b.destination[at])
  );
}

/** From any source port, as helpers ask. */
function isAnsweredBy(entry: Entry, batch: PacketColumns, row: number, now: number): boolean {
  if (entry.family !== batch.family[row] || entry.protocol !== batch.protocol[row]) return false;
  if (entry.zone !== batch.zone[row] || isOver(entry, now)) return false;
  const at = row * ADDRESS_WORDS;
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    if (entry.source[word] !== batch.source[at + word]) return false;
    if (entry.destination[word] !== batch.destination[at + word]) return false;
  }
  return true;
}

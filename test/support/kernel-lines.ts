/**
 * Any flow as the kernel's text can tell it, by fast-check, and lines that were spoiled on their way.
 */
import fc from "fast-check";
import type { Address } from "../../src/table/address.ts";
import { type Flow, tupleOf } from "../../src/table/flow.ts";
import { DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "../../src/table/protocol.ts";
import { hasStates, stateName } from "../../src/table/state.ts";
import { Status, TEXT_STATUS } from "../../src/table/status.ts";

const u8 = fc.nat(0xff);
const u16 = fc.oneof(fc.nat(9), fc.nat(0xffff));
const u32 = fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 0xffff_ffff }));
const counter = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const plain = { noNullPrototype: true };
const traffic = fc.record({ packets: counter, bytes: counter }, plain);
const context = fc.constantFrom("system_u:object_r:unlabeled_t:s0", "kernel", "", "s".repeat(200));

/** An address of 4 or 16 bytes; zeros are frequent, so that IPv6 gets its gaps. */
function address(length: 4 | 16): fc.Arbitrary<Address> {
  const byte = fc.oneof(fc.constant(0), u8);
  return fc
    .array(byte, { minLength: length, maxLength: length })
    .map((bytes) => String.fromCharCode(...bytes) as Address);
}

/** Both discriminators of a tuple. */
function discriminators(protocol: number): fc.Arbitrary<[number, number]> {
  return protocol === 50 ? fc.constant([0, 0]) : fc.tuple(u16, u16);
}

/** At most one of the three marks is printed. */
const status = fc
  .tuple(
    fc.constantFrom(0, Status.SEEN_REPLY),
    fc.constantFrom(0, Status.ASSURED, Status.ASSURED, Status.OFFLOAD, Status.HW_OFFLOAD),
  )
  .map(([reply, mark]) => reply | mark);

/** What is printed between the time left and the original direction. */
function protocolPart(protocol: number): fc.Arbitrary<Pick<Flow, "state" | "greTimeouts">> {
  const none: Pick<Flow, "state" | "greTimeouts"> = {};
  if (protocol === GRE) {
    return fc.record({ greTimeouts: fc.record({ timeoutSeconds: u16, streamTimeoutSeconds: u16 }, plain) });
  }
  const named = fc.nat(9).map((number) => ({ state: stateName(protocol, number) }));
  return hasStates(protocol)
    ? fc.oneof({ weight: 9, arbitrary: named }, fc.constant(none))
    : fc.constant(none);
}

/** Optional fields that any protocol's flow may have. */
const ownFields = fc.record(
  {
    timeoutSeconds: fc.oneof({ weight: 5, arbitrary: fc.nat(432_000) }, u32),
    originalTraffic: traffic,
    replyTraffic: traffic,
    originalZone: u16,
    replyZone: u16,
    mark: u32,
    secmark: u32,
    rare: context.map((securityContext) => ({ securityContext })),
    zone: u16,
    ageSeconds: fc.nat(),
    use: u32,
  },
  { requiredKeys: [] },
);

/** Any flow that the kernel's text holds in full. */
export const anyKernelFlow: fc.Arbitrary<Flow> = fc
  .record({
    family: fc.constantFrom(4 as const, 4 as const, 6 as const),
    protocol: fc.constantFrom(TCP, TCP, TCP, UDP, UDP, ICMP, ICMPV6, GRE, SCTP, DCCP, UDPLITE, 50),
  })
  .chain(({ family, protocol }) => {
    const ends = fc.tuple(address(family === 4 ? 4 : 16), address(family === 4 ? 4 : 16));
    const tuple = fc
      .tuple(ends, discriminators(protocol))
      .map(([[source, destination], [first, second]]) =>
        tupleOf(protocol, source, destination, first, second),
      );
    return fc
      .record({ original: tuple, reply: tuple, status, part: protocolPart(protocol), own: ownFields })
      .map(({ own, part, ...both }) => ({
        family,
        protocol,
        knownStatus: TEXT_STATUS,
        ...both,
        ...own,
        ...part,
      }));
  });

/** What may be put into a line, or instead of a part of it. */
const spoiler = fc.constantFrom(
  ..." =[]:.,-x09afAZ\t\r",
  "",
  "  ",
  " mark=5 ",
  " use=",
  " id=7",
  "[ASSURED] ",
  "[UNREPLIED] ",
  "src=1.2.3.4 ",
  "sport=70000 ",
  "packets=1 ",
  "99999999999999999999",
  "zone-orig=3 ",
  "::",
  "ipv6     10 ",
  "é",
  "\0",
);

/** `line` with up to three places replaced, doubled or left out. */
export function spoiled(line: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const edit = fc.record({ at: fc.nat(400), length: fc.nat(3), text: spoiler });
  return fc.tuple(line, fc.array(edit, { maxLength: 3 })).map(([text, edits]) =>
    edits.reduce((spoilt, { at, length, text: part }) => {
      const from = at % (spoilt.length + 1);
      return spoilt.slice(0, from) + part + spoilt.slice(from + length);
    }, text),
  );
}

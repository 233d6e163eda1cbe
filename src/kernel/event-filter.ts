/**
 * A share of all flows, chosen by the kernel before an event reaches the socket: classic BPF on the netlink
 * socket (SO_ATTACH_FILTER), which finds the flow's id among the attributes (SKF_AD_NLATTR,
 * Documentation/networking/filter.rst) and keeps one of N. What it refuses is neither queued nor counted as
 * lost, and nobody is woken for it.
 *
 * The id (CTA_ID) is a keyed hash since 5.1 and part of an address before; folding and a multiplication
 * spread either over the upper bits, which decide. So NEW, UPDATE and DESTROY of a flow are all seen or all
 * not, and the flows of a smaller share are among those of a larger one. An event without an id passes.
 */
import { assert } from "../base/assert.ts";
import { Attribute } from "./ctnetlink.ts";

/** 2^32 divided by the golden ratio, odd: neighbours, and multiples of any size, end up far apart. */
const MULTIPLIER = 0x9e37_79b1;
/** The upper bits are folded into the lower ones, where the multiplication carries them up again. */
const FOLD = 15;
/** Shares smaller than one in a million flows tell nothing. */
const SHARE_MAX = 2 ** 20;
/** struct nlmsghdr and struct nfgenmsg, behind which attributes begin. */
const ATTRIBUTES_AT = 20;
const ATTRIBUTE_HEADER_BYTES = 4;

/** include/uapi/linux/bpf_common.h and filter.h. */
const Bpf = {
  LOAD: 0x00,
  LOAD_INTO_X: 0x01,
  LOAD_WORD_AT: 0x20,
  LOAD_WORD_AT_X: 0x40,
  MULTIPLY: 0x24,
  SHIFT_RIGHT: 0x74,
  JUMP_IF_EQUAL: 0x15,
  COPY_TO_X: 0x07,
  XOR_X: 0xac,
  RETURN: 0x06,
} as const;
/** A load from here gives no word of the message but the place of the attribute X from A on; or 0. */
const FIND_ATTRIBUTE = 0xffff_f000 + 12;
const WHOLE_MESSAGE = 0xffff_ffff;

/** Throws AssertionError unless one of `oneOf` flows is a share that can be chosen. */
export function assertShare(oneOf: number): void {
  assert(isShare(oneOf), "A share of flows is one of a power of two, up to 2^20");
}

/** Whether one of so many flows is a share that can be chosen. */
export function isShare(oneOf: number): boolean {
  return Number.isInteger(Math.log2(oneOf)) && oneOf >= 1 && oneOf <= SHARE_MAX;
}

/** Whether the flow of this id is among the one of `oneOf` that the filter keeps. */
export function isOfShare(id: number, oneOf: number): boolean {
  return oneOf === 1 || Math.imul(id ^ (id >>> FOLD), MULTIPLIER) >>> shiftOf(oneOf) === 0;
}

function shiftOf(oneOf: number): number {
  return 32 - Math.log2(oneOf);
}

/**
 * The program, as struct sock_filter: 0 code u16, 2 jump if true u8, 3 jump if false u8, 4 constant u32.
 * `oneOf` is more than 1.
 */
export function shareProgram(oneOf: number): Uint8Array {
  assertShare(oneOf);
  const instructions: readonly (readonly [
    code: number,
    constant: number,
    ifTrue?: number,
    ifFalse?: number,
  ])[] = [
    [Bpf.LOAD_INTO_X, Attribute.ID],
    [Bpf.LOAD, ATTRIBUTES_AT],
    [Bpf.LOAD_WORD_AT, FIND_ATTRIBUTE],
    // No id: to the last but one.
    [Bpf.JUMP_IF_EQUAL, 0, 8, 0],
    [Bpf.COPY_TO_X, 0],
    [Bpf.LOAD_WORD_AT_X, ATTRIBUTE_HEADER_BYTES],
    [Bpf.COPY_TO_X, 0],
    [Bpf.SHIFT_RIGHT, FOLD],
    [Bpf.XOR_X, 0],
    [Bpf.MULTIPLY, MULTIPLIER],
    [Bpf.SHIFT_RIGHT, shiftOf(oneOf)],
    [Bpf.JUMP_IF_EQUAL, 0, 0, 1],
    [Bpf.RETURN, WHOLE_MESSAGE],
    [Bpf.RETURN, 0],
  ];
  const program = new Uint8Array(instructions.length * 8);
  const view = new DataView(program.buffer);
  instructions.forEach(([code, constant, ifTrue = 0, ifFalse = 0], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, ifTrue);
    view.setUint8(index * 8 + 3, ifFalse);
    view.setUint32(index * 8 + 4, constant, true);
  });
  return program;
}

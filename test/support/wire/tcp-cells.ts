/**
 * Every state of TCP, reached by the packets that lead to it, and then every kind of packet from either side:
 * the automaton cell by cell, and around each cell the window.
 */
import type { PacketSpec } from "./packet-spec.ts";

export interface Cell {
  /** Of the state the packet meets, in the kernel's spelling. */
  state: string;
  name: string;
  packets: PacketSpec[];
}

type Side = "a" | "b";

/** Both hosts' next numbers, once what leads to a state has been sent. */
interface Stage {
  state: string;
  packets: PacketSpec[];
  next: Record<Side, number>;
}

const WINDOW = 8192;
const PORTS = { a: 1000, b: 80 } as const;

function other(side: Side): Side {
  return side === "a" ? "b" : "a";
}

function tcp(from: Side, flags: string, fields: Record<string, number>): PacketSpec {
  const to = other(from);
  return {
    protocol: "tcp",
    from,
    to,
    ports: [PORTS[from], PORTS[to]],
    flags,
    fields: { win: WINDOW, ...fields },
  };
}

const SYN = tcp("a", "S", { seq: 1000, mss: 1460 });
const SYN_ACK = tcp("b", "SA", { seq: 5000, ack: 1001, mss: 1460 });
const ACK = tcp("a", "A", { seq: 1001, ack: 5001 });
const FIN = tcp("a", "FA", { seq: 1001, ack: 5001 });
const FIN_ACKED = tcp("b", "A", { seq: 5001, ack: 1002 });
const OTHER_FIN = tcp("b", "FA", { seq: 5001, ack: 1002 });
const LAST_ACK = tcp("a", "A", { seq: 1002, ack: 5002 });
const OPEN = [SYN, SYN_ACK, ACK];

const STAGES: readonly Stage[] = [
  { state: "NONE", packets: [], next: { a: 1000, b: 5000 } },
  { state: "SYN_SENT", packets: [SYN], next: { a: 1001, b: 5000 } },
  { state: "SYN_RECV", packets: [SYN, SYN_ACK], next: { a: 1001, b: 5001 } },
  { state: "ESTABLISHED", packets: OPEN, next: { a: 1001, b: 5001 } },
  { state: "FIN_WAIT", packets: [...OPEN, FIN], next: { a: 1002, b: 5001 } },
  { state: "CLOSE_WAIT", packets: [...OPEN, FIN, FIN_ACKED], next: { a: 1002, b: 5001 } },
  { state: "LAST_ACK", packets: [...OPEN, FIN, FIN_ACKED, OTHER_FIN], next: { a: 1002, b: 5002 } },
  { state: "TIME_WAIT", packets: [...OPEN, FIN, FIN_ACKED, OTHER_FIN, LAST_ACK], next: { a: 1002, b: 5002 } },
  { state: "CLOSE", packets: [...OPEN, tcp("a", "R", { seq: 1001 })], next: { a: 1001, b: 5001 } },
  { state: "SYN_SENT2", packets: [SYN, tcp("b", "S", { seq: 5000 })], next: { a: 1001, b: 5001 } },
];

/** What is sent into each state from each side, as changes of a packet in window. */
const PROBES: readonly {
  name: string;
  flags: string;
  seq?: number;
  ack?: number;
  more?: Record<string, number>;
}[] = [
  { name: "SYN", flags: "S" },
  { name: "SYN/ACK", flags: "SA" },
  { name: "FIN", flags: "FA" },
  { name: "ACK", flags: "A" },
  { name: "RST", flags: "R" },
  { name: "no flag", flags: "" },
  { name: "the same SYN", flags: "S", seq: -1 },
  { name: "a later SYN", flags: "S", seq: 1_000_000 },
  { name: "RST/ACK", flags: "RA" },
  { name: "RST of 0", flags: "R", seq: Number.NaN },
  { name: "RST behind", flags: "R", seq: -1 },
  { name: "RST ahead", flags: "R", seq: 100 },
  { name: "RST far ahead", flags: "R", seq: 100_000 },
  { name: "data", flags: "PA", more: { len: 100 } },
  { name: "data up to the window", flags: "A", more: { len: WINDOW } },
  { name: "data a little beyond the window", flags: "A", seq: WINDOW + 1, more: { len: 100 } },
  { name: "data far beyond the window", flags: "A", seq: 100_000, more: { len: 100 } },
  { name: "data long gone", flags: "A", seq: -100_000, more: { len: 100 } },
  { name: "a keep-alive", flags: "A", seq: -1 },
  { name: "ACK of what is to come", flags: "A", ack: 1 },
  { name: "ACK long gone", flags: "A", ack: -100_000 },
  { name: "a closed window", flags: "A", more: { win: 0 } },
  { name: "FIN with data", flags: "FA", more: { len: 10 } },
  { name: "FIN out of window", flags: "FA", seq: 100_000 },
  { name: "a bad checksum", flags: "A", more: { bad: 1 } },
];

/** All states, both sides, all probes; behind each an acknowledgement from either side. */
export function tcpCells(): Cell[] {
  return STAGES.flatMap((stage) =>
    (["a", "b"] as const).flatMap((side) => PROBES.map((probe) => cellOf(stage, side, probe))),
  );
}

function cellOf(stage: Stage, side: Side, probe: (typeof PROBES)[number]): Cell {
  const { next } = stage;
  const fields: Record<string, number> = { seq: shifted(next[side], probe.seq ?? 0) };
  if (probe.flags.includes("A")) fields["ack"] = shifted(next[other(side)], probe.ack ?? 0);
  const packet = tcp(side, probe.flags, { ...fields, ...probe.more });
  const after = (["a", "b"] as const).map((from) =>
    tcp(from, "A", { seq: next[from], ack: next[other(from)], win: WINDOW - 1 }),
  );
  const name = `${stage.state}: ${side === "a" ? "original" : "reply"} ${probe.name}`;
  return { state: stage.state, name, packets: [...stage.packets, packet, ...after] };
}

/** NaN stands for the number 0 itself. */
function shifted(value: number, by: number): number {
  return Number.isNaN(by) ? 0 : (value + by) >>> 0;
}

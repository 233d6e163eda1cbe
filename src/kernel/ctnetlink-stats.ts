/**
 * What the kernel counts, over netlink: where /proc/net/stat is missing or unreadable. The names are those
 * of the file; an attribute that is missing is a counter this kernel does not have, never a zero.
 *
 * Source: enum ctattr_stats_cpu, ctattr_stats_global and ctattr_expect_stats of
 * include/uapi/linux/netfilter/nfnetlink_conntrack.h; GET_STATS and GET_STATS_CPU are in kernels since 3.8.
 */
import { ByteReader, BytesError } from "../base/bytes.ts";
import type { CounterName, Counters, CounterValues } from "../table/counters.ts";
import type { Oddities } from "../table/oddities.ts";
import { countedByKernel } from "./conntrack-stat.ts";
import {
  ExpectationMessage,
  FAMILY_HEADER_BYTES,
  FlowMessage,
  messageType,
  SUBSYSTEM_EXPECTATIONS,
  SUBSYSTEM_FLOWS,
} from "./ctnetlink.ts";
import { beginRequest } from "./ctnetlink-encode.ts";
import { KernelError } from "./error.ts";
import { attributesOf, Flag, type Message, MessageWriter } from "./netlink.ts";
import {
  Exchange,
  forEachAnswer,
  NETLINK_NETFILTER,
  type NetlinkSocket,
  openNetlink,
  type Purpose,
  type WireSink,
} from "./netlink-socket.ts";

/** CTA_STATS_*: by number. */
const flowCounters: readonly (CounterName | undefined)[] = [
  undefined,
  "searched",
  "found",
  "new",
  "invalid",
  "ignore",
  "delete",
  "deleteList",
  "insert",
  "insertFailed",
  "drop",
  "earlyDrop",
  "icmpError",
  "searchRestart",
  "clashResolved",
  "chainTooLong",
];

/** CTA_STATS_EXP_*. */
const expectationCounters: readonly (CounterName | undefined)[] = [
  undefined,
  "expectNew",
  "expectCreate",
  "expectDelete",
];

export interface StatsOptions {
  /** `uname -r`, which tells counters that stay zero on this kernel from those that are zero now. */
  release?: string;
  sink?: WireSink;
  /** For tests: the socket to use instead of the kernel's. It is closed in the end. */
  socket?: NetlinkSocket;
}

/** Flows in the table of this namespace, and its limit where the kernel tells (since 4.19). */
export interface TableOccupancy {
  occupancyFlows: number;
  capacityFlows?: number;
}

const purpose: Purpose = {
  tried: "read the counters of connection tracking over netlink",
  help: (errnoName) => {
    switch (errnoName) {
      case "EPERM":
      case "EACCES":
        return "run as root or with CAP_NET_ADMIN";
      case "EINVAL":
      case "EOPNOTSUPP":
        return "kernels before 3.8 count in /proc/net/stat/nf_conntrack only";
      default:
        return undefined;
    }
  },
};

/** The counters of the namespace this thread is in. Throws KernelError. */
export function netlinkCounters(options: StatsOptions = {}): Counters {
  return withSocket(options, (asker) => {
    const cpus = new Map<number, { [name in CounterName]?: number }>();
    const unknown = new Map<string, number>();
    const flowStats = messageType(SUBSYSTEM_FLOWS, FlowMessage.GET_STATS_CPU);
    asker.ask(flowStats, Flag.DUMP, (message) => addCpu(message, flowCounters, "attribute", cpus, unknown));
    asker.askOptional(
      messageType(SUBSYSTEM_EXPECTATIONS, ExpectationMessage.GET_STATS_CPU),
      Flag.DUMP,
      (message) => addCpu(message, expectationCounters, "expectation attribute", cpus, unknown),
    );
    const occupancy = readOccupancy(asker);
    const perCpu = [...cpus].map(([cpu, values]): { cpu: number; values: CounterValues } => ({
      cpu,
      values,
    }));
    return countedByKernel(
      {
        ...(occupancy === undefined ? {} : { occupancyFlows: occupancy.occupancyFlows }),
        perCpu: perCpu.toSorted((a, b) => a.cpu - b.cpu),
        unknown: [...unknown].map(([name, total]) => ({ name, total })),
        source: "netlink",
      },
      options.release,
    );
  });
}

/** Flows and limit of the namespace this thread is in; undefined on kernels that do not tell (before 3.8). */
export function netlinkOccupancy(options: StatsOptions = {}): TableOccupancy | undefined {
  return withSocket(options, readOccupancy);
}

/** Expected flows of the namespace this thread is in, counted by a dump. Throws KernelError. */
export function netlinkExpectations(options: StatsOptions = {}): number {
  return withSocket(options, (asker) => {
    let expectations = 0;
    const get = messageType(SUBSYSTEM_EXPECTATIONS, ExpectationMessage.GET);
    asker.ask(get, Flag.DUMP, () => {
      expectations += 1;
    });
    return expectations;
  });
}

/* ---- Asking ---- */

type Visit = (message: Message) => void;

/** Asks one thing after another over one socket. */
class Asker {
  readonly oddities: Oddities = {};
  readonly #socket: NetlinkSocket;
  #sequence = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  ask(type: number, flags: number, visit: Visit): void {
    this.#sequence += 1;
    const writer = new MessageWriter();
    beginRequest(writer, type, flags, this.#sequence);
    writer.end();
    const exchange = new Exchange(this.#socket, writer.bytes(), this.#sequence, purpose, {
      oddities: this.oddities,
    });
    forEachAnswer(exchange, visit);
  }

  /** The same for what older kernels do not have: its answers are then missing. */
  askOptional(type: number, flags: number, visit: Visit): void {
    try {
      this.ask(type, flags, visit);
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause;
      if (cause.code !== "invalid" && cause.code !== "unsupported") throw cause;
    }
  }
}

function withSocket<Result>(options: StatsOptions, work: (asker: Asker) => Result): Result {
  const socket = options.socket ?? openNetlink(NETLINK_NETFILTER, options.sink);
  try {
    return work(new Asker(socket));
  } finally {
    socket.close();
  }
}

/* ---- Answers ---- */

const RESOURCE_ID_OFFSET = 2;

/** The answer of one CPU, whose number is in the family header, added to what is known of that CPU. */
function addCpu(
  message: Message,
  names: readonly (CounterName | undefined)[],
  unknownName: string,
  cpus: Map<number, { [name in CounterName]?: number }>,
  unknown: Map<string, number>,
): void {
  const reader = new ByteReader(message.body);
  if (reader.remaining < FAMILY_HEADER_BYTES) throw damaged("no family header");
  reader.skip("family and version", RESOURCE_ID_OFFSET);
  const cpu = reader.u16("number of the CPU");
  const values = cpus.get(cpu) ?? {};
  cpus.set(cpu, values);
  for (const [type, count] of numbersOf(message)) {
    const name = names[type];
    if (name !== undefined) {
      values[name] = count;
    } else {
      const key = `${unknownName} ${type}`;
      unknown.set(key, (unknown.get(key) ?? 0) + count);
    }
  }
}

const GLOBAL_ENTRIES = 1;
const GLOBAL_MAX_ENTRIES = 2;

function readOccupancy(asker: Asker): TableOccupancy | undefined {
  let occupancy: TableOccupancy | undefined;
  // A single answer has no end of its own; the acknowledgement asked for marks it.
  asker.askOptional(messageType(SUBSYSTEM_FLOWS, FlowMessage.GET_STATS), Flag.ACK, (message) => {
    const numbers = new Map(numbersOf(message));
    const occupancyFlows = numbers.get(GLOBAL_ENTRIES);
    const capacityFlows = numbers.get(GLOBAL_MAX_ENTRIES);
    if (occupancyFlows === undefined) return;
    occupancy = capacityFlows === undefined ? { occupancyFlows } : { occupancyFlows, capacityFlows };
  });
  return occupancy;
}

/** The attributes that are numbers: 32 bits in every kernel so far, 64 when one should widen them. */
function numbersOf(message: Message): [number, number][] {
  const numbers: [number, number][] = [];
  for (const { type, value } of attributesOf(message.body, FAMILY_HEADER_BYTES).attributes) {
    if (value.length === 4) numbers.push([type, new ByteReader(value).u32("counter")]);
    if (value.length === 8) numbers.push([type, new ByteReader(value).u64("counter")]);
  }
  return numbers;
}

function damaged(found: string): KernelError {
  const cause = new BytesError("answer", 0, found);
  return new KernelError("io", `Cannot ${purpose.tried}: damaged answer: ${found}`, { cause });
}

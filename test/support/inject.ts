/**
 * A table of any size in a network namespace of its own, for benches and tests that need root. The limit
 * and the buckets are the host's, so they are raised when they must be and put back in every case: a shell
 * that outlives this process waits on a pipe and does it when the pipe closes without a word.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { assert } from "../../src/base/assert.ts";
import { seededRandom } from "../../src/base/random.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { NETLINK_NETFILTER, Exchange, openNetlink, ReceiveBuffer } from "../../src/kernel/netlink-socket.ts";
import { Flag, MessageWriter } from "../../src/kernel/netlink.ts";
import { writeCreate } from "../../src/kernel/ctnetlink-encode.ts";
import { FlowColumns, Has } from "../../src/table/columns.ts";
import { TCP, UDP } from "../../src/table/protocol.ts";
import { TcpState } from "../../src/table/state.ts";
import { ALL_STATUS, Status } from "../../src/table/status.ts";

const CAPACITY_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";
const BUCKETS_FILE = "/proc/sys/net/netfilter/nf_conntrack_buckets";

/** Long enough for any bench to find every flow still there. */
const TIMEOUT_SECONDS = 100_000;
/** Messages are sent in lots of about this size; the kernel takes a lot in one call. */
const LOT_BYTES = 64 * 1024;

const TCP_SERVICES = [80, 22, 5432, 8080, 443] as const;
const UDP_SERVICES = [123, 443, 53] as const;

export interface InjectOptions {
  flows: number;
  seed?: number;
  /** Limit wanted at least, in place of some room above `flows`. */
  capacityFlows?: number;
  /** Fills row 0 with the flow of a number; a mixture of all kinds when absent. */
  make?: (columns: FlowColumns, index: number) => void;
  /** Of the namespace's name, which ends in this process's number. */
  prefix?: string;
}

/** A namespace holding flows. Close it in a `finally`. */
export interface InjectedTable {
  /** As `ip netns` knows it. */
  name: string;
  flows: number;
  close(): void;
}

/**
 * Makes a namespace, raises the host's limit and buckets when they are too low, and fills the table. Needs
 * root.
 */
export function injectTable(options: InjectOptions): InjectedTable {
  const name = `${options.prefix ?? "hr-nl-inject"}-${process.pid}`;
  const restore = raiseSettings(options);
  const guard = startGuard(name, restore);
  const close = (): void => {
    removeNamespace(name);
    restore.forEach(({ path, value }) => writeSetting(path, value));
    guard.stdin?.end("done\n");
  };
  try {
    execFileSync("ip", ["netns", "add", name]);
    injectFlows(name, options.flows, options.make ?? flowMaker(options.flows, options.seed ?? 1));
  } catch (cause) {
    close();
    throw cause;
  }
  return { name, flows: options.flows, close };
}

export interface SavedSetting {
  path: string;
  value: number;
}

/** Raises what is too low for the flows; gives what to write back, in order. */
export function raiseSettings({
  flows,
  capacityFlows,
}: Pick<InjectOptions, "flows" | "capacityFlows">): SavedSetting[] {
  const saved: SavedSetting[] = [];
  const capacity = readSetting(CAPACITY_FILE);
  const buckets = readSetting(BUCKETS_FILE);
  const wantedCapacity = capacityFlows ?? Math.ceil(flows * 1.25) + 10_000;
  if (buckets < flows) {
    saved.push({ path: BUCKETS_FILE, value: buckets });
    writeSetting(BUCKETS_FILE, 2 ** Math.ceil(Math.log2(flows)));
  }
  if (capacity < wantedCapacity) {
    saved.push({ path: CAPACITY_FILE, value: capacity });
    writeSetting(CAPACITY_FILE, wantedCapacity);
  }
  return saved;
}

/**
 * A shell that removes a namespace and writes settings back when this process ends without `done` on its
 * standard input.
 */
export function startGuard(name: string, restore: readonly SavedSetting[] = []): ChildProcess {
  const writes = restore.map(({ path, value }) => `echo ${value} > ${path}`);
  const undo = [`ip netns del ${name} 2>/dev/null`, ...writes].join("; ");
  const script = `read -r word; [ "$word" = done ] && exit; ${undo}`;
  // A session of its own: what ends this process's group does not end it.
  const guard = spawn("sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  guard.unref();
  return guard;
}

function removeNamespace(name: string): void {
  try {
    execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
  } catch {
    // It was not made, or somebody has removed it already.
  }
}

function readSetting(path: string): number {
  return Number(readFileSync(path, "utf8"));
}

export function writeSetting(path: string, value: number): void {
  writeFileSync(path, String(value));
}

/** Puts flows into a namespace that is there. */
export function injectFlows(
  name: string,
  flows: number,
  make: (columns: FlowColumns, index: number) => void,
): void {
  const socket = insideNamespace(namedNamespace(name), () => openNetlink(NETLINK_NETFILTER));
  const writer = new MessageWriter(LOT_BYTES * 2);
  const buffer = new ReceiveBuffer();
  const columns = new FlowColumns(1, ALL_STATUS);
  try {
    for (let index = 0, sequence = 1; index < flows; index++) {
      make(columns, index);
      const last = writer.length > LOT_BYTES || index === flows - 1;
      // Only the last of a lot is acknowledged; an earlier one answers when it fails.
      writeCreate(writer, sequence, columns, 0, last ? Flag.EXCL | Flag.ACK : Flag.EXCL);
      if (!last) continue;
      const purpose = { tried: `create a flow (lot ${sequence})` };
      const exchange = new Exchange(socket, writer.bytes(), sequence, purpose, { buffer });
      while (exchange.state === "running") {
        exchange.receive();
        assert(!exchange.next(), "Creating flows gives acknowledgements only");
      }
      sequence += 1;
      writer.clear();
    }
  } finally {
    socket.close();
  }
}

/**
 * Fills row 0 with the flow of a number: the same for the same seed, another for every number. 70 % TCP
 * (most ESTABLISHED, then TIME_WAIT, then SYN_SENT without an answer), 30 % UDP; 15 % IPv6; a tenth of the
 * IPv4 ones behind source NAT; one source has a twentieth of all.
 */
export function flowMaker(flows: number, seed: number): (columns: FlowColumns, index: number) => void {
  const random = seededRandom(seed);
  const sources = Math.max(1, Math.ceil(flows / 16));
  return (columns, index) => {
    const kind = random.below(100);
    const six = random.below(100) < 15;
    const hoarder = random.below(20) === 0;
    const natted = !six && random.below(10) === 0;
    const source = hoarder ? sources : index % sources;
    const lap = hoarder ? index : Math.floor(index / sources);
    columns.count = 1;
    columns.family[0] = six ? 6 : 4;
    columns.protocol[0] = kind < 70 ? TCP : UDP;
    writeAddresses(columns, six, source, Math.floor(lap / 60_000) * 256 + random.below(200));
    const sourcePort = 1024 + (lap % 60_000);
    const ports = kind < 70 ? TCP_SERVICES : UDP_SERVICES;
    const destinationPort = ports[Math.min(random.below(8), ports.length - 1)] as number;
    columns.originalSourceDiscriminator[0] = sourcePort;
    columns.originalDestinationDiscriminator[0] = destinationPort;
    columns.replySourceDiscriminator[0] = destinationPort;
    columns.replyDestinationDiscriminator[0] = sourcePort;
    if (natted) {
      columns.replyDestination[0] = 0xc633_6400 + Math.floor(index / 60_000);
      columns.replyDestinationDiscriminator[0] = 1024 + (index % 60_000);
    }
    writeConditions(columns, kind, random.below(TIMEOUT_SECONDS / 2));
  };
}

/** 10.x, or fd00::x, to 192.0.2.x (203.0.x.x beyond the first 60,000 of a source), or fd01::x. */
function writeAddresses(columns: FlowColumns, six: boolean, source: number, server: number): void {
  const { originalSource, originalDestination, replySource, replyDestination } = columns;
  originalSource.set(six ? [0xfd00_0000, 0, 0, source + 1] : [0x0a00_0000 + source + 1, 0, 0, 0]);
  originalDestination.set(six ? [0xfd01_0000, 0, 0, server + 1] : [0xc000_0200 + server + 1, 0, 0, 0]);
  replySource.set(originalDestination);
  replyDestination.set(originalSource);
}

function writeConditions(columns: FlowColumns, kind: number, spentSeconds: number): void {
  const unanswered = kind >= 60 && kind < 80;
  const answered = Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED;
  columns.has[0] = Has.timeout | Has.status | Has.mark | Has.reply | (kind < 70 ? Has.state : 0);
  columns.status[0] = unanswered ? Status.CONFIRMED : answered;
  columns.timeoutSeconds[0] = TIMEOUT_SECONDS - spentSeconds;
  columns.mark[0] = kind % 4;
  columns.state[0] = tcpStateOf(kind);
}

function tcpStateOf(kind: number): number {
  if (kind < 40) return TcpState.ESTABLISHED;
  return kind < 60 ? TcpState.TIME_WAIT : TcpState.SYN_SENT;
}

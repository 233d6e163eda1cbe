/**
 * Flows that come at a steady rate and end by their timeout, in a namespace of their own, while the kernel's
 * own count of them is sampled. Nobody lists the table meanwhile: that would collect what has expired.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { writeCreate } from "../../src/kernel/ctnetlink-encode.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { Exchange, NETLINK_NETFILTER, openNetlink, ReceiveBuffer } from "../../src/kernel/netlink-socket.ts";
import { Flag, MessageWriter } from "../../src/kernel/netlink.ts";
import { FlowColumns, Has } from "../../src/table/columns.ts";
import { UDP } from "../../src/table/protocol.ts";
import { ALL_STATUS, Status } from "../../src/table/status.ts";
import { startGuard } from "./inject.ts";

const COUNT_FILE = "/proc/sys/net/netfilter/nf_conntrack_count";
const TURN_MS = 50;
const PORTS = 60_000;

export interface SteadyKind {
  perSecond: number;
  timeoutSeconds: number;
}

/** What is counted, beyond those alive, at an instant since the beginning. */
export interface CountSample {
  atSeconds: number;
  flows: number;
}

/** Makes flows of all kinds until `enough` says so of the samples, or `seconds` have passed. */
export async function sampleSteadyFlows(
  prefix: string,
  kinds: readonly SteadyKind[],
  seconds: number,
  enough: (samples: readonly CountSample[]) => boolean = () => false,
): Promise<CountSample[]> {
  const name = `${prefix}-${process.pid}`;
  const guard = startGuard(name);
  execFileSync("ip", ["netns", "add", name]);
  const target = namedNamespace(name);
  const socket = insideNamespace(target, () => openNetlink(NETLINK_NETFILTER));
  const samples: CountSample[] = [];
  try {
    const create = creatorOn(socket);
    const made = kinds.map(() => 0);
    const startedAtMs = performance.now();
    for (;;) {
      const atSeconds = (performance.now() - startedAtMs) / 1000;
      if (atSeconds > seconds || enough(samples)) return samples;
      const lot: number[] = [];
      kinds.forEach(({ perSecond, timeoutSeconds }, index) => {
        const due = Math.floor(perSecond * atSeconds) - (made[index] as number);
        for (let count = 0; count < due; count++) lot.push(timeoutSeconds);
        made[index] = (made[index] as number) + due;
      });
      create(lot);
      const flows = insideNamespace(target, () => Number(readFileSync(COUNT_FILE, "utf8")));
      samples.push({ atSeconds: (performance.now() - startedAtMs) / 1000, flows });
      await sleep(TURN_MS);
    }
  } finally {
    socket.close();
    execFileSync("ip", ["netns", "del", name]);
    guard.stdin?.end("done\n");
  }
}

/** Creates a flow of each timeout, every one with a tuple of its own. */
function creatorOn(socket: ReturnType<typeof openNetlink>): (timeouts: readonly number[]) => void {
  const writer = new MessageWriter(128 * 1024);
  const buffer = new ReceiveBuffer();
  const columns = new FlowColumns(1, ALL_STATUS);
  columns.has[0] = Has.timeout | Has.status | Has.reply;
  columns.status[0] = Status.CONFIRMED;
  columns.family[0] = 4;
  columns.protocol[0] = UDP;
  let made = 0;
  let sequence = 0;
  return (timeouts) => {
    if (timeouts.length === 0) return;
    sequence += 1;
    writer.clear();
    timeouts.forEach((timeout, index) => {
      made += 1;
      const [source, port] = [0x0a00_0000 + Math.floor(made / PORTS), 1024 + (made % PORTS)];
      columns.originalSource[0] = columns.replyDestination[0] = source;
      columns.originalDestination[0] = columns.replySource[0] = 0x0a80_0001;
      columns.originalSourceDiscriminator[0] = columns.replyDestinationDiscriminator[0] = port;
      columns.originalDestinationDiscriminator[0] = columns.replySourceDiscriminator[0] = 53;
      columns.timeoutSeconds[0] = timeout;
      const flags = index === timeouts.length - 1 ? Flag.EXCL | Flag.ACK : Flag.EXCL;
      writeCreate(writer, sequence, columns, 0, flags);
    });
    const exchange = new Exchange(socket, writer.bytes(), sequence, { tried: "create flows" }, { buffer });
    while (exchange.state === "running") {
      exchange.receive();
      exchange.next();
    }
  };
}

/** A tooth of the saw: how long, and the count on average and at its greatest. */
export interface Tooth {
  seconds: number;
  meanFlows: number;
  peakFlows: number;
}

/**
 * The whole teeth among the samples: from one fall to the next. What falls by more than a few per cent from
 * one sample to the next was collected.
 */
export function teethOf(samples: readonly CountSample[], leastFall: number): Tooth[] {
  const falls: number[] = [];
  samples.forEach(({ flows }, index) => {
    const before = samples[index - 1];
    if (before !== undefined && before.flows - flows > leastFall) falls.push(index);
  });
  // A pass of many flows falls in several samples that follow each other: the first is its beginning.
  const starts = falls.filter((index) => !falls.includes(index - 1));
  return starts.slice(1).map((to, index) => {
    const from = starts[index] as number;
    const part = samples.slice(from, to);
    const [first, last] = [part[0] as CountSample, samples[to] as CountSample];
    return {
      seconds: last.atSeconds - first.atSeconds,
      meanFlows: part.reduce((sum, { flows }) => sum + flows, 0) / part.length,
      peakFlows: Math.max(...part.map(({ flows }) => flows)),
    };
  });
}

/** Flow events of the running kernel: what comes, what is lost and how that is told, what stays silent. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { ArrivalsBuilder } from "../../src/census/census.ts";
import {
  type FlowEventOptions,
  type FlowEvents,
  type HostAccess,
  KernelError,
  openHost,
} from "../../src/kernel/kernel.ts";
import { EventKind } from "../../src/table/flow-event.ts";
import { type Flow, flowAt } from "../../src/table/flow.ts";
import { TCP, UDP } from "../../src/table/protocol.ts";
import { Status } from "../../src/table/status.ts";
import { startGuard } from "../support/inject.ts";

const name = `hr-ev-${process.pid}`;
const guard = startGuard(name);
after(() => {
  spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  guard.stdin?.end("done\n");
});
execFileSync("ip", ["netns", "add", name]);
execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], {
  input: `table inet track {
    chain out { type filter hook output priority 0; ct state invalid counter; }
    chain in { type filter hook input priority 0; ct state invalid counter; }
  }
`,
});

function run(command: string, ...args: string[]): string {
  return execFileSync("ip", ["netns", "exec", name, command, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

function setEvents(value: number): void {
  run("sysctl", "-qw", `net.netfilter.nf_conntrack_events=${value}`);
}

interface Happened {
  kind: number;
  flow: Flow;
}

/** All that has come, until nothing more does. */
function drain(events: FlowEvents): Happened[] {
  const happened: Happened[] = [];
  for (;;) {
    const batch = events.read(200);
    if (batch === undefined) return happened;
    for (let row = 0; row < batch.columns.count; row++) {
      happened.push({ kind: batch.kinds[row] as number, flow: flowAt(batch.columns, row) });
    }
  }
}

/** Listens while `work` runs; everything is closed afterwards. */
function listening<Result>(
  options: FlowEventOptions,
  work: (events: FlowEvents, host: HostAccess) => Result,
): Result {
  const host = openHost({ clock: systemClock, namespace: name });
  try {
    return work(host.events(options), host);
  } finally {
    host.close();
  }
}

function portOf({ flow }: Happened): number | undefined {
  return flow.original.kind === "ports" ? flow.original.destinationPort : undefined;
}

/** A query that is answered, from one process to itself. */
const ASKED_AND_ANSWERED = `
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("127.0.0.1", 5300))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.bind(("127.0.0.1", 5301))
client.sendto(b"question", ("127.0.0.1", 5300))
data, asker = server.recvfrom(100)
server.sendto(b"answer", asker)
client.recvfrom(100)
`;

/** Queries without an answer, each to another address. */
function unanswered(count: number, port: number): string {
  return `
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("0.0.0.0", ${port}))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(${count}): client.sendto(b"x", ("127.%d.%d.%d" % (1, n >> 7, 1 + (n & 127)), ${port}))
`;
}

const EACH_ONCE = 128 * 40;

function python(program: string): void {
  run("/usr/bin/python3", "-c", program);
}

test("a flow is made, answered and removed, each an event of its kind", () => {
  setEvents(1);
  listening({}, (events) => {
    python(ASKED_AND_ANSWERED);
    run("conntrack", "-D", "-p", "udp", "--dport", "5300");
    const happened = drain(events).filter((each) => portOf(each) === 5300);
    assert.deepEqual(
      happened.map(({ kind }) => kind),
      [EventKind.NEW, EventKind.UPDATE, EventKind.DESTROY],
    );
    const replied = happened.map(({ flow }) => ((flow.status ?? 0) & Status.SEEN_REPLY) !== 0);
    assert.deepEqual(replied, [false, true, true]);
    assert.deepEqual(new Set(happened.map(({ flow }) => flow.id)).size, 1);
    assert.equal(events.coverage, "all");
    assert.deepEqual([events.losses, events.lostEvents, events.oddities], [0, 0, {}]);
  });
});

test("only the kinds asked for come", () => {
  listening({ kinds: ["new"] }, (events) => {
    python(ASKED_AND_ANSWERED);
    run("conntrack", "-D", "-p", "udp", "--dport", "5300");
    const kinds = drain(events).filter((each) => portOf(each) === 5300);
    assert.deepEqual(
      kinds.map(({ kind }) => kind),
      [EventKind.NEW],
    );
  });
});

test("the states of a TCP connection come one after the other", () => {
  listening({ kinds: ["new", "update"] }, (events) => {
    python(`
import socket
server = socket.create_server(("127.0.0.1", 8081)); client = socket.create_connection(("127.0.0.1", 8081))
accepted, _ = server.accept(); client.close(); accepted.close()
`);
    const states = drain(events)
      .filter(({ flow }) => flow.protocol === TCP)
      .map(({ flow }) => flow.state);
    assert.deepEqual(states.slice(0, 3), ["SYN_SENT", "SYN_RECV", "ESTABLISHED"]);
    assert.equal(states.at(-1), "TIME_WAIT");
  });
});

test("no event is lost while the buffer lasts, and arrivals are exactly what was sent", () => {
  listening({}, (events) => {
    const builder = new ArrivalsBuilder();
    python(unanswered(EACH_ONCE, 5400));
    for (let batch = events.read(200); batch !== undefined; batch = events.read(200)) builder.add(batch);
    const { losses } = events;
    const arrivals = builder.finish({
      seconds: 2,
      losses,
      lostEvents: events.lostEvents ?? 0,
      updatesWatched: true,
    });
    const service = arrivals.services.find(({ port }) => port === 5400);
    assert.deepEqual(service, {
      protocol: "udp",
      port: 5400,
      flows: EACH_ONCE,
      perSecond: EACH_ONCE / 2,
      standardErrorPerSecond: Math.sqrt(EACH_ONCE) / 2,
      answered: 0,
    });
    assert.equal(arrivals.lost, undefined);
  });
  run("conntrack", "-D", "-p", "udp");
});

test("what a full buffer loses is counted to the event, and reading goes on behind it", () => {
  listening({ kinds: ["new"], bufferBytes: 32_768 }, (events) => {
    python(unanswered(EACH_ONCE, 5500));
    const queued = drain(events).length;
    assert.ok(events.losses > 0);
    assert.equal(queued + (events.lostEvents ?? 0), EACH_ONCE);
    assert.equal(events.oddities.overruns, events.losses);
    python(ASKED_AND_ANSWERED);
    assert.equal(drain(events).filter((each) => portOf(each) === 5300).length, 1);
    const lost = events.lostEvents;
    events.close();
    assert.equal(events.lostEvents, lost);
  });
  run("conntrack", "-D", "-p", "udp");
});

test("reading without waiting gives nothing at once, and a closed listener nothing at all", () => {
  listening({}, (events) => {
    assert.equal(events.read(0), undefined);
    python(ASKED_AND_ANSWERED);
    assert.ok((events.read(0)?.columns.count ?? 0) >= 2);
    python(ASKED_AND_ANSWERED);
    events.close();
    events.close();
    assert.equal(events.read(1000), undefined);
  });
  run("conntrack", "-D", "-p", "udp");
});

test("a batch holds no more than it has room for, and the next one goes on", () => {
  listening({ kinds: ["new"], batchEvents: 100 }, (events) => {
    python(unanswered(250, 5600));
    const sizes = [1, 2, 3].map(() => events.read(0)?.columns.count);
    assert.deepEqual(sizes, [100, 100, 50]);
  });
  run("conntrack", "-D", "-p", "udp");
});

test("nf_conntrack_events 0: nothing comes, and that is said", () => {
  setEvents(0);
  listening({}, (events, host) => {
    python(ASKED_AND_ANSWERED);
    assert.deepEqual(drain(events), []);
    assert.equal(events.coverage, "none");
    assert.match(
      host.unseen.find(({ what }) => what === "flow events")?.why ?? "",
      /nf_conntrack_events is 0/,
    );
  });
  run("conntrack", "-D", "-p", "udp");
});

test("nf_conntrack_events 2: flows of before stay silent, those made while listening do not", () => {
  setEvents(2);
  python(ASKED_AND_ANSWERED);
  listening({}, (events) => {
    assert.equal(events.coverage, "new-flows");
    run("conntrack", "-D", "-p", "udp", "--dport", "5300");
    assert.deepEqual(drain(events), []);
    python(ASKED_AND_ANSWERED);
    run("conntrack", "-D", "-p", "udp", "--dport", "5300");
    assert.deepEqual(
      drain(events).map(({ kind, flow }) => [kind, flow.protocol]),
      [
        [EventKind.NEW, UDP],
        [EventKind.UPDATE, UDP],
        [EventKind.DESTROY, UDP],
      ],
    );
  });
});

test("a saved host has no events, and says so", () => {
  const host = openHost({ clock: systemClock, root: "test/fixtures" });
  assert.throws(
    () => host.events(),
    (error) =>
      error instanceof KernelError && error.code === "unsupported" && /saved host/.test(error.message),
  );
});

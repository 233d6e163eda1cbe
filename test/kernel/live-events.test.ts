/**
 * A share of flow events chosen inside the running kernel: all events of a flow or none, evenly, changed
 * while listening, and without what is refused counting as lost.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { type FlowEventOptions, type FlowEvents, openHost } from "../../src/kernel/kernel.ts";
import { Has } from "../../src/table/columns.ts";
import { EventKind } from "../../src/table/flow-event.ts";
import { flowMaker, injectFlows, startGuard } from "../support/inject.ts";

const name = `hr-kern-ev-${process.pid}`;
const guard = startGuard(name);
after(() => {
  spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  guard.stdin?.end("done\n");
});
execFileSync("ip", ["netns", "add", name]);
execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], {
  input: "table inet track { chain out { type filter hook output priority 0; ct state invalid counter; }; }",
});

/** Sixty flows, each answered. */
const ASKED_AND_ANSWERED = `
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("127.0.0.1", 5300))
for port in range(6000, 6060):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.bind(("127.0.0.1", port))
    client.sendto(b"question", ("127.0.0.1", 5300))
    data, asker = server.recvfrom(100)
    server.sendto(b"answer", asker)
    client.recvfrom(100)
`;

const FLOWS = 8000;

function flush(): void {
  execFileSync("ip", ["netns", "exec", name, "conntrack", "-F"], { stdio: "ignore" });
}

function make(flows = FLOWS): void {
  injectFlows(name, flows, flowMaker(flows, 5));
}

/** Ids of the flows in what has come, by kind of event. */
type Came = Record<"new" | "update" | "destroy", number[]>;

function drain(events: FlowEvents): Came {
  const came: Came = { new: [], update: [], destroy: [] };
  for (let batch = events.read(0); batch !== undefined; batch = events.read(0)) {
    const { columns, kinds } = batch;
    for (let row = 0; row < columns.count; row++) {
      assert.notEqual((columns.has[row] as number) & Has.id, 0, "this kernel names the flow of each event");
      const id = columns.id[row] as number;
      if (kinds[row] === EventKind.NEW) came.new.push(id);
      else if (kinds[row] === EventKind.UPDATE) came.update.push(id);
      else came.destroy.push(id);
    }
  }
  return came;
}

/** Listens twice, to all flows and as asked, while `work` runs. */
function beside(options: FlowEventOptions, work: (all: FlowEvents, some: FlowEvents) => void): void {
  const host = openHost({ clock: systemClock, namespace: name });
  try {
    work(host.events(), host.events(options));
  } finally {
    host.close();
    flush();
  }
}

for (const oneOf of [2, 16, 256]) {
  test(`one of ${oneOf} flows has all its events, and the others none`, () => {
    beside({ oneOf }, (all, some) => {
      assert.equal(some.oneOf, oneOf);
      make();
      flush();
      const whole = drain(all);
      const part = drain(some);
      assert.equal(whole.new.length, FLOWS);
      assert.equal(whole.destroy.length, FLOWS);
      assert.deepEqual(
        part.new,
        whole.new.filter((id) => some.follows(id)),
      );
      assert.deepEqual(
        part.destroy,
        whole.destroy.filter((id) => some.follows(id)),
      );
      assert.deepEqual(part.new.toSorted(), part.destroy.toSorted());
      // Five standard deviations of chance with one of so many.
      const expected = FLOWS / oneOf;
      const spread = 5 * Math.sqrt(expected * (1 - 1 / oneOf));
      assert.ok(Math.abs(part.new.length - expected) < spread, `${part.new.length}, not about ${expected}`);
    });
  });
}

test("changes of a flow come with it", () => {
  beside({ oneOf: 4 }, (all, some) => {
    execFileSync("ip", ["netns", "exec", name, "/usr/bin/python3", "-c", ASKED_AND_ANSWERED]);
    const whole = drain(all);
    const part = drain(some);
    assert.deepEqual([whole.new.length, whole.update.length], [60, 60]);
    assert.ok(part.new.length > 0 && part.new.length < 60);
    assert.deepEqual(part.update, part.new);
    assert.deepEqual(
      part.new,
      whole.new.filter((id) => some.follows(id)),
    );
  });
});

test("another share is chosen while listening, and what is refused is not lost", () => {
  beside({ oneOf: 1024, bufferBytes: 4 * 1024 * 1024 }, (all, some) => {
    const before = some.lostEvents;
    const came: number[] = [];
    for (const oneOf of [1024, 16, 1, 64]) {
      some.setOneOf(oneOf);
      make(2000);
      flush();
      const whole = drain(all);
      const part = drain(some);
      assert.deepEqual(
        part.new,
        whole.new.filter((id) => some.follows(id)),
        `one of ${oneOf}`,
      );
      came.push(part.new.length);
    }
    assert.equal(came[2], 2000);
    assert.ok((came[1] as number) < 400 && (came[0] as number) < 40, came.join(" "));
    assert.equal(some.losses, 0);
    assert.equal(some.lostEvents, before);
  });
});

test("a small buffer overflows, which is told, and with a share of the events it does not", () => {
  beside({ bufferBytes: 16 * 1024 }, (all, small) => {
    make(2000);
    const came = drain(small).new.length;
    assert.ok(came < 2000);
    assert.ok(small.losses >= 1);
    assert.equal((small.lostEvents ?? 0) + came, 2000);
    small.setOneOf(256);
    const lost = small.lostEvents;
    drain(all);
    flush();
    assert.deepEqual(
      drain(small).destroy,
      drain(all).destroy.filter((id) => small.follows(id)),
    );
    assert.equal(small.lostEvents, lost);
  });
});

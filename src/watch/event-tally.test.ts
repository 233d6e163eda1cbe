import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";

import { seededRandom } from "../base/random.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { TcpState } from "../table/state.ts";
import { eventBatch, type FakeEvent } from "../../test/support/fake-watched-host.ts";
import { EventTally } from "./event-tally.ts";
import { Lives } from "./event-tally-lives.ts";

interface Share {
  oneOf: number;
  follows(id: number): boolean;
}

const all: Share = { oneOf: 1, follows: () => true };

function shareOf(oneOf: number): Share {
  return { oneOf, follows: (id) => id % oneOf === 0 };
}

class TallyRig {
  readonly tally: EventTally;
  nowMs = 0;

  constructor(followedFlows = 10_000) {
    this.tally = new EventTally({ followedFlows, nowMs: 0 });
  }

  second(
    events: readonly FakeEvent[],
    share = all,
    lost: { losses: number; lostEvents: number | undefined } = { losses: 0, lostEvents: 0 },
  ): ReturnType<EventTally["endSecond"]> {
    this.nowMs += 1000;
    if (events.length > 0) this.tally.add(eventBatch(events), share, this.nowMs);
    return this.tally.endSecond({ nowMs: this.nowMs, seconds: 1, ...lost });
  }
}

test("arrivals and ends are counted by protocol, service and state, and scaled by the share", () => {
  const rig = new TallyRig();
  const share = shareOf(4);
  const second = rig.second(
    [
      { kind: "new", id: 4, port: 443 },
      { kind: "new", id: 8, port: 443 },
      { kind: "new", id: 12, port: 53, protocol: UDP },
      { kind: "new", id: 13, port: 443 },
      { kind: "destroy", id: 400, state: TcpState.TIME_WAIT },
    ],
    share,
  );
  deepEqual(second, { arrivals: 12, ends: 4, events: 4 });
  const rates = rig.tally.rates(rig.nowMs, 10);
  deepEqual(
    rates.services.map(({ protocol, port, arrivals }) => [protocol, port, arrivals.perSecond]),
    [
      ["tcp", 443, 8],
      ["udp", 53, 4],
    ],
  );
  deepEqual(
    rates.endsByState.map(({ protocol, state, ends }) => [protocol, state, ends.perSecond]),
    [["tcp", "TIME_WAIT", 4]],
  );
});

test("the standard error is that of the sampled count", () => {
  const random = seededRandom(7);
  const runs = 200;
  let [squares, told] = [0, 0];
  for (let run = 0; run < runs; run++) {
    const rig = new TallyRig();
    const events: FakeEvent[] = Array.from({ length: 1600 }, () => ({ kind: "new", id: random.next() }));
    for (let second = 0; second < 5; second++)
      rig.second(events.slice(second * 320, (second + 1) * 320), shareOf(16));
    const { perSecond, standardErrorPerSecond } = rig.tally.rates(rig.nowMs, 0).all.arrivals;
    squares += (perSecond - 320) ** 2;
    told += standardErrorPerSecond;
  }
  const [spread, mean] = [Math.sqrt(squares / runs), told / runs];
  ok(Math.abs(spread / mean - 1) < 0.2, `spread ${spread}, told ${mean}`);
});

test("ports that are used again have the same ids, and the standard error is that of so many ids", () => {
  const random = seededRandom(5);
  const runs = 150;
  const [share, tuples] = [shareOf(64), 4000];
  let [squares, told, within] = [0, 0, 0];
  for (let run = 0; run < runs; run++) {
    const rig = new TallyRig();
    const ids = Array.from({ length: tuples }, () => random.next());
    for (let second = 0; second < 30; second++) {
      const events: FakeEvent[] = ids
        .filter(() => random.fraction() < 0.5)
        .map((id) => ({ kind: "new", id }) as const);
      rig.second(
        events.filter(({ id }) => share.follows(id ?? 0)),
        share,
      );
    }
    const { perSecond, standardErrorPerSecond } = rig.tally.rates(rig.nowMs, 0).all.arrivals;
    squares += (perSecond - tuples / 2) ** 2;
    told += standardErrorPerSecond;
    if (Math.abs(perSecond - tuples / 2) < 2.5 * standardErrorPerSecond) within += 1;
  }
  const [spread, mean] = [Math.sqrt(squares / runs), told / runs];
  ok(Math.abs(spread / mean - 1) < 0.25, `spread ${spread}, told ${mean}`);
  ok(within / runs > 0.95, `${within} of ${runs} within two and a half errors`);
});

test("where every flow is followed an id that comes again is no doubt", () => {
  const rig = new TallyRig();
  for (let second = 0; second < 50; second++) {
    rig.second(Array.from({ length: 100 }, () => ({ kind: "new", id: 7 }) as const));
  }
  const { perSecond, standardErrorPerSecond } = rig.tally.rates(rig.nowMs, 0).all.arrivals;
  deepEqual([perSecond, Math.round(standardErrorPerSecond * 100)], [100, 141]);
});

test("rates are of the last minute alone", () => {
  const rig = new TallyRig();
  for (let second = 0; second < 60; second++) rig.second([{ kind: "new", id: second }]);
  for (let second = 0; second < 65; second++) rig.second([]);
  equal(rig.tally.rates(rig.nowMs, 10).all.arrivals.perSecond, 0);
});

for (const [name, meanSeconds, share] of [
  ["short lives", 3, 1],
  ["lives of minutes", 100, 1],
  ["lives of minutes of one flow of four", 100, 4],
] as const) {
  test(`the mean life is found: ${name}`, () => {
    const rig = new TallyRig();
    const random = seededRandom(11);
    const ends = new Map<number, FakeEvent[]>();
    let id = 0;
    for (let second = 0; second < 1100; second++) {
      const events: FakeEvent[] = [...(ends.get(second) ?? [])];
      ends.delete(second);
      for (let made = 0; made < 20; made++) {
        id += 1;
        const at = random.fraction();
        const life = -meanSeconds * Math.log(1 - random.fraction());
        events.push({ kind: "new", id });
        const end = Math.floor(second + at + life);
        const event = { kind: "destroy", id } as const;
        if (end === second) events.push(event);
        else ends.set(end, [...(ends.get(end) ?? []), event]);
      }
      rig.second(events, shareOf(share));
    }
    const lived = rig.tally.rates(rig.nowMs, 10).protocols[0]?.livedSeconds;
    ok(lived !== undefined && Math.abs(lived / meanSeconds - 1) < 0.1, `${lived} of ${meanSeconds}`);
  });
}

for (const life of [30, 64, 75, 89, 120]) {
  test(`flows that all live ${life} s, as by a timeout, have that mean life`, () => {
    const rig = new TallyRig();
    for (let second = 0; second < 700; second++) {
      const made: FakeEvent[] = [1, 2, 3].map((each) => ({ kind: "new", id: second * 4 + each }));
      const ended: FakeEvent[] = [1, 2, 3].map((each) => ({
        kind: "destroy",
        id: (second - life) * 4 + each,
      }));
      rig.second(second < life ? made : [...made, ...ended]);
    }
    const lived = rig.tally.rates(rig.nowMs, 0).all.livedSeconds;
    ok(lived !== undefined && Math.abs(lived / life - 1) < 0.03, `${lived} of ${life}`);
  });
}

test("ends of flows whose birth was not seen are ends and no lives", () => {
  const rig = new TallyRig();
  for (let second = 0; second < 60; second++) rig.second([{ kind: "destroy", id: second }]);
  const { all: rate } = rig.tally.rates(rig.nowMs, 0);
  equal(rate.ends.perSecond, 1);
  equal(rate.livedSeconds, undefined);
});

test("where most flows outlive the watch no mean life is told", () => {
  const rig = new TallyRig();
  for (let id = 0; id < 100; id++) {
    rig.second([{ kind: "new", id }, ...(id % 10 === 0 ? [{ kind: "destroy", id } as const] : [])]);
  }
  equal(rig.tally.rates(rig.nowMs, 0).all.livedSeconds, undefined);
});

test("lost events scale what came, and their number unknown makes no figure", () => {
  const rig = new TallyRig();
  const events: FakeEvent[] = [
    { kind: "new", id: 1 },
    { kind: "new", id: 2 },
  ];
  deepEqual(rig.second(events, all, { losses: 1, lostEvents: 6 }), { arrivals: 8, ends: 0, events: 2 });
  equal(rig.tally.rates(rig.nowMs, 0).all.arrivals.perSecond, 8);
  deepEqual(rig.second(events, all, { losses: 1, lostEvents: undefined }), {
    arrivals: 2,
    ends: 0,
    events: 2,
  });
});

test("after a loss followed flows count no further until a census finds them", () => {
  const rig = new TallyRig();
  rig.second([1, 2, 3].map((id) => ({ kind: "new", id })));
  equal(rig.tally.wantsCensus, false);
  rig.second([], all, { losses: 1, lostEvents: undefined });
  equal(rig.tally.wantsCensus, true);
  rig.second([{ kind: "destroy", id: 3 }]);
  rig.tally.found(1, rig.nowMs);
  equal(rig.tally.endResync(), 1);
  equal(rig.tally.followedFlows, 1);
  equal(rig.tally.wantsCensus, false);
});

test("losses do not shorten or lengthen lives", () => {
  const rig = new TallyRig();
  const random = seededRandom(5);
  const due = new Map<number, FakeEvent[]>();
  const alive = new Set<number>();
  let id = 0;
  for (let second = 0; second < 900; second++) {
    const events: FakeEvent[] = [...(due.get(second) ?? [])];
    for (const event of events) alive.delete(event.id);
    for (let made = 0; made < 30; made++) {
      id += 1;
      alive.add(id);
      const end = second + 1 + Math.floor(-40 * Math.log(1 - random.fraction()));
      due.set(end, [...(due.get(end) ?? []), { kind: "destroy", id }]);
      events.push({ kind: "new", id });
    }
    const isLost = second % 50 === 49;
    rig.second(isLost ? [] : events, all, isLost ? { losses: 1, lostEvents: events.length } : undefined);
    if (second % 50 === 2 && rig.tally.wantsCensus) {
      for (const each of alive) rig.tally.found(each, rig.nowMs);
      rig.tally.endResync();
    }
  }
  const lived = rig.tally.rates(rig.nowMs, 0).all.livedSeconds;
  ok(lived !== undefined && Math.abs(lived / 40.5 - 1) < 0.1, `${lived} of 40.5`);
});

test("an id that is used again is another flow", () => {
  const rig = new TallyRig();
  rig.second([{ kind: "new", id: 1 }]);
  for (let second = 0; second < 50; second++) rig.second([]);
  rig.second([{ kind: "new", id: 1 }]);
  equal(rig.tally.followedFlows, 1);
});

test("a smaller share drops the others without an end", () => {
  const rig = new TallyRig();
  rig.second([1, 2, 3, 4].map((id) => ({ kind: "new", id })));
  rig.tally.keepOnly((id) => id % 2 === 0, rig.nowMs);
  equal(rig.tally.followedFlows, 2);
  equal(rig.tally.rates(rig.nowMs, 0).all.ends.perSecond, 0);
});

test("memory is bounded: flows that are followed, services that are kept", () => {
  const rig = new TallyRig(100);
  for (let second = 0; second < 20; second++) {
    const events: FakeEvent[] = Array.from({ length: 1000 }, (_, index) => ({
      kind: "new",
      id: second * 1000 + index,
      port: (second * 1000 + index) % 65_536,
    }));
    rig.second(events);
  }
  equal(rig.tally.followedFlows, 100);
  equal(rig.tally.notFollowed, 19_900);
  const { all: total, services } = rig.tally.rates(rig.nowMs, 100_000);
  equal(total.arrivals.perSecond, 1000);
  ok(services.length <= 512);
  for (let second = 0; second < 70; second++) rig.second([]);
  rig.tally.stopFollowing(rig.nowMs);
  for (let second = 0; second < 6; second++) rig.second([]);
  rig.second([{ kind: "new", id: 5, port: 8443, protocol: TCP }]);
  deepEqual(
    rig.tally.rates(rig.nowMs, 5).services.map(({ port }) => port),
    [8443],
    "forgotten ones make room",
  );
});

test("a mean life needs some ends, and the flows that live on count", () => {
  const lives = new Lives();
  for (let end = 0; end < 4; end++) {
    lives.addLived(0, 10);
    lives.addEnd(10);
  }
  equal(lives.meanSeconds(), undefined);
  const constant = new Lives();
  for (let flow = 0; flow < 200; flow++) {
    constant.addLived(0, 12);
    constant.addEnd(12);
  }
  const mean = constant.meanSeconds();
  ok(mean !== undefined && mean > 11 && mean < 14, `${mean}`);
});

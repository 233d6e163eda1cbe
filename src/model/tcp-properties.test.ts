import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Segment, type Side, TcpTalk } from "../../test/support/tcp-talk.ts";
import { TcpState } from "../table/state.ts";
import { TcpFlag } from "../packet/packet.ts";
import { Flow, FLOW_WORDS, FlowByte } from "./flow-rows.ts";
import { GENERATIONS } from "./generation.ts";

interface Said {
  from: Side;
  segment: Segment;
}

const { FIN, SYN, RST, ACK, URG, PSH } = TcpFlag;

/** Segments around what client (from 1000) and server (from 5000) would say; both may say anything. */
const said: fc.Arbitrary<Said> = fc
  .record({
    client: fc.boolean(),
    flags: fc.constantFrom(
      ACK,
      ACK,
      ACK,
      ACK | PSH,
      SYN,
      SYN | ACK,
      FIN | ACK,
      RST,
      RST | ACK,
      ACK | URG,
      PSH,
    ),
    sequence: fc.oneof(fc.integer({ min: -3, max: 30 }), fc.integer({ min: -70_000, max: 70_000 })),
    acknowledgment: fc.oneof(fc.integer({ min: -3, max: 30 }), fc.integer({ min: -70_000, max: 70_000 })),
    window: fc.constantFrom(0, 1, 1000, 65_535),
    dataBytes: fc.constantFrom(0, 0, 1, 10, 1400),
    scale: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
    sackPermitted: fc.boolean(),
    sack: fc.option(fc.array(fc.integer({ min: -10, max: 2000 }), { minLength: 1, maxLength: 3 }), {
      nil: undefined,
    }),
  })
  .map(({ client, scale, sack, ...rest }) => {
    const own = client ? 1000 : 5000;
    const other = client ? 5000 : 1000;
    const segment: Segment = {
      ...rest,
      sequence: own + rest.sequence,
      acknowledgment: other + rest.acknowledgment,
      ...(scale === undefined ? {} : { scale }),
      ...(sack === undefined ? {} : { sack: sack.map((edge) => other + edge) }),
    };
    return { from: client ? "client" : "server", segment };
  });

const first: Said[] = [
  { from: "client", segment: { flags: SYN, sequence: 1000, acknowledgment: 0, window: 1000, dataBytes: 0 } },
  {
    from: "server",
    segment: { flags: SYN | ACK, sequence: 5000, acknowledgment: 1001, window: 1000, dataBytes: 0 },
  },
  {
    from: "client",
    segment: { flags: ACK, sequence: 1001, acknowledgment: 5001, window: 1000, dataBytes: 0 },
  },
];

/** A talk that begins as talks do, up to somewhere, and goes on in any way. */
const talks = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.array(said, { maxLength: 25 }), fc.constantFrom(...GENERATIONS))
  .map(([opened, more, generation]) => ({ segments: [...first.slice(0, opened), ...more], generation }));

function factsOf(talk: TcpTalk): string {
  return `${talk.facts ?? "-"} ${talk.byte(FlowByte.FLAGS_ORIGINAL)} ${talk.byte(FlowByte.FLAGS_REPLY)}`;
}

test("TCP: the state is always one of the ten, the timeout one of the settings", () => {
  const settings = {
    tcp_timeout_syn_sent: 1,
    tcp_timeout_syn_recv: 2,
    tcp_timeout_established: 3,
    tcp_timeout_fin_wait: 4,
    tcp_timeout_close_wait: 5,
    tcp_timeout_last_ack: 6,
    tcp_timeout_time_wait: 7,
    tcp_timeout_close: 8,
    tcp_timeout_max_retrans: 2.5,
    tcp_timeout_unacknowledged: 1.5,
  };
  const known = new Set([...Object.values(settings), 120]);
  fc.assert(
    fc.property(talks, ({ segments, generation }) => {
      const talk = new TcpTalk({ generation, settings });
      for (const { from, segment } of segments) {
        talk.send(from, segment);
        if (talk.flow === 0) continue;
        assert.ok(talk.state >= 1 && talk.state <= 9, `state ${talk.state}`);
        assert.ok(known.has(talk.secondsLeft), `${talk.secondsLeft} s`);
      }
    }),
  );
});

test("TCP: numbers mean nothing but their differences", () => {
  // What was never heard of is 0 in a flow, and a RST of number 0 is a case of its own.
  const plain = talks.filter(({ segments }) =>
    segments.every(({ segment }) => (segment.flags & RST) === 0 && segment.acknowledgment !== 0),
  );
  const shift = fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_fc18, 0xffff_ec78, 0x1234_5678);
  fc.assert(
    fc.property(plain, shift, shift, ({ segments, generation }, clientShift, serverShift) => {
      const settings = { tcp_loose: 0 };
      const one = new TcpTalk({ generation, settings });
      const other = new TcpTalk({ generation, settings });
      for (const { from, segment } of segments) {
        const [own, peer] = from === "client" ? [clientShift, serverShift] : [serverShift, clientShift];
        const shifted = {
          ...segment,
          sequence: segment.sequence + own,
          acknowledgment: segment.acknowledgment + peer,
          ...(segment.sack === undefined ? {} : { sack: segment.sack.map((edge) => edge + peer) }),
        };
        assert.equal(other.send(from, shifted), one.send(from, segment));
        assert.equal(factsOf(other), factsOf(one));
      }
    }),
  );
});

test("TCP: an INVALID segment changes neither state nor status", () => {
  fc.assert(
    fc.property(talks, ({ segments, generation }) => {
      const talk = new TcpTalk({ generation });
      for (const { from, segment } of segments) {
        const before = [talk.flow, talk.state, talk.status];
        if (talk.send(from, segment) === "invalid") {
          assert.deepEqual([talk.flow, talk.state, talk.status], before);
        }
      }
    }),
  );
});

test("TCP: the short way of the usual packet ends where the long way does", () => {
  // URG means nothing on an ACK or FIN, but a packet with it is not a usual one.
  const slowly = (segment: Segment): Segment =>
    (segment.flags & (SYN | RST | ACK)) === ACK ? { ...segment, flags: segment.flags | URG } : segment;
  const usual = talks.map(({ segments, generation }) => ({ segments: [...first, ...segments], generation }));
  fc.assert(
    fc.property(usual, ({ segments, generation }) => {
      const short = new TcpTalk({ generation });
      const long = new TcpTalk({ generation });
      for (const { from, segment } of segments) {
        assert.equal(short.send(from, segment), long.send(from, slowly(segment)));
        assert.deepEqual(short.words, long.words);
      }
    }),
    { numRuns: 300 },
  );
});

test("TCP: the short way ends where the long way does, wherever in the number space both sides are", () => {
  const near = fc.integer({ min: -2, max: 2 });
  const mark = fc.constantFrom(
    0,
    1,
    1400,
    65_535,
    66_000,
    2 ** 30,
    2 ** 31 - 66_000,
    2 ** 31 - 1400,
    2 ** 31,
  );
  const number = fc.tuple(mark, fc.boolean(), near).map(([by, below, more]) => (below ? -by : by) + more);
  const window = fc.constantFrom(0, 1, 1400, 65_535, 2 ** 30, 2 ** 31 - 1, 2 ** 31);
  const side = fc.tuple(number, number, window, number);
  const sent = fc.record({
    from: fc.constantFrom<Said["from"]>("client", "server"),
    flags: fc.constantFrom(ACK, ACK | PSH, FIN | ACK),
    sequence: number,
    acknowledgment: number,
    window: fc.constantFrom(1, 1400, 65_535),
    dataBytes: fc.constantFrom(0, 1, 1400),
  });
  const scale = fc.constantFrom(0, 14);
  const state = fc.constantFrom(...Object.values(TcpState));
  fc.assert(
    fc.property(
      side,
      side,
      scale,
      state,
      fc.array(sent, { minLength: 1, maxLength: 3 }),
      (one, two, shared, begun, segments) => {
        const [short, long] = [new TcpTalk(), new TcpTalk()];
        for (const talk of [short, long]) {
          for (const { from, segment } of first) talk.send(from, { ...segment, scale: shared });
          const at = talk.flow * FLOW_WORDS;
          for (const [direction, words] of [one, two].entries()) {
            const places = [Flow.END, Flow.MAX_END, Flow.MAX_WINDOW, Flow.MAX_ACK];
            for (const [place, word] of places.entries())
              talk.rows.words[at + direction + word] = words[place] ?? 0;
          }
          talk.rows.bytes[4 * at + FlowByte.STATE] = begun;
        }
        for (const { from, ...segment } of segments) {
          const slow = { ...segment, flags: (segment.flags & ~PSH) | URG };
          assert.equal(short.send(from, segment), long.send(from, slow));
          assert.deepEqual(short.words, long.words);
        }
      },
    ),
    { numRuns: 5000 },
  );
});

test("TCP: acknowledged data leaves nothing unacknowledged", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 900 }))), (pieces) => {
      const talk = new TcpTalk();
      for (const { from, segment } of first) talk.send(from, segment);
      const next = { client: 1001, server: 5001 };
      for (const [client, dataBytes] of pieces) {
        const from = client ? "client" : "server";
        const to = client ? "server" : "client";
        talk.send(from, `ACK ${next[from]}:${next[to]} ${dataBytes}B`);
        assert.equal(talk.facts, "ESTABLISHED 300 assured");
        next[from] += dataBytes;
        talk.send(to, `ACK ${next[to]}:${next[from]}`);
        assert.equal(talk.facts, "ESTABLISHED 432000 assured");
        assert.equal(talk.words[Flow.END + (client ? 0 : 1)], next[from]);
      }
    }),
  );
});

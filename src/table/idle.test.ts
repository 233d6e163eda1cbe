import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyRows, columnsOf, type Row } from "../../test/support/columns.ts";
import {
  IDLE_UNKNOWN,
  type IdleContext,
  IdleLookup,
  idleUnknownCode,
  idleUnknownReason,
  idleUnknownText,
  timeoutCandidates,
} from "./idle.ts";
import { parseKernelRelease } from "./kernel-release.ts";
import { DCCP, GRE, ICMP, ICMPV6, SCTP, TCP, UDP, UDPLITE } from "./protocol.ts";
import { SETTING_KEYS, settingOf, type Settings } from "./settings.ts";
import { DccpState, SctpState, TcpState } from "./state.ts";
import { ALL_STATUS, Status, TEXT_STATUS } from "./status.ts";

/** The newest default of everything, protocols that are gone included. */
const defaults: Settings = Object.fromEntries(
  SETTING_KEYS.flatMap((key) => {
    const value = settingOf(key).defaults?.at(-1)?.value;
    return value === undefined ? [] : [[key, value]];
  }),
);

const udplite: Settings = { nf_conntrack_udplite_timeout: 20, nf_conntrack_udplite_timeout_stream: 170 };
const modern: Settings = Object.fromEntries(
  Object.entries(defaults).filter(([key]) => !key.includes("udplite")),
);

const REPLIED = Status.CONFIRMED | Status.SEEN_REPLY;
const ASSURED = REPLIED | Status.ASSURED;
const OPEN = Status.CONFIRMED;
const UNACKNOWLEDGED = 0x1000;

interface Case {
  about: string;
  row: Row;
  expected: number | (typeof IDLE_UNKNOWN)[number];
  settings?: Settings;
  kernel?: string;
  knownStatus?: number;
  nowMs?: number;
}

const established = { protocol: TCP, state: TcpState.ESTABLISHED, status: ASSURED };
const udpStream = { protocol: UDP, status: ASSURED };

const cases: readonly Case[] = [
  // What stands in the way whatever the protocol is.
  {
    about: "a flow table has it",
    row: { ...established, status: ASSURED | Status.OFFLOAD },
    expected: "offloaded",
  },
  {
    about: "a flow table in hardware has it, and a time is given",
    row: { ...established, status: ASSURED | Status.HW_OFFLOAD, timeoutSeconds: 86_400 },
    expected: "offloaded",
  },
  { about: "no time is given", row: established, expected: "no-timeout" },
  {
    about: "its timeout is fixed",
    row: { ...established, status: ASSURED | Status.FIXED_TIMEOUT, timeoutSeconds: 5 },
    expected: "fixed-timeout",
  },
  {
    about: "the bit of a fixed timeout, from a source that does not tell it",
    row: { ...established, status: ASSURED | Status.FIXED_TIMEOUT, timeoutSeconds: 431_999 },
    knownStatus: TEXT_STATUS,
    expected: 1,
  },

  // TCP, the plain cases: the timeout of the state minus what remains.
  { about: "ESTABLISHED, just used", row: { ...established, timeoutSeconds: 431_999 }, expected: 1 },
  { about: "ESTABLISHED, not a second ago", row: { ...established, timeoutSeconds: 432_000 }, expected: 0 },
  { about: "ESTABLISHED for days", row: { ...established, timeoutSeconds: 301 }, expected: 431_699 },
  {
    about: "SYN_SENT",
    row: { protocol: TCP, state: TcpState.SYN_SENT, status: OPEN, timeoutSeconds: 100 },
    expected: 20,
  },
  {
    about: "SYN_RECV",
    row: { protocol: TCP, state: TcpState.SYN_RECV, status: REPLIED, timeoutSeconds: 50 },
    expected: 10,
  },
  {
    about: "SYN_SENT2, which has no setting",
    row: { protocol: TCP, state: TcpState.SYN_SENT2, status: REPLIED, timeoutSeconds: 119 },
    expected: 1,
  },
  {
    about: "SYN_SENT2 under a longer setting of SYN_SENT, beyond its own 120 s",
    row: { protocol: TCP, state: TcpState.SYN_SENT2, status: REPLIED, timeoutSeconds: 150 },
    settings: { ...defaults, nf_conntrack_tcp_timeout_syn_sent: 200 },
    expected: 50,
  },
  {
    about: "SYN_SENT2 under a longer setting of SYN_SENT, within its own 120 s",
    row: { protocol: TCP, state: TcpState.SYN_SENT2, status: REPLIED, timeoutSeconds: 119 },
    settings: { ...defaults, nf_conntrack_tcp_timeout_syn_sent: 200 },
    expected: "capped-or-expiring",
  },
  {
    about: "FIN_WAIT",
    row: { protocol: TCP, state: TcpState.FIN_WAIT, status: ASSURED, timeoutSeconds: 20 },
    expected: 100,
  },
  {
    about: "CLOSE_WAIT",
    row: { protocol: TCP, state: TcpState.CLOSE_WAIT, status: ASSURED, timeoutSeconds: 0 },
    expected: 60,
  },
  {
    about: "LAST_ACK",
    row: { protocol: TCP, state: TcpState.LAST_ACK, status: ASSURED, timeoutSeconds: 29 },
    expected: 1,
  },
  {
    about: "TIME_WAIT",
    row: { protocol: TCP, state: TcpState.TIME_WAIT, status: ASSURED, timeoutSeconds: 1 },
    expected: 119,
  },
  {
    about: "CLOSE",
    row: { protocol: TCP, state: TcpState.CLOSE, status: ASSURED, timeoutSeconds: 7 },
    expected: 3,
  },
  {
    about: "TCP NONE, as made by hand",
    row: { protocol: TCP, state: TcpState.NONE, status: ASSURED, timeoutSeconds: 7 },
    expected: "no-state",
  },
  {
    about: "TCP without a state",
    row: { protocol: TCP, status: ASSURED, timeoutSeconds: 7 },
    expected: "no-state",
  },
  {
    about: "TCP in a state of a later kernel",
    row: { protocol: TCP, state: 14, status: ASSURED, timeoutSeconds: 7 },
    expected: "no-state",
  },
  {
    about: "TCP in a state beyond every slot",
    row: { protocol: TCP, state: 200, status: ASSURED, timeoutSeconds: 7 },
    expected: "no-state",
  },
  {
    about: "more remains than the setting gives",
    row: { ...established, timeoutSeconds: 432_000 },
    settings: { ...defaults, nf_conntrack_tcp_timeout_established: 43_200 },
    expected: "longer-than-setting",
  },
  {
    about: "far more remains than fits a signed word",
    row: { ...established, timeoutSeconds: 0xffff_ffff },
    expected: "longer-than-setting",
  },
  {
    about: "the setting cannot be read",
    row: { ...established, timeoutSeconds: 5 },
    settings: {},
    expected: "no-setting",
  },
  {
    about: "no settings on a kernel that had constants",
    row: { ...established, timeoutSeconds: 431_000 },
    settings: {},
    kernel: "2.4.20",
    expected: 1000,
  },

  // TCP, the caps.
  {
    about: "ESTABLISHED, at the cap",
    row: { ...established, timeoutSeconds: 300 },
    expected: "capped-or-expiring",
  },
  {
    about: "ESTABLISHED, at its very end",
    row: { ...established, timeoutSeconds: 0 },
    expected: "capped-or-expiring",
  },
  {
    about: "unacknowledged data tells that it was capped",
    row: { ...established, timeoutSeconds: 290, tcpFlags: UNACKNOWLEDGED },
    expected: 10,
  },
  {
    about: "unacknowledged data the other way",
    row: { ...established, timeoutSeconds: 290, tcpFlags: 0x10 },
    expected: 10,
  },
  {
    about: "flags that say nothing of it",
    row: { ...established, timeoutSeconds: 290, tcpFlags: 0x0707_0a0a },
    expected: "capped-or-expiring",
  },
  {
    about: "unacknowledged data, so near the end that a RST may have been last",
    row: { ...established, timeoutSeconds: 10, tcpFlags: UNACKNOWLEDGED },
    expected: "capped-or-expiring",
  },
  {
    about: "unacknowledged data under two different caps",
    row: { ...established, timeoutSeconds: 100, tcpFlags: UNACKNOWLEDGED },
    settings: { ...defaults, nf_conntrack_tcp_timeout_max_retrans: 600 },
    expected: "capped-or-expiring",
  },
  {
    about: "unacknowledged data above the shorter of two caps",
    row: { ...established, timeoutSeconds: 310, tcpFlags: UNACKNOWLEDGED },
    settings: { ...defaults, nf_conntrack_tcp_timeout_max_retrans: 600 },
    expected: 290,
  },
  {
    about: "unacknowledged data, the setting below the cap",
    row: { ...established, timeoutSeconds: 90, tcpFlags: UNACKNOWLEDGED },
    settings: { ...defaults, nf_conntrack_tcp_timeout_established: 100 },
    expected: 10,
  },
  {
    about: "the flow is too young to have been silent for days",
    row: { ...established, timeoutSeconds: 250, ageSeconds: 400 },
    expected: 50,
  },
  {
    about: "the start stamp says so",
    row: { ...established, timeoutSeconds: 250, startedAtMs: 1000 },
    nowMs: 401_000,
    expected: 50,
  },
  {
    about: "the start stamp without a clock",
    row: { ...established, timeoutSeconds: 250, startedAtMs: 1000 },
    expected: "capped-or-expiring",
  },
  {
    about: "young, but a RST may have been last",
    row: { ...established, timeoutSeconds: 5, ageSeconds: 400 },
    expected: "capped-or-expiring",
  },
  {
    about: "too young for anything but a RST",
    row: { ...established, timeoutSeconds: 5, ageSeconds: 60 },
    expected: 5,
  },
  {
    about: "max_retrans 0 caps everything that is longer",
    row: { ...established, timeoutSeconds: 290 },
    settings: { ...defaults, nf_conntrack_tcp_max_retrans: 0 },
    expected: 10,
  },
  {
    about: "picked up and unanswered",
    row: { ...established, status: OPEN, timeoutSeconds: 5 },
    kernel: "6.1.0-21-amd64",
    expected: 295,
  },
  {
    about: "picked up and unanswered, on an unknown kernel",
    row: { ...established, status: OPEN, timeoutSeconds: 5 },
    expected: "capped-or-expiring",
  },
  {
    about: "unanswered before pickup was capped",
    row: { ...established, status: OPEN, timeoutSeconds: 400_000 },
    kernel: "3.10.0",
    expected: 32_000,
  },
  {
    about: "a long timeout of SYN_SENT is cut to the cap",
    row: { protocol: TCP, state: TcpState.SYN_SENT, status: OPEN, timeoutSeconds: 290 },
    settings: { ...defaults, nf_conntrack_tcp_timeout_syn_sent: 1000 },
    kernel: "6.18",
    expected: 10,
  },
  {
    about: "a long timeout of SYN_SENT is not cut before 4.19",
    row: { protocol: TCP, state: TcpState.SYN_SENT, status: OPEN, timeoutSeconds: 900 },
    settings: { ...defaults, nf_conntrack_tcp_timeout_syn_sent: 1000 },
    kernel: "4.14",
    expected: 100,
  },
  {
    about: "a long timeout of TIME_WAIT stays long",
    row: { protocol: TCP, state: TcpState.TIME_WAIT, status: ASSURED, timeoutSeconds: 900 },
    settings: { ...defaults, nf_conntrack_tcp_timeout_time_wait: 1000 },
    expected: 100,
  },
  {
    about: "nothing is told of replies",
    row: { protocol: TCP, state: TcpState.ESTABLISHED, timeoutSeconds: 400_000 },
    expected: 32_000,
  },

  // UDP.
  { about: "UDP, one way", row: { protocol: UDP, status: OPEN, timeoutSeconds: 29 }, expected: 1 },
  { about: "UDP, one exchange", row: { protocol: UDP, status: REPLIED, timeoutSeconds: 5 }, expected: 25 },
  {
    about: "UDP, one way, longer than possible",
    row: { protocol: UDP, status: OPEN, timeoutSeconds: 31 },
    expected: "longer-than-setting",
  },
  { about: "a UDP stream", row: { ...udpStream, timeoutSeconds: 20 }, kernel: "6.18.44", expected: 100 },
  { about: "a UDP stream of 4.x", row: { ...udpStream, timeoutSeconds: 20 }, kernel: "4.19", expected: 100 },
  {
    about: "ASSURED may mean one exchange between 5.0 and 5.15",
    row: { ...udpStream, timeoutSeconds: 20 },
    kernel: "5.4",
    expected: "capped-or-expiring",
  },
  {
    about: "a UDP stream of 5.4 above the other timeout",
    row: { ...udpStream, timeoutSeconds: 31 },
    kernel: "5.4",
    expected: 89,
  },
  { about: "a UDP stream of an unknown kernel", row: { ...udpStream, timeoutSeconds: 90 }, expected: 30 },
  { about: "UDP of which no status is told", row: { protocol: UDP, timeoutSeconds: 100 }, expected: 20 },
  {
    about: "UDP of which no status is told, near the end",
    row: { protocol: UDP, timeoutSeconds: 10 },
    expected: "capped-or-expiring",
  },
  {
    about: "a source that tells only one of the two bits",
    row: { protocol: UDP, status: ASSURED, timeoutSeconds: 10 },
    knownStatus: Status.ASSURED,
    expected: "capped-or-expiring",
  },

  // The other protocols.
  {
    about: "UDP-Lite with settings of its own",
    row: { protocol: UDPLITE, status: ASSURED, timeoutSeconds: 100 },
    settings: { ...modern, ...udplite },
    expected: 70,
  },
  {
    about: "UDP-Lite with those of UDP",
    row: { protocol: UDPLITE, status: ASSURED, timeoutSeconds: 100 },
    settings: modern,
    expected: 20,
  },
  { about: "an echo", row: { protocol: ICMP, status: REPLIED, timeoutSeconds: 12 }, expected: 18 },
  { about: "an echo of IPv6", row: { protocol: ICMPV6, status: OPEN, timeoutSeconds: 30 }, expected: 0 },
  {
    about: "a protocol nobody tracks",
    row: { protocol: 50, status: OPEN, timeoutSeconds: 599 },
    expected: 1,
  },
  {
    about: "GRE, its timeouts printed",
    row: { protocol: GRE, status: OPEN, timeoutSeconds: 35, greTimeouts: { timeout: 40, stream: 900 } },
    knownStatus: TEXT_STATUS,
    expected: 5,
  },
  {
    about: "a GRE stream, its timeouts printed",
    row: { protocol: GRE, status: ASSURED, timeoutSeconds: 35, greTimeouts: { timeout: 40, stream: 900 } },
    knownStatus: TEXT_STATUS,
    expected: 865,
  },
  {
    about: "GRE, more than its printed timeouts",
    row: { protocol: GRE, status: OPEN, timeoutSeconds: 41, greTimeouts: { timeout: 40, stream: 900 } },
    expected: "longer-than-setting",
  },
  {
    about: "GRE without keys",
    row: { protocol: GRE, first: 0, second: 0, status: ASSURED, timeoutSeconds: 170 },
    expected: 10,
  },
  {
    about: "GRE without keys, unanswered",
    row: { protocol: GRE, first: 0, second: 0, status: OPEN, timeoutSeconds: 25 },
    expected: 5,
  },
  {
    about: "GRE with a call id",
    row: { protocol: GRE, first: 0, second: 77, status: ASSURED, timeoutSeconds: 170 },
    expected: "own-timeout",
  },
  {
    about: "GRE that a helper expected",
    row: { protocol: GRE, first: 0, second: 0, status: ASSURED | Status.EXPECTED, timeoutSeconds: 170 },
    expected: "own-timeout",
  },
  {
    about: "GRE on a kernel with constants",
    row: { protocol: GRE, first: 0, second: 0, status: ASSURED, timeoutSeconds: 170 },
    settings: {},
    kernel: "4.9",
    expected: 10,
  },
  {
    about: "SCTP",
    row: { protocol: SCTP, state: SctpState.ESTABLISHED, status: ASSURED, timeoutSeconds: 200 },
    expected: 10,
  },
  {
    about: "SCTP closed",
    row: { protocol: SCTP, state: SctpState.CLOSED, status: OPEN, timeoutSeconds: 4 },
    expected: 6,
  },
  {
    about: "DCCP",
    row: { protocol: DCCP, state: DccpState.OPEN, status: ASSURED, timeoutSeconds: 43_000 },
    expected: 200,
  },
  {
    about: "DCCP on a kernel without its tracker",
    row: { protocol: DCCP, status: OPEN, timeoutSeconds: 500 },
    settings: { nf_conntrack_generic_timeout: 600 },
    expected: 100,
  },
  {
    about: "SCTP without a state",
    row: { protocol: SCTP, status: OPEN, timeoutSeconds: 5 },
    expected: "no-state",
  },
];

for (const { about, row, expected, settings = defaults, kernel, knownStatus = ALL_STATUS, nowMs } of cases) {
  test(`idle age is ${expected}: ${about}`, () => {
    const release = kernel === undefined ? undefined : parseKernelRelease(kernel);
    const lookup = new IdleLookup({
      settings,
      ...(release === undefined ? {} : { release }),
      ...(nowMs === undefined ? {} : { nowMs }),
    });
    const seconds = lookup.secondsAt(columnsOf([{}, row], knownStatus), 1);
    assert.equal(idleUnknownReason(seconds) ?? seconds, expected);
  });
}

const releases = ["2.4.20", "2.6.18", "3.10", "4.14", "5.4", "5.15", "6.18"].map(parseKernelRelease);

const contexts: fc.Arbitrary<IdleContext> = fc
  .record({
    release: fc.constantFrom(undefined, ...releases),
    nowMs: fc.constantFrom(undefined, 1_500_000),
    settings: fc.constantFrom(
      defaults,
      modern,
      {},
      { ...defaults, nf_conntrack_tcp_timeout_established: 200, nf_conntrack_tcp_timeout_syn_sent: 1000 },
      { ...defaults, nf_conntrack_tcp_max_retrans: 0 },
      { ...defaults, nf_conntrack_tcp_timeout_established: 0xffff_ffff, nf_conntrack_udp_timeout: -1 },
    ),
  })
  .map(({ release, nowMs, settings }) => ({
    settings,
    ...(release === undefined ? {} : { release }),
    ...(nowMs === undefined ? {} : { nowMs }),
  }));

test("a timeout beyond what any kernel takes gives one age, and the same one when it is asked again", () => {
  const columns = columnsOf([
    {
      protocol: TCP,
      source: "fd00::1",
      destination: "fd00::1",
      first: 0,
      second: 0,
      timeoutSeconds: 301,
      state: 3,
    },
  ]);
  const settings = { ...defaults, nf_conntrack_tcp_timeout_established: 0xffff_ffff };
  const lookup = new IdleLookup({ settings });
  const first = lookup.secondsAt(columns, 0);
  assert.ok(first >= 0);
  assert.equal(lookup.secondsAt(columns, 0), first);
});

test("fill() gives every row what secondsAt() gives it", () => {
  fc.assert(
    fc.property(
      contexts,
      anyRows,
      fc.constantFrom(ALL_STATUS, TEXT_STATUS, 0),
      (context, rows, knownStatus) => {
        const lookup = new IdleLookup(context);
        const columns = columnsOf(rows, knownStatus);
        const into = new Int32Array(rows.length);
        lookup.fill(columns, 0, rows.length, into);
        assert.deepEqual(
          [...into],
          rows.map((_, row) => lookup.secondsAt(columns, row)),
        );
      },
    ),
  );
});

test("a known idle age and what remains add up to one of the timeouts the flow can have", () => {
  fc.assert(
    fc.property(contexts, anyRows, (context, rows) => {
      const lookup = new IdleLookup(context);
      const columns = columnsOf(rows);
      rows.forEach((row, index) => {
        const seconds = lookup.secondsAt(columns, index);
        if (seconds < 0 || row.greTimeouts !== undefined) return;
        const { protocol = TCP, status, state } = row;
        const candidates = timeoutCandidates(context, protocol === 50 ? -1 : protocol, {
          state: state === undefined || state >= 15 ? undefined : state,
          ...(status === undefined
            ? {}
            : { seenReply: (status & Status.SEEN_REPLY) !== 0, assured: (status & Status.ASSURED) !== 0 }),
        });
        assert.ok(typeof candidates !== "string", candidates.toString());
        assert.ok(
          candidates.includes(seconds + (row.timeoutSeconds ?? 0)),
          `${seconds} of ${candidates.join()}`,
        );
      });
    }),
  );
});

test("every reason has a code of its own, and a text", () => {
  for (const why of IDLE_UNKNOWN) {
    assert.equal(idleUnknownReason(idleUnknownCode(why)), why);
    assert.ok(idleUnknownText[why].length > 0);
  }
  assert.equal(idleUnknownReason(0), undefined);
});

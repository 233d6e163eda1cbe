/**
 * Sequences that mean something, in words: what the kernel does beyond the automaton's cells. Each line is a
 * packet (packet-spec.ts); `wait MS` stands before what is sent so much later.
 */

export interface Scenario {
  /** The file of fixtures it is recorded in. */
  file: string;
  name: string;
  family?: 4 | 6;
  settings?: Readonly<Record<string, number>>;
  lines: readonly string[];
}

const SYN = "tcp a:1000>b:80 S seq=1000 win=8192 mss=1460";
const SYN_ACK = "tcp b:80>a:1000 SA seq=5000 ack=1001 win=8192 mss=1460";
const ACK = "tcp a:1000>b:80 A seq=1001 ack=5001 win=8192";
const OPEN = [SYN, SYN_ACK, ACK] as const;
const DATA = "tcp a:1000>b:80 PA seq=1001 ack=5001 win=8192 len=100";
const FIN = "tcp a:1000>b:80 FA seq=1001 ack=5001 win=8192";
const FIN_ACKED = "tcp b:80>a:1000 A seq=5001 ack=1002 win=8192";
const OTHER_FIN = "tcp b:80>a:1000 FA seq=5001 ack=1002 win=8192";
const LAST_ACK = "tcp a:1000>b:80 A seq=1002 ack=5002 win=8192";
const CLOSED = [...OPEN, FIN, FIN_ACKED, OTHER_FIN, LAST_ACK] as const;
const AGAIN = "tcp a:1000>b:80 S seq=9000 win=8192";
const MID_A = "tcp a:1000>b:80 A seq=1001 ack=5001 win=500";
const MID_B = "tcp b:80>a:1000 A seq=5001 ack=1001 win=500";

const tcpTimeouts: readonly Scenario[] = [
  {
    name: "data not acknowledged, then acknowledged",
    lines: [...OPEN, DATA, "tcp b:80>a:1000 A seq=5001 ack=1101 win=8192"],
  },
  { name: "four identical acknowledgements", lines: [...OPEN, ACK, ACK, ACK, ACK, ACK] },
  { name: "the same data five times", lines: [...OPEN, DATA, DATA, DATA, DATA, DATA] },
  {
    name: "three retransmissions with one allowed",
    settings: { nf_conntrack_tcp_max_retrans: 1 },
    lines: [...OPEN, ACK, ACK, ACK],
  },
  {
    name: "a closed window opens again",
    lines: [
      ...OPEN,
      "tcp b:80>a:1000 A seq=5001 ack=1001 win=0",
      "tcp b:80>a:1000 A seq=5001 ack=1001 win=100",
    ],
  },
  {
    name: "a long timeout of SYN_SENT is capped",
    settings: { nf_conntrack_tcp_timeout_syn_sent: 1000 },
    lines: [SYN],
  },
  {
    name: "a long timeout of SYN_RECV is capped",
    settings: { nf_conntrack_tcp_timeout_syn_recv: 1000 },
    lines: [SYN, SYN_ACK],
  },
  {
    name: "a long timeout of TIME_WAIT is not capped",
    settings: { nf_conntrack_tcp_timeout_time_wait: 1000 },
    lines: CLOSED,
  },
  {
    name: "established below unacknowledged",
    settings: { nf_conntrack_tcp_timeout_established: 100 },
    lines: [...OPEN, DATA],
  },
  {
    name: "a SYN again does not renew",
    settings: { nf_conntrack_tcp_timeout_syn_sent: 10 },
    lines: [SYN, "wait 2500", SYN],
  },
  {
    name: "a reply SYN does not renew",
    settings: { nf_conntrack_tcp_timeout_syn_sent: 10 },
    lines: [SYN, "wait 2500", "tcp b:80>a:1000 S seq=5000 win=8192"],
  },
  {
    name: "an expired flow is forgotten",
    settings: { nf_conntrack_tcp_timeout_syn_sent: 1 },
    lines: [SYN, "wait 2500", SYN_ACK, SYN],
  },
].map((scenario) => ({ ...scenario, file: "tcp-timeouts" }));

const tcpReopening: readonly Scenario[] = [
  { name: "a SYN after an orderly close", lines: [...CLOSED, AGAIN] },
  {
    name: "a SYN after an orderly close, numbers going back",
    lines: [...CLOSED, "tcp a:1000>b:80 S seq=10 win=8192"],
  },
  { name: "a SYN after the client's RST", lines: [...OPEN, "tcp a:1000>b:80 R seq=1001", AGAIN] },
  {
    name: "a SYN after the server's RST, and its answer",
    lines: [
      ...OPEN,
      "tcp b:80>a:1000 R seq=5001",
      AGAIN,
      "tcp b:80>a:1000 SA seq=7000 ack=9001 win=8192",
      "tcp a:1000>b:80 A seq=9001 ack=7001 win=8192",
    ],
  },
  {
    name: "a SYN from the server after an orderly close",
    lines: [...CLOSED, "tcp b:80>a:1000 S seq=9000 win=8192", "tcp a:1000>b:80 SA seq=1 ack=9001 win=8192"],
  },
  {
    name: "a SYN in an open flow, answered: the flow begins again",
    lines: [
      ...OPEN,
      AGAIN,
      "tcp b:80>a:1000 SA seq=7000 ack=9001 win=8192",
      "tcp a:1000>b:80 A seq=9001 ack=7001 win=8192",
    ],
  },
  {
    name: "a SYN in an open flow, answered otherwise",
    lines: [
      ...OPEN,
      AGAIN,
      "tcp b:80>a:1000 SA seq=7000 ack=9002 win=8192",
      "tcp b:80>a:1000 A seq=5001 ack=1001 win=8192",
    ],
  },
  {
    name: "a SYN in an open flow, answered by RST",
    lines: [...OPEN, AGAIN, "tcp b:80>a:1000 RA seq=0 ack=9001"],
  },
  {
    name: "a challenge in LAST_ACK",
    lines: [
      ...OPEN,
      FIN,
      FIN_ACKED,
      OTHER_FIN,
      AGAIN,
      "tcp b:80>a:1000 A seq=5002 ack=1002 win=8192",
      "tcp a:1000>b:80 R seq=1002",
    ],
  },
  {
    name: "a challenge in LAST_ACK is spent once",
    lines: [
      ...OPEN,
      FIN,
      FIN_ACKED,
      OTHER_FIN,
      AGAIN,
      "tcp b:80>a:1000 A seq=5002 ack=1002 win=8192",
      "tcp b:80>a:1000 A seq=5002 ack=1002 win=8192",
    ],
  },
  {
    name: "a challenge in SYN_SENT, and the RST it asks for",
    lines: [
      SYN,
      "tcp b:80>a:1000 A seq=7000 ack=4444 win=8192",
      "tcp a:1000>b:80 R seq=4444",
      "tcp a:1000>b:80 S seq=1000 win=8192",
    ],
  },
  {
    name: "a challenge in SYN_SENT, and another RST",
    lines: [SYN, "tcp b:80>a:1000 A seq=7000 ack=4444 win=8192", "tcp a:1000>b:80 R seq=4445"],
  },
  {
    name: "a challenge in SYN_SENT of a reused port",
    lines: [
      SYN,
      SYN_ACK,
      ACK,
      FIN,
      FIN_ACKED,
      "tcp a:1000>b:80 S seq=9000 win=8192",
      FIN_ACKED,
      "tcp a:1000>b:80 R seq=1002",
    ],
  },
  {
    name: "both open at once",
    lines: [
      SYN,
      "tcp b:80>a:1000 S seq=5000 win=8192",
      "tcp a:1000>b:80 SA seq=1000 ack=5001 win=8192",
      "tcp b:80>a:1000 SA seq=5000 ack=1001 win=8192",
      "tcp b:80>a:1000 A seq=5001 ack=1001 win=8192",
    ],
  },
  {
    name: "both open at once, answered from one side",
    lines: [SYN, "tcp b:80>a:1000 S seq=5000 win=8192", "tcp b:80>a:1000 SA seq=5000 ack=1001 win=8192", ACK],
  },
  {
    name: "both close at once",
    lines: [
      ...OPEN,
      FIN,
      "tcp b:80>a:1000 FA seq=5001 ack=1001 win=8192",
      "tcp a:1000>b:80 A seq=1002 ack=5002 win=8192",
      "tcp b:80>a:1000 A seq=5002 ack=1002 win=8192",
    ],
  },
].map((scenario) => ({ ...scenario, file: "tcp-reopening" }));

const tcpBeginnings: readonly Scenario[] = [
  {
    name: "picked up in mid-stream",
    lines: [
      MID_A,
      MID_B,
      MID_A,
      "tcp a:1000>b:80 PA seq=1001 ack=5001 win=500 len=10",
      "tcp b:80>a:1000 A seq=5001 ack=1011 win=500",
    ],
  },
  { name: "picked up from the server", lines: [MID_B, MID_A, MID_B] },
  {
    name: "picked up with data, one side only",
    lines: [
      "tcp a:1000>b:80 PA seq=1001 ack=5001 win=500 len=10",
      "tcp a:1000>b:80 PA seq=1011 ack=5001 win=500 len=10",
      "tcp a:1000>b:80 PA seq=90011 ack=5001 win=500 len=10",
    ],
  },
  {
    name: "not picked up",
    settings: { nf_conntrack_tcp_loose: 0 },
    lines: [MID_A, MID_B, SYN, SYN_ACK, ACK],
  },
  { name: "begun by a SYN/ACK", lines: [SYN_ACK, ACK] },
  { name: "begun by a FIN", lines: [FIN] },
  { name: "begun by a RST", lines: ["tcp a:1000>b:80 R seq=1001"] },
  { name: "a SYN refused by an exact RST", lines: [SYN, "tcp b:80>a:1000 RA seq=0 ack=1001"] },
  { name: "a SYN refused by an RST of another", lines: [SYN, "tcp b:80>a:1000 RA seq=0 ack=1002"] },
  { name: "a SYN refused by a bare RST", lines: [SYN, "tcp b:80>a:1000 R seq=77"] },
  { name: "a SYN withdrawn", lines: [SYN, "tcp a:1000>b:80 R seq=1001"] },
  { name: "the SYN/ACK again", lines: [SYN, SYN_ACK, SYN_ACK, ACK] },
  {
    name: "the SYN/ACK with another number",
    lines: [
      SYN,
      SYN_ACK,
      "tcp b:80>a:1000 SA seq=6000 ack=1001 win=8192",
      "tcp a:1000>b:80 A seq=1001 ack=6001 win=8192",
    ],
  },
  {
    name: "the SYN with another number",
    lines: [
      SYN,
      "tcp a:1000>b:80 S seq=3000 win=8192",
      "tcp b:80>a:1000 SA seq=5000 ack=3001 win=8192",
      "tcp a:1000>b:80 A seq=3001 ack=5001 win=8192",
    ],
  },
  {
    name: "data before the handshake ends",
    lines: [SYN, SYN_ACK, "tcp b:80>a:1000 PA seq=5001 ack=1001 win=8192 len=50", ACK],
  },
  {
    name: "data in the SYN",
    lines: [
      "tcp a:1000>b:80 S seq=1000 win=8192 len=100",
      "tcp b:80>a:1000 SA seq=5000 ack=1101 win=8192",
      "tcp a:1000>b:80 A seq=1101 ack=5001 win=8192",
    ],
  },
].map((scenario) => ({ ...scenario, file: "tcp-beginnings" }));

const SCALED = [
  "tcp a:1000>b:80 S seq=1000 win=8192 sackok=1 scale=7",
  "tcp b:80>a:1000 SA seq=5000 ack=1001 win=8192 sackok=1 scale=2",
  "tcp a:1000>b:80 A seq=1001 ack=5001 win=100",
] as const;

const tcpWindows: readonly Scenario[] = [
  {
    name: "both scale",
    lines: [
      ...SCALED,
      "tcp b:80>a:1000 A seq=5001 ack=1001 win=100 len=10000",
      "tcp b:80>a:1000 A seq=17801 ack=1001 win=100 len=1",
      "tcp b:80>a:1000 A seq=39999 ack=1001 win=100 len=1",
    ],
  },
  {
    name: "one scales",
    lines: [
      "tcp a:1000>b:80 S seq=1000 win=1000 scale=7",
      "tcp b:80>a:1000 SA seq=5000 ack=1001 win=1000",
      "tcp a:1000>b:80 A seq=1001 ack=5001 win=100",
      "tcp b:80>a:1000 A seq=6002 ack=1001 win=100 len=10",
    ],
  },
  {
    name: "a scale beyond 14",
    lines: [
      "tcp a:1000>b:80 S seq=1000 win=1000 scale=15",
      "tcp b:80>a:1000 SA seq=5000 ack=1001 win=1000 scale=20",
      "tcp a:1000>b:80 A seq=1001 ack=5001 win=1",
    ],
  },
  {
    name: "SACK beyond what was sent",
    lines: [...SCALED, "tcp b:80>a:1000 A seq=5001 ack=1001 win=100 sack=1101 sackto=1201", DATA],
  },
  {
    name: "SACK within",
    lines: [
      ...SCALED,
      DATA,
      "tcp a:1000>b:80 A seq=1101 ack=5001 win=100 len=100",
      "tcp b:80>a:1000 A seq=5001 ack=1001 win=100 sack=1101 sackto=1201",
      "tcp b:80>a:1000 A seq=5001 ack=1201 win=100",
    ],
  },
  {
    name: "SACK that was not agreed on",
    lines: [...OPEN, "tcp b:80>a:1000 A seq=5001 ack=1001 win=100 sack=1101 sackto=1201"],
  },
  {
    name: "beyond the window, liberal",
    settings: { nf_conntrack_tcp_be_liberal: 1 },
    lines: [
      ...OPEN,
      "tcp a:1000>b:80 A seq=100000 ack=5001 win=8192 len=10",
      "tcp b:80>a:1000 A seq=5001 ack=100010 win=8192",
      "tcp b:80>a:1000 R seq=900000",
    ],
  },
  {
    name: "RST below the highest ACK",
    lines: [...OPEN, DATA, "tcp b:80>a:1000 A seq=5001 ack=1101 win=8192", "tcp a:1000>b:80 R seq=1050"],
  },
  {
    name: "RST below the highest ACK, let by",
    settings: { nf_conntrack_tcp_ignore_invalid_rst: 1 },
    lines: [...OPEN, DATA, "tcp b:80>a:1000 A seq=5001 ack=1101 win=8192", "tcp a:1000>b:80 R seq=1050"],
  },
  {
    name: "RST within the window but not exact",
    lines: [...OPEN, "tcp b:80>a:1000 A seq=5001 ack=1001 win=8192", "tcp a:1000>b:80 R seq=1101", ACK],
  },
  { name: "RST that goes on from the own last", lines: [...OPEN, DATA, "tcp a:1000>b:80 R seq=1101"] },
  {
    name: "FIN out of window from both sides",
    lines: [
      ...OPEN,
      "tcp a:1000>b:80 FA seq=100000 ack=5001 win=8192",
      "tcp b:80>a:1000 FA seq=200000 ack=1001 win=8192",
    ],
  },
  {
    name: "RST out of window from both sides",
    lines: [
      ...OPEN,
      "tcp a:1000>b:80 RA seq=100000 ack=5001 win=8192",
      "tcp b:80>a:1000 RA seq=200000 ack=1001 win=8192",
    ],
  },
  { name: "a bad checksum counts for nothing", lines: [...OPEN, `${FIN} bad=1`, FIN] },
  {
    name: "a bad checksum is let by",
    settings: { nf_conntrack_checksum: 0 },
    lines: [`${SYN} bad=1`, SYN_ACK, ACK],
  },
  {
    name: "headers cut short",
    lines: [`${SYN} cut=19`, `${SYN} cut=8`, `${SYN} cut=7`, `${SYN} cut=3`, `${SYN} cut=20`, SYN],
  },
  {
    name: "numbers that wrap",
    lines: [
      "tcp a:1000>b:80 S seq=4294967290 win=8192",
      "tcp b:80>a:1000 SA seq=4294967295 ack=4294967291 win=8192",
      "tcp a:1000>b:80 A seq=4294967291 ack=0 win=8192",
      "tcp a:1000>b:80 A seq=4294967291 ack=0 win=8192 len=100",
      "tcp b:80>a:1000 A seq=0 ack=95 win=8192",
    ],
  },
].map((scenario) => ({ ...scenario, file: "tcp-windows" }));

/** All flag words there are: PSH, ECE and CWR make no difference and are left out. */
const tcpFlags: readonly Scenario[] = Array.from({ length: 32 }, (_, bits): Scenario => {
  const flags = [..."FSRAU"].filter((_letter, at) => (bits & (1 << at)) !== 0).join("") || "-";
  const probe = `tcp a:1000>b:80 ${flags} seq=1001 ack=5001 win=8192`;
  return {
    file: "tcp-flags",
    name: `flags ${flags}, new and open`,
    lines: [probe, "tcp a:1000>b:80 R seq=1001", ...OPEN, probe],
  };
});

const ASK = "udp a:1000>b:53 len=10";
const ANSWER = "udp b:53>a:1000 len=10";
const SHORT_UDP = { nf_conntrack_udp_timeout: 4, nf_conntrack_udp_timeout_stream: 8 };

const udp: readonly Scenario[] = [
  { name: "one way", lines: [ASK, ASK, ASK] },
  { name: "an exchange within two seconds", lines: [ASK, ANSWER, ASK, ANSWER] },
  {
    name: "an exchange of more than two seconds",
    settings: SHORT_UDP,
    lines: [ASK, ANSWER, "wait 2300", ASK, ANSWER],
  },
  { name: "the first answer after two seconds", settings: SHORT_UDP, lines: [ASK, "wait 2300", ANSWER, ASK] },
  {
    name: "an answer too late",
    settings: { nf_conntrack_udp_timeout: 1 },
    lines: [ASK, "wait 2500", ANSWER],
  },
  { name: "no checksum", lines: [`${ASK} nosum=1`, `${ANSWER} bad=1`, `${ANSWER} nosum=1`] },
  {
    name: "a length that lies",
    lines: [
      `${ASK} size=7`,
      `${ASK} size=0`,
      `${ASK} size=8`,
      `${ASK} size=17`,
      `${ASK} size=19`,
      `${ASK} size=18`,
    ],
  },
  { name: "headers cut short", lines: [`${ASK} cut=7`, `${ASK} cut=3`, `${ASK} cut=4`, `${ASK} cut=8`] },
  {
    name: "UDP-Lite",
    lines: [
      "udplite a:1>b:2 len=10",
      "udplite a:1>b:2 len=10 bad=119",
      "udplite b:2>a:1 len=10 bad=119",
      "udplite a:1>b:2 len=10 bad=119",
      "udplite a:1>b:2 len=10 size=0 bad=119",
      "udplite a:1>b:2 len=10 size=8 bad=119",
      "udplite a:1>b:2 len=10 size=7 bad=119",
      "udplite a:1>b:2 len=10 size=40 bad=119",
      "udplite a:1>b:2 len=10 nosum=1",
    ],
  },
  {
    name: "UDP-Lite, checksums not looked at",
    settings: { nf_conntrack_checksum: 0 },
    lines: [
      "udplite a:1>b:2 len=10",
      "udplite b:2>a:1 len=10",
      "udplite a:1>b:2 len=10",
      "udplite b:2>a:1 len=10 nosum=1",
    ],
  },
].map((scenario) => ({ ...scenario, file: "udp" }));

const ECHO = "icmp a>b type=8 id=7 len=8";
const ECHO_REPLY = "icmp b>a type=0 id=7 len=8";

const icmp: readonly Scenario[] = [
  { name: "echo", lines: [ECHO, ECHO_REPLY, ECHO, ECHO_REPLY, ECHO_REPLY] },
  {
    name: "an answer nobody asked for",
    lines: [ECHO_REPLY, "icmp b>a type=0 id=8", ECHO, "icmp b>a type=0 id=8"],
  },
  {
    name: "every type, new",
    lines: Array.from({ length: 42 }, (_, type) => `icmp a>b type=${type} id=${100 + type}`),
  },
  {
    name: "an answer of another kind",
    lines: [ECHO, "icmp b>a type=14 id=7", "icmp b>a type=0 code=1 id=7"],
  },
  { name: "cut short", lines: [`${ECHO} cut=7`, `${ECHO} cut=4`, `${ECHO} cut=8`, `${ECHO} bad=1`] },
  {
    name: "errors about a flow",
    lines: [
      ASK,
      `icmp c>a type=3 code=3 { ${ASK} }`,
      `icmp b>a type=3 code=3 { ${ASK} }`,
      `icmp c>b type=3 code=3 { ${ASK} }`,
      `icmp c>d type=3 code=3 { ${ASK} }`,
      `icmp c>a type=3 code=3 inner=8 { ${ASK} }`,
      `icmp c>a type=3 code=3 inner=7 { ${ASK} }`,
      `icmp c>a type=3 code=3 inner=4 { ${ASK} }`,
      `icmp c>a type=3 code=3 inner=3 { ${ASK} }`,
      `icmp c>a type=3 code=3 bad=1 { ${ASK} }`,
    ],
  },
  {
    name: "errors about the answer",
    lines: [ASK, ANSWER, `icmp c>b type=11 { ${ANSWER} }`, `icmp c>a type=11 { ${ANSWER} }`, ASK],
  },
  {
    name: "errors of every kind",
    lines: [ASK, ...[3, 4, 5, 11, 12, 9, 13, 18].map((type) => `icmp c>a type=${type} { ${ASK} }`)],
  },
  {
    name: "an error about an echo",
    lines: [ECHO, `icmp c>a type=3 { ${ECHO} }`, `icmp c>b type=3 { ${ECHO_REPLY} }`],
  },
  { name: "an error about nothing known", lines: [`icmp c>a type=3 { ${ASK} }`] },
].map((scenario) => ({ ...scenario, file: "icmp" }));

const icmpv6: readonly Scenario[] = [
  { name: "echo", lines: ["icmp a>b type=128 id=7", "icmp b>a type=129 id=7", "icmp a>b type=128 id=7"] },
  {
    name: "every type, new",
    lines: Array.from({ length: 64 }, (_, at) => `icmp a>b type=${at < 8 ? at : at + 92} id=${at}`),
  },
  { name: "node information", lines: ["icmp a>b type=139 id=7", "icmp b>a type=140 id=7"] },
  {
    name: "errors about a flow",
    lines: [
      ASK,
      ...[1, 2, 3, 4, 137, 5].map((type) => `icmp c>a type=${type} { ${ASK} }`),
      `icmp c>b type=1 { ${ASK} }`,
      `icmp c>a type=1 bad=1 { ${ASK} }`,
    ],
  },
].map((scenario) => ({ ...scenario, file: "icmpv6", family: 6 }));

const INIT = "sctp a:1>b:2 INIT itag=11";
const INIT_ACK = "sctp b:2>a:1 INIT_ACK tag=11 itag=22";
const COOKIE_ECHO = "sctp a:1>b:2 COOKIE_ECHO tag=22";
const COOKIE_ACK = "sctp b:2>a:1 COOKIE_ACK tag=11";
const ASSOCIATED = [INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK] as const;

const sctp: readonly Scenario[] = [
  {
    name: "from beginning to end",
    lines: [
      ...ASSOCIATED,
      "sctp a:1>b:2 DATA tag=22 len=10",
      "sctp b:2>a:1 SACK tag=11",
      "sctp a:1>b:2 SHUTDOWN tag=22",
      "sctp b:2>a:1 SHUTDOWN_ACK tag=11",
      "sctp a:1>b:2 SHUTDOWN_COMPLETE tag=22",
    ],
  },
  {
    name: "shut down from the other side",
    lines: [
      ...ASSOCIATED,
      "sctp b:2>a:1 SHUTDOWN tag=11",
      "sctp a:1>b:2 SHUTDOWN_ACK tag=22",
      "sctp b:2>a:1 SHUTDOWN_COMPLETE tag=11",
    ],
  },
  {
    name: "wrong tags",
    lines: [
      ...ASSOCIATED,
      "sctp a:1>b:2 DATA tag=23",
      "sctp b:2>a:1 DATA tag=22",
      "sctp a:1>b:2 ABORT tag=23",
      "sctp a:1>b:2 ABORT tag=11 cflags=1",
      "sctp a:1>b:2 INIT tag=5 itag=6",
    ],
  },
  {
    name: "begun by everything",
    lines: [
      "DATA",
      "SACK",
      "INIT_ACK",
      "COOKIE_ECHO",
      "ABORT",
      "SHUTDOWN",
      "SHUTDOWN_COMPLETE",
      "ERROR",
      "SHUTDOWN_ACK",
      "HEARTBEAT",
    ].map((chunk, at) => `sctp a:${at + 1}>b:2 ${chunk} tag=22`),
  },
  {
    name: "heartbeats",
    lines: ["sctp a:1>b:2 HEARTBEAT tag=22", "sctp b:2>a:1 HEARTBEAT_ACK tag=11", "sctp a:1>b:2 DATA tag=22"],
  },
  {
    name: "heartbeats answered with another tag",
    lines: [
      "sctp a:1>b:2 HEARTBEAT tag=22",
      "sctp b:2>a:1 HEARTBEAT tag=11",
      "sctp b:2>a:1 HEARTBEAT_ACK tag=12",
      "sctp a:1>b:2 HEARTBEAT tag=23",
    ],
  },
  {
    name: "begun again",
    lines: [
      ...ASSOCIATED,
      "sctp a:1>b:2 INIT itag=33",
      "sctp b:2>a:1 INIT_ACK tag=33 itag=44",
      "sctp a:1>b:2 COOKIE_ECHO tag=44",
      "sctp b:2>a:1 COOKIE_ACK tag=33",
    ],
  },
  { name: "both begin", lines: [INIT, "sctp b:2>a:1 INIT itag=22", INIT_ACK, COOKIE_ECHO, COOKIE_ACK] },
  { name: "aborted", lines: [...ASSOCIATED, "sctp b:2>a:1 ABORT tag=11", "sctp a:1>b:2 DATA tag=22"] },
  {
    name: "chunks together",
    lines: [
      INIT,
      INIT_ACK,
      "sctp a:1>b:2 COOKIE_ECHO,DATA tag=22",
      "sctp b:2>a:1 COOKIE_ACK,SACK tag=11",
      "sctp a:1>b:2 DATA,INIT tag=22",
    ],
  },
  {
    name: "broken",
    lines: [
      `${INIT} bad=1`,
      `${INIT} cut=11`,
      `${INIT} cut=12`,
      `${INIT} cut=20`,
      `${INIT} clen=3`,
      `${INIT} tag=9`,
      "sctp a:1>b:2 - tag=9",
      INIT,
    ],
  },
].map((scenario) => ({ ...scenario, file: "sctp" }));

const others: readonly Scenario[] = [
  {
    file: "gre",
    name: "without keys",
    lines: ["gre a>b len=10", "gre b>a len=10", "gre a>b len=10", "gre a>b len=10"],
  },
  {
    file: "gre",
    name: "with keys, which are not looked at",
    lines: ["gre a>b key=7", "gre b>a key=8", "gre a>b key=9"],
  },
  {
    file: "gre",
    name: "PPTP",
    lines: ["gre a>b v=1 call=5", "gre b>a v=1 call=6", "gre a>b v=1 call=5", "gre b>a"],
  },
  {
    file: "gre",
    name: "cut short",
    lines: ["gre a>b cut=3", "gre a>b cut=1", "gre a>b cut=0", "gre a>b v=1 call=5 cut=7", "gre a>b v=2"],
  },
  { file: "generic", name: "ESP", lines: ["ip a>b p=50 len=20", "ip b>a p=50 len=20", "ip a>b p=50 len=20"] },
  {
    file: "generic",
    name: "nothing inside",
    lines: ["ip a>b p=50", "ip a>b p=253", "ip b>a p=253", "ip a>b p=0", "ip a>b p=255", "ip a>b p=59"],
  },
  {
    file: "generic",
    name: "DCCP is generic",
    lines: ["dccp a:1>b:2 type=0", "dccp b:2>a:1 type=1", "dccp a:3>b:2 type=2"],
  },
];

export const SCENARIOS: readonly Scenario[] = [
  ...tcpTimeouts,
  ...tcpReopening,
  ...tcpBeginnings,
  ...tcpWindows,
  ...tcpFlags,
  ...udp,
  ...icmp,
  ...icmpv6,
  ...sctp,
  ...others,
];

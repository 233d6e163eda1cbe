/**
 * Records what a kernel of another generation says of packets that each generation treats in its own way, as
 * a fixture for test/sequences.test.ts; writes it to standard output. Run by hand, from the project's root:
 *
 *   npm run test:kernels -- 6.1 --run "node_modules/.bin/node test/support/wire/record-generation.ts"
 */
import { release } from "node:os";
import { testedGeneration } from "./model-side.ts";
import { parsePacket } from "./packet-spec.ts";
import { runOnKernel } from "./rounds.ts";
import { printSequence, sequenceOf } from "./sequence.ts";
import { openWire } from "./wire.ts";

const SYN = "tcp a:1000>b:80 S seq=1000 win=8192 mss=1460";
const SYN_ACK = "tcp b:80>a:1000 SA seq=5000 ack=1001 win=8192 mss=1460";
const ACK = "tcp a:1000>b:80 A seq=1001 ack=5001 win=8192";
const REQUEST = "dccp a:1000>b:2000 seq=10";
const RESPONSE = "dccp b:2000>a:1000 type=1 seq=20 ack=10";
const INIT = "sctp a:1000>b:2000 INIT itag=11";
const INIT_ACK = "sctp b:2000>a:1000 INIT_ACK tag=11 itag=22";

const ROWS: readonly { name: string; family?: 4 | 6; lines: readonly string[] }[] = [
  {
    name: "an association of SCTP",
    lines: [
      INIT,
      INIT_ACK,
      "sctp a:1000>b:2000 COOKIE_ECHO tag=22",
      "sctp b:2000>a:1000 COOKIE_ACK tag=11",
      "sctp a:1000>b:2000 HEARTBEAT tag=22",
      "sctp b:2000>a:1000 HEARTBEAT_ACK tag=11",
      "sctp a:1000>b:2000 SHUTDOWN tag=22",
      "sctp b:2000>a:1000 SHUTDOWN_ACK tag=11",
      "sctp a:1000>b:2000 SHUTDOWN_COMPLETE tag=22",
      INIT,
    ],
  },
  {
    name: "another path of SCTP",
    lines: ["sctp a:1000>b:2000 HEARTBEAT tag=22", "sctp b:2000>a:1000 HEARTBEAT_ACK tag=11"],
  },
  {
    name: "a redirect",
    family: 6,
    lines: ["udp a:1000>b:53 len=10", "icmp c>a type=137 { udp a:1000>b:53 len=10 }"],
  },
  ...[130, 143, 150, 151, 152, 153].map((type) => ({
    name: `ICMPv6 type ${type}`,
    family: 6 as const,
    lines: [`icmp a>b type=${type} len=16`],
  })),
  {
    name: "a connection of DCCP",
    lines: [
      REQUEST,
      RESPONSE,
      "dccp a:1000>b:2000 type=3 seq=11 ack=20",
      "dccp b:2000>a:1000 type=2 seq=21",
      "dccp a:1000>b:2000 type=4 seq=12 ack=21",
      "dccp b:2000>a:1000 type=5 seq=22",
      "dccp a:1000>b:2000 type=6 seq=13",
      "dccp b:2000>a:1000 type=7 seq=23",
      REQUEST,
    ],
  },
  { name: "a request of DCCP that is reset", lines: [REQUEST, "dccp b:2000>a:1000 type=7 seq=20 ack=10"] },
  {
    name: "DCCP too short for its type",
    lines: [`${REQUEST} cut=16`, "dccp a:1000>b:2000 cut=3", REQUEST, `${RESPONSE} cut=24`, RESPONSE],
  },
  { name: "DCCP of a reserved type", lines: [REQUEST, "dccp a:1000>b:2000 type=11"] },
  { name: "UDP-Lite", lines: ["udplite a:1000>b:53 len=10 bad=119", "udplite b:53>a:1000 len=10 bad=119"] },
  {
    name: "a SYN with other numbers and options",
    lines: [`${SYN} scale=7`, SYN.replace("1000 win", "9000 win")],
  },
  {
    name: "an RST that is not at its place",
    lines: [SYN, SYN_ACK, ACK, "tcp b:80>a:1000 R seq=6000 win=0", "tcp b:80>a:1000 R seq=5001 win=0"],
  },
  {
    name: "data out of window",
    lines: [
      SYN,
      SYN_ACK,
      ACK,
      "tcp a:1000>b:80 A seq=9190 ack=5001 win=8192 len=100",
      "tcp a:1000>b:80 A seq=1 ack=5001 win=8192 len=100",
      "tcp a:1000>b:80 FA seq=90000 ack=5001 win=8192",
    ],
  },
];

const wire = openWire({ prefix: "hr-record" });
try {
  const scripts = ROWS.map(({ family = 4, lines }) => ({
    family,
    packets: lines.map((line) => parsePacket(line)),
  }));
  const outcomes = runOnKernel(wire, { scripts });
  const generation = testedGeneration();
  const texts = ROWS.flatMap(({ name }, place) => {
    const [script, outcome] = [scripts[place], outcomes[place]];
    if (script === undefined || outcome === undefined) return [];
    return [printSequence(sequenceOf(`${name}, ${generation}`, script, outcome, {}, generation))];
  });
  console.log(`# Recorded on ${release()}; see PROVENANCE.md.\n\n${texts.join("\n")}`);
} finally {
  wire.close();
}

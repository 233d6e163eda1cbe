/**
 * Flows of a gateway that is made up: many clients behind it, one of whom hoards, a few services, states and
 * idle ages as such a table has them.
 */
import type { Random } from "../../src/base/random.ts";
import { GRE, ICMP, TCP, UDP } from "../../src/table/protocol.ts";
import { TcpState } from "../../src/table/state.ts";
import { Status } from "../../src/table/status.ts";
import type { Row } from "./columns.ts";
import { usualTimeouts } from "./observations.ts";

const PUBLIC_ADDRESS = "198.51.100.7";
const ANSWERED = Status.SEEN_REPLY | Status.CONFIRMED;
const ASSURED = ANSWERED | Status.ASSURED;

/** A kind of flows: how many of a thousand, the timeout, and how long they are silent on average. */
interface Kind {
  perMille: number;
  protocol: number;
  state?: number;
  status: number;
  timeoutSeconds: number;
  meanIdleSeconds: number;
}

const established = usualTimeouts.nf_conntrack_tcp_timeout_established ?? 432_000;

const kinds: readonly Kind[] = [
  { perMille: 190, ...tcp(TcpState.ESTABLISHED, ASSURED, established), meanIdleSeconds: 160 },
  { perMille: 230, ...tcp(TcpState.ESTABLISHED, ASSURED, established), meanIdleSeconds: 30_000 },
  { perMille: 180, ...tcp(TcpState.ESTABLISHED, ASSURED, established), meanIdleSeconds: 170_000 },
  { perMille: 120, ...tcp(TcpState.TIME_WAIT, ASSURED, 120), meanIdleSeconds: 400 },
  { perMille: 46, ...tcp(TcpState.SYN_SENT, Status.CONFIRMED, 120), meanIdleSeconds: 200 },
  { perMille: 9, ...tcp(TcpState.SYN_RECV, ANSWERED, 60), meanIdleSeconds: 40 },
  { perMille: 21, ...tcp(TcpState.FIN_WAIT, ASSURED, 120), meanIdleSeconds: 100 },
  { perMille: 26, ...tcp(TcpState.CLOSE_WAIT, ASSURED, 60), meanIdleSeconds: 50 },
  { perMille: 7, ...tcp(TcpState.LAST_ACK, ASSURED, 30), meanIdleSeconds: 30 },
  { perMille: 12, ...tcp(TcpState.CLOSE, ASSURED, 10), meanIdleSeconds: 20 },
  { perMille: 34, protocol: UDP, status: Status.CONFIRMED, timeoutSeconds: 30, meanIdleSeconds: 60 },
  { perMille: 61, protocol: UDP, status: ANSWERED, timeoutSeconds: 30, meanIdleSeconds: 60 },
  { perMille: 52, protocol: UDP, status: ASSURED, timeoutSeconds: 120, meanIdleSeconds: 70 },
  { perMille: 10, protocol: ICMP, status: ANSWERED, timeoutSeconds: 30, meanIdleSeconds: 60 },
  { perMille: 2, protocol: GRE, status: ASSURED, timeoutSeconds: 180, meanIdleSeconds: 30 },
];

function tcp(
  state: number,
  status: number,
  timeoutSeconds: number,
): Pick<Kind, "protocol" | "state" | "status" | "timeoutSeconds"> {
  return { protocol: TCP, state, status, timeoutSeconds };
}

const tcpPorts = [443, 443, 443, 443, 443, 80, 80, 22, 3306, 5222, 5432, 8080, 8443, 25, 993, 6443, 1883];
const udpPorts = [53, 53, 53, 53, 443, 443, 123, 51_820, 4500, 3478];

export interface FakeRow {
  kind: Kind;
  idleSeconds: number;
  row: Row;
}

/** So many flows; about as in a table in balance. */
export function fakeRows(count: number, random: Random): FakeRow[] {
  return kinds.flatMap((kind) =>
    Array.from({ length: Math.max(1, Math.round((count * kind.perMille) / 1000)) }, () =>
      fakeRow(kind, idleOf(kind, random), random),
    ),
  );
}

/** The same table `seconds` before: the old ones were younger, for those that came since others have left. */
export function earlierRows(rows: readonly FakeRow[], seconds: number, random: Random): Row[] {
  return rows.map(({ kind, idleSeconds, row }) => {
    const earlier = idleSeconds >= seconds ? idleSeconds - seconds : idleOf(kind, random);
    return { ...row, timeoutSeconds: kind.timeoutSeconds - 1 - earlier };
  });
}

/** Exponential, cut off at the timeout. */
function idleOf({ meanIdleSeconds, timeoutSeconds }: Kind, random: Random): number {
  const whole = 1 - Math.exp(-timeoutSeconds / meanIdleSeconds);
  const idle = -meanIdleSeconds * Math.log(1 - random.fraction() * whole);
  return Math.min(timeoutSeconds - 1, Math.floor(idle));
}

function fakeRow(kind: Kind, idleSeconds: number, random: Random): FakeRow {
  const isHoarded = kind.meanIdleSeconds > 100_000 && random.fraction() < 0.8;
  const isSix = !isHoarded && random.fraction() < 0.12;
  const source = isHoarded ? "10.20.3.77" : sourceOf(isSix, random);
  const destination = destinationOf(isSix, random);
  const first = 1024 + random.below(60_000);
  const second = portOf(kind, isHoarded, random);
  const isTranslated = !isSix && random.fraction() < 0.85;
  const packets = 1 + random.below(kind.timeoutSeconds > 1000 ? 4000 : 30);
  const row: Row = {
    protocol: kind.protocol,
    source,
    destination,
    first,
    second,
    status: kind.status | (isTranslated ? Status.SRC_NAT : 0),
    timeoutSeconds: kind.timeoutSeconds - 1 - idleSeconds,
    original: { packets, bytes: packets * (60 + random.below(700)) },
    ...(kind.state === undefined ? {} : { state: kind.state }),
    ...((kind.status & Status.SEEN_REPLY) === 0
      ? {}
      : { replied: { packets, bytes: packets * (60 + random.below(1300)) } }),
    ...(kind.protocol === GRE ? { greTimeouts: { timeout: 30, stream: 180 } } : {}),
    ...(isTranslated
      ? { reply: { source: destination, destination: PUBLIC_ADDRESS, first: second, second: first } }
      : {}),
    id: random.next(),
    use: 1,
  };
  return { kind, idleSeconds, row };
}

/** A few clients have many flows, many have few. */
function sourceOf(isSix: boolean, random: Random): string {
  const rank = Math.floor(60 * random.fraction() ** 3);
  return isSix ? `2001:db8:20:${(rank % 4) + 1}::${rank + 16}` : `10.20.${rank % 5}.${10 + rank}`;
}

function destinationOf(isSix: boolean, random: Random): string {
  const rank = Math.floor(90 * random.fraction() ** 2);
  return isSix ? `2001:db8:ffff::${rank + 1}` : `203.0.113.${rank + 1}`;
}

function portOf({ protocol, state }: Kind, isHoarded: boolean, random: Random): number {
  if (protocol === UDP) return udpPorts[random.below(udpPorts.length)] ?? 53;
  if (protocol !== TCP) return 0;
  if (isHoarded) return 5222;
  if (state === TcpState.SYN_SENT && random.fraction() < 0.5) return 1 + random.below(1024);
  return tcpPorts[random.below(tcpPorts.length)] ?? 443;
}

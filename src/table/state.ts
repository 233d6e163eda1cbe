/**
 * Connection states of TCP, SCTP and DCCP: the kernel's numbers (as ctnetlink sends them) and names (as the
 * text files print them).
 *
 * Sources: include/uapi/linux/netfilter/nf_conntrack_{tcp,sctp}.h, net/netfilter/nf_conntrack_proto_dccp.c.
 * TCP's slot 9 printed LISTEN until 2.6.30 and SYN_SENT2 since 2.6.31; SCTP's HEARTBEAT_ACKED existed from
 * 4.4 to 6.1. Before 2.6.9 the text names were the same but the numbers were not, which only matters to
 * readers of text (they see names).
 */
import { DCCP, SCTP, TCP } from "./protocol.ts";

export const TcpState = {
  NONE: 0,
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
  SYN_SENT2: 9,
} as const;

export const SctpState = {
  NONE: 0,
  CLOSED: 1,
  COOKIE_WAIT: 2,
  COOKIE_ECHOED: 3,
  ESTABLISHED: 4,
  SHUTDOWN_SENT: 5,
  SHUTDOWN_RECD: 6,
  SHUTDOWN_ACK_SENT: 7,
  HEARTBEAT_SENT: 8,
  HEARTBEAT_ACKED: 9,
} as const;

export const DccpState = {
  NONE: 0,
  REQUEST: 1,
  RESPOND: 2,
  PARTOPEN: 3,
  OPEN: 4,
  CLOSEREQ: 5,
  CLOSING: 6,
  TIMEWAIT: 7,
  IGNORE: 8,
  INVALID: 9,
} as const;

const statesByProtocol: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  [TCP]: TcpState,
  [SCTP]: SctpState,
  [DCCP]: DccpState,
};

const namesByProtocol = new Map(
  Object.entries(statesByProtocol).map(([protocol, states]) => [Number(protocol), Object.keys(states)]),
);

/** Whether flows of this protocol have a state. */
export function hasStates(protocol: number): boolean {
  return statesByProtocol[protocol] !== undefined;
}

/** The kernel's name for a state; a number without a name is kept as that number. */
export function stateName(protocol: number, state: number): string {
  return namesByProtocol.get(protocol)?.[state] ?? String(state);
}

/**
 * The kernel's number for a state name; undefined when the protocol has no such state. `LISTEN` is TCP's old
 * slot 9.
 */
export function stateNumber(protocol: number, name: string): number | undefined {
  if (protocol === TCP && name === "LISTEN") return TcpState.SYN_SENT2;
  return statesByProtocol[protocol]?.[name];
}

/**
 * Which flows carry a session that somebody works in. A session is a socket: its two ends are the two
 * ends of the flow, in either direction; where the host translates addresses the socket's end is the
 * one of the reply.
 */
import {
  type Address,
  ADDRESS_WORDS,
  addressFromWords,
  addressToWords,
  familyOf,
  unmapped,
} from "../table/address.ts";
import { parseAddress } from "../table/address-text.ts";
import type { FlowColumns } from "../table/columns.ts";
import { discriminatorOf, TCP } from "../table/protocol.ts";
import type { Session } from "../table/session.ts";

/** SSH_CONNECTION as sshd(8) writes it (`CLIENT PORT SERVER PORT`); undefined when it is no such text. */
export function parseSshConnection(text: string): Session | undefined {
  const [client = "", clientPort = "", server = "", serverPort = ""] = text.trim().split(/\s+/);
  const [remote, local] = [parseAddress(client), parseAddress(server)];
  const [port, localPort] = [Number(clientPort), Number(serverPort)];
  if (remote === undefined || local === undefined || !isPort(port) || !isPort(localPort)) return undefined;
  return { protocol: TCP, local, localPort, remote: { address: remote, port } };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}

export class SessionFlows {
  /** Ports that a session has on either side: most flows are told by these alone. */
  readonly #ports = new Uint8Array(65_536);
  readonly #connected = new Set<string>();
  /** Sockets that are not connected: every flow of this protocol with their port is theirs. */
  readonly #bound = new Set<number>();
  readonly #words = new Uint32Array(ADDRESS_WORDS);

  constructor(sessions: readonly Session[]) {
    for (const { protocol, local, localPort, remote } of sessions) {
      this.#ports[localPort] = 1;
      if (local !== undefined && remote !== undefined) {
        const here = this.#wordsOf(unmapped(local));
        const there = this.#wordsOf(unmapped(remote.address));
        this.#connected.add(keyOf(protocol, here, localPort, there, remote.port));
        this.#connected.add(keyOf(protocol, there, remote.port, here, localPort));
      } else this.#bound.add(boundKey(protocol, localPort));
    }
  }

  has(columns: FlowColumns, row: number): boolean {
    const ports = this.#ports;
    const near = columns.originalSourceDiscriminator[row] as number;
    const far = columns.originalDestinationDiscriminator[row] as number;
    const back = columns.replySourceDiscriminator[row] as number;
    const away = columns.replyDestinationDiscriminator[row] as number;
    const any =
      (ports[near] as number) | (ports[far] as number) | ((ports[back] as number) | (ports[away] as number));
    if (any === 0) return false;
    return this.#hasExactly(columns, row, [near, far, back, away]);
  }

  #hasExactly(
    columns: FlowColumns,
    row: number,
    [near, far, back, away]: readonly [number, number, number, number],
  ): boolean {
    const protocol = columns.protocol[row] as number;
    if (discriminatorOf(protocol) !== "ports") return false;
    const bound = this.#bound;
    if (bound.size > 0 && [near, far, back, away].some((port) => bound.has(boundKey(protocol, port))))
      return true;
    const family = columns.family[row] === 4 ? 4 : 6;
    const at = row * ADDRESS_WORDS;
    const end = (words: Uint32Array): string => addressFromWords(words, at, family);
    const connected = this.#connected;
    return (
      connected.has(
        keyOf(protocol, end(columns.originalSource), near, end(columns.originalDestination), far),
      ) ||
      connected.has(keyOf(protocol, end(columns.replySource), back, end(columns.replyDestination), away)) ||
      // Redirected on this host: the client's end is of the original direction, the server's of the reply.
      connected.has(keyOf(protocol, end(columns.originalSource), near, end(columns.replySource), back))
    );
  }

  /** The address as a column would give it. */
  #wordsOf(address: Address): string {
    addressToWords(address, this.#words, 0);
    return addressFromWords(this.#words, 0, familyOf(address));
  }
}

function keyOf(protocol: number, from: string, fromPort: number, to: string, toPort: number): string {
  return `${protocol} ${fromPort} ${toPort} ${from} ${to}`;
}

function boundKey(protocol: number, port: number): number {
  return protocol * 65_536 + port;
}

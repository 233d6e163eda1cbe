/**
 * Sockets of a network namespace from /proc/net/{tcp,udp,udplite,raw}{,6}: for kernels or sandboxes where
 * sock_diag does not answer.
 *
 * Columns are `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ...`
 * (net/ipv4/tcp_ipv4.c, udp.c). An address is printed as 32-bit words in the order of the machine: 127.0.0.1
 * is 0100007F on the little-endian machines this program runs on; ports are plain hexadecimal.
 */
import { type Address, addressFromBytes } from "../table/address.ts";
import { TCP, UDP, UDPLITE } from "../table/protocol.ts";
import { KernelError } from "./error.ts";
import { openBytes } from "./open-bytes.ts";

/** A socket as far as its owner is asked for. */
export interface OpenSocket {
  protocol: number;
  local: Address;
  localPort: number;
  remote: Address;
  remotePort: number;
  /** Inode of the socket, as the links under /proc/PID/fd name it. */
  inode: number;
}

const socketFiles = [
  ["tcp", TCP],
  ["tcp6", TCP],
  ["udp", UDP],
  ["udp6", UDP],
  ["udplite", UDPLITE],
  ["udplite6", UDPLITE],
] as const;

/**
 * Sockets of one such file. Lines of another form, and sockets nobody holds any more (TIME_WAIT), are left
 * out.
 */
export function parseSocketFile(text: string, protocol: number): readonly OpenSocket[] {
  const sockets: OpenSocket[] = [];
  for (const line of text.split("\n")) {
    const cells = line.slice(0, 400).trim().split(/\s+/);
    const [, localText = "", remoteText = ""] = cells;
    const inode = Number(cells[9] ?? Number.NaN);
    const local = parseEndpoint(localText);
    const remote = parseEndpoint(remoteText);
    if (local === undefined || remote === undefined || !Number.isSafeInteger(inode) || inode <= 0) continue;
    sockets.push({
      protocol,
      local: local.address,
      localPort: local.port,
      remote: remote.address,
      remotePort: remote.port,
      inode,
    });
  }
  return sockets;
}

function parseEndpoint(text: string): { address: Address; port: number } | undefined {
  const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(text);
  if (match === null) return undefined;
  const [, digits = "", port = ""] = match;
  const bytes = Uint8Array.fromHex(digits);
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return { address: addressFromBytes(bytes), port: Number.parseInt(port, 16) };
}

/** All sockets of the namespace whose /proc/net `directory` is. A file that may not be read has none. */
export function readSocketFiles(directory: string): readonly OpenSocket[] {
  return socketFiles.flatMap(([name, protocol]) => {
    try {
      return [...socketsIn(openBytes(`${directory}/${name}`), protocol)];
    } catch (error) {
      if (error instanceof KernelError) return [];
      throw error;
    }
  });
}

/** By whole lines, piece by piece: a busy proxy has a hundred megabytes of them. */
function* socketsIn(chunks: Iterable<Uint8Array>, protocol: number): Generator<OpenSocket, void, undefined> {
  const decoder = new TextDecoder();
  let carry = "";
  for (const chunk of chunks) {
    const text = carry + decoder.decode(chunk, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    carry = text.slice(end);
    yield* parseSocketFile(text.slice(0, end), protocol);
  }
  yield* parseSocketFile(carry, protocol);
}

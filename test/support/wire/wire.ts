/**
 * A real router of this machine with a wire on either side: whole IP packets are put on the one, the kernel
 * tracks and forwards them, and what it said of each is read from the other. Everything is in two network
 * namespaces of its own and removed by `close`.
 *
 * How a packet is told from all others, however alike: the frame that carries it has a number in its source
 * MAC address, and the router's last rule copies that number over the source address of what it forwards, and
 * the tracker's word (new, established ...) into the number's top byte. By then the tracker has seen the
 * packet as it was sent. A packet that does not come out was dropped.
 *
 * Nothing waits: a frame given to a veth is routed before `send` returns, unless the kernel puts it off, and
 * then the packet behind a lot, which is not tracked, says when all before it is done. The thread stays on
 * one processor, by which the order of packets is theirs.
 *
 * Interfaces mean nothing to the tracker, so both directions of a flow come in on the same side.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { writeFlush } from "../../../src/kernel/ctnetlink-encode.ts";
import { netlinkFlows } from "../../../src/kernel/ctnetlink-dump.ts";
import {
  MSG_DONTWAIT,
  MSG_TRUNC,
  SO_RCVTIMEO,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
  systemCalls,
} from "../../../src/kernel/ffi.ts";
import { insideNamespace, namedNamespace } from "../../../src/kernel/namespace-enter.ts";
import { MessageWriter } from "../../../src/kernel/netlink.ts";
import { Exchange, NETLINK_NETFILTER, openNetlink } from "../../../src/kernel/netlink-socket.ts";
import { type Flow, flowAt } from "../../../src/table/flow.ts";
import { startGuard } from "../inject.ts";
import { mendedPacket } from "./packet-bytes.ts";

const AF_PACKET = 17;
const ETHERNET_BYTES = 14;
/** ETH_P_ALL in network order. */
const ALL_PROTOCOLS = 0x0300;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BUFFER_BYTES = 64 * 1024 * 1024;
const GIVE_UP_SECONDS = 5;
const ROUTER_MAC = [2, 0, 0, 0, 0, 1] as const;
const NEXT_HOP_MAC = [2, 0, 0, 0, 0, 9] as const;
/** A veth takes no larger one. An IPv6 packet of more than this is not forwarded. */
const MTU_BYTES = 65_535;
/** The number of the packet behind a lot; numbers of others are below it. */
const LAST_NUMBER = 0xff_ffff;

/** What the rules write for a packet: its place among these. */
export const WIRE_WORDS = ["dropped", "new", "established", "related", "invalid", "untracked"] as const;
/** What the kernel said of a packet: the tracker's word, or that the packet did not come out. */
export type WireWord = (typeof WIRE_WORDS)[number];

/**
 * Where the source address begins in either family, in bits. A kernel of 7.3 lets a rule write only from the
 * beginning of a field on; one before writes anywhere.
 */
const SOURCE_AT = { ipv4: 96, ipv6: 64 } as const;

/** No packet is tracked before defragmentation (-400); the words are written after everything else. */
const RULESET = `table inet wire {
  chain unnumbered { type filter hook prerouting priority -350; @ll,64,32 ${LAST_NUMBER} notrack; }
  chain verdict {
    type filter hook postrouting priority 500;
    ${[...wordRules("ipv4"), ...wordRules("ipv6")].join("\n    ")}
  }
  chain silence { type filter hook output priority -500; drop; }
}
`;

function wordRules(family: keyof typeof SOURCE_AT): string[] {
  const at = SOURCE_AT[family];
  const words = WIRE_WORDS.slice(1).map((word, place) => `ct state ${word} @nh,${at},8 set ${place + 1}`);
  return [`@nh,${at},32 set @ll,64,32`, ...words].map((rule) => `meta nfproto ${family} ${rule}`);
}

export interface WireOptions {
  /** Of the namespaces' names, which end in this process's number. */
  prefix: string;
  /** Further nft rules of the router, such as helpers or zones. */
  ruleset?: string;
}

/** What became of a lot of packets, by their place in it. */
export interface Lot {
  words: WireWord[];
  /** When each was sent, epoch milliseconds with their fraction. */
  sentAtMs: Float64Array;
}

/** The table as it was between two instants (epoch milliseconds). */
export interface TableReading {
  flows: Flow[];
  fromMs: number;
  toMs: number;
}

export interface Wire {
  /** Of the router, as `ip netns` knows it. */
  readonly router: string;
  /**
   * Sends packets one after the other. `paceMs` says how long to wait before the packet of that place;
   * absent, nothing waits.
   */
  send(packets: readonly Uint8Array[], paceMs?: (place: number) => number): Lot;
  /** All flows of the router, read over netlink. Reading removes what has expired. */
  table(): TableReading;
  /** Empties the router's table. */
  flush(): void;
  /** Sets a setting of the router by its name below net.netfilter; `close` takes it with it. */
  set(name: string, value: number): void;
  get(name: string): number;
  /** Whether this kernel has a setting. */
  has(name: string): boolean;
  /** The tracker's own counters in the router, summed over processors, by the names of the file. */
  counters(): Record<string, number>;
  close(): void;
}

/** Makes the router and its wires. Needs root; throws when `ip` or `nft` is missing. */
export function openWire(options: WireOptions): Wire {
  const outside = `${options.prefix}-${process.pid}-o`;
  const router = `${options.prefix}-${process.pid}-r`;
  const guards = [startGuard(outside), startGuard(router)];
  const remove = (): void => {
    for (const name of [outside, router]) spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
    for (const guard of guards) guard.stdin?.end("done\n");
  };
  try {
    stayOnOneProcessor();
    connect(outside, router);
    execFileSync("ip", ["netns", "exec", router, "nft", "-f", "-"], {
      input: RULESET + (options.ruleset ?? ""),
    });
    return new RouterWire(outside, router, remove);
  } catch (cause) {
    remove();
    throw cause;
  }
}

/** Packets of two processors would overtake each other. */
function stayOnOneProcessor(): void {
  const mask = availableParallelism() > 1 ? "2" : "1";
  execFileSync("taskset", ["-p", mask, String(process.pid)], { stdio: "ignore" });
}

function connect(outside: string, router: string): void {
  const quietIpv6 = (device: string): string[] => [`link set ${device} addrgenmode none`];
  const batch = (namespace: string, lines: readonly string[]): void =>
    void execFileSync("ip", ["-n", namespace, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  for (const name of [outside, router]) execFileSync("ip", ["netns", "add", name]);
  setInside(outside, { "ipv6/conf/default/disable_ipv6": 1 });
  setInside(router, {
    "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1,
    "ipv4/conf/all/rp_filter": 0,
    "ipv4/conf/default/rp_filter": 0,
    "ipv4/conf/default/accept_local": 1,
    "ipv4/conf/default/route_localnet": 1,
    "ipv4/conf/default/accept_source_route": 1,
  });
  const peer = (device: string, other: string): string =>
    `link add ${device} mtu ${MTU_BYTES} type veth peer name ${other} mtu ${MTU_BYTES} netns ${router}`;
  batch(outside, [peer("in0", "rin"), peer("out0", "rout"), "link set in0 up", "link set out0 up"]);
  const mac = (bytes: readonly number[]): string => bytes.map((byte) => `0${byte}`).join(":");
  batch(router, [
    ...quietIpv6("rin"),
    ...quietIpv6("rout"),
    `link set rin address ${mac(ROUTER_MAC)}`,
    "link set rin up",
    "link set rout up",
    `neigh add fe80::fffe lladdr ${mac(NEXT_HOP_MAC)} dev rout nud permanent`,
    // The next hop of IPv4 too: the router needs no address of its own, and so none is not forwarded.
    "route add 0.0.0.0/0 via inet6 fe80::fffe dev rout onlink",
    "route add ::/0 via fe80::fffe dev rout onlink",
  ]);
}

function setInside(namespace: string, settings: Readonly<Record<string, number>>): void {
  insideNamespace(namedNamespace(namespace), () => {
    for (const [path, value] of Object.entries(settings)) {
      writeFileSync(`/proc/sys/net/${path}`, String(value));
    }
  });
}

/**
 * struct sockaddr_ll: 0 family u16, 2 protocol be16, 4 interface i32, 8 hardware type, type, length,
 * address.
 */
function packetAddress(device: number, protocol: number): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol, true);
  view.setInt32(4, device, true);
  return address;
}

function openPacketSocket(namespace: string, device: string, protocol: number): number {
  const calls = systemCalls();
  return insideNamespace(namedNamespace(namespace), () => {
    const fd = check(calls.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "open a packet socket");
    check(calls.bind(fd, packetAddress(deviceIndex(device), protocol)), `bind a packet socket to ${device}`);
    return fd;
  });
}

/** /sys shows the namespace it was mounted in, so the index is read from a file of /proc/net. */
function deviceIndex(device: string): number {
  const route = execFileSync("ip", ["-o", "link", "show", "dev", device], { encoding: "utf8" });
  return Number.parseInt(route, 10);
}

function check(result: number, tried: string): number {
  if (result < 0) throw new Error(`Cannot ${tried}: error ${-result}`);
  return result;
}

/** A packet nobody tracks: IPv4, protocol 255, between addresses of documentation (RFC 5737). */
const LAST_PACKET = mendedPacket(
  Uint8Array.of(0x45, 0, 0, 20, 0, 0, 0, 0, 64, 255, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2),
);

class RouterWire implements Wire {
  readonly router: string;
  readonly #calls = systemCalls();
  readonly #remove: () => void;
  readonly #into: number;
  readonly #out: number;
  readonly #frame = new Uint8Array(ETHERNET_BYTES + MTU_BYTES);
  readonly #seen = new Uint8Array(64);

  constructor(outside: string, router: string, remove: () => void) {
    this.router = router;
    this.#remove = remove;
    this.#into = openPacketSocket(outside, "in0", 0);
    this.#out = openPacketSocket(outside, "out0", ALL_PROTOCOLS);
    const room = new Uint8Array(Int32Array.of(RECEIVE_BUFFER_BYTES).buffer);
    check(this.#calls.setsockopt(this.#out, SOL_SOCKET, SO_RCVBUFFORCE, room), "make room for packets");
    const patience = new Uint8Array(new BigInt64Array([BigInt(GIVE_UP_SECONDS), 0n]).buffer);
    check(this.#calls.setsockopt(this.#out, SOL_SOCKET, SO_RCVTIMEO, patience), "limit a packet's wait");
    this.#frame.set(ROUTER_MAC);
    this.#frame.set([2, 0], 6);
    // What the kernel said before the links were up.
    this.send([]);
  }

  send(packets: readonly Uint8Array[], paceMs?: (place: number) => number): Lot {
    const words = new Uint8Array(packets.length);
    const sentAtMs = new Float64Array(packets.length);
    for (const [place, packet] of packets.entries()) {
      const gapMs = paceMs?.(place) ?? 0;
      if (gapMs > 0) standStill(gapMs);
      sentAtMs[place] = nowMs();
      this.#put(packet, place);
      while (this.#take(words, MSG_DONTWAIT) !== "nothing");
    }
    this.#put(LAST_PACKET, LAST_NUMBER);
    for (let taken = ""; taken !== "last";) {
      taken = this.#take(words, 0);
      if (taken === "nothing") throw new Error("The router does not forward; its last packet is missing");
    }
    return { words: Array.from(words, (word) => WIRE_WORDS[word] ?? "untracked"), sentAtMs };
  }

  #put(packet: Uint8Array, number: number): void {
    const frame = this.#frame;
    frame.set([0, number >>> 16, (number >>> 8) & 255, number & 255], 8);
    frame.set((packet[0] as number) >> 4 === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
    frame.set(packet, ETHERNET_BYTES);
    const sent = this.#calls.send(this.#into, frame.subarray(0, ETHERNET_BYTES + packet.length), 0);
    check(sent, `send a packet of ${packet.length} bytes`);
  }

  /** Takes what came out next and notes its word. */
  #take(words: Uint8Array, flags: number): "nothing" | "last" | "word" {
    const seen = this.#seen;
    const length = this.#calls.recv(this.#out, seen, MSG_TRUNC | flags);
    if (length === -constants.errno.EAGAIN) return "nothing";
    check(length, "receive a packet");
    if (!NEXT_HOP_MAC.every((byte, place) => seen[place] === byte)) return "word";
    const isIpv4 = (seen[ETHERNET_BYTES] as number) >> 4 === 4;
    const at = ETHERNET_BYTES + SOURCE_AT[isIpv4 ? "ipv4" : "ipv6"] / 8;
    const place =
      ((seen[at + 1] as number) << 16) | ((seen[at + 2] as number) << 8) | (seen[at + 3] as number);
    if (place === LAST_NUMBER) return "last";
    if (place < words.length) words[place] = seen[at] as number;
    return "word";
  }

  table(): TableReading {
    const fromMs = nowMs();
    const reading = insideNamespace(namedNamespace(this.router), () => netlinkFlows());
    const flows: Flow[] = [];
    for (const columns of reading.batches()) {
      for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
    }
    return { flows, fromMs, toMs: nowMs() };
  }

  flush(): void {
    const socket = insideNamespace(namedNamespace(this.router), () => openNetlink(NETLINK_NETFILTER));
    try {
      const writer = new MessageWriter(256);
      writeFlush(writer, 1);
      const exchange = new Exchange(socket, writer.bytes(), 1, { tried: "empty the table" });
      while (exchange.state === "running") {
        exchange.receive();
        while (exchange.next());
      }
    } finally {
      socket.close();
    }
  }

  set(name: string, value: number): void {
    setInside(this.router, { [`netfilter/${name}`]: value });
  }

  get(name: string): number {
    return insideNamespace(namedNamespace(this.router), () =>
      Number(readFileSync(`/proc/sys/net/netfilter/${name}`, "utf8")),
    );
  }

  has(name: string): boolean {
    return insideNamespace(namedNamespace(this.router), () => existsSync(`/proc/sys/net/netfilter/${name}`));
  }

  counters(): Record<string, number> {
    const text = insideNamespace(namedNamespace(this.router), () =>
      readFileSync("/proc/net/stat/nf_conntrack", "utf8"),
    );
    const [names, ...rows] = text
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/));
    const sums: Record<string, number> = {};
    for (const row of rows) {
      for (const [place, name] of (names ?? []).entries()) {
        sums[name] = (sums[name] ?? 0) + Number.parseInt(row[place] ?? "0", 16);
      }
    }
    return sums;
  }

  close(): void {
    this.#calls.close(this.#into);
    this.#calls.close(this.#out);
    this.#remove();
  }
}

/** Wall clock with its fraction. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Waits without giving the thread to anybody else: what is sent next is sent on time. */
export function standStill(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs);
}

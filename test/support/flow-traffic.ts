/**
 * A program that makes traffic as hosts do: connections that talk each second, that talk now and then (at
 * random), that say nothing, that come in a batch, that are short. Run it as `node flow-traffic.ts server`
 * behind a router, and as `node flow-traffic.ts client '{"address": ..., "seed": ..., ...}'` before it; each
 * says `ready`.
 */
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";
import { seededRandom } from "../../src/base/random.ts";

/** How much of each kind; what is left out is none. */
export interface Traffic {
  address: string;
  seed: number;
  /** TCP connections, from the beginning: talking every second; with random gaps of that mean. */
  busy?: number;
  slow?: { flows: number; meanSeconds: number };
  /** Silent TCP connections opened per second. */
  idlePerSecond?: number;
  /** Silent TCP connections opened together, so long after the beginning. */
  batch?: { flows: number; atSeconds: number };
  /** TCP connections per second that ask, are answered and close. */
  shortPerSecond?: number;
  /** Unanswered UDP: new flows of one packet per second; lasting ones with random gaps of that mean. */
  oneWayPerSecond?: number;
  oneWaySlow?: { flows: number; meanSeconds: number };
  /** Answered UDP flows that talk with random gaps of that mean. */
  streams?: { flows: number; meanSeconds: number };
}

const TCP_PORT = 7000;
const ECHO_PORT = 7001;
/** Ports nobody listens on: each is a flow. */
const FIRST_SILENT_PORT = 10_000;
const SILENT_PORTS = 40_000;

/** The server: echoes; closes when the other side does. */
function serve(): void {
  const tcp = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Uint8Array) => socket.write(bytes));
  });
  const udp = createSocket("udp4");
  udp.on("message", (bytes, { address, port }) => udp.send(bytes, port, address));
  udp.bind(ECHO_PORT, () => tcp.listen({ port: TCP_PORT, backlog: 4096 }, () => console.log("ready")));
}

class Client {
  readonly #traffic: Traffic;
  readonly #random;
  #silentPort = 0;
  #datagrams: DatagramSocket | undefined;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
    this.#random = seededRandom(traffic.seed);
  }

  start(): void {
    const { busy = 0, slow, batch, streams, oneWaySlow } = this.#traffic;
    const { idlePerSecond = 0, shortPerSecond = 0, oneWayPerSecond = 0 } = this.#traffic;
    const datagrams = createSocket("udp4");
    datagrams.on("error", () => {});
    this.#datagrams = datagrams;
    for (let flow = 0; flow < busy; flow++) this.#talk(() => 1, this.#random.fraction());
    this.#several(slow?.flows, () => this.#talk(() => this.#gap(slow?.meanSeconds ?? 1)));
    this.#several(streams?.flows, () => this.#stream(() => this.#gap(streams?.meanSeconds ?? 1)));
    this.#several(oneWaySlow?.flows, () => this.#repeat(() => this.#gap(oneWaySlow?.meanSeconds ?? 1)));
    setTimeout(() => this.#several(batch?.flows, () => void this.#open()), (batch?.atSeconds ?? 0) * 1000);
    this.#steadily(idlePerSecond, () => void this.#open());
    this.#steadily(shortPerSecond, () => this.#ask());
    this.#steadily(oneWayPerSecond, () => this.#send(this.#nextPort()));
    console.log("ready");
  }

  #several(flows: number | undefined, make: () => void): void {
    for (let flow = 0; flow < (flows ?? 0); flow++) make();
  }

  /** At even intervals: chance in what comes cannot be foretold, and would be taken for an error. */
  #steadily(perSecond: number, make: () => void): void {
    if (perSecond > 0) this.#again(() => 1 / perSecond, make);
  }

  /** By the clock, so that a busy machine makes it late but not less. */
  #again(gapSeconds: () => number, act: () => void, firstSeconds = gapSeconds()): void {
    let atMs = performance.now() + firstSeconds * 1000;
    const next = (): void => {
      for (; atMs <= performance.now(); atMs += gapSeconds() * 1000) act();
      setTimeout(next, Math.max(1, atMs - performance.now()));
    };
    setTimeout(next, firstSeconds * 1000);
  }

  #gap(meanSeconds: number): number {
    return -Math.log(1 - this.#random.fraction()) * meanSeconds;
  }

  #open(): Socket {
    const socket = connect({ host: this.#traffic.address, port: TCP_PORT });
    socket.on("error", () => {});
    return socket;
  }

  #talk(gapSeconds: () => number, firstSeconds = gapSeconds()): void {
    const socket = this.#open();
    this.#again(gapSeconds, () => socket.write("x"), firstSeconds);
  }

  #ask(): void {
    const socket = this.#open();
    socket.end("x");
    socket.resume();
  }

  #stream(gapSeconds: () => number): void {
    const socket = createSocket("udp4");
    socket.on("error", () => {});
    this.#again(gapSeconds, () => socket.send("x", ECHO_PORT, this.#traffic.address));
  }

  #repeat(gapSeconds: () => number): void {
    const port = this.#nextPort();
    this.#again(gapSeconds, () => this.#send(port));
  }

  #nextPort(): number {
    this.#silentPort = (this.#silentPort + 1) % SILENT_PORTS;
    return FIRST_SILENT_PORT + this.#silentPort;
  }

  #send(port: number): void {
    this.#datagrams?.send("x", port, this.#traffic.address);
  }
}

if (process.argv[2] === "server") serve();
else if (process.argv[2] === "client") new Client(JSON.parse(process.argv[3] ?? "{}") as Traffic).start();

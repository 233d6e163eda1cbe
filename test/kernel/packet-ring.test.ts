/**
 * Live packets through the ring: a namespace with both ends of a wire in it, frames sent by packet sockets of
 * its own, and what the ring gives of them.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as ffi from "../../src/kernel/ffi.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { PacketRing } from "../../src/kernel/packet-ring.ts";
import type { RecordFacts } from "../../src/table/record-sink.ts";
import { type CaptureOptions, openPacketSocket } from "../../src/kernel/packet-socket.ts";
import { startGuard } from "../support/inject.ts";

const name = `hr-ring-${process.pid}`;
const namespace = namedNamespace(name);
const guard = startGuard(name);
/** The wire's ends by their numbers, and the loopback interface, which has the first in every namespace. */
const indexes = { lo: 1, here: 101, there: 102 } as const;

function ip(...args: string[]): void {
  execFileSync("ip", ["-n", name, ...args]);
}

execFileSync("ip", ["netns", "add", name]);
// Nobody but the tests shall send anything.
execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]);
execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
ip("link", "add", "here", "index", "101", "type", "veth", "peer", "name", "there", "index", "102");
for (const end of ["here", "there"]) ip("link", "set", end, "up", "arp", "off");
ip("link", "set", "lo", "up");

after(() => {
  spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
  guard.stdin?.end("done\n");
});

/** Puts frames on an interface, as a program with a packet socket does. */
function send(interfaceName: keyof typeof indexes, frames: Iterable<Uint8Array>): void {
  const calls = ffi.systemCalls();
  const fd = insideNamespace(namespace, () =>
    calls.socket(ffi.AF_PACKET, ffi.SOCK_RAW | ffi.SOCK_CLOEXEC, 0),
  );
  assert.ok(fd >= 0);
  const address = new Uint8Array(20);
  address[0] = ffi.AF_PACKET;
  address[4] = indexes[interfaceName];
  assert.equal(calls.bind(fd, address), 0);
  for (const bytes of frames) assert.equal(calls.send(fd, bytes, 0), bytes.length);
  calls.close(fd);
}

const ADDRESSES = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
const IPV4_TYPE = [0x08, 0x00];

/** An Ethernet frame with so many bytes behind `type`, which count up from `first`. */
function frame(type: readonly number[], payloadBytes: number, first = 0x45): Uint8Array {
  const payload = Array.from({ length: payloadBytes }, (_, at) => (first + at) & 0xff);
  return Uint8Array.from([...ADDRESSES, ...type, ...payload]);
}

interface Packet {
  bytes: Uint8Array;
  originalBytes: number;
  linkType: number;
  timeMs: number;
}

/** Keeps what a ring gives; asks for a pause after every packet when told to. */
class Keeper {
  readonly packets: Packet[] = [];
  readonly #pauses: boolean;

  constructor(pauses = false) {
    this.#pauses = pauses;
  }

  record(bytes: Uint8Array, at: number, capturedBytes: number, facts: RecordFacts): boolean {
    const { originalBytes, linkType, timeMs } = facts;
    this.packets.push({ bytes: bytes.slice(at, at + capturedBytes), originalBytes, linkType, timeMs });
    return this.#pauses;
  }
}

function openRing(interfaceName: string, options: Partial<CaptureOptions> = {}): PacketRing {
  return new PacketRing(openPacketSocket({ interfaceName, namespace: name, blocks: 4, ...options }));
}

/** Reads until so many packets are there, or nothing came for a while. */
function readPackets(ring: PacketRing, count: number, keeper = new Keeper()): Packet[] {
  for (let idle = 0; keeper.packets.length < count && idle < 10;) {
    if (!ring.wait(100)) idle += 1;
    else while (ring.read(keeper));
  }
  return keeper.packets;
}

test("packets of both directions come with their bytes, their length and their time", () => {
  const before = Date.now();
  const ring = openRing("here");
  const frames = [frame(IPV4_TYPE, 46), frame(IPV4_TYPE, 60, 0x20), frame([0x08, 0x06], 46, 1)];
  send("there", frames.slice(0, 2));
  send("here", frames.slice(2));
  const packets = readPackets(ring, 3);
  ring.close();
  assert.deepEqual(
    packets.map(({ bytes }) => bytes),
    frames.map((bytes) => Uint8Array.from(bytes)),
  );
  for (const [at, { originalBytes, linkType, timeMs }] of packets.entries()) {
    assert.equal(originalBytes, frames[at]?.length);
    assert.equal(linkType, 1);
    assert.ok(timeMs > before - 1000 && timeMs < Date.now() + 1000, `${timeMs} is about now`);
  }
  assert.deepEqual(ring.losses, { receivedPackets: 3, lostPackets: 0 });
});

test("what is longer than wanted is cut, and its length is told", () => {
  const ring = openRing("here", { snapBytes: 100 });
  send("there", [frame(IPV4_TYPE, 1000)]);
  const [packet] = readPackets(ring, 1);
  ring.close();
  assert.deepEqual(packet?.bytes, frame(IPV4_TYPE, 1000).slice(0, 100));
  assert.equal(packet?.originalBytes, 1014);
});

test("a VLAN tag is put back where it was, also in a packet that is cut", () => {
  for (const tag of [
    [0x81, 0x00, 0x61, 0x23, 0x08, 0x00],
    [0x88, 0xa8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x08, 0x08, 0x00],
  ]) {
    const ring = openRing("here", { snapBytes: 100 });
    send("there", [frame(tag, 46), frame(tag, 500)]);
    const [whole, cut] = readPackets(ring, 2);
    ring.close();
    assert.deepEqual(whole?.bytes, frame(tag, 46));
    assert.equal(whole?.originalBytes, frame(tag, 46).length);
    assert.deepEqual(cut?.bytes, frame(tag, 500).slice(0, 104));
    assert.equal(cut?.originalBytes, frame(tag, 500).length);
  }
});

test("over the loopback interface every packet is seen once", () => {
  const ring = openRing("lo");
  const frames = Array.from({ length: 10 }, (_, at) => frame(IPV4_TYPE, 46, at));
  send("lo", frames);
  const packets = readPackets(ring, 11);
  ring.close();
  assert.deepEqual(
    packets.map(({ bytes }) => bytes),
    frames,
  );
});

test("an interface without Ethernet gives raw IP", () => {
  const TUNSETIFF = 0x4004_54ca;
  const IFF_TUN_NO_PI = 0x1001;
  const request = new Uint8Array(40);
  request.set(Buffer.from("tunnel"));
  new DataView(request.buffer).setUint16(16, IFF_TUN_NO_PI, true);
  // Such an interface is in the namespace its file was opened in.
  const fd = insideNamespace(namespace, () => openSync("/dev/net/tun", "r+"));
  try {
    assert.equal(ffi.systemCalls().ioctl(fd, TUNSETIFF, request), 0);
    ip("link", "set", "tunnel", "up");
    const ring = openRing("tunnel");
    const packets = [0x45, 0x60].map((first) => frame(IPV4_TYPE, 40, first).slice(14));
    for (const packet of packets) writeSync(fd, packet);
    const read = readPackets(ring, 2);
    ring.close();
    assert.deepEqual(
      read.map(({ bytes }) => bytes),
      packets,
    );
    assert.deepEqual(
      read.map(({ linkType }) => linkType),
      [101, 101],
    );
  } finally {
    closeSync(fd);
  }
});

test("nothing is lost or doubled when the taker pauses after every packet", () => {
  const ring = openRing("here");
  const frames = Array.from({ length: 3000 }, (_, at) => frame([...IPV4_TYPE, at >> 8, at & 0xff], 44));
  send("there", frames);
  const packets = readPackets(ring, frames.length, new Keeper(true));
  ring.close();
  assert.deepEqual(
    packets.map(({ bytes }) => Buffer.from(bytes).readUInt16BE(14)),
    frames.map((_, at) => at),
  );
});

test("packets the ring had no room for are counted", () => {
  const ring = openRing("here", { blocks: 2 });
  const sent = 20_000;
  const one = frame(IPV4_TYPE, 200);
  send(
    "there",
    Array.from({ length: sent }, () => one),
  );
  const { receivedPackets, lostPackets } = ring.losses;
  assert.ok(lostPackets > 0);
  assert.equal(receivedPackets + lostPackets, sent);
  assert.equal(readPackets(ring, receivedPackets).length, receivedPackets);
  ring.close();
  ring.close();
  assert.deepEqual(ring.losses, { receivedPackets, lostPackets });
});

test("an interface that is taken down while packets are waited for ends the capture", () => {
  for (const end of [
    ["link", "set", "here", "down"],
    ["link", "del", "here"],
  ]) {
    ip("link", "set", "here", "up");
    const ring = openRing("here");
    ip(...end);
    assert.throws(() => ring.wait(1000), {
      name: "KernelError",
      code: "interface-down",
      message: "Cannot capture packets on here: the interface is down; it was taken down or removed",
    });
    ring.close();
  }
});

test("what cannot be captured is refused with a reason", () => {
  assert.throws(() => openRing("nowhere"), {
    code: "not-found",
    message:
      "Cannot capture packets on nowhere: there is no such interface; " +
      "`ip link` shows those of this namespace",
  });
  for (const wrong of ["", "a-name-longer-than-any-is"])
    assert.throws(() => openRing(wrong), { code: "not-found" });
  ip("link", "add", "asleep", "type", "veth", "peer", "name", "also");
  assert.throws(() => openRing("asleep"), {
    code: "interface-down",
    message: "Cannot capture packets on asleep: the interface is down; `ip link set asleep up` brings it up",
  });
});

test("without CAP_NET_RAW the capability is named", () => {
  const file = fileURLToPath(new URL("../../src/kernel/packet-socket.ts", import.meta.url));
  const script = `
    const { openPacketSocket } = await import(${JSON.stringify(file)});
    try {
      openPacketSocket({ interfaceName: "lo" });
    } catch ({ code, message }) {
      console.log(code, message);
    }`;
  const flags = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const said = execFileSync(
    "setpriv",
    ["--bounding-set=-net_raw", "--inh-caps=-net_raw", process.execPath, ...flags],
    {
      encoding: "utf8",
    },
  );
  assert.equal(
    said,
    "not-permitted Cannot capture packets on lo: operation not permitted (EPERM); " +
      "run as root or with CAP_NET_RAW in the namespace of the interface\n",
  );
});

/**
 * A namespace of its own with flows of every protocol: most by real traffic over its loopback device, which
 * a child process makes and holds, the rest by conntrack(8). Run as a program, this file is that child.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { startGuard } from "./inject.ts";
import { firstLine } from "./router.ts";

/**
 * Everything the kernel tells of a flow is switched on: counters, timestamps, labels, zones, a helper, NAT.
 */
const RULESET = `table inet headroom_test {
  ct helper tftp { type "tftp" protocol udp; l3proto inet; }
  chain raw {
    type filter hook output priority -300;
    udp dport 7007 ct zone set 7
    udp dport 7008 ct original zone set 8
  }
  chain out {
    type filter hook output priority 0;
    udp dport 69 ct helper set "tftp"
    tcp dport 8080 ct mark set 0x2a ct label set 5
    ct state new accept
  }
  chain nat {
    type nat hook output priority -100;
    ip daddr 127.0.0.2 tcp dport 8081 dnat ip to 127.0.0.1:8080
  }
}
`;

/** Flows that conntrack(8) makes: arguments behind `conntrack -I`. */
const CREATED = [
  "-p gre -s 10.1.1.1 -d 10.1.1.2 --srckey 1 --dstkey 2 -t 1000",
  "-p sctp -s 10.1.1.1 -d 10.1.1.2 --sport 5 --dport 6 -t 1000 --state ESTABLISHED " +
    "--orig-vtag 1 --reply-vtag 2",
  "-p udplite -s 10.1.1.1 -d 10.1.1.2 --sport 5 --dport 6 -t 1000",
  "-p 99 -s 10.1.1.1 -d 10.1.1.2 -t 1000",
  "-p tcp -s fd00::1 -d fd00::2 --sport 5 --dport 6 --state SYN_SENT -t 1000 -m 7 -w 3",
  "-p tcp -s 10.1.1.1 -d 10.1.1.2 --sport 7 --dport 8 --state TIME_WAIT -t 1000 -u SEEN_REPLY,ASSURED",
  "-p icmp -s 10.1.1.1 -d 10.1.1.2 --icmp-type 8 --icmp-code 0 --icmp-id 77 -t 1000",
  "-p icmpv6 -s fd00::1 -d fd00::2 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 77 -t 1000",
] as const;

export interface ProtocolHost {
  /** As `ip netns` knows it. */
  name: string;
  /** Runs a program inside and gives its standard output. Throws when it fails. */
  run(command: string, ...args: string[]): string;
  close(): void;
}

/** Makes the namespace and its flows. Needs root; close it in the end. */
export async function makeProtocolHost(prefix: string): Promise<ProtocolHost> {
  const name = `${prefix}-${process.pid}`;
  const run = (command: string, ...args: string[]): string =>
    execFileSync("ip", ["netns", "exec", name, command, ...args], { encoding: "utf8", stdio: "pipe" });
  const guard = startGuard(name);
  const children: ChildProcess[] = [];
  const close = (): void => {
    for (const child of children) child.kill("SIGKILL");
    spawnSync("ip", ["netns", "del", name], { stdio: "ignore" });
    guard.stdin?.end("done\n");
  };
  try {
    execFileSync("ip", ["netns", "add", name]);
    run("ip", "link", "set", "lo", "up");
    run("sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1", "net.netfilter.nf_conntrack_timestamp=1");
    execFileSync("ip", ["netns", "exec", name, "nft", "-f", "-"], { input: RULESET });
    const program = fileURLToPath(import.meta.url);
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", program];
    const child = spawn("ip", ["netns", "exec", name, ...node], { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    await firstLine(child);
    run("ping", "-c1", "-W1", "127.0.0.1");
    run("ping", "-c1", "-W1", "::1");
    for (const line of CREATED) run("conntrack", "-I", ...line.split(" "));
  } catch (cause) {
    close();
    throw cause;
  }
  return { name, run, close };
}

/** TCP over both families and through DNAT, UDP into zones and to nobody, a TFTP request and its answer. */
async function makeTraffic(): Promise<void> {
  const server = createServer((socket) => socket.pipe(socket)).listen(8080, "::");
  await once(server, "listening");
  for (const [port, host] of [
    [8080, "127.0.0.1"],
    [8081, "127.0.0.2"],
    [8080, "::1"],
  ] as const) {
    const socket = connect(port, host);
    socket.write("hello");
    await once(socket, "data");
  }
  const client = createSocket("udp4");
  for (const port of [7007, 7008]) await sent(client, "x", port, "127.0.0.1");
  await sent(createSocket("udp6"), "x", 9999, "::1");
  const tftp = createSocket("udp4").bind(69, "127.0.0.1");
  const data = createSocket("udp4").bind(5000, "127.0.0.1");
  await Promise.all([once(tftp, "listening"), once(data, "listening")]);
  const asking = createSocket("udp4");
  await sent(asking, "\0\x01file\0octet\0", 69, "127.0.0.1");
  const [, from] = (await once(tftp, "message")) as [unknown, { port: number; address: string }];
  await sent(data, "data", from.port, from.address);
  await once(asking, "message");
}

function sent(
  socket: ReturnType<typeof createSocket>,
  text: string,
  port: number,
  host: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(new TextEncoder().encode(text), port, host, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

if (import.meta.main) {
  await makeTraffic();
  console.log("ready");
  // Its standard input closes when whoever started it is gone.
  process.stdin.on("end", () => process.exit()).resume();
}

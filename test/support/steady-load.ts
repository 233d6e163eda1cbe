/**
 * A load of constant rate across a router: programs for `node -e`. What is due by the clock is made up for,
 * so that the rate holds on a busy machine.
 */

/** The server: TCP on port 8080 that holds connections, UDP on port 5353 that answers. Says `ready`. */
export const STEADY_SERVER = `
  const dgram = require("node:dgram"), net = require("node:net");
  const udp = dgram.createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
  udp.on("message", (message, from) => udp.send(message, from.port, from.address)).on("error", () => {});
  const tcp = net.createServer((socket) => socket.on("error", () => {}).on("end", () => socket.end()));
  const listening = { port: 8080, host: "0.0.0.0", backlog: 4096 };
  udp.bind(5353, () => tcp.listen(listening, () => console.log("ready")));
`;

/**
 * The client: argument 1 is the server, argument 2 the rates a second as JSON: pages (HTTP on port 80, closed
 * by the server), held (TCP on port 8080, silent for 8 seconds, then closed), asked (UDP, answered), shouted
 * (UDP to a port where nobody is). Prints what it made, by kind, when it is told to end (SIGTERM).
 */
export const STEADY_CLIENT = `
  const net = require("node:net"), dgram = require("node:dgram");
  const host = process.argv[1], rates = JSON.parse(process.argv[2]);
  const made = { pages: 0, held: 0, asked: 0, shouted: 0, failed: 0 };
  const failed = () => { made.failed += 1; };
  const open = (port) => net.connect({ host, port }).on("error", failed);
  const udp = (port, answer) => {
    const socket = dgram.createSocket("udp4");
    const close = () => { clearTimeout(timer); socket.close(); };
    const timer = setTimeout(close, 500);
    socket.on("error", () => {}).on("message", close).send("x", port, host);
  };
  const makers = {
    pages: () => open(80).on("data", () => {}).write("GET / HTTP/1.0\\r\\n\\r\\n"),
    held: () => { const socket = open(8080); setTimeout(() => socket.end(), 8000); },
    asked: () => udp(5353),
    shouted: () => udp(9),
  };
  const start = performance.now();
  setInterval(() => {
    const seconds = (performance.now() - start) / 1000;
    for (const [kind, make] of Object.entries(makers)) {
      for (const due = Math.floor(seconds * (rates[kind] ?? 0)); made[kind] < due; made[kind] += 1) make();
    }
  }, 10);
  process.on("SIGTERM", () => { console.log(JSON.stringify(made)); process.exit(0); });
  console.log("started");
`;

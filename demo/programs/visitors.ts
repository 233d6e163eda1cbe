/**
 * Ordinary people, in the client's namespace: each asks for a page now and then and closes, keeps one more
 * connection alive by using it, and looks a name up. Prints a line of JSON each second: `{pages, failed}`.
 *
 *   node visitors.ts SERVER ADDRESS,ADDRESS,...
 */
import { createSocket } from "node:dgram";
import { Agent, get } from "node:http";

const [server = "", list = ""] = process.argv.slice(2);
const ROUND_MS = 1500;
const PATIENCE_MS = 2000;
const KEPT_EACH = 3;
const NAMES_EACH = 4;

let [pages, failed] = [0, 0];

function ask(localAddress: string, agent: Agent | false, port: number): void {
  const request = get({ host: server, port, localAddress, agent, timeout: PATIENCE_MS }, (answer) => {
    answer.on("end", () => (pages += 1)).resume();
  });
  request.on("timeout", () => request.destroy());
  request.on("error", () => (failed += 1));
}

function lookUp(address: string): void {
  const socket = createSocket("udp4");
  let isOpen = true;
  // An answer, an error and the end of patience may all come.
  const done = (): void => {
    if (isOpen) socket.close();
    isOpen = false;
    clearTimeout(patience);
  };
  const patience = setTimeout(done, PATIENCE_MS);
  socket.on("error", done).on("message", done);
  socket.bind({ address }, () => socket.send("who is there?", 53, server));
}

function visit(address: string, index: number): void {
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  let round = index;
  const next = (): void => {
    round += 1;
    ask(address, false, 80);
    if (round % KEPT_EACH === 0) ask(address, kept, 80);
    if (round % NAMES_EACH === 0) lookUp(address);
    setTimeout(next, ROUND_MS * (0.7 + 0.6 * Math.random()));
  };
  setTimeout(next, (index * ROUND_MS) / 10);
}

for (const [index, address] of list.split(",").entries()) visit(address, index);
setInterval(() => {
  process.stdout.write(`${JSON.stringify({ pages, failed })}\n`);
  [pages, failed] = [0, 0];
}, 1000);

/**
 * A program with a mistake, in the client's namespace: for each job it opens a connection, asks one thing
 * over it, and keeps it. Nobody uses it again, nobody closes it.
 *
 *   node hoarder.ts SERVER PORT OWN_ADDRESS CONNECTIONS_PER_SECOND
 */
import { connect, type Socket } from "node:net";

const [host = "", port = "", localAddress = "", perSecond = ""] = process.argv.slice(2);
const PATIENCE_MS = 3000;
const TICK_MS = 100;

/** Kept for no reason. */
const hoard = new Set<Socket>();
let owed = 0;

function open(): void {
  const socket = connect({ host, port: Number(port), localAddress });
  const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
  socket.on("connect", () => {
    clearTimeout(patience);
    hoard.add(socket);
    socket.write(`GET /job HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    clearTimeout(patience);
    hoard.delete(socket);
  });
  socket.resume();
}

setInterval(() => {
  owed += (Number(perSecond) * TICK_MS) / 1000;
  for (; owed >= 1; owed -= 1) open();
}, TICK_MS);

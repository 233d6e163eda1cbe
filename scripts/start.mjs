/**
 * `npm start`, after set-up: prints the check of this host, then watches it and serves the dashboard until
 * ^C. Plain JavaScript; it only starts programs.
 */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const headroom = fileURLToPath(new URL("../bin/headroom", import.meta.url));
const ADDRESS = "127.0.0.1";
const PORT = 9466;
/** Ports behind it that are tried when it is taken. */
const MORE_PORTS = 10;

let running;
let stopped = false;
// ^C reaches the program that runs as well, which ends in its own way; its end is ours.
process.on("SIGINT", () => (stopped = true));
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    stopped ||= signal === "SIGTERM";
    running?.kill(signal);
  });
}

await run("check");
if (!stopped) {
  const port = await freePort();
  if (port !== PORT) {
    console.log(`\nPort ${PORT} is taken, perhaps by a Headroom that runs already; this one takes ${port}.`);
  }
  const end = process.stdin.isTTY ? "^C ends it." : `There is no terminal: \`kill ${process.pid}\` ends it.`;
  console.log(`\nNow watching. ${end}`);
  process.exitCode = await run("serve", ...(port === PORT ? [] : ["--listen", `${ADDRESS}:${port}`]));
}

/** Runs a command of Headroom on this terminal, and gives how it ended. */
function run(...words) {
  return new Promise((resolve) => {
    running = spawn(headroom, words, { stdio: "inherit" });
    running.on("error", (error) => {
      console.error(`headroom: cannot start ${headroom}: ${error.message}`);
      resolve(1);
    });
    running.on("exit", (code, signal) => resolve(signal === null ? code : 1));
  });
}

/** The usual port, else the next that nobody listens on. */
async function freePort() {
  for (let port = PORT; port < PORT + MORE_PORTS; port += 1) if (await isFree(port)) return port;
  return 0;
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, ADDRESS, () => server.close(() => resolve(true)));
  });
}

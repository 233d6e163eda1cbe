import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { parseAddress } from "../table/address-text.ts";
import type { Address } from "../table/address.ts";
import { TCP, UDP } from "../table/protocol.ts";
import { Files } from "./files.ts";
import { readSessionClues, sessionsAmong } from "./sessions.ts";
import type { OpenSocket } from "./socket-files.ts";

const root = mkdtempSync(join(tmpdir(), "hr-sessions-"));
after(() => rmSync(root, { recursive: true }));

function makeProcess(
  pid: number,
  parent: number,
  command: string,
  inodes: readonly number[],
  environment = "",
): void {
  const directory = join(root, "proc", String(pid));
  mkdirSync(join(directory, "fd"), { recursive: true });
  writeFileSync(join(directory, "comm"), `${command}\n`);
  writeFileSync(join(directory, "status"), `Name:\t${command}\nPPid:\t${parent}\n`);
  writeFileSync(join(directory, "environ"), environment);
  for (const inode of inodes) symlinkSync(`socket:[${inode}]`, join(directory, "fd", String(inode)));
}

makeProcess(1, 0, "systemd", [1]);
makeProcess(50, 1, "sshd", [500]);
makeProcess(60, 50, "sshd-session", [600]);
makeProcess(61, 60, "bash", [], "HOME=/root\0SSH_CONNECTION=203.0.113.5 50000 10.0.0.2 2222\0TERM=xterm\0");
makeProcess(62, 61, "node", []);
makeProcess(70, 1, "nginx", [700]);
makeProcess(80, 1, "mosh-server", [800]);

function address(text: string): Address {
  const found = parseAddress(text);
  assert.ok(found);
  return found;
}

function socket(protocol: number, localPort: number, remotePort: number, inode: number): OpenSocket {
  const remote = remotePort === 0 ? "0.0.0.0" : "203.0.113.5";
  const local = remotePort === 0 ? "0.0.0.0" : "10.0.0.2";
  return { protocol, local: address(local), localPort, remote: address(remote), remotePort, inode };
}

const sockets = [
  socket(TCP, 2222, 0, 500),
  socket(TCP, 2222, 50_000, 600),
  // Of a session whose process may not be looked at: its port says what it is.
  socket(TCP, 2222, 50_001, 999),
  socket(TCP, 22, 50_002, 998),
  socket(TCP, 443, 50_003, 700),
  socket(UDP, 60_001, 0, 800),
];

function portsOf(pid: number): { local: number; remote: number | undefined }[] {
  const { sessions } = sessionsAmong(sockets, readSessionClues(new Files(root), pid));
  return sessions.map(({ localPort, remote }) => ({ local: localPort, remote: remote?.port }));
}

test("sessions are what comes in on the ports of ssh servers, wherever they listen, and on port 22", () => {
  assert.deepEqual(portsOf(62), [
    { local: 2222, remote: 50_000 },
    { local: 2222, remote: 50_001 },
    { local: 22, remote: 50_002 },
  ]);
});

test("the sockets of those this process descends from are sessions whatever they are called", () => {
  makeProcess(81, 80, "bash", []);
  assert.ok(portsOf(81).some(({ local, remote }) => local === 60_001 && remote === undefined));
  makeProcess(71, 70, "sh", []);
  assert.ok(portsOf(71).some(({ local }) => local === 443));
});

test("SSH_CONNECTION is found above this process, where sudo has taken it away", () => {
  const { connections } = readSessionClues(new Files(root), 62);
  assert.deepEqual(connections, ["203.0.113.5 50000 10.0.0.2 2222"]);
  assert.deepEqual(readSessionClues(new Files(root), 71).connections, []);
});

test("a parent that is its own child ends the search", () => {
  makeProcess(90, 90, "odd", []);
  assert.deepEqual(readSessionClues(new Files(root), 90).connections, []);
});

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openServiceNotify, type ServiceNotify } from "./sd-notify.ts";

const directory = mkdtempSync(join(tmpdir(), "headroom-notify-"));
after(() => rmSync(directory, { recursive: true }));

/** Prints each datagram as a line of JSON. */
const RECEIVER = `
import json, socket, sys
place = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + place[1:] if place.startswith("@") else place)
print(json.dumps("bound"), flush=True)
while True: print(json.dumps(receiver.recv(4096).decode()), flush=True)
`;

/** What a receiver at `place` gets while `work` runs, which sends `count` messages. */
async function received(place: string, count: number, work: () => void): Promise<readonly string[]> {
  const receiver = spawn("/usr/bin/python3", ["-c", RECEIVER, place], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const messages: string[] = [];
  try {
    let text = "";
    for await (const chunk of receiver.stdout) {
      const before = messages.length;
      text += String(chunk);
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      messages.push(...lines.map((line) => String(JSON.parse(line))));
      if (before === 0 && messages.length > 0) work();
      if (messages.length > count) break;
    }
  } finally {
    receiver.kill("SIGKILL");
  }
  return messages.slice(1);
}

function notifier(place: string): ServiceNotify {
  return openServiceNotify({ NOTIFY_SOCKET: place }, 1, (error) => {
    throw error;
  });
}

for (const [what, place] of [
  ["a path", join(directory, "notify")],
  ["an abstract name", `@headroom-test-${process.pid}`],
] as const) {
  test(`a receiver behind ${what} is told`, async () => {
    const notify = notifier(place);
    assert.equal(notify.isWanted, true);
    const messages = await received(place, 6, () => {
      notify.ready("serving on 127.0.0.1:9466");
      notify.alive();
      notify.status("42 flows\nREADY=0");
      notify.reloading();
      notify.ready();
      notify.stopping("on SIGTERM");
    });
    const [ready, alive, status, reloading, again, stopping] = messages;
    assert.equal(ready, "READY=1\nSTATUS=serving on 127.0.0.1:9466");
    assert.equal(alive, "WATCHDOG=1");
    assert.equal(status, "STATUS=42 flows READY=0");
    assert.match(reloading ?? "", /^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$/);
    assert.deepEqual([again, stopping], ["READY=1", "STOPPING=1\nSTATUS=on SIGTERM"]);
  });
}

test("the time of a reload is the one of the kernel's monotonic clock", async () => {
  const place = join(directory, "clock");
  const [before = "", after_ = ""] = await received(place, 2, () => {
    notifier(place).reloading();
    notifier(place).reloading();
  });
  const [first, second] = [before, after_].map((text) => Number(text.split("MONOTONIC_USEC=")[1]));
  assert.ok(first !== undefined && second !== undefined && first <= second, `${before} ${after_}`);
  // Python's clock of that name was read later, by a process that had to start first.
  const python = spawn("/usr/bin/python3", ["-c", "import time; print(time.monotonic_ns() // 1000)"]);
  const chunks: string[] = [];
  for await (const chunk of python.stdout) chunks.push(String(chunk));
  assert.ok(second <= Number(chunks.join("")), "not of another clock that is ahead");
});

test("without a socket, or with a name that is none, nothing is sent", () => {
  for (const place of ["", "relative/path", "@", "/", `/${"x".repeat(200)}`]) {
    const environment = place === "" ? {} : { NOTIFY_SOCKET: place };
    const notify = openServiceNotify(environment, 1, (error) => assert.fail(error));
    assert.equal(notify.isWanted, false, place);
    notify.ready();
    notify.stopping();
  }
});

test("a receiver that is gone does no harm and is told to who asks", () => {
  const failures: string[] = [];
  const place = join(directory, "gone");
  const notify = openServiceNotify({ NOTIFY_SOCKET: place }, 1, ({ message }) => failures.push(message));
  notify.alive();
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? "", /^Cannot tell .* how this service is: no such file or directory/);
  openServiceNotify({ NOTIFY_SOCKET: place }, 1).alive();
});

for (const [environment, seconds] of [
  [{ WATCHDOG_USEC: "30000000" }, 30],
  [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "77" }, 30],
  [{ WATCHDOG_USEC: "500000", WATCHDOG_PID: "" }, 0.5],
  [{ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "78" }, undefined],
  [{ WATCHDOG_USEC: "0" }, undefined],
  [{ WATCHDOG_USEC: "soon" }, undefined],
  [{}, undefined],
] as const) {
  test(`the watchdog of ${JSON.stringify(environment)} is ${seconds ?? "off"}`, () => {
    assert.equal(openServiceNotify(environment, 77).watchdogSeconds, seconds);
  });
}

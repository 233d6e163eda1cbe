import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ManualClock } from "../base/clock.ts";
import { followKernelLog } from "./kernel-log-follow.ts";

const directory = mkdtempSync(join(tmpdir(), "headroom-log-"));
after(() => rmSync(directory, { recursive: true }));
const NOW_MS = Date.UTC(2026, 10, 22, 21, 0, 0);
const STAMP = "2026-11-22T20:59:58.500000+00:00 router kernel:";

function line(text: string): string {
  return `${STAMP} [ 12.345678] ${text}\n`;
}

test("lines of a followed file become events by kind and namespace, once", () => {
  const path = join(directory, "kern.log");
  writeFileSync(path, line("nf_conntrack: nf_conntrack: table full in netns 1, dropping packet"));
  const clock = new ManualClock(NOW_MS);
  const follow = followKernelLog({ clock, paths: [join(directory, "none"), path], ring: false });
  try {
    assert.deepEqual([follow.source, follow.origin, follow.unseen], ["file", path, []]);
    assert.deepEqual(follow.drain(), []);
    const full = "nf_conntrack: nf_conntrack: table full in netns 4026532001, dropping packet";
    appendFileSync(path, line(full) + line("usb 1-1: new device") + line(full));
    appendFileSync(path, line("net_ratelimit: 7 callbacks suppressed"));
    const atMs = NOW_MS - 1500;
    assert.deepEqual(follow.drain(), [
      {
        kind: "table-full",
        firstAtMs: atMs,
        atMs,
        namespaceInode: 4026532001,
        lines: 2,
        sample: line(full).trim(),
      },
      {
        kind: "suppressed",
        firstAtMs: atMs,
        atMs,
        lines: 7,
        sample: line("net_ratelimit: 7 callbacks suppressed").trim(),
      },
    ]);
    assert.deepEqual(follow.drain(), []);
  } finally {
    follow.close();
  }
});

test("a line that comes in two pieces, with a rotation behind it, is one event", () => {
  const path = join(directory, "messages");
  writeFileSync(path, "");
  const follow = followKernelLog({ clock: new ManualClock(NOW_MS), paths: [path], ring: false });
  try {
    const full = line("nf_conntrack: table full, dropping packet");
    appendFileSync(path, full.slice(0, 60));
    assert.deepEqual(follow.drain(), []);
    appendFileSync(path, full.slice(60) + full.slice(0, -1));
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    appendFileSync(path, full.replace("20:59:58", "20:59:59"));
    assert.deepEqual(
      follow.drain().map(({ kind, lines }) => [kind, lines]),
      [["table-full", 3]],
    );
    assert.equal(follow.losses, 0);
  } finally {
    follow.close();
  }
});

test("a repetition that syslog counts later belongs to the line before", () => {
  const path = join(directory, "syslog");
  writeFileSync(path, "");
  const follow = followKernelLog({ clock: new ManualClock(NOW_MS), paths: [path], ring: false });
  try {
    appendFileSync(path, line("nf_conntrack: table full, dropping packet"));
    assert.equal(follow.drain()[0]?.lines, 1);
    appendFileSync(path, "Nov 22 20:59:59 router last message repeated 5 times\n");
    assert.equal(follow.drain()[0]?.lines, 5);
  } finally {
    follow.close();
  }
});

/** Says one old line; with `-f`, when the file `go` is there, two new ones, and ends when `stop` is. */
function fakeJournal(): string {
  const path = join(directory, "journalctl");
  const full = "nf_conntrack: table full, dropping packet";
  const record = `{"__REALTIME_TIMESTAMP":"${(NOW_MS - 700) * 1000}","MESSAGE":"${full}"}`;
  const script = `#!/bin/sh
case "$*" in *-f*) ;; *) echo "[ 1.5] host kernel: something old"; exit 0;; esac
cd "${directory}"; while [ ! -e go ]; do sleep 0.02; done
echo '${record}'; echo '${record}'
while [ ! -e stop ]; do sleep 0.02; done
exit 3
`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

test("the journal is followed where nothing else is, until it ends, which is told", async () => {
  const clock = new ManualClock(NOW_MS);
  const follow = followKernelLog({ clock, paths: [], ring: false, journal: fakeJournal() });
  try {
    assert.deepEqual([follow.source, follow.unseen, follow.drain()], ["journal", [], []]);
    writeFileSync(join(directory, "go"), "");
    let lines = 0;
    while (lines < 2) {
      await sleep(5);
      for (const event of follow.drain()) {
        assert.deepEqual([event.kind, event.atMs], ["table-full", NOW_MS - 700]);
        lines += event.lines;
      }
    }
    writeFileSync(join(directory, "stop"), "");
    while (follow.unseen.length === 0) await sleep(5);
    assert.match(follow.unseen[0]?.why ?? "", /journalctl: it ended with 3/);
    assert.equal(follow.losses, 1);
    rmSync(join(directory, "stop"));
    clock.advance(60_000);
    follow.drain();
    assert.deepEqual(follow.unseen, []);
  } finally {
    follow.close();
    writeFileSync(join(directory, "stop"), "");
  }
});

test("without journalctl, the ring's or the first file's refusal is what is told", () => {
  const journal = join(directory, "no-journalctl");
  const follow = followKernelLog({ clock: new ManualClock(NOW_MS), paths: [], ring: false, journal });
  assert.deepEqual([follow.source, follow.unseen[0]?.cause], ["none", "missing"]);
  follow.close();
});

test("where there is nothing to follow, that is said and nothing comes", () => {
  const path = join(directory, "nowhere");
  const follow = followKernelLog({ clock: new ManualClock(NOW_MS), paths: [path], ring: false });
  assert.equal(follow.source, "none");
  assert.deepEqual(follow.drain(), []);
  assert.deepEqual(
    follow.unseen.map(({ what, cause }) => [what, cause]),
    [["kernel log", "missing"]],
  );
  assert.equal(follow.unseen, follow.unseen);
  follow.close();
});

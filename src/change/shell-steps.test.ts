import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { changeOf, compose, HOST_NAMES, hostNamed, making } from "../../test/support/change-samples.ts";
import type { MemoryHost } from "../../test/support/memory-host.ts";
import type { Settings } from "../table/settings.ts";
import { applyChange, type Change, rollbackSteps, shellSteps } from "./change.ts";
import { shellWord } from "../table/shell-word.ts";

/** Has a shell run commands on the files of a host, put into a directory, and reads what came of them. */
function inShell(
  host: MemoryHost,
  change: Change,
  commands: readonly string[],
): ReadonlyMap<string, Uint8Array | undefined> {
  const root = mkdtempSync(join(tmpdir(), "headroom-shell-"));
  try {
    for (const [path, node] of host.nodes) {
      if (!path.startsWith("/etc")) continue;
      if (node.kind === "directory") mkdirSync(join(root, path), { recursive: true });
      if (node.kind !== "file") continue;
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), node.image.bytes);
      chmodSync(join(root, path), node.image.mode);
    }
    const script = commands
      .filter((command) => !/^(sysctl|echo|modprobe) /.test(command))
      .map((command) => command.replaceAll(/(?<= )\/etc\//g, `${root}/etc/`))
      .join("\n");
    const { status, stderr } = spawnSync("sh", ["-e", "-c", script], { encoding: "utf8" });
    assert.equal(status, 0, `${stderr}\n${script}`);
    return new Map(change.files.map(({ target }) => [target, fileAt(join(root, target))]));
  } finally {
    rmSync(root, { recursive: true });
  }
}

function fileAt(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path));
  } catch {
    return undefined;
  }
}

const wanted: Settings = {
  nf_conntrack_max: 1_210_856,
  nf_conntrack_generic_timeout: 300,
  nf_conntrack_udp_timeout: 20,
};

for (const name of HOST_NAMES) {
  test(`${name}: the commands, pasted into a shell, do to the files what apply does, and back`, () => {
    const host = hostNamed(name);
    const old = hostNamed(name);
    const change = changeOf(compose(host, wanted));
    for (const [path, bytes] of inShell(host, change, shellSteps(change))) {
      const file = change.files.find(({ target }) => target === path);
      assert.deepEqual(bytes, file?.after.bytes, path);
    }
    const outcome = applyChange(change, host, making);
    assert.equal(outcome.kind, "applied");
    if (outcome.kind !== "applied") return;
    for (const [path, bytes] of inShell(host, change, rollbackSteps(outcome.receipt))) {
      const look = old.look(path);
      assert.deepEqual(bytes, look.kind === "file" ? new Uint8Array(look.image.bytes) : undefined, path);
    }
  });
}

const awkward: readonly [string, string][] = [
  ["no last newline", "net.netfilter.nf_conntrack_udp_timeout=60"],
  ["a lone line that is open", "# only this"],
  ["DOS line ends", "a=1\r\nnet/netfilter/nf_conntrack_udp_timeout = 60\r\n"],
  ["digits in other places of the line", "-net.netfilter.nf_conntrack_udp_timeout\t=  60 60 & / \\ . [60]\n"],
  ["bytes that are no UTF-8", "net.netfilter.nf_conntrack_udp_timeout = 60 \u00ff\n"],
];

for (const [name, text] of awkward) {
  test(`the commands do what apply does: ${name}`, () => {
    const host = hostNamed("debian-12").file(
      "/etc/sysctl.conf",
      Uint8Array.from(text, (char) => char.charCodeAt(0)),
    );
    const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
    for (const [path, bytes] of inShell(host, change, shellSteps(change))) {
      const file = change.files.find(({ target }) => target === path);
      assert.deepEqual(bytes, file?.after.bytes, path);
    }
  });
}

test("values are set by sysctl, and by echo where there is no sysctl", () => {
  const change = changeOf(compose(hostNamed("linux-2.6"), { nf_conntrack_max: 131_072 }, { persist: false }));
  assert.deepEqual(shellSteps(change), [
    "echo 131072 > /sys/module/ip_conntrack/parameters/hashsize",
    "sysctl -w net.ipv4.netfilter.ip_conntrack_max=131072",
    "sysctl -w net.ipv4.ip_conntrack_max=131072",
  ]);
});

const quoted: readonly [string, string][] = [
  ["/etc/sysctl.d/90-headroom.conf", "/etc/sysctl.d/90-headroom.conf"],
  ["a b", "'a b'"],
  ["it's", String.raw`'it'\''s'`],
  ["", "''"],
  ["$(x)", "'$(x)'"],
];

for (const [text, word] of quoted) {
  test(`a word for the shell: ${JSON.stringify(text)}`, () => {
    assert.equal(shellWord(text), word);
    const { stdout } = spawnSync("sh", ["-c", `printf %s ${word}`], { encoding: "utf8" });
    assert.equal(stdout, text);
  });
}

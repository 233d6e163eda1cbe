import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf, compose, hostNamed, making } from "../../test/support/change-samples.ts";
import type { MemoryHost } from "../../test/support/memory-host.ts";
import type { Settings } from "../table/settings.ts";
import {
  applyChange,
  confirmChange,
  expireChange,
  listChanges,
  rollbackChange,
  type RollbackOutcome,
} from "./change.ts";
import { standingReceipts, writeReceipt } from "./journal.ts";

const UDP = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
const FILE = "/etc/sysctl.d/90-gateway.conf";

function applied(host: MemoryHost, wanted: Settings, persist = true): string {
  const outcome = applyChange(changeOf(compose(host, wanted, { persist })), host, making);
  assert.equal(outcome.kind, "applied");
  return outcome.kind === "applied" ? outcome.receipt.id : "";
}

function said(outcome: RollbackOutcome): string {
  return outcome.kind === "refused" ? `${outcome.refusal.code}: ${outcome.refusal.message}` : outcome.kind;
}

test("a value set since is not overwritten", () => {
  const host = hostNamed("debian-12");
  const id = applied(host, { nf_conntrack_udp_timeout: 20 });
  const writes = host.writes.length;
  host.file(UDP, "25\n");
  assert.equal(
    said(rollbackChange("last", host, making)),
    `moved: Cannot take change ${id} back: net.netfilter.nf_conntrack_udp_timeout was set since: ` +
      "the change made it 20, and it is 25 now",
  );
  assert.equal(host.writes.length, writes, "nothing is written");
});

const edits: readonly [string, (host: MemoryHost) => void, string][] = [
  ["its content", (host) => host.file(FILE, "net.ipv4.ip_forward=1\n"), "other content"],
  [
    "its mode",
    (host) => {
      const look = host.look(FILE);
      if (look.kind === "file") host.file(FILE, look.image.bytes, { mode: 0o600 });
    },
    "mode 0600 instead of 0644",
  ],
  [
    "its owner",
    (host) => {
      const look = host.look(FILE);
      if (look.kind === "file") host.file(FILE, look.image.bytes, { uid: 5 });
    },
    "owner 5:0 instead of 0:0",
  ],
  ["that it is there", (host) => host.removeFile(FILE), "no file"],
  [
    "that it is a file",
    (host) => {
      host.removeFile(FILE);
      host.link(FILE, "/dev/null");
    },
    "a link to /dev/null",
  ],
];

for (const [name, edit, found] of edits) {
  test(`a file edited since is not overwritten: ${name}`, () => {
    const host = hostNamed("rhel-9-tuned");
    const id = applied(host, { nf_conntrack_tcp_timeout_established: 7200 });
    edit(host);
    const state = host.state();
    assert.equal(
      said(rollbackChange("last", host, making)),
      `moved: Cannot take change ${id} back: ${FILE} was edited since (found: ${found})`,
    );
    assert.deepEqual(host.state(), state);
  });
}

test("of several changes of the same, the newest goes first", () => {
  const host = hostNamed("debian-12");
  const old = host.state();
  const first = applied(host, { nf_conntrack_udp_timeout: 20 });
  const second = applied(host, { nf_conntrack_udp_timeout: 25 });
  assert.equal(
    said(rollbackChange(first, host, making)),
    `newer-change: Cannot take change ${first} back: ${second} changed the same since`,
  );
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.deepEqual(host.state(), old);
  assert.equal(
    said(rollbackChange(first, host, making)),
    `already-taken-back: Cannot take change ${first} back: it was taken back already`,
  );
  assert.match(said(rollbackChange("last", host, making)), /there is no change that stands/);
});

test("changes of different things are taken back in any order", () => {
  const host = hostNamed("debian-12");
  const old = host.state();
  const first = applied(host, { nf_conntrack_udp_timeout: 20 }, false);
  applied(host, { nf_conntrack_generic_timeout: 60 }, false);
  assert.equal(said(rollbackChange(first, host, making)), "rolled-back");
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.deepEqual(host.state(), old);
});

test("a newer change that got stuck does not stand in the way of an older one", () => {
  const host = hostNamed("debian-12");
  const first = applied(host, { nf_conntrack_udp_timeout: 20 }, false);
  applied(host, { nf_conntrack_udp_timeout: 25 }, false);
  const [second] = standingReceipts(host);
  assert.ok(second !== undefined);
  writeReceipt(host, { ...second, state: "stuck", standing: [] });
  host.file(UDP, "20\n");
  assert.equal(said(rollbackChange(first, host, making)), "rolled-back");
  assert.equal(host.readValue(UDP), "30\n");
});

test("on a read-only file system nothing is taken back, and nothing half", () => {
  for (const path of ["/etc", "/proc/sys"]) {
    const host = hostNamed("debian-12");
    applied(host, { nf_conntrack_udp_timeout: 20 });
    const state = host.state();
    host.readOnly.push(path);
    assert.match(
      said(rollbackChange("last", host, making)),
      /^not-writable: .*read-only; nothing was changed/,
    );
    assert.deepEqual(host.state(), state);
  }
});

test("the same value of another network namespace is another value", () => {
  const host = hostNamed("debian-12");
  const first = applied(host, { nf_conntrack_udp_timeout: 20 }, false);
  const there = host.copy();
  there.file(UDP, "30\n");
  const change = changeOf(compose(there, { nf_conntrack_udp_timeout: 25 }, { persist: false }));
  const outcome = applyChange(change, there, { ...making, namespace: { inode: 7 } });
  assert.equal(outcome.kind, "applied");
  there.file(UDP, "20\n");
  assert.equal(said(rollbackChange(first, there, making)), "rolled-back");
});

test("backups: an older one is never overwritten, and ours go with the change", () => {
  const host = hostNamed("rhel-9-tuned").file(`${FILE}.org`, "older").file(`${FILE}.org.1`, "old");
  const old = host.state();
  applied(host, { nf_conntrack_tcp_timeout_established: 7200 });
  assert.equal(host.text(`${FILE}.org`), "older");
  assert.match(host.text(`${FILE}.org.2`) ?? "", /= 43200/);
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.deepEqual(host.state(), old);
});

test("a backup that somebody changed is left, and said so", () => {
  const host = hostNamed("rhel-9-tuned");
  applied(host, { nf_conntrack_tcp_timeout_established: 7200 });
  host.file(`${FILE}.org`, "mine now");
  const outcome = rollbackChange("last", host, making);
  assert.deepEqual(outcome.kind === "rolled-back" ? outcome.notes : [], [
    `The backup ${FILE}.org was changed since and is left`,
  ]);
  assert.equal(host.text(`${FILE}.org`), "mine now");
});

test("a directory that we made and somebody uses now is left", () => {
  const host = hostNamed("debian-12");
  for (const path of [...host.nodes.keys()].filter((each) => each.startsWith("/etc/sysctl.d"))) {
    host.nodes.delete(path);
  }
  applied(host, { nf_conntrack_udp_timeout: 20 });
  host.file("/etc/sysctl.d/other.conf", "a=1\n");
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.deepEqual(host.names("/etc/sysctl.d"), ["other.conf"]);
});

test("run time only, and booted since: it has ended, and stands in nobody's way", () => {
  const host = hostNamed("debian-12").file("/proc/sys/kernel/random/boot_id", "one\n");
  const kept = applied(host, { nf_conntrack_generic_timeout: 60 });
  const id = applied(host, { nf_conntrack_udp_timeout: 20 }, false);
  host.file("/proc/sys/kernel/random/boot_id", "two\n").file(UDP, "31\n");
  const [record] = listChanges(host);
  assert.equal(record?.kind === "receipt" ? record.ended : "", "boot");
  const last = rollbackChange("last", host, making);
  assert.equal(last.kind === "rolled-back" ? last.receipt.id : last, kept, "the last that stands");
  const outcome = rollbackChange(id, host, making);
  assert.deepEqual(outcome.kind === "rolled-back" ? outcome.notes : outcome, [
    "The host was booted since, and the values went with it",
  ]);
  assert.equal(host.readValue(UDP), "31\n");
});

/** A change of a namespace of its own, which has ended since. */
function endedThere(more: Partial<typeof making> = {}): { host: MemoryHost; kept: string; id: string } {
  const host = hostNamed("debian-12");
  const kept = applied(host, { nf_conntrack_generic_timeout: 60 });
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }, { persist: false }));
  const outcome = applyChange(change, host, { ...making, namespace: { inode: 7, name: "gw" }, ...more });
  host.file(UDP, "30\n");
  host.endedNamespaces.push(7);
  return { host, kept, id: outcome.kind === "applied" ? outcome.receipt.id : "" };
}

test("a network namespace that has ended took its values with it: the change has ended, too", () => {
  const { host, kept, id } = endedThere();
  const [record] = listChanges(host);
  assert.equal(record?.kind === "receipt" ? record.ended : "", "namespace");
  const last = rollbackChange("last", host, making);
  assert.equal(last.kind === "rolled-back" ? last.receipt.id : last, kept, "the last that stands");
  // Nothing in there can be read or written any more.
  for (const name of ["readValue", "writeValue", "whyNotWritable"] as const) {
    const whole = host[name].bind(host) as (path: string) => never;
    host[name] = (path: string): never => {
      if (path.startsWith("/proc/sys/net/")) throw new Error(`Cannot enter network namespace gw: ${path}`);
      return whole(path);
    };
  }
  const outcome = rollbackChange(id, host, making);
  assert.deepEqual(outcome.kind === "rolled-back" ? outcome.notes : outcome, [
    "The network namespace has ended, and the values went with it",
  ]);
});

test("a change that waits in a namespace that has ended keeps nobody from the next", () => {
  const guard = { confirmByMs: making.nowMs() + 60_000, start: () => undefined };
  const { host, id } = endedThere({ guard });
  const refused = confirmChange(id, host, making);
  assert.equal(
    refused.kind === "refused" ? refused.refusal.message : refused.kind,
    `Cannot confirm change ${id}: its network namespace has ended, and the values went with it`,
  );
  applied(host, { nf_conntrack_udp_timeout: 25 }, false);
  assert.equal(expireChange(id, host, making).kind, "reverted");
});

test("a receipt that cannot be read is named before anything older is taken back", () => {
  const host = hostNamed("debian-12");
  const kept = applied(host, { nf_conntrack_generic_timeout: 60 });
  const lost = applied(host, { nf_conntrack_udp_timeout: 20 });
  const path = `/var/lib/headroom/changes/${lost}/receipt.json`;
  host.file(path, "{");
  const state = host.state();
  const outcome = rollbackChange("last", host, making);
  const help =
    `Look at ${path}; files it changed have a copy beside them that ends in .org; ` +
    `headroom rollback ${kept} takes back the one before it`;
  const message = `Cannot tell what to take back: change ${lost} cannot be read (it is not JSON)`;
  assert.deepEqual(outcome.kind === "refused" ? outcome.refusal : outcome, {
    code: "no-such-change",
    message,
    help,
  });
  assert.deepEqual(host.state(), state);
  const confirm = confirmChange("last", host, making);
  assert.equal(
    confirm.kind === "refused" ? confirm.refusal.message : confirm.kind,
    `Cannot use the receipt of change ${lost}: it is not JSON`,
  );
  assert.match(said(rollbackChange(kept, host, making)), /^moved: .* was edited since/);
});

test("an older receipt that cannot be read does not stand in the way", () => {
  const host = hostNamed("debian-12");
  const lost = applied(host, { nf_conntrack_udp_timeout: 20 }, false);
  applied(host, { nf_conntrack_generic_timeout: 60 }, false);
  host.file(`/var/lib/headroom/changes/${lost}/receipt.json`, "{");
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.match(said(rollbackChange("last", host, making)), new RegExp(`change ${lost} cannot be read`));
});

test("where nothing waits to be confirmed, nothing is written, no lock either", () => {
  const host = hostNamed("debian-12");
  host.lock = () => assert.fail("locked");
  assert.equal(confirmChange("last", host, making).kind, "refused");
});

test("who confirms too late is told when it was taken back, and what it was", () => {
  const host = hostNamed("debian-12");
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }, { persist: false }));
  const guard = { confirmByMs: making.nowMs(), start: () => undefined };
  const outcome = applyChange(change, host, { ...making, guard });
  const id = outcome.kind === "applied" ? outcome.receipt.id : "";
  assert.equal(expireChange(id, host, making).kind, "reverted");
  for (const which of ["last", id]) {
    const refused = confirmChange(which, host, making);
    assert.deepEqual(refused.kind === "refused" ? refused.refusal : refused, {
      code: "not-waiting",
      message:
        `Cannot confirm change ${id}: it was taken back at 18:15:03 UTC on 2026-11-22, ` +
        "because no confirmation came in time",
      help: "It was made by: headroom apply --set a=1",
    });
  }
  applied(host, { nf_conntrack_udp_timeout: 25 }, false);
  const none = confirmChange("last", host, making);
  assert.match(none.kind === "refused" ? none.refusal.message : "", /none waits to be confirmed$/);
});

test("what is refused is said once, whoever it was that refused", () => {
  const host = hostNamed("debian-12");
  applied(host, { nf_conntrack_udp_timeout: 20 }, false);
  host.lock = () => {
    throw new Error("Cannot lock /var/lib/headroom: EIO");
  };
  assert.equal(
    said(rollbackChange("last", host, making)),
    "not-writable: Cannot take a change back: cannot lock /var/lib/headroom: EIO",
  );
});

test("files are taken back before values, the last of each first", () => {
  const host = hostNamed("ubuntu-ufw");
  applied(host, { nf_conntrack_max: 1_210_856, nf_conntrack_udp_timeout: 20 });
  const from = host.writes.length;
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  const writes = host.writes.slice(from).filter((what) => !/receipt|write |sweep /.test(what));
  const [record] = listChanges(host);
  const receipt = record?.kind === "receipt" ? record.receipt : undefined;
  const files = receipt?.files.map(({ target }) => target) ?? [];
  const touched = writes.filter((what) => files.some((path) => what.endsWith(` ${path}`)));
  assert.ok(files.length >= 3, "several files");
  assert.deepEqual(
    touched.map((what) => what.replace(/^\w+ /, "")),
    files.toReversed(),
  );
  const values = writes.filter((what) => what.startsWith("set ")).map((what) => what.split(" ")[1]);
  // Names of one variable are one on a running kernel: the second has the old value already.
  const last = receipt?.steps.toReversed().map(({ path }) => path) ?? [];
  assert.deepEqual(
    values,
    last.filter((path) => values.includes(path)),
  );
  assert.ok(
    writes.findLastIndex((what) => !what.startsWith("set ")) <
      writes.findIndex((what) => what.startsWith("set ")),
  );
});

test("booted since, with other values: files are taken back, and what the boot made is left", () => {
  const host = hostNamed("debian-12").file("/proc/sys/kernel/random/boot_id", "one\n");
  applied(host, { nf_conntrack_udp_timeout: 20, nf_conntrack_generic_timeout: 60 });
  host.file("/proc/sys/kernel/random/boot_id", "two\n").file(UDP, "31\n");
  const outcome = rollbackChange("last", host, making);
  assert.deepEqual(outcome.kind === "rolled-back" ? outcome.notes : outcome, [
    "net.netfilter.nf_conntrack_udp_timeout is 31 since the host was booted, and is left",
  ]);
  assert.equal(host.readValue(UDP), "31\n");
  assert.equal(host.readValue("/proc/sys/net/netfilter/nf_conntrack_generic_timeout"), "600\n");
  assert.equal(host.look("/etc/sysctl.d/90-headroom.conf").kind, "missing");
});

test("an interrupted change that somebody edited since comes to an end: what is left is named", () => {
  const host = hostNamed("rhel-9-tuned");
  applied(host, { nf_conntrack_tcp_timeout_established: 7200, nf_conntrack_udp_timeout: 20 });
  const [receipt] = standingReceipts(host);
  assert.ok(receipt !== undefined);
  writeReceipt(host, { ...receipt, state: "running" });
  host.file(FILE, "mine\n");
  const outcome = rollbackChange("last", host, making);
  assert.equal(outcome.kind, "stuck");
  assert.deepEqual(outcome.kind === "stuck" ? outcome.standing : [], [
    {
      what: FILE,
      found: "other content",
      wanted: "the file as it was",
      why: "somebody changed it since",
      command: `diff ${FILE}.org ${FILE}`,
    },
  ]);
  assert.equal(host.readValue(UDP), "30\n");
  assert.match(host.text(`${FILE}.org`) ?? "", /= 43200/, "the backup stays with what is not as before");
  assert.equal(host.text(FILE), "mine\n");
  const [record] = listChanges(host);
  assert.equal(record?.kind === "receipt" ? record.receipt.state : "", "stuck");
});

test("with a root, what is to be typed leads into it", () => {
  const host = Object.assign(hostNamed("debian-12"), { root: "/srv/a b" });
  applied(host, { nf_conntrack_udp_timeout: 20 });
  const [receipt] = standingReceipts(host);
  assert.ok(receipt !== undefined);
  writeReceipt(host, { ...receipt, state: "running" });
  host.file(UDP, "25\n");
  for (const { target } of receipt.files) host.file(target, "mine\n");
  const outcome = rollbackChange("last", host, making);
  assert.equal(outcome.kind, "stuck");
  for (const { command } of outcome.kind === "stuck" ? outcome.standing : []) {
    assert.match(command, /^(cat|diff|echo 30 >) '\/srv\/a b\//);
  }
});

test("the capacity goes down before its buckets, and the buckets stay where it could not", () => {
  const host = hostNamed("debian-12");
  applied(host, { nf_conntrack_max: 1_000_000 }, false);
  const from = host.writes.length;
  const write = host.writeValue.bind(host);
  host.writeValue = (path, text) => {
    if (path.endsWith("nf_conntrack_max")) throw new Error("Cannot write: EIO");
    write(path, text);
  };
  const outcome = rollbackChange("last", host, making);
  assert.equal(outcome.kind, "stuck");
  assert.deepEqual(
    host.writes.slice(from).filter((what) => what.startsWith("set ")),
    [],
  );
  host.writeValue = write;
  const again = host.writes.length;
  assert.equal(said(rollbackChange("last", host, making)), "rolled-back");
  assert.deepEqual(
    host.writes.slice(again).filter((what) => what.startsWith("set ")),
    ["set /proc/sys/net/nf_conntrack_max 262144", "set /proc/sys/net/netfilter/nf_conntrack_buckets 262144"],
  );
});

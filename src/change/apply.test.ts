/**
 * Making a change and taking it back, with a fault at every write. The quick gate has a few seconds for it:
 * errors take turns (EIO at one write, ENOSPC at the next), and twelve random trees are tried. With
 * HEADROOM_RUNS=N every error is raised at every write, and N times as many trees are tried:
 * `HEADROOM_RUNS=50 npm test -- src/change/apply.test.ts`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  changeOf,
  compose,
  factsOf,
  HOST_NAMES,
  hostNamed,
  making,
} from "../../test/support/change-samples.ts";
import { Died, type Fault, type FaultKind, MemoryHost } from "../../test/support/memory-host.ts";
import type { Settings } from "../table/settings.ts";
import {
  applyChange,
  type Change,
  confirmChange,
  expireChange,
  listChanges,
  type Receipt,
  rollbackChange,
} from "./change.ts";
import { bootValue } from "./lasting.ts";

/** Values first, then files; both generations; lines replaced, added, files made, directories made. */
const WANTED: Readonly<Record<(typeof HOST_NAMES)[number], Settings>> = {
  "debian-12": { nf_conntrack_max: 1_210_856, nf_conntrack_tcp_timeout_established: 43_200 },
  "ubuntu-ufw": { nf_conntrack_max: 1_210_856, nf_conntrack_tcp_timeout_established: 43_200 },
  "rhel-9-tuned": { nf_conntrack_tcp_timeout_established: 7200, nf_conntrack_generic_timeout: 120 },
  "kube-proxy-node": { nf_conntrack_max: 1_210_856, nf_conntrack_udp_timeout: 20 },
  "linux-2.6": {
    nf_conntrack_max: 1_210_856,
    nf_conntrack_tcp_timeout_established: 7200,
    nf_conntrack_generic_timeout: 300,
  },
};

const RUNS = Number(process.env["HEADROOM_RUNS"] ?? "1");
const RANDOM_TREES = 12 * RUNS;

const ERRORS = ["EIO", "ENOSPC", "EACCES"] as const satisfies readonly FaultKind[];

/** In turns: of `kinds` the n-th write meets the n-th, and begins again. */
interface FaultSeries {
  kinds: readonly [FaultKind, ...FaultKind[]];
  lasting?: true;
}

const FAULTS: readonly FaultSeries[] = [
  { kinds: ["die-before"] },
  { kinds: ["die-during"] },
  { kinds: ["die-after"] },
  ...(RUNS === 1 ? [ERRORS] : ERRORS.map((kind) => [kind] as const)).flatMap((kinds) => [
    { kinds },
    { kinds, lasting: true as const },
  ]),
];

function faultAt({ kinds, ...series }: FaultSeries, at: number): Fault {
  return { ...series, at, kind: kinds[at % kinds.length] ?? kinds[0] };
}

function labelOf({ kind, lasting, at }: Fault): string {
  return `${kind}${lasting === true ? " from" : " at"} write ${at}`;
}

const guarded = { ...making, guard: { confirmByMs: making.nowMs() + 60_000, start: () => undefined } };

function attempt<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Died) return undefined;
    throw error;
  }
}

function receiptOf(host: MemoryHost): Receipt | undefined {
  const records = listChanges(host.copy());
  assert.ok(
    records.every(({ kind }) => kind === "receipt"),
    "every receipt can be read",
  );
  const [record] = records;
  return record?.kind === "receipt" ? record.receipt : undefined;
}

/** Files of the change are whole, and the receipt says no more and no less than what is. */
function assertTrue(host: MemoryHost, change: Change, old: ReadonlyMap<string, string>, label: string): void {
  const after = host.copy();
  let allAfter = true;
  for (const file of change.files) {
    const look = after.look(file.target);
    const bytes = look.kind === "file" ? look.image.bytes.toBase64() : undefined;
    const isAfter = bytes === file.after.bytes.toBase64();
    assert.ok(isAfter || bytes === file.before?.bytes.toBase64(), `${label}: ${file.target} is whole`);
    allAfter &&= isAfter;
  }
  const same = isSame(after.state(), old);
  const receipt = receiptOf(host);
  if (receipt === undefined) assert.ok(same, `${label}: nothing is written without a receipt`);
  else if (receipt.state === "prepared" || receipt.state === "undone") {
    assert.ok(same, `${label}: the receipt says ${receipt.state} and something is not as before`);
  } else if (receipt.state === "applied" || receipt.state === "awaiting-confirmation") {
    assert.ok(allAfter, `${label}: the receipt says ${receipt.state}`);
    for (const { path, to, became } of receipt.steps) {
      const found = Number(after.readValue(path));
      assert.ok(found === to || found === became, `${label}: ${path} is ${found}`);
    }
  }
}

function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([path, text]) => other.get(path) === text);
}

/** Whoever comes next takes back what stands, and then everything is as before. */
function assertTakenBack(host: MemoryHost, old: ReadonlyMap<string, string>, label: string): void {
  const next = host.copy();
  const receipt = receiptOf(next);
  const outcome = rollbackChange("last", next, making);
  if (receipt === undefined || receipt.state === "undone") {
    assert.equal(outcome.kind, "refused", label);
  } else {
    assert.equal(outcome.kind, "rolled-back", `${label}: ${JSON.stringify(outcome)}`);
    assert.equal(receiptOf(next)?.state, "undone", label);
  }
  assert.deepEqual(next.state(), old, label);
}

for (const name of HOST_NAMES) {
  for (const live of [true, false]) {
    const kind = live ? "running" : "saved";
    test(`${name}, ${kind}: apply, whatever fails at whichever write`, () => {
      const pristine = hostNamed(name);
      pristine.live = live;
      const old = pristine.state();
      const change = changeOf(compose(pristine, WANTED[name]));
      for (const series of FAULTS) {
        let at = 1;
        for (let reached = true; reached; at += 1) {
          const host = pristine.copy();
          host.fault = faultAt(series, at);
          const label = labelOf(host.fault);
          const outcome = attempt(() => applyChange(change, host, at % 2 === 0 ? guarded : making));
          reached = host.writes.length >= at;
          if (outcome?.kind === "reverted" || outcome?.kind === "refused") {
            assert.ok(isSame(host.copy().state(), old), `${label}: ${outcome.kind}, and not as before`);
          }
          if (!reached) assert.equal(outcome?.kind, "applied", label);
          assertTrue(host, change, old, label);
          assertTakenBack(host, old, label);
        }
        assert.ok(at > 8, "there are writes to fail at");
      }
    });

    test(`${name}, ${kind}: rollback, whatever fails at whichever write`, () => {
      const pristine = hostNamed(name);
      pristine.live = live;
      const old = pristine.state();
      const applied = pristine.copy();
      const change = changeOf(compose(pristine, WANTED[name]));
      assert.equal(applyChange(change, applied, making).kind, "applied");
      for (const series of FAULTS) {
        for (let at = 1, reached = true; reached; at += 1) {
          const host = applied.copy();
          host.fault = faultAt(series, at);
          const label = labelOf(host.fault);
          const outcome = attempt(() => rollbackChange("last", host, making));
          reached = host.writes.length >= at;
          if (!reached) assert.equal(outcome?.kind, "rolled-back", label);
          assertTrue(host, change, old, label);
          assertTakenBack(host, old, label);
        }
      }
    });

    test(`${name}, ${kind}: the power fails at whichever write, and the host boots with its files`, () => {
      const pristine = hostNamed(name).file("/proc/sys/kernel/random/boot_id", "one\n");
      pristine.live = live;
      const old = pristine.state();
      const change = changeOf(compose(pristine, WANTED[name]));
      for (let at = 1, reached = true; reached; at += 1) {
        const host = pristine.copy();
        host.fault = { kind: at % 2 === 0 ? "die-during" : "die-before", at };
        attempt(() => applyChange(change, host, making));
        reached = host.writes.length >= at;
        const next = host.copy();
        // Running values are gone; the boot gives each what it gave before, or what the files say now.
        for (const [path, node] of pristine.nodes)
          if (/^\/(proc|sys)\//.test(path)) next.nodes.set(path, node);
        for (const { path, from, to } of change.steps) {
          const lasts = change.files.every(
            ({ target, after }) => next.text(target) === new TextDecoder().decode(after.bytes),
          );
          next.file(path, `${lasts ? to : (from ?? to)}\n`);
        }
        next.file("/proc/sys/kernel/random/boot_id", "two\n");
        rollbackChange("last", next, making);
        next.file("/proc/sys/kernel/random/boot_id", "one\n");
        assert.deepEqual(next.state(), old, `at write ${at}`);
        assert.ok([undefined, "undone"].includes(receiptOf(next)?.state), `at write ${at}`);
      }
    });

    test(`${name}, ${kind}: the guard takes back what died at whichever write`, () => {
      const pristine = hostNamed(name);
      pristine.live = live;
      const old = pristine.state();
      const change = changeOf(compose(pristine, WANTED[name]));
      for (let at = 1, reached = true; reached; at += 1) {
        const host = pristine.copy();
        host.fault = { kind: "die-after", at };
        attempt(() => applyChange(change, host, guarded));
        reached = host.writes.length >= at;
        const receipt = receiptOf(host);
        const guard = host.copy();
        if (receipt !== undefined) {
          const outcome = expireChange(receipt.id, guard, making);
          assert.equal(outcome.kind, "reverted", `died after write ${at}: ${JSON.stringify(outcome)}`);
        }
        assert.deepEqual(guard.state(), old, `died after write ${at}`);
      }
    });
  }
}

test("after a change the next boot gives what was wanted, and there is nothing left to do", () => {
  for (const name of HOST_NAMES) {
    const host = hostNamed(name);
    const wanted = WANTED[name];
    const change = changeOf(compose(host, wanted));
    const again = change.notLasting.map(({ key }) => key);
    assert.deepEqual(again, name === "kube-proxy-node" ? ["nf_conntrack_max"] : [], name);
    assert.equal(applyChange(change, host, making).kind, "applied");
    const facts = factsOf(host);
    const forecast = facts.forecast([]);
    for (const [key, value] of Object.entries(wanted)) {
      if (again.some((one) => one === key)) continue;
      assert.equal(bootValue(key as keyof Settings, forecast, facts), value, `${name}: ${key}`);
    }
    assert.equal(compose(host, wanted).kind, "nothing-to-do", name);
  }
});

const someSettings = fc.record(
  {
    nf_conntrack_max: fc.integer({ min: 1, max: 4_000_000 }),
    nf_conntrack_buckets: fc.integer({ min: 1, max: 1_000_000 }),
    nf_conntrack_tcp_timeout_established: fc.integer({ min: 1, max: 432_000 }),
    nf_conntrack_udp_timeout: fc.integer({ min: 1, max: 600 }),
    nf_conntrack_generic_timeout: fc.constantFrom(600, 60, 120),
  },
  { requiredKeys: [] },
);

const someName = fc.constantFrom(
  "net.netfilter.nf_conntrack_max",
  "net/netfilter/nf_conntrack_max",
  "net.nf_conntrack_max",
  "net.netfilter.nf_conntrack_buckets",
  "net.netfilter.nf_conntrack_udp_timeout",
  "-net.netfilter.nf_conntrack_generic_timeout",
  "net.netfilter.nf_conntrack_tcp_timeout_*",
  "net.netfilter.nf_conntrack_tcp_timeout_established",
);
const someLine = fc.oneof(
  fc.constantFrom("# comment", "", "net.ipv4.ip_forward=1", "garbage", "; other\r"),
  fc
    .tuple(
      someName,
      fc.constantFrom("=", " = ", "\t="),
      fc.integer({ min: 1, max: 900_000 }),
      fc.constantFrom("", "\r", "  # why"),
    )
    .map((parts) => parts.join("")),
);
const someFile = fc
  .tuple(fc.array(someLine, { maxLength: 6 }), fc.constantFrom("", "\n"))
  .map(([lines, end]) => lines.join("\n") + end);
const somePath = fc.constantFrom(
  "/etc/sysctl.conf",
  "/etc/sysctl.d/10-a.conf",
  "/etc/sysctl.d/90-headroom.conf",
  "/etc/sysctl.d/95-b.conf",
  "/etc/sysctl.d/99-zzz.conf",
  "/usr/lib/sysctl.d/50-default.conf",
  "/usr/lib/sysctl.d/99-vendor.conf",
  "/run/sysctl.d/97-now.conf",
  "/etc/ufw/sysctl.conf",
);
const someTree = fc.dictionary(somePath, someFile, { maxKeys: 5, noNullPrototype: true });
const someMode = fc.constantFrom(0o644, 0o600, 0o640);

test("random wishes, random files: what is called lasting holds, and rollback gives every byte back", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...HOST_NAMES),
      someTree,
      someSettings,
      someMode,
      fc.boolean(),
      (name, tree, wanted, mode, live) => {
        const host = hostNamed(name);
        host.live = live;
        for (const [path, text] of Object.entries(tree)) host.file(path, text, { mode, uid: 7, gid: 8 });
        const old = host.state();
        const composition = compose(host, wanted);
        assert.deepEqual(host.writes, [], "composing writes nothing");
        if (composition.kind !== "change") return;
        const { change } = composition;
        const outcome = applyChange(change, host, making);
        assert.equal(outcome.kind, "applied", JSON.stringify(outcome));
        const facts = factsOf(host);
        const forecast = facts.forecast([]);
        for (const [key, value] of Object.entries(wanted) as [keyof Settings, number][]) {
          if (change.notLasting.some((one) => one.key === key)) continue;
          const found = bootValue(key, forecast, facts);
          assert.ok(
            found === value || found === facts.bucketsFor(value),
            `${key}: ${found}, wanted ${value}`,
          );
        }
        assert.equal(rollbackChange("last", host, making).kind, "rolled-back");
        assert.deepEqual(host.state(), old);
      },
    ),
    { numRuns: RANDOM_TREES },
  );
});

test("apply refuses when a value moved since the plan", () => {
  const host = hostNamed("debian-12");
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
  host.file("/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "25\n");
  const outcome = applyChange(change, host, making);
  assert.equal(outcome.kind, "refused");
  assert.equal(outcome.kind === "refused" ? outcome.refusal.code : "", "moved");
  assert.equal(
    outcome.kind === "refused" ? outcome.refusal.message : "",
    "Cannot set net.netfilter.nf_conntrack_udp_timeout to 20: it was 30 when this was planned and is 25 now",
  );
  assert.deepEqual(host.writes, []);
});

test("apply refuses when a file was edited since the plan", () => {
  const host = hostNamed("linux-2.6");
  const change = changeOf(compose(host, { nf_conntrack_max: 131_072 }));
  host.file("/etc/sysctl.conf", "net.ipv4.ip_conntrack_max = 1\n");
  const outcome = applyChange(change, host, making);
  assert.equal(outcome.kind === "refused" ? outcome.refusal.code : outcome.kind, "moved");
  assert.deepEqual(host.writes, []);
});

test("apply refuses on a read-only file system before anything is written", () => {
  for (const path of ["/etc", "/proc/sys"]) {
    const host = hostNamed("debian-12");
    const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
    host.readOnly.push(path);
    const outcome = applyChange(change, host, making);
    assert.equal(outcome.kind === "refused" ? outcome.refusal.code : outcome.kind, "not-writable");
    assert.deepEqual(host.writes, []);
  }
});

test("two at once: the second is refused and told who the first is", () => {
  const host = hostNamed("debian-12");
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
  const lock = host.lock();
  const outcome = applyChange(change, host, making);
  assert.equal(outcome.kind === "refused" ? outcome.refusal.code : outcome.kind, "busy");
  assert.match(outcome.kind === "refused" ? outcome.refusal.message : "", /pid 42/);
  lock.release();
  assert.equal(applyChange(change, host, making).kind, "applied");
});

test("a value that reads back differently takes everything back", () => {
  const host = hostNamed("debian-12");
  const old = host.state();
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20, nf_conntrack_generic_timeout: 60 }));
  const path = "/proc/sys/net/netfilter/nf_conntrack_generic_timeout";
  const write = host.writeValue.bind(host);
  host.writeValue = (at, text) => write(at, at === path && text === "60" ? "600" : text);
  const outcome = applyChange(change, host, making);
  assert.equal(outcome.kind, "reverted");
  assert.match(
    outcome.kind === "reverted" ? outcome.cause : "",
    /generic_timeout to 60: .* reads back as 600/,
  );
  assert.deepEqual(host.state(), old);
  assert.equal(receiptOf(host)?.undo?.reason, "failed");
});

test("somebody sets the value while we are at it: the rest is taken back, and that is named", () => {
  const host = hostNamed("debian-12");
  const old = host.state();
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
  const path = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
  host.meanwhile = (_, what) => {
    if (what === "rename /etc/sysctl.d/90-headroom.conf") host.file(path, "77\n");
  };
  host.fault = { at: Number.MAX_SAFE_INTEGER, kind: "EIO" };
  const before = host.putFile.bind(host);
  host.putFile = (at, image) => {
    before(at, image);
    if (at === "/etc/sysctl.d/90-headroom.conf") throw new Error("Cannot sync: EIO");
  };
  const outcome = applyChange(change, host, making);
  assert.equal(outcome.kind, "stuck");
  assert.deepEqual(outcome.kind === "stuck" ? outcome.standing : [], [
    {
      what: "net.netfilter.nf_conntrack_udp_timeout",
      found: "77",
      wanted: "30",
      why: "somebody changed it since",
      command: "sysctl -w net.netfilter.nf_conntrack_udp_timeout=30",
    },
  ]);
  host.file(path, "30\n");
  assert.deepEqual(host.state(), old);
});

test("the kernel rounds buckets: what it made of them is accepted and recorded", () => {
  const host = hostNamed("debian-12");
  const change = changeOf(compose(host, { nf_conntrack_buckets: 300_001 }));
  const outcome = applyChange(change, host, making);
  assert.equal(outcome.kind, "applied");
  const step = outcome.kind === "applied" ? outcome.receipt.steps[0] : undefined;
  assert.deepEqual([step?.to, step?.became], [300_001, 300_032]);
  assert.equal(compose(host, { nf_conntrack_buckets: 300_001 }).kind, "nothing-to-do");
});

test("buckets that are lowered by less than the kernel might round are written all the same", () => {
  const host = hostNamed("debian-12");
  const change = changeOf(compose(host, { nf_conntrack_buckets: 260_000 }, { persist: false }));
  assert.equal(applyChange(change, host, making).kind, "applied");
  assert.equal(host.readValue("/proc/sys/net/netfilter/nf_conntrack_buckets"), "260096\n");
});

test("a file that reads back differently takes everything back", () => {
  const host = hostNamed("rhel-9-tuned");
  const old = host.state();
  const change = changeOf(compose(host, { nf_conntrack_tcp_timeout_established: 7200 }));
  const put = host.putFile.bind(host);
  host.putFile = (path, image) =>
    put(path, path.endsWith("gateway.conf") ? { ...image, mode: 0o600 } : image);
  const outcome = applyChange(change, host, making);
  host.putFile = put;
  assert.equal(outcome.kind, "stuck");
  assert.match(outcome.kind === "stuck" ? outcome.cause : "", /gateway.conf: it was written and reads back/);
  host.file("/etc/sysctl.d/90-gateway.conf", changeFile(change));
  assert.equal(rollbackChange("last", host, making).kind, "rolled-back");
  assert.deepEqual(host.state(), old);
});

test("a backup that reads back differently leaves the file as it was", () => {
  const host = hostNamed("rhel-9-tuned");
  const change = changeOf(compose(host, { nf_conntrack_tcp_timeout_established: 7200 }));
  const old = host.text(change.files[0]?.target ?? "");
  const put = host.putFile.bind(host);
  host.putFile = (path, image) =>
    put(path, path.endsWith(".org") ? { ...image, bytes: image.bytes.slice(1) } : image);
  const outcome = applyChange(change, host, making);
  assert.match(outcome.kind === "reverted" ? outcome.cause : "", /\.org: it was written and reads back/);
  assert.equal(host.text(change.files[0]?.target ?? ""), old);
});

/** The one file of a change, as it makes it. */
function changeFile({ files }: Change): Uint8Array {
  return files[0]?.after.bytes ?? new Uint8Array();
}

test("without the module: it is loaded, and its values are on the receipt before one is written", () => {
  const path = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
  const bare = new MemoryHost().file("/etc/sysctl.conf", "").file("/usr/lib/systemd/systemd", "x");
  bare.modules = { nf_conntrack: { [path]: "30\n" } };
  const more = { tracker: "none", kernelRelease: "6.1.0" } as const;
  const change = changeOf(compose(bare, { nf_conntrack_udp_timeout: 20 }, more));
  assert.equal(change.module, "nf_conntrack");
  for (let at = 1, reached = true; reached; at += 1) {
    const host = bare.copy();
    host.fault = { at, kind: "die-after" };
    attempt(() => applyChange(change, host, making));
    reached = host.writes.length >= at;
    const next = host.copy();
    const loaded = next.readValue(path) !== undefined;
    rollbackChange("last", next, making);
    assert.equal(next.readValue(path), loaded ? "30\n" : undefined, `died after write ${at}`);
    assert.equal(next.look("/etc/sysctl.d").kind, "missing");
  }
});

test("no guard, no change", () => {
  const host = hostNamed("debian-12");
  const old = host.state();
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
  const start = (): never => {
    throw new Error("fork: out of memory");
  };
  const outcome = applyChange(change, host, { ...making, guard: { confirmByMs: 1, start } });
  assert.equal(outcome.kind === "refused" ? outcome.refusal.code : outcome.kind, "no-guard");
  assert.deepEqual(host.state(), old);
  assert.deepEqual(listChanges(host), []);
});

test("confirm keeps a change, and the guard then does nothing", () => {
  const host = hostNamed("debian-12");
  const change = changeOf(compose(host, { nf_conntrack_udp_timeout: 20 }));
  assert.equal(applyChange(change, host, guarded).kind, "applied");
  const id = receiptOf(host)?.id ?? "";
  assert.equal(receiptOf(host)?.state, "awaiting-confirmation");
  const second = changeOf(compose(host, { nf_conntrack_generic_timeout: 60 }));
  const refused = applyChange(second, host, making);
  assert.equal(refused.kind === "refused" ? refused.refusal.code : refused.kind, "unfinished-change");
  assert.equal(confirmChange("last", host, making).kind, "confirmed");
  assert.equal(expireChange(id, host, making).kind, "nothing-to-do");
  assert.equal(receiptOf(host)?.state, "applied");
  const again = confirmChange(id, host, making);
  assert.equal(again.kind === "refused" ? again.refusal.code : again.kind, "not-waiting");
});

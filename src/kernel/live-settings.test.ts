import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { Files } from "./files.ts";
import type { FileCalls } from "./held-file.ts";
import { LiveSettings } from "./live-settings.ts";

const directory = mkdtempSync(join(tmpdir(), "headroom-live-"));
after(() => rmSync(directory, { recursive: true }));
const NETFILTER = "/proc/sys/net/netfilter/nf_conntrack_";
let hosts = 0;

/**
 * Files of a kernel that can be unloaded: a file that is removed fails although it is open, as in /proc, and
 * one that is forbidden cannot be opened or read.
 */
class FakeKernel {
  readonly files: Files;
  readonly calls: FileCalls;
  readonly forbidden = new Set<string>();
  opened = 0;
  openNow = 0;
  readonly #root: string;
  readonly #values = new Map<string, { text: string; at: number }>();
  readonly #open = new Map<number, { path: string; at: number }>();
  #generation = 0;

  constructor() {
    hosts += 1;
    this.#root = join(directory, String(hosts));
    mkdirSync(join(this.#root, "/proc/sys/net"), { recursive: true });
    this.files = new Files(this.#root);
    this.calls = {
      open: (path) => {
        const found = this.#found(path);
        this.opened += 1;
        this.openNow += 1;
        this.#open.set(this.opened, { path, at: found.at });
        return this.opened;
      },
      read: (descriptor, buffer, position) => {
        const opened = this.#open.get(descriptor);
        assert.ok(opened !== undefined, "an open descriptor is read");
        const found = this.#found(opened.path);
        if (found.at !== opened.at) throw failure("ENOENT", -2);
        return new TextEncoder().encodeInto(found.text.slice(position), buffer).written;
      },
      close: (descriptor) => {
        assert.ok(this.#open.delete(descriptor), "an open descriptor is closed");
        this.openNow -= 1;
      },
    };
  }

  #found(path: string): { text: string; at: number } {
    const found = this.#values.get(path);
    if (found === undefined) throw failure("ENOENT", -2);
    if (this.forbidden.has(path)) throw failure("EACCES", -13);
    return found;
  }

  put(path: string, value: number | string): void {
    const known = this.#values.get(path);
    this.#generation += known === undefined ? 1 : 0;
    this.#values.set(path, { text: `${value}\n`, at: known?.at ?? this.#generation });
    mkdirSync(dirname(join(this.#root, path)), { recursive: true });
    writeFileSync(join(this.#root, path), "");
  }

  remove(path: string): void {
    this.#values.delete(path);
    rmSync(join(this.#root, path));
  }
}

function failure(code: string, errno: number): Error {
  return Object.assign(new Error(code), { code, errno });
}

function live(kernel: FakeKernel): LiveSettings {
  return new LiveSettings(kernel.files, (work) => work(), kernel.calls);
}

test("values are read again, and a version tells of those that changed, not of the count", () => {
  const kernel = new FakeKernel();
  kernel.put(`${NETFILTER}max`, 1000);
  kernel.put(`${NETFILTER}count`, 5);
  const settings = live(kernel);
  settings.read();
  const { version, reading } = settings;
  assert.deepEqual(reading.values, { nf_conntrack_max: 1000, nf_conntrack_count: 5 });
  settings.read();
  assert.equal(settings.reading, reading);
  kernel.put(`${NETFILTER}count`, 6);
  settings.read();
  assert.equal(settings.version, version);
  assert.equal(settings.reading.values.nf_conntrack_count, 6);
  assert.equal(reading.values.nf_conntrack_count, 5);
  kernel.put(`${NETFILTER}max`, 2000);
  settings.read();
  assert.equal(settings.version, version + 1);
  assert.deepEqual(settings.reading.values, { nf_conntrack_max: 2000, nf_conntrack_count: 6 });
});

test("reading what does not change opens nothing", () => {
  const kernel = new FakeKernel();
  kernel.put(`${NETFILTER}max`, 1000);
  const settings = live(kernel);
  settings.read();
  const { opened } = kernel;
  for (let reading = 0; reading < 35; reading++) settings.read();
  assert.equal(kernel.opened, opened);
  settings.close();
  assert.equal(kernel.openNow, 0);
});

test("a setting that appears is there ten readings later at most", () => {
  const kernel = new FakeKernel();
  kernel.put(`${NETFILTER}max`, 1000);
  const settings = live(kernel);
  settings.read();
  kernel.put(`${NETFILTER}acct`, 1);
  for (let reading = 0; reading < 10; reading++) settings.read();
  assert.equal(settings.reading.values.nf_conntrack_acct, 1);
  assert.equal(settings.version, 2);
});

test("a tracker that is unloaded takes its settings along, and brings them back", () => {
  const kernel = new FakeKernel();
  const paths = ["max", "count", "acct"].map((name) => NETFILTER + name);
  for (const path of paths) kernel.put(path, 7);
  const settings = live(kernel);
  settings.read();
  for (const path of paths) kernel.remove(path);
  settings.read();
  assert.deepEqual(settings.reading.values, {});
  assert.equal(settings.refused, undefined);
  assert.equal(kernel.openNow, 0);
  for (const path of paths) kernel.put(path, 9);
  for (let reading = 0; reading < 10; reading++) settings.read();
  assert.equal(settings.reading.values.nf_conntrack_max, 9);
});

test("one that is loaded again between two readings is read anew, without a gap", () => {
  const kernel = new FakeKernel();
  kernel.put(`${NETFILTER}max`, 1000);
  const settings = live(kernel);
  settings.read();
  kernel.remove(`${NETFILTER}max`);
  kernel.put(`${NETFILTER}max`, 65536);
  settings.read();
  assert.equal(settings.reading.values.nf_conntrack_max, 65536);
});

test("a value that may not be read any more is gone, with the reason, until it may be again", () => {
  const kernel = new FakeKernel();
  kernel.put(`${NETFILTER}max`, 1000);
  kernel.put(`${NETFILTER}acct`, 0);
  const settings = live(kernel);
  settings.read();
  kernel.forbidden.add(`${NETFILTER}acct`);
  settings.read();
  assert.deepEqual(settings.reading.values, { nf_conntrack_max: 1000 });
  assert.equal(settings.refused?.code, "not-permitted");
  kernel.forbidden.clear();
  for (let reading = 0; reading < 10; reading++) settings.read();
  assert.deepEqual(settings.reading.values, { nf_conntrack_max: 1000, nf_conntrack_acct: 0 });
  assert.equal(settings.refused, undefined);
});

test("a value that is no number is kept as it is", () => {
  const kernel = new FakeKernel();
  kernel.put(`${NETFILTER}max`, "many");
  const settings = live(kernel);
  settings.read();
  assert.deepEqual(settings.reading.unreadable, [{ name: "net.netfilter.nf_conntrack_max", found: "many" }]);
});

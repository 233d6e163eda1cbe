import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { KernelError } from "./error.ts";
import { CHUNK_BYTES, openBytes } from "./open-bytes.ts";

const directory = mkdtempSync(join(tmpdir(), "headroom-bytes-"));
after(() => rmSync(directory, { recursive: true }));

function lengths(path: string): number[] {
  return Array.from(openBytes(path), (chunk) => chunk.length);
}

for (const bytes of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]) {
  test(`openBytes() gives all ${bytes} bytes of a file`, () => {
    const path = join(directory, `${bytes}`);
    const written = Uint8Array.from({ length: bytes }, (_, index) => index % 251);
    writeFileSync(path, written);
    const read = new Uint8Array(bytes);
    let at = 0;
    for (const chunk of openBytes(path)) {
      read.set(chunk, at);
      at += chunk.length;
    }
    assert.equal(at, bytes);
    assert.deepEqual(read, written);
  });
}

test("openBytes() hands out one buffer again and again", () => {
  const path = join(directory, "twice");
  writeFileSync(path, new Uint8Array(2 * CHUNK_BYTES));
  const buffers = new Set(Array.from(openBytes(path), (chunk) => chunk.buffer));
  assert.equal(buffers.size, 1);
});

test("openBytes() reads files of /proc, which have no length", () => {
  assert.ok(lengths("/proc/self/status").reduce((sum, length) => sum + length, 0) > 100);
});

test("openBytes() stops early without complaint and opens nothing before it is asked", () => {
  const chunks = openBytes(join(directory, "none"));
  chunks.return();
  for (const chunk of openBytes("/proc/self/maps")) {
    assert.ok(chunk.length > 0);
    break;
  }
});

test("openBytes() says what it tried when there is no such file, or it is a directory", () => {
  assert.throws(
    () => lengths(join(directory, "none")),
    (error) =>
      error instanceof KernelError && error.code === "not-found" && error.message.startsWith("Cannot read /"),
  );
  assert.throws(() => lengths(directory), KernelError);
});

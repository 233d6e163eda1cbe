import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { openBytes } from "../kernel/kernel.ts";
import { type Listing, readListing } from "../listing/listing.ts";
import { type Flow, flowAt } from "../table/flow.ts";
import { readListingAhead } from "./listing-ahead.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const listings = fileURLToPath(new URL("../../test/fixtures/listings", import.meta.url));

/** Rows of a batch: few, so that small files have many batches. */
const batchRows = 3;

/** All that a reading tells: its flows as they came, and what is known after every batch and in the end. */
async function allOf(listing: Listing): Promise<unknown> {
  const batches: { flows: Flow[]; knownStatus: number; facts: unknown }[] = [];
  let error: unknown;
  try {
    for await (const columns of listing.batches()) {
      const flows = Array.from({ length: columns.count }, (_, row) => flowAt(columns, row));
      batches.push({ flows, knownStatus: columns.knownStatus, facts: factsOf(listing) });
    }
  } catch (caught) {
    error = caught;
  }
  return { batches, end: factsOf(listing), error };
}

function factsOf(listing: Listing): unknown {
  const { source, origin, oddities, complete, format, compression, style, expectations } = listing;
  return structuredClone({
    source,
    origin,
    oddities,
    complete,
    format,
    compression,
    style,
    expectations,
  });
}

function ahead(
  path: string,
  file = program,
  open: (path: string) => Iterable<Uint8Array> = openBytes,
): Listing {
  return readListingAhead({ path, origin: path, program: file, openBytes: open, batchRows });
}

/** Bytes that nobody may ask for. */
function* unread(path: string): Generator<Uint8Array> {
  yield* [];
  assert.fail(`${path} was read by this side`);
}

function alone(path: string): Listing {
  return readListing(openBytes(path), { origin: path, batchRows });
}

function inDirectory<Result>(run: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "headroom-ahead-"));
  return run(directory).finally(() => rmSync(directory, { recursive: true }));
}

/** Descriptors of this process that are open on `path`. */
function descriptorsOn(path: string): number {
  const links = readdirSync("/proc/self/fd").map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link === path).length;
}

const line = (port: number): string =>
  `ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=${port} dport=80 ` +
  `src=10.0.0.2 dst=10.0.0.1 sport=80 dport=${port} [ASSURED] mark=0 zone=0 use=2\n`;

const manyLines = Array.from({ length: 2000 }, (_, index) => line(1024 + index)).join("");

const names = [
  "conntrack-events-xml.txt",
  "conntrack-labels.txt",
  "conntrack-events.txt",
  "ip_conntrack-2.6.11.txt",
  "nf_conntrack-4.19.txt",
  "pasted.txt",
];

for (const name of names) {
  test(`a thread reads ${name} as this side alone does, which reads nothing then`, async () => {
    const path = join(listings, name);
    assert.deepEqual(await allOf(ahead(path, program, unread)), await allOf(alone(path)));
  });
}

const contents = {
  "many flows": manyLines,
  "many flows, packed": gzipSync(manyLines),
  "odd lines": `${manyLines}what is this\n${line(7).replace("use=2", "helper=ftp new=3 use=2")}`,
  "a cut end": manyLines.slice(0, -50),
  nothing: "",
  "no listing": "what is this\n".repeat(1000),
  "no text": new Uint8Array(5000),
};

for (const [what, content] of Object.entries(contents)) {
  test(`a thread and this side alone give the same of ${what}`, async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "listing");
      writeFileSync(path, content);
      assert.deepEqual(await allOf(ahead(path)), await allOf(alone(path)));
    });
  });
}

test("a missing file is the same error", async () => {
  const path = join(listings, "there-is-none");
  assert.deepEqual(await allOf(ahead(path)), await allOf(alone(path)));
});

test("a thread that cannot start, or fails at once, costs nothing", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "listing");
    writeFileSync(path, manyLines);
    const failing = join(directory, "failing.mjs");
    writeFileSync(failing, "throw new Error('no')");
    for (const file of [failing, join(directory, "missing.mjs"), "not/absolute"]) {
      assert.deepEqual(await allOf(ahead(path, file)), await allOf(alone(path)), file);
    }
  });
});

test("a thread that fails halfway leaves the rest to this side", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "listing");
    writeFileSync(path, manyLines);
    const failing = join(directory, "failing.mjs");
    // Hands over one batch of no columns: its rows are those of empty memory.
    writeFileSync(
      failing,
      `import { parentPort } from "node:worker_threads";
       const facts = { origin: "elsewhere", oddities: { skippedLines: 9 }, complete: true };
       parentPort.postMessage([{ rows: 2, knownStatus: 0, rare: new Map(), facts, isEnd: false }]);`,
    );
    const found = (await allOf(ahead(path, failing))) as { batches: unknown[]; end: unknown };
    const wanted = (await allOf(alone(path))) as { batches: unknown[]; end: unknown };
    assert.deepEqual(found.batches.slice(1), wanted.batches.slice(1));
    assert.deepEqual(found.end, wanted.end);
  });
});

test("stopping early ends the thread and closes the file", async () => {
  await inDirectory(async (directory) => {
    const path = join(directory, "listing");
    // More than the ring holds: the thread waits for room when it is ended.
    writeFileSync(path, manyLines);
    for await (const columns of ahead(path).batches()) {
      assert.equal(columns.count, batchRows);
      assert.equal(descriptorsOn(path), 1);
      break;
    }
    assert.equal(descriptorsOn(path), 0);
  });
});

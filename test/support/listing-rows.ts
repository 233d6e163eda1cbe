/**
 * Whole listings for tests: every row as a Flow, the reading's own facts, and the input cut into chunks at
 * will.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Listing, type ListingOptions, readListing } from "../../src/listing/listing.ts";
import { type Flow, flowAt } from "../../src/table/flow.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/listings/", import.meta.url));

/** Names of all listings under test/fixtures/listings. */
export const listingFixtures: readonly string[] = readdirSync(FIXTURES)
  .filter((name) => name.endsWith(".txt"))
  .toSorted();

/** The bytes of one of them. */
export function listingFixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(`${FIXTURES}${name}`));
}

/** What a reading gave. */
export interface ReadRows {
  flows: Flow[];
  listing: Listing;
}

/** Reads plain bytes, given as text, as one array, or as chunks. */
export function readRows(
  input: string | Uint8Array | Iterable<Uint8Array>,
  options: Partial<ListingOptions> = {},
): ReadRows {
  const bytes = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const chunks = bytes instanceof Uint8Array ? [bytes] : bytes;
  const listing = readListing(chunks, { origin: "test", ...options });
  const flows: Flow[] = [];
  for (const columns of listing.batches() as Iterable<Parameters<typeof flowAt>[0]>) {
    for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
  }
  return { flows, listing };
}

/** Reads bytes that come asynchronously, or packed ones. */
export async function readRowsAsync(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: Partial<ListingOptions> = {},
): Promise<ReadRows> {
  const listing = readListing(chunks, { origin: "test", ...options });
  const flows: Flow[] = [];
  for await (const columns of listing.batches()) {
    for (let row = 0; row < columns.count; row++) flows.push(flowAt(columns, row));
  }
  return { flows, listing };
}

/**
 * `bytes` in chunks of `size` bytes. As a reader of files does, it hands out one array again and again, and
 * spoils it in between.
 */
export function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    buffer.fill(0x5a);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}

/** A plain flow's line, for inputs that must get past the lines from which the format is judged. */
export const plainLine =
  "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=40000 dport=443 " +
  "src=10.0.0.2 dst=10.0.0.1 sport=443 dport=40000 [ASSURED] mark=0 zone=0 use=2\n";

/**
 * Looks at a host as a watcher does, twice and with flow events in between, and prints what it saw as one
 * line of JSON: for tests that look with other eyes (another user, fewer capabilities). A namespace may be
 * named. It goes on from the first look when a line comes on standard input.
 */
import { once } from "node:events";
import { assert } from "../../src/base/assert.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type HostAccess, KernelError, openHost } from "../../src/kernel/kernel.ts";
import type { LiveReading, NamespaceCounts } from "../../src/table/live-reading.ts";
import type { Unseen } from "../../src/table/unseen.ts";

/** What is printed. */
export interface LiveAnswers {
  reading: LiveReading;
  counts: NamespaceCounts;
  /** Events that came between the looks, or why none can. */
  events: { count: number; bufferBytes: number } | { error: string };
  flows: { count: number } | { error: string };
  log: { source: string; unseen: readonly Unseen[] };
}

if (import.meta.main) await look(process.argv[2]);

async function look(namespace: string | undefined): Promise<void> {
  const host = openHost({ clock: systemClock, ...(namespace === undefined ? {} : { namespace }) });
  const live = host.live();
  live.read();
  const events = orError(() => host.events());
  console.log("ready");
  await once(process.stdin, "data");
  process.stdin.destroy();
  const log = host.followLog();
  const answers: LiveAnswers = {
    reading: live.read(),
    counts: live.counts(),
    events:
      "error" in events
        ? events
        : { count: countOf(() => events.read(0)?.columns.count), bufferBytes: events.bufferBytes },
    flows: orError(() => flowsOf(host)),
    log: { source: log.source, unseen: log.unseen },
  };
  console.log(JSON.stringify(answers));
  host.close();
}

function flowsOf(host: HostAccess): { count: number } {
  const flows = host.flows({ source: "netlink" });
  assert(flows.kind === "reading", "Netlink gives a reading");
  let count = 0;
  const batches = flows.reading.batches();
  assert(Symbol.iterator in batches, "The kernel answers at once");
  for (const columns of batches) count += columns.count;
  return { count };
}

function countOf(read: () => number | undefined): number {
  let count = 0;
  for (let more = read(); more !== undefined; more = read()) count += more;
  return count;
}

function orError<Result>(work: () => Result): Result | { error: string } {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { error: error.message };
  }
}

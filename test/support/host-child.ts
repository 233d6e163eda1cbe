/**
 * Asks a host everything and prints the answers as one line of JSON: for tests that look at this machine with
 * other eyes (another user, another mount namespace), which takes a process of its own. A namespace may be
 * named.
 */
import { systemClock } from "../../src/base/clock.ts";
import { KernelError, openHost } from "../../src/kernel/kernel.ts";
import type { Counters } from "../../src/table/counters.ts";
import type { Host, KernelLog, NamespaceFacts, SettingsReading } from "../../src/table/host.ts";
import type { Unseen } from "../../src/table/unseen.ts";

/** What is printed. */
export interface HostAnswers {
  host: Host;
  settings: SettingsReading;
  counters?: Counters;
  expectations?: { occupancyFlows: number; capacityFlows?: number };
  kernelLog?: KernelLog;
  namespaces: readonly NamespaceFacts[];
  dyingFlows?: number;
  /** Flows read, or the bytes of a listing, or why there are none. */
  flows: { source: string; count: number } | { error: string; code: string };
  unseen: readonly Unseen[];
}

if (import.meta.main) {
  const [namespace] = process.argv.slice(2);
  console.log(JSON.stringify(answers(namespace)));
}

function answers(namespace: string | undefined): HostAnswers {
  const host = openHost({ clock: systemClock, ...(namespace === undefined ? {} : { namespace }) });
  const [counters, expectations] = [host.counters(), host.expectations()];
  const [kernelLog, dyingFlows] = [host.kernelLog(), host.dyingFlows()];
  const result = {
    host: host.host(),
    settings: host.settings(),
    ...(counters === undefined ? {} : { counters }),
    ...(expectations === undefined ? {} : { expectations }),
    ...(kernelLog === undefined ? {} : { kernelLog }),
    namespaces: host.namespaces(),
    ...(dyingFlows === undefined ? {} : { dyingFlows }),
    flows: countFlows(host),
    unseen: host.unseen,
  };
  host.close();
  return result;
}

function countFlows(host: ReturnType<typeof openHost>): HostAnswers["flows"] {
  try {
    const flows = host.flows();
    let count = 0;
    if (flows.kind === "listing") {
      for (const chunk of flows.bytes()) count += chunk.length;
      return { source: flows.source, count };
    }
    const batches = flows.reading.batches();
    if (!(Symbol.iterator in batches)) throw new TypeError("The kernel's batches come without waiting");
    for (const columns of batches) count += columns.count;
    return { source: flows.reading.source, count };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { error: error.message, code: error.code };
  }
}

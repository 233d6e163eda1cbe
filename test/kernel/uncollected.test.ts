/**
 * How many expired flows the running kernel holds, against what is foretold. The collector's first pass can
 * be a minute away; after it, two teeth of the saw are enough. Flows of others change when it comes, and any
 * listing of any namespace collects what has expired everywhere, so the test gives up where there are others.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { openHost } from "../../src/kernel/kernel.ts";
import { uncollectedFlows } from "../../src/plan/plan.ts";
import { parseKernelRelease } from "../../src/table/kernel-release.ts";
import { measuredTwice } from "../support/measured.ts";
import { sampleSteadyFlows, type SteadyKind, teethOf } from "../support/steady-flows.ts";

const LONGEST_SECONDS = 100;
const TEETH = 2;

const kernelRelease = parseKernelRelease(release());
const bucketCount = Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_buckets", "utf8"));

const kinds: readonly SteadyKind[] = [
  { perSecond: 800, timeoutSeconds: 3 },
  { perSecond: 100, timeoutSeconds: 6 },
];

test("the count runs ahead of the flows alive as foretold, on average and at its peak", (context) =>
  measuredTwice(context, () => holdToForetold(context)));

async function holdToForetold(context: TestContext): Promise<void> {
  const perSecond = kinds.reduce((sum, kind) => sum + kind.perSecond, 0);
  const alive = kinds.reduce((sum, kind) => sum + kind.perSecond * kind.timeoutSeconds, 0);
  const remaining = kinds.map(({ perSecond: rate, timeoutSeconds }) => ({
    flows: rate * timeoutSeconds,
    fromSeconds: 0,
    toSeconds: timeoutSeconds,
  }));
  const known = kernelRelease === undefined ? {} : { kernelRelease };
  const foretold = uncollectedFlows({ expiriesPerSecond: perSecond, remaining, bucketCount, ...known });
  const settled = (samples: Parameters<typeof teethOf>[0]): boolean =>
    teethOf(samples, perSecond).length > TEETH;
  const before = othersFlows();
  const samples = await sampleSteadyFlows("hr-ev-saw", kinds, LONGEST_SECONDS, settled);
  // The first tooth begins with whatever the table held before.
  const teeth = teethOf(samples, perSecond).slice(1);
  const [tooth] = teeth;
  if (tooth === undefined) {
    context.skip(`the collector came too seldom in ${LONGEST_SECONDS} s: the machine has flows of others`);
    return;
  }
  if (Math.max(before, othersFlows()) > alive / 20) {
    context.skip("others make flows and list them meanwhile, which changes when the collector comes");
    return;
  }
  for (const { seconds, meanFlows, peakFlows } of teeth) {
    near(seconds, foretold.intervalSeconds, 0.05);
    near(meanFlows, alive + foretold.meanFlows, 0.05);
    near(peakFlows, alive + foretold.peakFlows, 0.05);
  }
}

/** Flows of all namespaces; the test's own is not there then. */
function othersFlows(): number {
  const host = openHost({ clock: systemClock });
  const flows = host.namespaces().reduce((sum, { occupancyFlows = 0 }) => sum + occupancyFlows, 0);
  host.close();
  return flows;
}

function near(found: number, expected: number, share: number): void {
  assert.ok(Math.abs(found - expected) <= share * expected, `${found} is not about ${expected}`);
}

import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock } from "../../base/clock.ts";
import { defaultConfiguration, readConfiguration } from "./configuration.ts";
import { type WatcherParts, watcherOptionsOf } from "./watcher-wiring.ts";

test("the verdict goes by the thresholds of the file that is in force", () => {
  let configuration = defaultConfiguration();
  const options = watcherOptionsOf({
    context: { deps: { clock: new ManualClock(0) } },
    configuration: () => configuration,
  } as unknown as WatcherParts);
  const before = options.thresholds;
  configuration = readConfiguration('alerts.near-full = { warning = "50%", critical = "60%" }', "f");
  assert.notDeepEqual(before, options.thresholds);
  assert.deepEqual(options.thresholds, { warningShare: 0.5, criticalShare: 0.6 });
});

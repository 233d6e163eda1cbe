/**
 * Writes a history as fast as it can, its clock a second further each time, until it is killed; says on
 * standard output which seconds are written. Arguments: the directory, the first second.
 */
import { renameSync, writeSync } from "node:fs";
import { ManualClock } from "../../src/base/clock.ts";
import { openStore } from "../../src/watch/store.ts";
import { historySecond, HISTORY_START, WHOLE_HISTORY } from "./history-samples.ts";

const [directory = "", first = "0"] = process.argv.slice(2);
const clock = new ManualClock(HISTORY_START);
const store = openStore({ directory, clock, rename: renameSync, options: WHOLE_HISTORY });
for (let second = Number(first); ; second += 1) {
  store.append(historySecond(second));
  writeSync(1, `${second}\n`);
  if (second % 7 === 0) store.writeState("second", second);
  store.maintain(clock.nowMs());
}

/**
 * Runs the test files it is given in this one process and sends what happens to its parent, which keeps the
 * score: a test that takes the process down is then one failure among others and not the end of the report.
 */
import { run } from "node:test";
import { toTestEvent } from "../test/support/report.ts";

const TEST_LIMIT_MS = 300_000;

const files = process.argv.slice(2);
const events = run({ files, isolation: "none", concurrency: 1, timeout: TEST_LIMIT_MS });
for await (const raw of events) {
  const event = toTestEvent(raw);
  if (event !== undefined) process.send({ event });
}
process.send({ end: true }, () => process.exit(0));

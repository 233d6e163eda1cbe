/**
 * Measurements on a machine that is shared: a figure that is off may be chance, or somebody's load. One that
 * is off twice is wrong.
 */
import type { TestContext } from "node:test";

/** Measures, and once more where that fails; what was off the first time is said. */
export async function measuredTwice(context: TestContext, measure: () => Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    context.diagnostic(`measured again, because the first time: ${line}`);
    await measure();
  }
}

/** The notice of `headroom alerts test`: like a real one, and saying that it is none. */
import type { Notice } from "../../watch/watch.ts";

export function testNotice(nowMs: number, instance: string): Notice {
  const id = `test-${Math.floor(nowMs / 1000)}`;
  return {
    id,
    kind: "test",
    atMs: nowMs,
    worst: "warning",
    instance,
    alert: {
      id,
      code: "near-full",
      level: "warning",
      state: "firing",
      sinceMs: nowMs,
      firedAtMs: nowMs,
      title: "A test of Headroom's alerts, nothing is wrong",
      evidence: {},
      meaning: "Somebody ran `headroom alerts test`. When this arrives, so will an alert.",
      remedy: [],
    },
  };
}

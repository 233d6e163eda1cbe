/**
 * Signals that come while something is being written. Nothing may end this process between a write and its
 * receipt, so they are kept until the work is done; whoever asks then decides what they mean.
 */
import { turnOfTheLoop } from "../progress.ts";

const HELD = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type HeldSignal = (typeof HELD)[number];

export interface Held<Result> {
  result: Result;
  /** What came meanwhile, in no particular order. */
  signals: ReadonlySet<HeldSignal>;
}

/** Runs synchronous work to its end, whatever signal comes. */
export async function holdingSignals<Result>(work: () => Result): Promise<Held<Result>> {
  const signals = new Set<HeldSignal>();
  const listeners = HELD.map((name) => ({ name, listener: (): void => void signals.add(name) }));
  for (const { name, listener } of listeners) process.on(name, listener);
  try {
    const result = work();
    // What came while nothing could be heard is heard now.
    await turnOfTheLoop();
    return { result, signals };
  } finally {
    for (const { name, listener } of listeners) process.off(name, listener);
  }
}

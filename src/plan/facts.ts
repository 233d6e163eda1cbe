/**
 * What judgement is made from: plain values somebody else read. Anything absent was not seen, and a rule that
 * needs it stays silent or says so; it never guesses.
 */
import type { Census } from "../census/census.ts";
import type { BootForecast } from "../table/boot.ts";
import type { Counters } from "../table/counters.ts";
import type { Host, KernelLog, NamespaceFacts, SettingsReading } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";

export interface Facts {
  host: Host;
  settings: SettingsReading;
  /** Wall clock at which all this was read, milliseconds. */
  atMs: number;
  /** The network namespace that is looked at, as `--netns` takes it; absent: that of the host itself. */
  netns?: string;
  counters?: Counters;
  /** Counters read again after `seconds`, for rates of now instead of sums since boot. */
  later?: { counters: Counters; seconds: number; occupancyFlows?: number };
  kernelLog?: KernelLog;
  namespaces?: readonly NamespaceFacts[];
  census?: Census;
  expectations?: { occupancyFlows: number; capacityFlows?: number };
  /** Rules that need tracking: whether anything on this host asks for it. */
  trackingInUse?: boolean;
  /** What the next boot makes of the settings; absent where its files could not be looked at. */
  boot?: BootForecast;
  /** What the reader was refused, in one line each. */
  unseen: readonly Unseen[];
  /** Thresholds of `near-full` in share of capacity; defaults 0.8 and 0.9. */
  thresholds?: { warningShare: number; criticalShare: number };
}

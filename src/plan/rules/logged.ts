/**
 * Lines of the kernel log as evidence: how long ago, and whose table they speak of. Lines are never a count
 * of drops: the kernel limits them to ten and then one in five seconds, together with all other network
 * warnings.
 */
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";
import type { KernelLogKind, KernelLogTally, NamespaceFacts } from "../../table/host.ts";
import type { Facts } from "../facts.ts";
import { roughDuration } from "../../table/duration.ts";
import { amountOf } from "../wording.ts";

/** What is older than this has passed: it stays in the report, but no longer as a warning. */
export const RECENT_SECONDS = 86_400;

/** All lines of a kind that concern the same table, as one. */
export interface Logged {
  lines: number;
  /** Since the last line; absent when the log has no times. */
  secondsAgo?: number;
  firstAtMs?: number;
  lastAtMs?: number;
  /** The last line. */
  sample: string;
}

/** Tallies of one kind, those that `wanted` accepts; undefined when there is none. */
export function loggedLines(
  facts: Facts,
  kind: KernelLogKind,
  wanted: (tally: KernelLogTally) => boolean = () => true,
): Logged | undefined {
  const tallies = (facts.kernelLog?.tallies ?? []).filter((tally) => tally.kind === kind && wanted(tally));
  const [first, ...rest] = tallies.filter(({ lines }) => lines > 0).map((tally) => loggedOf(facts, tally));
  return first === undefined ? undefined : rest.reduce(joinLogged, first);
}

/** Whether the last line may be younger than RECENT_SECONDS: a line without a time may. */
export function isRecent(logged: Logged): boolean {
  return logged.secondsAgo === undefined || logged.secondsAgo <= RECENT_SECONDS;
}

/** Whether the log that was read covers the last RECENT_SECONDS, so that its silence means something. */
export function logCoversRecent(facts: Facts): boolean {
  const { kernelLog, host } = facts;
  if (kernelLog === undefined) return false;
  if (kernelLog.wrapped === false) return true;
  const { oldestUptimeSeconds } = kernelLog;
  if (oldestUptimeSeconds === undefined || host.uptimeSeconds === undefined) return false;
  return host.uptimeSeconds - oldestUptimeSeconds >= RECENT_SECONDS;
}

/** `4 lines in the kernel log, the last 3h20m ago`. */
export function loggedText(logged: Logged): string {
  const when = logged.secondsAgo === undefined ? "" : `, the last ${roughDuration(logged.secondsAgo)} ago`;
  return `${amountOf(logged.lines, "line")} in the kernel log${when}`;
}

/** Figures of a log line as evidence. */
export function loggedEvidence(logged: Logged | undefined, facts: Facts): Record<string, number | undefined> {
  if (logged === undefined) return {};
  return {
    loggedLines: logged.lines,
    suppressedMessages: facts.kernelLog?.suppressedMessages,
    lastLoggedSecondsAgo: logged.secondsAgo,
    firstLoggedAtMs: logged.firstAtMs,
    lastLoggedAtMs: logged.lastAtMs,
  };
}

/**
 * Whose table a "table full" line speaks of. Since 6.17 a line names the namespace unless it is the initial
 * one. Before that no line does; then a namespace that counts drops and has counted none cannot be the one
 * meant.
 */
export function ownerOfLine(facts: Facts, tally: KernelLogTally): "own" | "other" | "unknown" {
  const { host } = facts;
  if (tally.namespaceInode !== undefined) {
    if (host.namespaceInode === undefined) return "unknown";
    const own = facts.namespaces?.find(({ inode }) => inode === host.namespaceInode);
    const same = tally.namespaceInode === host.namespaceInode && !isOlder(tally, own);
    return same ? "own" : "other";
  }
  if (tally.container !== undefined) return "other";
  const release = host.kernelRelease === undefined ? undefined : parseKernelRelease(host.kernelRelease);
  if (release === undefined) return "unknown";
  if (isSince(release, "6.17")) {
    if (host.initialNamespace === undefined) return "unknown";
    return host.initialNamespace ? "own" : "other";
  }
  const countedHere = facts.later?.counters.total.drop ?? facts.counters?.total.drop;
  // Counters are per namespace since 2.6.28.
  return isSince(release, "2.6.28") && countedHere === 0 ? "other" : "unknown";
}

/**
 * The namespace of this host that a line names. The kernel uses inodes again: a line older than the namespace
 * that has the inode now speaks of one that is gone.
 */
export function namespaceOfTally(facts: Facts, tally: KernelLogTally): NamespaceFacts | undefined {
  const found = facts.namespaces?.find(({ inode }) => inode !== undefined && inode === tally.namespaceInode);
  return isOlder(tally, found) ? undefined : found;
}

function isOlder(tally: KernelLogTally, namespace: NamespaceFacts | undefined): boolean {
  return (tally.lastAtMs ?? Infinity) < (namespace?.createdAtMs ?? -Infinity);
}

function loggedOf(facts: Facts, tally: KernelLogTally): Logged {
  const logged: Logged = { lines: tally.lines, sample: tally.sample };
  if (tally.firstAtMs !== undefined) logged.firstAtMs = tally.firstAtMs;
  if (tally.lastAtMs !== undefined) logged.lastAtMs = tally.lastAtMs;
  const secondsAgo = secondsAgoOf(facts, tally);
  if (secondsAgo !== undefined) logged.secondsAgo = Math.max(0, Math.round(secondsAgo));
  return logged;
}

function secondsAgoOf(facts: Facts, tally: KernelLogTally): number | undefined {
  if (tally.lastAtMs !== undefined) return (facts.atMs - tally.lastAtMs) / 1000;
  if (tally.lastUptimeSeconds === undefined || facts.host.uptimeSeconds === undefined) return undefined;
  return facts.host.uptimeSeconds - tally.lastUptimeSeconds;
}

function joinLogged(one: Logged, two: Logged): Logged {
  const later = (two.secondsAgo ?? Infinity) < (one.secondsAgo ?? Infinity) ? two : one;
  const joined: Logged = { lines: one.lines + two.lines, sample: later.sample };
  const firstAtMs = Math.min(one.firstAtMs ?? Infinity, two.firstAtMs ?? Infinity);
  const lastAtMs = Math.max(one.lastAtMs ?? -Infinity, two.lastAtMs ?? -Infinity);
  if (Number.isFinite(firstAtMs)) joined.firstAtMs = firstAtMs;
  if (Number.isFinite(lastAtMs)) joined.lastAtMs = lastAtMs;
  // One line without a time may be younger than all that have one.
  if (one.secondsAgo !== undefined && two.secondsAgo !== undefined) {
    joined.secondsAgo = Math.min(one.secondsAgo, two.secondsAgo);
  }
  return joined;
}

/**
 * The door of src/kernel: the only folder that touches the running system, or a saved tree that stands in for
 * it.
 *
 * It hands out plain values of src/table and, for flows, decoded columns or the bytes of a listing. It judges
 * nothing, counts nothing twice, and writes nothing: reading never loads the tracker and never changes a
 * setting. With a root it never looks outside of it.
 *
 * Invariants: what this user, this kernel or this tree does not tell is absent, never zero, and `unseen` says
 * why; an error is a KernelError whose message says what was tried and what would help.
 *
 * Read first: host-access.ts (what can be asked), then running-host.ts and saved-host.ts (who answers),
 * live-host.ts (the same asked every second).
 */
import type { Clock } from "../base/clock.ts";
import type { HostAccess } from "./host-access.ts";
import { RunningHost } from "./running-host.ts";
import { SavedHost } from "./saved-host.ts";

export { KernelError, type KernelErrorCode } from "./error.ts";
export type { EventCoverage, FlowEventOptions, FlowEvents } from "./flow-events.ts";
export type { FlowRemoval } from "./flow-removal.ts";
export type { Flows, FlowSource, HostAccess } from "./host-access.ts";
export type { KernelLogFollow } from "./kernel-log-follow.ts";
export type { LiveHost } from "./live-host.ts";
export { openBytes } from "./open-bytes.ts";
export type { Owners, SocketOwner } from "./owners.ts";
export { PacketRing, type RingLosses } from "./packet-ring.ts";
export { type CaptureOptions, openPacketSocket, type PacketSocket } from "./packet-socket.ts";
export { LINK_TYPE_NETLINK } from "./record-blocks.ts";
export { FlowRecorder, type RecorderOptions } from "./record-flows.ts";
export type { DumpReason, RecordBeginning, RecordNote } from "./record-notes.ts";
export { RecordReader, type RecordVisitor } from "./record-reading.ts";
export { openServiceNotify, type ServiceNotify } from "./sd-notify.ts";
export { openWritableHost, type WritableHost, type WritableHostOptions } from "./writable-host.ts";

export interface HostOptions {
  /** A directory that stands in for `/`, or holds a sosreport. Absent: the running host. */
  root?: string;
  clock: Clock;
  /** A network namespace: a name of `ip netns`, a process number or a path; in a sosreport, a name. */
  namespace?: string;
  /** Gets a line for every file read and every netlink datagram. */
  debug?: (line: string) => void;
}

/**
 * The host to ask. Throws KernelError when the root is no directory, when the namespace is not there, or when
 * it may not be entered.
 */
export function openHost(options: HostOptions): HostAccess {
  const { root, ...rest } = options;
  return root === undefined ? new RunningHost(rest) : new SavedHost({ ...rest, root });
}

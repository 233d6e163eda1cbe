/**
 * What can be asked of a host, whether it is the running one or a saved tree. All of it is synchronous:
 * the running host answers from files of /proc and from netlink, which both answer at once.
 */
import type { Counters } from "../table/counters.ts";
import type { Host, KernelLog, NamespaceFacts, SettingsReading } from "../table/host.ts";
import type { Sessions } from "../table/session.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import type { FlowEventOptions, FlowEvents } from "./flow-events.ts";
import type { FlowRemoval } from "./flow-removal.ts";
import type { HostFiles } from "./host-files.ts";
import type { KernelLogFollow } from "./kernel-log-follow.ts";
import type { LiveHost } from "./live-host.ts";
import type { Owners } from "./owners.ts";

/** Where flows are taken from: `auto` is netlink, else procfs. */
export type FlowSource = "auto" | "netlink" | "procfs";

/** Flows, decoded; or the bytes of a listing for whoever can read its format. */
export type Flows =
  | { kind: "reading"; reading: FlowReading }
  | {
      kind: "listing";
      /** `procfs` on the running host, `file` of a saved tree. */
      source: "procfs" | "file";
      /** For people: the path as it is. */
      origin: string;
      path: string;
      /** Once: views on one buffer, see openBytes. */
      bytes(): Iterable<Uint8Array>;
    };

export interface FlowsOptions {
  source?: FlowSource;
  /** Stop after about so many flows. */
  sampleFlows?: number;
  /**
   * Whoever reads acts on what it reads, so a batch should be new: `slow` receives nothing ahead,
   * `fast` little.
   */
  prompt?: "slow" | "fast";
  /** Over netlink: sees every datagram that was received, as it came; good during the call. */
  onDatagram?: (datagram: Uint8Array) => void;
}

export interface HostAccess {
  host(): Host;
  settings(): SettingsReading;
  /** Undefined: neither the file nor netlink gives any; `unseen` says why. */
  counters(): Counters | undefined;
  /** Expected flows of the namespace, and their limit. */
  expectations(): { occupancyFlows: number; capacityFlows?: number } | undefined;
  kernelLog(): KernelLog | undefined;
  /** The namespaces of the host, the one of this program first. With addresses it takes longer. */
  namespaces(options?: { addresses?: boolean }): readonly NamespaceFacts[];
  /** Flows deleted but still held: they count, and no listing has them. Undefined: cannot be told. */
  dyingFlows(): number | undefined;
  /**
   * Begins to read the table. Throws KernelError when there is no way to; what was tried is in its
   * message.
   */
  flows(options?: FlowsOptions): Flows;
  /**
   * Listens to flow events from now on. Throws KernelError where there is nothing to listen to (a saved
   * host, no tracker) or this user may not; that none can come is noted in `unseen`.
   */
  events(options?: FlowEventOptions): FlowEvents;
  /** The kernel's count of flows now: settings are read once. Undefined: cannot be told. */
  occupancy(): number | undefined;
  /**
   * A way to end flows of the table, beside a reading of it. Throws KernelError where there is none: a
   * saved host, no tracker, no netlink.
   */
  flowRemoval(): FlowRemoval;
  /** The sessions by which people are logged in on this host: looks at the names of all processes. */
  sessions(): Sessions;
  /** Who holds sockets and addresses. Looks at every process: for those who ask for it. */
  owners(): Owners;
  /** The files that decide what the next boot makes of the settings. */
  bootFiles(): Pick<HostFiles, "look" | "read" | "list">;
  /**
   * A cheap way to read the table again and again. Throws KernelError `unsupported` for a saved host, whose
   * figures stand still.
   */
  live(): LiveHost;
  /**
   * Follows the kernel log from now on: of the running host, or with `path` a file of it. Where it may not
   * be read, what is given says so and stays empty.
   */
  followLog(options?: { path?: string }): KernelLogFollow;
  /** Forgets host, settings and what was unseen: whoever watches for long asks everything anew. */
  refresh(): void;
  /** What was refused or missing so far, one line each; grows as more is asked. */
  readonly unseen: readonly Unseen[];
  close(): void;
}

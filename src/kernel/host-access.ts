/**
 * What can be asked of a host, whether it is the running one or a saved tree. All of it is synchronous: the
 * running host answers from files of /proc and from netlink, which both answer at once.
 */
import type { Counters } from "../table/counters.ts";
import type { Host, KernelLog, NamespaceFacts, SettingsReading } from "../table/host.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import type { KernelError } from "./error.ts";
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
   * Begins to read the table. Throws KernelError when there is no way to; what was tried is in its message.
   */
  flows(options?: { source?: FlowSource; sampleFlows?: number }): Flows;
  /** Who holds sockets and addresses. Looks at every process: for those who ask for it. */
  owners(): Owners;
  /** What was refused or missing so far, one line each; grows as more is asked. */
  readonly unseen: readonly Unseen[];
  close(): void;
}

/** Notes of what could not be seen; the same thing for the same reason once. */
export class UnseenNotes {
  readonly #entries: Unseen[] = [];

  get entries(): readonly Unseen[] {
    return this.#entries;
  }

  add(entry: Unseen): void {
    const known = this.#entries.some(({ what, why }) => what === entry.what && why === entry.why);
    if (!known) this.#entries.push(entry);
  }

  /** Notes what an error refused. */
  refuse(what: string, error: KernelError, help?: string): void {
    const entry: Unseen = { what, why: lowerFirst(error.message), cause: causeOf(error) };
    if (help !== undefined) entry.help = help;
    this.add(entry);
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function causeOf(error: KernelError): Unseen["cause"] {
  switch (error.code) {
    case "not-permitted":
      return "not-permitted";
    case "not-found":
      return "missing";
    case "module-missing":
      return "not-loaded";
    case "unsupported":
    case "no-ffi":
      return "unsupported";
    default:
      return "unreadable";
  }
}

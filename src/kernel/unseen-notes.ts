/** Notes of what could not be seen, as they are collected while a host is asked. */
import type { Host } from "../table/host.ts";
import { lowerFirst } from "../table/sentence.ts";
import { type Unseen, unseenCause } from "../table/unseen.ts";
import type { KernelError } from "./error.ts";

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

  /** Forgets all, for whoever asks everything again. */
  clear(): void {
    this.#entries.length = 0;
  }

  /** Notes what an error refused. */
  refuse(what: string, error: KernelError, help?: string): void {
    const entry: Unseen = { what, why: lowerFirst(error.message), cause: unseenCause(error.code) };
    if (help !== undefined) entry.help = help;
    this.add(entry);
  }
}

/** What the presence of the tracker alone says that cannot be seen. */
export function unseenTracker(tracker: Host["tracker"]): Unseen | undefined {
  if (tracker === "none") {
    return {
      what: "the table",
      why: "the tracker (nf_conntrack) is not loaded, so this host tracks nothing now",
      help: "the first firewall rule that needs it loads it; `modprobe nf_conntrack` does now",
      cause: "not-loaded",
    };
  }
  if (tracker !== "unknown") return undefined;
  return {
    what: "the table",
    why: "/proc/sys/net cannot be seen here",
    help: "run on the host, or mount /proc",
    cause: "missing",
  };
}

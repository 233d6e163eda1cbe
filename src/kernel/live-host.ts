/**
 * Readings of a host again and again, as cheap as they can be: what the watcher asks each second.
 *
 * Files stay open and are read again from their beginning; nothing is opened, parsed to text or allocated
 * for what has not changed. What cannot be seen any more is absent and told in `unseen`; when it can be seen
 * again, it is.
 */
import type { Clock } from "../base/clock.ts";
import type { Host } from "../table/host.ts";
import type { LiveReading, NamespaceCounts } from "../table/live-reading.ts";
import type { Unseen } from "../table/unseen.ts";
import { netlinkCounters } from "./ctnetlink-stats.ts";
import { KernelError } from "./error.ts";
import type { Files } from "./files.ts";
import { type FileCalls, HeldFile, type Inside, nodeFileCalls } from "./held-file.ts";
import { trackerOf } from "./host-facts.ts";
import { type CountersStep, NetlinkSteps, StatBytesReader } from "./live-counters.ts";
import { LiveSettings } from "./live-settings.ts";
import type { NamespaceTarget } from "./namespace-enter.ts";
import { NamespaceCounter } from "./namespace-counts.ts";
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink, type WireSink } from "./netlink-socket.ts";
import { UnseenNotes, unseenTracker } from "./unseen-notes.ts";

/** Close it in a `finally`. */
export interface LiveHost {
  /**
   * One look. Throws KernelError `not-found` when the namespace is gone; nothing else ends it.
   */
  read(): LiveReading;
  /**
   * Counts of all namespaces of the host. New ones are found when a name appears, else within a minute; one
   * that is gone is left out.
   */
  counts(): NamespaceCounts;
  close(): void;
}

export interface LiveOptions {
  clock: Clock;
  files: Files;
  /** Runs what opens files and sockets inside the namespace that is looked at. */
  inside: Inside;
  /** That namespace; absent: the one this program is in, which lasts as long as it does. */
  target?: NamespaceTarget;
  /** `uname -r`. */
  release?: string;
  sink?: WireSink;
  calls?: FileCalls;
}

const STAT_PATHS = ["/proc/net/stat/nf_conntrack", "/proc/net/stat/ip_conntrack"];
/** A row has some 160 bytes; this is enough for 1,600 CPUs, and grows for more. */
const STAT_BYTES = 256 * 1024;
const SETTINGS_HELP = "run as root or with CAP_NET_ADMIN";

/** The table of one namespace of the running host. */
export class RunningLive implements LiveHost {
  readonly #files: Files;
  readonly #inside: Inside;
  readonly #target: NamespaceTarget | undefined;
  readonly #targetInode: number | undefined;
  readonly #settings: LiveSettings;
  readonly #counters: LiveCounters;
  readonly #namespaces: NamespaceCounter;
  #tracker: Host["tracker"] = "unknown";
  #unseen: readonly Unseen[] = [];
  #unseenKey = "";

  constructor(options: LiveOptions) {
    const { clock, files, inside, target } = options;
    this.#files = files;
    this.#inside = inside;
    this.#target = target;
    this.#targetInode = target === undefined ? undefined : files.stat(pathOf(target))?.inode;
    this.#settings = new LiveSettings(files, inside, options.calls);
    this.#counters = new LiveCounters(options);
    this.#namespaces = new NamespaceCounter(files, clock);
  }

  read(): LiveReading {
    this.#checkNamespace();
    // A tracker that comes is seen at once, the change of a setting costs a look now and then.
    const isLook = this.#settings.read(this.#tracker === "none" || this.#tracker === "unknown");
    // Also when files are gone: netlink must not be asked then, because asking would load the tracker again.
    if (isLook || this.#settings.hasLost) this.#tracker = this.#inside(() => trackerOf(this.#files));
    const step = this.#tracker === "none" ? undefined : this.#counters.step(isLook);
    const settings = this.#settings.reading;
    const occupancyFlows = settings.values.nf_conntrack_count ?? step?.occupancyFlows;
    const reading: LiveReading = {
      tracker: this.#tracker,
      settings,
      settingsVersion: this.#settings.version,
      unseen: this.#unseenNow(),
    };
    if (occupancyFlows !== undefined) reading.occupancyFlows = occupancyFlows;
    if (step === undefined) return reading;
    reading.counters = step.counters;
    if (step.counted !== undefined) reading.counted = step.counted;
    if (step.expectationFlows !== undefined) reading.expectationFlows = step.expectationFlows;
    return reading;
  }

  counts(): NamespaceCounts {
    const capacityFlows = this.#settings.reading.values.nf_conntrack_max;
    return this.#namespaces.counts(capacityFlows);
  }

  close(): void {
    this.#settings.close();
    this.#counters.close();
    this.#namespaces.close();
  }

  /** Files held open would go on showing a namespace that has no name and no process any more. */
  #checkNamespace(): void {
    if (this.#target === undefined) return;
    const path = pathOf(this.#target);
    const inode = this.#files.stat(path)?.inode;
    if (inode !== undefined && inode === this.#targetInode) return;
    this.close();
    const found = inode === undefined ? "it is not there any more" : "its name now leads to another one";
    throw new KernelError("not-found", `Cannot read network namespace ${path}: ${found}`);
  }

  #unseenNow(): readonly Unseen[] {
    const { refused } = this.#settings;
    const counters = this.#tracker === "none" ? undefined : this.#counters.refused;
    const key = `${this.#tracker} ${refused?.message ?? ""} ${counters?.message ?? ""}`;
    if (key === this.#unseenKey) return this.#unseen;
    const notes = new UnseenNotes();
    const tracker = unseenTracker(this.#tracker);
    if (tracker !== undefined) notes.add(tracker);
    if (refused !== undefined) notes.refuse("some settings", refused, SETTINGS_HELP);
    if (counters !== undefined) notes.refuse("counters", counters);
    this.#unseenKey = key;
    this.#unseen = [...notes.entries];
    return this.#unseen;
  }
}

function pathOf(target: NamespaceTarget): string {
  if ("path" in target) return target.path;
  return "pid" in target ? `/proc/${target.pid}/ns/net` : `/proc/self/fd/${target.fd}`;
}

/** Counters from the file, else over netlink; whichever answers is asked again first. */
class LiveCounters {
  readonly #options: LiveOptions;
  readonly #stats: readonly { held: HeldFile; reader: StatBytesReader }[];
  readonly #netlink = new NetlinkSteps();
  #buffer = new Uint8Array(STAT_BYTES);
  #file: { held: HeldFile; reader: StatBytesReader } | undefined;
  #openings = 0;
  #mustLook = false;
  #socket: NetlinkSocket | undefined;
  #refused: KernelError | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
    this.#stats = STAT_PATHS.map((path) => ({
      held: new HeldFile(path, options.inside, options.calls ?? nodeFileCalls),
      reader: new StatBytesReader(options.release),
    }));
  }

  /** Why there are none. */
  get refused(): KernelError | undefined {
    return this.#refused;
  }

  /** What is refused is only asked for again at a look. */
  step(isTime: boolean): CountersStep | undefined {
    const isLook = isTime || this.#mustLook;
    this.#mustLook = false;
    if (this.#file === undefined && this.#socket === undefined && !isLook) return undefined;
    this.#refused = undefined;
    const hadFile = this.#file !== undefined;
    const read = this.#fromFile(isLook);
    // A file that has just gone may have gone with the tracker: the next look tells.
    this.#mustLook = read === undefined && hadFile;
    return read === undefined && !hadFile ? this.#fromNetlink() : read;
  }

  close(): void {
    for (const { held } of this.#stats) held.close();
    this.#socket?.close();
    this.#socket = undefined;
    this.#file = undefined;
  }

  #fromFile(isLook: boolean): CountersStep | undefined {
    if (this.#file === undefined && !isLook) return undefined;
    for (const each of this.#file === undefined ? this.#stats : [this.#file]) {
      const length = this.#read(each.held);
      if (typeof length !== "number") continue;
      if (each.held.openings !== this.#openings) each.reader.restart();
      this.#openings = each.held.openings;
      const step = each.reader.step(this.#buffer, length);
      this.#file = step === undefined ? undefined : each;
      if (step !== undefined) return step;
    }
    this.#file = undefined;
    return undefined;
  }

  #read(held: HeldFile): number | KernelError {
    for (;;) {
      const length = held.read(this.#buffer, true);
      if (length !== this.#buffer.length) return length;
      this.#buffer = new Uint8Array(this.#buffer.length * 2);
    }
  }

  #fromNetlink(): CountersStep | undefined {
    const { inside, sink, release } = this.#options;
    try {
      const socket = (this.#socket ??= inside(() => openNetlink(NETLINK_NETFILTER, sink)));
      const known = release === undefined ? {} : { release };
      return this.#netlink.step(netlinkCounters({ ...known, socket: keptOpen(socket) }));
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#refused = error;
      this.#netlink.restart();
      this.#socket?.close();
      this.#socket = undefined;
      return undefined;
    }
  }
}

/** The same socket for whoever closes what it was given. */
function keptOpen(socket: NetlinkSocket): NetlinkSocket {
  return {
    port: socket.port,
    send: (bytes) => socket.send(bytes),
    receive: (buffer) => socket.receive(buffer),
    close: () => undefined,
  };
}

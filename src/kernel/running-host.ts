/**
 * The running host, or one of its network namespaces: its files of /proc and /sys, and netlink.
 *
 * Nothing here changes anything: netlink, whose first question makes the kernel load what answers it, is only
 * asked where the tracker is there already.
 */
import { closeSync, readFileSync } from "node:fs";

import type { Clock } from "../base/clock.ts";
import type { Counters } from "../table/counters.ts";
import type { Host, KernelLog, NamespaceFacts, SettingsReading } from "../table/host.ts";
import { countOddity } from "../table/oddities.ts";
import type { Sessions } from "../table/session.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import { parseConntrackStat } from "./conntrack-stat.ts";
import { netlinkDyingFlows, netlinkFlows, type NetlinkReading } from "./ctnetlink-dump.ts";
import { netlinkCounters, netlinkExpectations } from "./ctnetlink-stats.ts";
import { KernelError } from "./error.ts";
import { Files } from "./files.ts";
import {
  DEFAULT_EVENT_BUFFER_BYTES,
  type FlowEventOptions,
  type FlowEvents,
  listenToFlows,
} from "./flow-events.ts";
import { type FlowRemoval, openFlowRemoval } from "./flow-removal.ts";
import type { Flows, FlowsOptions, HostAccess } from "./host-access.ts";
import { HostFiles } from "./host-files.ts";
import {
  isInitialNamespace,
  pageBytesOf,
  parseUptime,
  readFlowSizes,
  readHostFacts,
  trackerOf,
} from "./host-facts.ts";
import { readJournal } from "./journal.ts";
import { scanKernelLog } from "./kernel-log.ts";
import { followKernelLog, type KernelLogFollow } from "./kernel-log-follow.ts";
import { readKmsg } from "./kmsg.ts";
import { type LiveHost, RunningLive } from "./live-host.ts";
import { readLocalAddresses } from "./local-addresses.ts";
import { insideNamespace, namedTarget, type NamespaceTarget } from "./namespace-enter.ts";
import { noteUnseen, ownInode, readNamespaces } from "./namespaces.ts";
import { PROMPT_RING } from "./netlink-ahead.ts";
import type { WireSink } from "./netlink-socket.ts";
import { wireLines } from "./netlink-text.ts";
import { bytesOf, openBytes, openForReading } from "./open-bytes.ts";
import { makeOwners, type Owners, readHolders } from "./owners.ts";
import { liveLogPaths, savedPaths } from "./saved-tree.ts";
import { readSessionClues, sessionsAmong } from "./sessions.ts";
import { readSettings, settingsFrom } from "./settings-reading.ts";
import { netlinkSockets } from "./sock-diag.ts";
import { type OpenSocket, readSocketFiles } from "./socket-files.ts";
import { UnseenNotes, unseenTracker } from "./unseen-notes.ts";

export interface RunningHostOptions {
  clock: Clock;
  namespace?: string;
  debug?: (line: string) => void;
}

/** From so many flows on a thread is up soon enough to help. */
const PROMPT_AHEAD_FROM_FLOWS = 50_000;

const ROOT_HELP = "run as root or with CAP_NET_ADMIN";

export class RunningHost implements HostAccess {
  readonly #clock: Clock;
  readonly #files: Files;
  readonly #debug: ((line: string) => void) | undefined;
  readonly #target: NamespaceTarget | undefined;
  readonly #notes = new UnseenNotes();
  /** Shows netlink's datagrams to whoever debugs; empty otherwise. */
  readonly #watched: { readonly sink?: WireSink };
  /** What readings hold open until they are read to their end. */
  readonly #releases = new Set<() => void>();
  #host: Host | undefined;
  #settings: SettingsReading | undefined;

  /** Throws KernelError when `namespace` names none, or one that may not be entered. */
  constructor(options: RunningHostOptions) {
    this.#clock = options.clock;
    this.#debug = options.debug;
    this.#files = new Files(undefined, options.debug);
    this.#watched = options.debug === undefined ? {} : { sink: wireLines(options.debug) };
    this.#target = options.namespace === undefined ? undefined : namedTarget(this.#files, options.namespace);
    // Going in once says at once whether all that follows can work.
    this.#inside(() => undefined);
  }

  get unseen(): readonly Unseen[] {
    return this.#notes.entries;
  }

  close(): void {
    for (const release of this.#releases) release();
    this.#releases.clear();
  }

  /** Closes it with this host; what is given forgets it, when it was closed before. */
  #hold(close: () => void): () => void {
    this.#releases.add(close);
    return () => this.#releases.delete(close);
  }

  #inside<Result>(work: () => Result): Result {
    return this.#target === undefined ? work() : insideNamespace(this.#target, work);
  }

  host(): Host {
    this.#host ??= this.#readHost();
    return this.#host;
  }

  #readHost(): Host {
    const files = this.#files;
    const facts = readHostFacts(files);
    const seen = this.#inside(() => ({
      tracker: trackerOf(files),
      inode: ownInode(files),
      hasGlobalLimit: files.has("/proc/sys/net/nf_conntrack_max"),
      hasNamespaceLimit: files.has("/proc/sys/net/netfilter/nf_conntrack_max"),
    }));
    // Every platform Node runs on today has pointers of eight bytes.
    const host: Host = { ...facts, tracker: seen.tracker, pointerBytes: 8, ...readFlowSizes(files) };
    const pageBytes = readPageBytes();
    if (pageBytes !== undefined) host.pageBytes = pageBytes;
    if (seen.inode !== undefined) host.namespaceInode = seen.inode;
    const { inode, hasGlobalLimit, hasNamespaceLimit } = seen;
    const initial = isInitialNamespace({
      hasGlobalLimit,
      hasNamespaceLimit,
      ...(inode === undefined ? {} : { inode }),
      ...(facts.kernelRelease === undefined ? {} : { release: facts.kernelRelease }),
    });
    if (initial !== undefined) host.initialNamespace = initial;
    const unseen = unseenTracker(host.tracker);
    if (unseen !== undefined) this.#notes.add(unseen);
    return host;
  }

  settings(): SettingsReading {
    this.#settings ??= this.#readSettings();
    return this.#settings;
  }

  #readSettings(): SettingsReading {
    const refused: KernelError[] = [];
    const found = this.#inside(() => readSettings(this.#files, (error) => refused.push(error)));
    const reading = settingsFrom(found);
    const [first] = refused;
    if (first !== undefined) this.#notes.refuse("some settings", first, ROOT_HELP);
    const { tracker } = this.host();
    if (tracker !== "none" && tracker !== "unknown" && reading.values.nf_conntrack_count === undefined) {
      this.#notes.add({
        what: reading.values.nf_conntrack_max === undefined ? "settings" : "most settings",
        why: "/proc/sys/net/netfilter shows none of the tracker's here",
        help: "run on the host: a container or a user namespace may hide them",
        cause: "missing",
      });
    }
    return reading;
  }

  counters(): Counters | undefined {
    const { tracker, kernelRelease } = this.host();
    if (tracker === "none") return undefined;
    const found = this.#inside(() => this.#files.first(savedPaths.trackerCounters));
    const counters = found === undefined ? undefined : parseConntrackStat(found.text, kernelRelease);
    if (counters !== undefined) return counters;
    const release = kernelRelease === undefined ? {} : { release: kernelRelease };
    return this.#orNote("counters", () => netlinkCounters({ ...release, ...this.#watched }));
  }

  /** What netlink gives inside the namespace; when it is refused, that is noted. */
  #orNote<Result>(what: string, work: () => Result): Result | undefined {
    try {
      return this.#inside(work);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      this.#notes.refuse(what, error);
      return undefined;
    }
  }

  expectations(): { occupancyFlows: number; capacityFlows?: number } | undefined {
    if (this.host().tracker === "none") return undefined;
    const capacityFlows = this.settings().values.nf_conntrack_expect_max;
    const listed = this.#inside(() => firstText(this.#files, savedPaths.expectations));
    const occupancyFlows =
      listed === undefined
        ? this.#orNote("expected flows", () => netlinkExpectations(this.#watched))
        : countLines(listed);
    if (occupancyFlows === undefined) return undefined;
    return capacityFlows === undefined ? { occupancyFlows } : { occupancyFlows, capacityFlows };
  }

  kernelLog(): KernelLog | undefined {
    const nowMs = this.#clock.nowMs();
    const uptime = parseUptime(this.#files.textOrNothing("/proc/uptime") ?? "");
    const options = uptime === undefined ? { nowMs } : { nowMs, bootAtMs: nowMs - uptime * 1000 };
    const errors: KernelError[] = [];
    const ways = [
      () => readKmsg(options),
      () => readJournal(options),
      ...liveLogPaths.map((path) => () => scanKernelLog(openBytes(path), options, "file", path)),
    ];
    for (const way of ways) {
      try {
        return way();
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        errors.push(error);
      }
    }
    const [first] = errors;
    if (first !== undefined) {
      this.#notes.refuse("kernel log", first, "run as root, or join the group adm or systemd-journal");
    }
    return undefined;
  }

  namespaces(options: { addresses?: boolean } = {}): readonly NamespaceFacts[] {
    const capacityFlows = this.settings().values.nf_conntrack_max;
    const read = readNamespaces(this.#files, {
      addresses: options.addresses === true,
      ...(capacityFlows === undefined ? {} : { capacityFlows }),
    });
    noteUnseen(this.#notes, read);
    return read.namespaces;
  }

  dyingFlows(): number | undefined {
    if (this.host().tracker !== "nf_conntrack") return undefined;
    return this.#orNote("dying flows", () => netlinkDyingFlows(this.#watched));
  }

  flows(options: FlowsOptions = {}): Flows {
    const { source = "auto", sampleFlows, onDatagram } = options;
    const { tracker } = this.host();
    if (tracker === "none") {
      throw new KernelError(
        "module-missing",
        "Cannot read flows: the tracker (nf_conntrack) is not loaded, so there is no table",
      );
    }
    if (source === "procfs" || tracker === "ip_conntrack") return this.#listing();
    let refusal: KernelError;
    try {
      const wanted = {
        ...(sampleFlows === undefined ? {} : { sampleFlows }),
        elapsedMs: () => this.#clock.elapsedMs(),
        ...(options.prompt === "slow" ? { aheadFromFlows: Infinity } : {}),
        ...(options.prompt === "fast" ? { aheadFromFlows: PROMPT_AHEAD_FROM_FLOWS, ring: PROMPT_RING } : {}),
      };
      const isResized = this.#resizeWatch();
      let release = (): void => {};
      const reading = this.#inside(() =>
        begun(netlinkFlows({ ...wanted, ...this.#sinkFor(onDatagram) }), isResized, () => release()),
      );
      release = this.#hold(() => reading.close());
      return { kind: "reading", reading };
    } catch (error) {
      if (source === "netlink" || !(error instanceof KernelError)) throw error;
      refusal = error;
    }
    try {
      const listing = this.#listing();
      this.#notes.refuse("flows over netlink", refusal);
      return listing;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      throw new KernelError(refusal.code, `${refusal.message}. ${error.message}`, { cause: error });
    }
  }

  /** Who watches a reading: who debugs, who wants its datagrams, both or nobody. */
  #sinkFor(onDatagram: ((datagram: Uint8Array) => void) | undefined): { readonly sink?: WireSink } {
    if (onDatagram === undefined) return this.#watched;
    const { sink } = this.#watched;
    return {
      sink: (direction, datagram) => {
        sink?.(direction, datagram);
        if (direction === "received") onDatagram(datagram);
      },
    };
  }

  /**
   * Tells whether the table got another number of buckets since. A dump that is under way then goes on
   * at the same place of another order: it misses flows, and the kernel does not say so (measured on
   * 6.18).
   */
  #resizeWatch(): () => boolean {
    const path = "/proc/sys/net/netfilter/nf_conntrack_buckets";
    const buckets = (): string | undefined => this.#inside(() => this.#files.textOrNothing(path));
    const before = buckets();
    return () => buckets() !== before;
  }

  /**
   * The text files of the tracker. Opened inside the namespace; what is read later stays that namespace's.
   */
  #listing(): Flows {
    const paths = ["/proc/net/nf_conntrack", "/proc/net/ip_conntrack"];
    const path = this.#inside(() => paths.find((each) => this.#files.has(each)));
    if (path === undefined) {
      throw new KernelError(
        "not-found",
        "Cannot read /proc/net/nf_conntrack: this kernel has no such file; netlink is the other way",
      );
    }
    const descriptor = this.#inside(() => openForReading(path));
    const release = (): void => {
      if (this.#releases.delete(release)) closeSync(descriptor);
    };
    this.#releases.add(release);
    return {
      kind: "listing",
      source: "procfs",
      origin: path,
      path,
      *bytes() {
        try {
          yield* bytesOf(descriptor, `read ${path}`);
        } finally {
          release();
        }
      },
    };
  }

  events(options: FlowEventOptions = {}): FlowEvents {
    const { tracker } = this.host();
    if (tracker !== "nf_conntrack") {
      const found =
        tracker === "none" ? "the tracker (nf_conntrack) is not loaded" : "this tracker sends none";
      throw new KernelError("module-missing", `Cannot listen to flow events: ${found}`);
    }
    const setting = this.settings().values.nf_conntrack_events;
    let release = (): void => {};
    const events = this.#inside(() => listenToFlows(options, setting, () => release()));
    release = this.#hold(() => events.close());
    if (setting === 0) {
      this.#notes.add({
        what: "flow events",
        why: "nf_conntrack_events is 0: the kernel sends none",
        help: "`sysctl -w net.netfilter.nf_conntrack_events=2` makes flows from then on have events",
        cause: "unsupported",
      });
    }
    const wanted = options.bufferBytes ?? DEFAULT_EVENT_BUFFER_BYTES;
    if (events.bufferBytes < wanted) {
      const has = `${Math.floor(events.bufferBytes / 1024)} KiB`;
      this.#notes.add({
        what: "flow events under load",
        why: `this user may have no more than ${has} of buffer for them, so some may be lost`,
        help: "run as root of the host, or raise net.core.rmem_max",
        cause: "not-permitted",
      });
    }
    return events;
  }

  live(): LiveHost {
    const { kernelRelease } = this.host();
    const live = new RunningLive({
      clock: this.#clock,
      files: this.#files,
      inside: (work) => this.#inside(work),
      ...(this.#target === undefined ? {} : { target: this.#target }),
      ...(kernelRelease === undefined ? {} : { release: kernelRelease }),
      ...this.#watched,
    });
    this.#releases.add(() => live.close());
    return live;
  }

  followLog(options: { path?: string } = {}): KernelLogFollow {
    const { path } = options;
    const where = path === undefined ? { journal: "journalctl" } : { paths: [path], ring: false };
    const follow = followKernelLog({ clock: this.#clock, ...where });
    this.#releases.add(() => follow.close());
    return follow;
  }

  refresh(): void {
    this.#host = undefined;
    this.#settings = undefined;
    this.#notes.clear();
  }

  /** Always those of the host: a namespace has no boot of its own. */
  bootFiles(): HostFiles {
    return new HostFiles(undefined, this.#debug);
  }

  occupancy(): number | undefined {
    const text = this.#inside(() => this.#files.textOrNothing("/proc/sys/net/netfilter/nf_conntrack_count"));
    return text === undefined ? undefined : Number(text);
  }

  flowRemoval(): FlowRemoval {
    const { tracker } = this.host();
    if (tracker !== "nf_conntrack") {
      const found =
        tracker === "none" ? "the tracker (nf_conntrack) is not loaded" : "this tracker has no netlink";
      throw new KernelError("module-missing", `Cannot end flows: ${found}`);
    }
    const removal = this.#inside(() => openFlowRemoval(this.#watched));
    this.#releases.add(() => removal.close());
    return removal;
  }

  /** Somebody who works here may be logged in through this namespace or through that of this program. */
  sessions(): Sessions {
    const { kernelRelease } = this.host();
    const sockets = [...readSockets(this.#files, kernelRelease, this.#watched)];
    if (this.#target !== undefined) {
      sockets.push(...this.#inside(() => readSockets(this.#files, kernelRelease, this.#watched)));
    }
    return sessionsAmong(sockets, readSessionClues(this.#files, process.pid));
  }

  owners(): Owners {
    const { kernelRelease } = this.host();
    const { sockets, local } = this.#inside(() => ({
      sockets: readSockets(this.#files, kernelRelease, this.#watched),
      local: readLocalAddresses(this.#files, "/proc/self/net"),
    }));
    const { holders, unseen } = readHolders(this.#files, sockets);
    for (const entry of unseen) this.#notes.add(entry);
    return makeOwners(sockets, holders, this.namespaces({ addresses: true }), new Set(local));
  }
}

/**
 * The same reading with its first batch fetched: what is refused is refused while there is another way.
 * One that a resize of the table fell into is not complete.
 */
function begun(
  reading: NetlinkReading,
  isResized: () => boolean,
  closed: () => void,
): FlowReading & { close(): void } {
  const close = (): void => {
    reading.close();
    closed();
  };
  const batches = reading.batches()[Symbol.iterator]();
  let next = batches.next();
  let resized = false;
  return {
    source: reading.source,
    origin: reading.origin,
    oddities: reading.oddities,
    get complete() {
      return reading.complete && !resized;
    },
    *batches() {
      try {
        for (; next.done !== true; next = batches.next()) yield next.value;
        resized = reading.complete && isResized();
        if (resized) countOddity(reading.oddities, "interrupted");
      } finally {
        close();
      }
    },
    ageMs: () => reading.ageMs?.() ?? 0,
    close,
  };
}

/**
 * The sockets of the namespace this thread is in. Netlink is quicker where there are many, but asking it
 * would load the part of the kernel that answers; so it is asked where that is there already.
 */
function readSockets(
  files: Files,
  release: string | undefined,
  watched: { sink?: WireSink },
): readonly OpenSocket[] {
  const builtIn = files.textOrNothing(`/lib/modules/${release ?? ""}/modules.builtin`) ?? "";
  if (files.has("/sys/module/tcp_diag") || builtIn.includes("/tcp_diag.ko")) {
    try {
      return [...netlinkSockets(watched)];
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    }
  }
  return readSocketFiles("/proc/self/net");
}

function readPageBytes(): number | undefined {
  try {
    return pageBytesOf(readFileSync("/proc/self/auxv"));
  } catch {
    return undefined;
  }
}

/** The first file there is that may be read, even when it is empty. */
function firstText(files: Files, paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const text = files.textOrNothing(path);
    if (text !== undefined) return text;
  }
  return undefined;
}

function countLines(text: string): number {
  return text.split("\n").filter((line) => line !== "").length;
}

/**
 * A host that is not here: a copied `/`, a fixture tree or a sosreport. Everything is read from below its
 * directory; the running system is never asked, and its clock only decides the year of log lines that have
 * none.
 */
import type { Clock } from "../base/clock.ts";
import type { Counters } from "../table/counters.ts";
import type { Host, KernelLog, NamespaceFacts, SettingsReading } from "../table/host.ts";
import type { Sessions } from "../table/session.ts";
import type { Unseen } from "../table/unseen.ts";
import { parseConntrackStat, parseConntrackStatistics } from "./conntrack-stat.ts";
import { KernelError } from "./error.ts";
import { Files } from "./files.ts";
import type { Flows, FlowSource, HostAccess } from "./host-access.ts";
import { HostFiles } from "./host-files.ts";
import { readFlowSizes, readHostFacts, savedBootAtMs, savedDateMs } from "./host-facts.ts";
import { scanKernelLog, type ScanOptions } from "./kernel-log.ts";
import type { KernelLogFollow } from "./kernel-log-follow.ts";
import type { LiveHost } from "./live-host.ts";
import { parseIpAddress, readLocalAddresses } from "./local-addresses.ts";
import { openBytes } from "./open-bytes.ts";
import { makeOwners, type Owners } from "./owners.ts";
import { type SavedNamespace, savedNamespaces, savedPaths, treeWithin } from "./saved-tree.ts";
import { type FoundValue, parseSysctlListing, readSettings, settingsFrom } from "./settings-reading.ts";
import { UnseenNotes } from "./unseen-notes.ts";

export interface SavedHostOptions {
  root: string;
  clock: Clock;
  namespace?: string;
  debug?: (line: string) => void;
}

export class SavedHost implements HostAccess {
  readonly #clock: Clock;
  readonly #files: Files;
  readonly #debug: ((line: string) => void) | undefined;
  readonly #namespace: SavedNamespace | undefined;
  readonly #notes = new UnseenNotes();
  #host: Host | undefined;
  #found: readonly FoundValue[] | undefined;

  /** Throws KernelError when `root` is no directory, or has nothing of a namespace named `namespace`. */
  constructor(options: SavedHostOptions) {
    this.#clock = options.clock;
    this.#debug = options.debug;
    const outer = new Files(options.root, options.debug);
    const within = treeWithin(outer);
    this.#files = within === "" ? outer : new Files(`${outer.root ?? ""}${within}`, options.debug);
    this.#namespace =
      options.namespace === undefined ? undefined : namespaceNamed(this.#files, options.namespace);
  }

  get unseen(): readonly Unseen[] {
    return this.#notes.entries;
  }

  close(): void {}

  host(): Host {
    this.#host ??= this.#readHost();
    return this.#host;
  }

  #readHost(): Host {
    const facts = readHostFacts(this.#files);
    const host: Host = { ...facts, ...readFlowSizes(this.#files), tracker: this.#tracker() };
    const savedAtMs = savedDateMs(this.#files);
    if (savedAtMs !== undefined) host.savedAtMs = savedAtMs;
    if (this.#namespace !== undefined) host.initialNamespace = false;
    else if (this.#values().some(({ name }) => name === "net.nf_conntrack_max")) host.initialNamespace = true;
    if (host.tracker === "unknown") this.#missing("settings of the tracker");
    return host;
  }

  /** By the names of settings, else by the files of the tracker's that were saved. */
  #tracker(): Host["tracker"] {
    const files = [...savedPaths.trackerCounters, ...savedPaths.listing].filter((path) =>
      this.#files.has(path),
    );
    const names = [...this.#values().map(({ name }) => name), ...files];
    if (names.some((name) => name.includes("nf_conntrack"))) return "nf_conntrack";
    if (names.some((name) => name.includes("ip_conntrack"))) return "ip_conntrack";
    // conntrack(8) only ever spoke to the modern tracker.
    if (names.length > 0) return "nf_conntrack";
    const looked = this.#files.has("/proc/sys/net") || this.#files.first(savedPaths.sysctl) !== undefined;
    return looked ? "none" : "unknown";
  }

  settings(): SettingsReading {
    return settingsFrom(this.#values());
  }

  /** Copied files first; what `sysctl -a` printed fills in the rest. */
  #values(): readonly FoundValue[] {
    this.#found ??= this.#readValues();
    return this.#found;
  }

  #readValues(): readonly FoundValue[] {
    const files = this.#files;
    if (this.#namespace !== undefined) {
      const path = this.#namespace.sysctl;
      const text = path === undefined ? undefined : files.textOrNothing(path);
      if (path === undefined || text === undefined) return [];
      return parseSysctlListing(text, `${files.named(path)} (saved)`);
    }
    const copied = readSettings(files, (error) => this.#notes.refuse("some settings", error));
    const listing = files.first(savedPaths.sysctl);
    if (listing === undefined) return copied;
    return [...copied, ...parseSysctlListing(listing.text, `${files.named(listing.path)} (saved)`)];
  }

  counters(): Counters | undefined {
    const { kernelRelease } = this.host();
    if (this.#namespace === undefined) {
      const file = this.#files.first(savedPaths.trackerCounters);
      const counters = file === undefined ? undefined : parseConntrackStat(file.text, kernelRelease);
      if (counters !== undefined) return counters;
    }
    const { statistics } = this.#namespace ?? {};
    const paths = this.#namespace === undefined ? savedPaths.trackerStatistics : [statistics ?? ""];
    const printed = this.#files.first(paths.filter((path) => path !== ""));
    const counters =
      printed === undefined ? undefined : parseConntrackStatistics(printed.text, kernelRelease);
    if (counters === undefined) this.#missing("counters");
    return counters;
  }

  expectations(): { occupancyFlows: number; capacityFlows?: number } | undefined {
    const present =
      this.#namespace === undefined && savedPaths.expectations.find((path) => this.#files.has(path));
    if (present === undefined || present === false) return undefined;
    const lines = (this.#files.textOrNothing(present) ?? "").split("\n").filter((line) => line !== "");
    const capacityFlows = this.settings().values.nf_conntrack_expect_max;
    const occupancy = { occupancyFlows: lines.length };
    return capacityFlows === undefined ? occupancy : { ...occupancy, capacityFlows };
  }

  events(): never {
    const found = "this is a saved host, where nothing happens any more";
    throw new KernelError("unsupported", `Cannot listen to flow events: ${found}; run it on the host itself`);
  }

  occupancy(): number | undefined {
    return this.settings().values.nf_conntrack_count;
  }

  flowRemoval(): never {
    throw new KernelError("unsupported", "Cannot end flows: this is a saved host; run it on the host itself");
  }

  sessions(): Sessions {
    return { sessions: [], connections: [] };
  }

  /** The first log that says something of the tracker; when none does, the first there is. */
  kernelLog(): KernelLog | undefined {
    const nowMs = this.host().savedAtMs ?? this.#clock.nowMs();
    const bootAtMs = savedBootAtMs(this.#files);
    const options: ScanOptions = bootAtMs === undefined ? { nowMs } : { nowMs, bootAtMs };
    let silent: KernelLog | undefined;
    for (const path of savedPaths.kernelLog) {
      if (!this.#files.hasFile(path)) continue;
      try {
        const log = scanKernelLog(
          openBytes(this.#files.locate(path)),
          options,
          "file",
          this.#files.named(path),
        );
        if (log.tallies.length > 0) return log;
        silent ??= log;
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        this.#notes.refuse("kernel log", error);
      }
    }
    if (silent === undefined) this.#missing("kernel log");
    return silent;
  }

  namespaces(options: { addresses?: boolean } = {}): readonly NamespaceFacts[] {
    const { values } = this.#namespace === undefined ? this.settings() : settingsFrom([]);
    const own: NamespaceFacts = { initial: true, own: this.#namespace === undefined };
    if (values.nf_conntrack_count !== undefined) own.occupancyFlows = values.nf_conntrack_count;
    if (values.nf_conntrack_max !== undefined) own.capacityFlows = values.nf_conntrack_max;
    if (options.addresses === true) own.addresses = [...this.#hostAddresses()];
    const others = savedNamespaces(this.#files).map((saved) =>
      this.#factsOf(saved, options.addresses === true),
    );
    return [own, ...others];
  }

  #factsOf(saved: SavedNamespace, addresses: boolean): NamespaceFacts {
    const facts: NamespaceFacts = {
      initial: false,
      own: saved.name === this.#namespace?.name,
      name: saved.name,
    };
    const text = saved.sysctl === undefined ? undefined : this.#files.textOrNothing(saved.sysctl);
    const { values } = settingsFrom(parseSysctlListing(text ?? "", saved.sysctl ?? ""));
    if (values.nf_conntrack_count === undefined) facts.unseen = "its count was not saved";
    else facts.occupancyFlows = values.nf_conntrack_count;
    if (values.nf_conntrack_max !== undefined) facts.capacityFlows = values.nf_conntrack_max;
    if (addresses && saved.addresses !== undefined) {
      facts.addresses = parseIpAddress(this.#files.textOrNothing(saved.addresses) ?? "");
    }
    return facts;
  }

  #hostAddresses(): ReadonlySet<NonNullable<NamespaceFacts["addresses"]>[number]> {
    const printed = this.#files.first(savedPaths.addresses);
    if (printed !== undefined) return new Set(parseIpAddress(printed.text));
    return new Set(readLocalAddresses(this.#files, "/proc/net"));
  }

  /** What is deleted but held is never saved. */
  dyingFlows(): number | undefined {
    return undefined;
  }

  flows(options: { source?: FlowSource } = {}): Flows {
    if (options.source === "netlink") {
      throw new KernelError(
        "unsupported",
        `Cannot ask ${this.#files.named("")} over netlink: it is a saved tree; leave out the source`,
      );
    }
    const { listing } = this.#namespace ?? {};
    const paths = this.#namespace === undefined ? savedPaths.listing : [listing ?? "/"];
    const path = paths.find((each) => this.#files.hasFile(each));
    if (path === undefined) {
      throw new KernelError(
        "not-found",
        `Cannot read flows of ${this.#files.named("")}: no listing was saved there; ` +
          `looked for ${paths.map((each) => each.slice(1)).join(", ")}`,
      );
    }
    const place = this.#files.locate(path);
    return { kind: "listing", source: "file", origin: place, path: place, bytes: () => openBytes(place) };
  }

  /** Processes are not saved in a form that tells their sockets; addresses are. */
  owners(): Owners {
    this.#notes.add({
      what: "processes behind flows",
      why: "a saved tree does not tell which process held which socket",
      cause: "missing",
    });
    return makeOwners([], new Map(), this.namespaces({ addresses: true }), this.#hostAddresses());
  }

  live(): LiveHost {
    throw this.#standsStill("read again and again");
  }

  followLog(): KernelLogFollow {
    throw this.#standsStill("follow the kernel log");
  }

  #standsStill(tried: string): KernelError {
    const found = `${this.#files.named("")} is saved, and its figures stand still`;
    return new KernelError("unsupported", `Cannot ${tried}: ${found}`);
  }

  /** A saved tree says the same whenever it is asked. */
  refresh(): void {}

  bootFiles(): HostFiles {
    return new HostFiles(this.#files.root, this.#debug);
  }

  #missing(what: string): void {
    this.#notes.add({ what, why: `${this.#files.named("")} has none saved`, cause: "missing" });
  }
}

function namespaceNamed(files: Files, name: string): SavedNamespace {
  const all = savedNamespaces(files);
  const found = all.find((namespace) => namespace.name === name);
  if (found !== undefined) return found;
  const known = all.length === 0 ? "it has none" : `it has ${all.map((each) => each.name).join(", ")}`;
  throw new KernelError("not-found", `Cannot find namespace ${name} in ${files.named("")}: ${known}`);
}

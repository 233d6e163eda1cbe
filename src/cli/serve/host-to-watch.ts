/**
 * The host as the watcher asks it: the kernel folder's live readings, followed log and sampled events, and
 * the facts that judgement goes by. Everything is opened here and closed here.
 */
import { statSync } from "node:fs";

import type { Clock } from "../../base/clock.ts";
import { forecastBoot } from "../../boot/boot.ts";
import { type ChangeRecord, listChanges } from "../../change/change.ts";
import type { HostAccess } from "../../kernel/kernel.ts";
import { readListing } from "../../listing/listing.ts";
import type { Facts } from "../../plan/plan.ts";
import type { FlowReading } from "../../table/source.ts";
import type { LiveReading, NamespaceCounts } from "../../table/live-reading.ts";
import type { SampledEvents, WatchedHost } from "../../watch/watch.ts";
import type { KernelDoor } from "../context.ts";
import { isKernelError } from "../refusal.ts";
import { forecastWith } from "../verify/boot-files.ts";
import { type Clues, suspectsOf } from "./suspects.ts";

type LogNews = ReturnType<WatchedHost["drainLog"]>;
type Change = Parameters<WatchedHost["suspectsOf"]>[0];

export interface HostToWatchOptions {
  clock: Clock;
  kernel: KernelDoor;
  /** A name, a process number or a path; absent: the own one. */
  namespace?: string;
  /** What is left alone when the options say so. */
  followLog: boolean;
  countNamespaces: boolean;
}

/** A host that is watched; close it in the end. */
export interface HostToWatch extends WatchedHost {
  /** Changes that Headroom recorded, as far as this user may read them. */
  changes(): readonly ChangeRecord[];
  close(): void;
}

/** Opens the running host. Throws KernelError where the namespace is not there or may not be entered. */
export function openHostToWatch(options: HostToWatchOptions): HostToWatch {
  return new OpenedHost(options);
}

class OpenedHost implements HostToWatch {
  readonly #options: HostToWatchOptions;
  readonly #access: HostAccess;
  #live: ReturnType<HostAccess["live"]>;
  /** Of readings before `#live`, so that versions of settings go on growing. */
  #versionsBefore = 0;
  #version = 0;
  readonly #log: ReturnType<HostAccess["followLog"]> | undefined;
  /** What there is to go by for all settings that were seen to change at once, by the last reading. */
  #clues: Clues | undefined;

  constructor(options: HostToWatchOptions) {
    const { clock, kernel, namespace } = options;
    this.#options = options;
    this.#access = kernel.openHost({ clock, ...(namespace === undefined ? {} : { namespace }) });
    this.#live = this.#access.live();
    this.#log = options.followLog ? this.#access.followLog() : undefined;
  }

  close(): void {
    this.#access.close();
  }

  /** A namespace that is gone may come back under its name: the next question is put to that one. */
  read(): LiveReading {
    this.#clues = undefined;
    try {
      const reading = this.#live.read();
      this.#version = this.#versionsBefore + reading.settingsVersion;
      return { ...reading, settingsVersion: this.#version };
    } catch (error) {
      if (isKernelError(error) && "code" in error && error.code === "not-found") {
        this.#live.close();
        this.#live = this.#access.live();
        this.#versionsBefore = this.#version + 1;
      }
      throw error;
    }
  }

  counts(): NamespaceCounts {
    if (!this.#options.countNamespaces) return { namespaces: [], unseen: [] };
    return this.#live.counts();
  }

  drainLog(): LogNews {
    const log = this.#log;
    if (log === undefined) return { events: [], unseen: [], losses: 0 };
    return { events: log.drain(), unseen: log.unseen, losses: log.losses };
  }

  facts(): Facts {
    const access = this.#access;
    access.refresh();
    const host = access.host();
    const settings = access.settings();
    const counters = access.counters();
    const kernelLog = this.#log === undefined ? undefined : access.kernelLog();
    const expectations = access.expectations();
    const namespaces = this.#options.countNamespaces ? access.namespaces() : [];
    const boot = this.#boot();
    return {
      host,
      settings,
      atMs: this.#options.clock.nowMs(),
      ...(this.#options.namespace === undefined ? {} : { netns: this.#options.namespace }),
      ...(counters === undefined ? {} : { counters }),
      ...(kernelLog === undefined ? {} : { kernelLog }),
      ...(expectations === undefined ? {} : { expectations }),
      ...(namespaces.length === 0 ? {} : { namespaces }),
      ...(boot === undefined ? {} : { boot }),
      unseen: [...access.unseen],
    };
  }

  flows(sampleFlows?: number): FlowReading {
    // The tracker may have been loaded since.
    this.#access.refresh();
    const flows = this.#access.flows({
      prompt: "slow",
      ...(sampleFlows === undefined ? {} : { sampleFlows }),
    });
    if (flows.kind === "reading") return flows.reading;
    return readListing(flows.bytes(), { origin: flows.origin, source: flows.source });
  }

  events(options: { oneOf: number }): SampledEvents {
    return this.#access.events({ kinds: ["new", "destroy"], ...options });
  }

  suspectsOf(change: Change): readonly string[] {
    this.#clues ??= this.#look();
    return suspectsOf(change, this.#clues);
  }

  #look(): Clues {
    const boot = this.#boot();
    return {
      records: this.changes(),
      ...(boot === undefined ? {} : { boot }),
      writtenAtMs,
      sessions: this.#sessions(),
    };
  }

  /** A namespace has no boot of its own, and another one's values are not those of this host. */
  #boot(): Facts["boot"] {
    return this.#options.namespace === undefined ? forecastWith(forecastBoot, this.#access) : undefined;
  }

  /** Receipts may be for root's eyes alone. */
  changes(): readonly ChangeRecord[] {
    const { openWritableHost } = this.#options.kernel;
    if (openWritableHost === undefined) return [];
    return this.#orNothing(() => listChanges(openWritableHost({})));
  }

  #sessions(): ReturnType<HostAccess["sessions"]>["sessions"] {
    return this.#orNothing(() => this.#access.sessions().sessions);
  }

  /** What points to somebody is a help; that it cannot be seen is no reason to say nothing else. */
  #orNothing<Row>(look: () => readonly Row[]): readonly Row[] {
    try {
      return look();
    } catch (error) {
      if (!isKernelError(error)) throw error;
      return [];
    }
  }
}

function writtenAtMs(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}

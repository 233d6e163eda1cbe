/**
 * The counts of all network namespaces, again and again. Which there are is looked at when a name comes or
 * goes, else once a minute; in between each costs one read of an open file, or, where namespaces may not be
 * entered, of a file of a process in it.
 *
 * What is held open is the count under /proc/sys, which keeps no namespace alive: when it has ended, reading
 * says so.
 */
import type { Clock } from "../base/clock.ts";
import type { NamespaceFacts } from "../table/host.ts";
import type { Unseen } from "../table/unseen.ts";
import { KernelError } from "./error.ts";
import type { Files } from "./files.ts";
import { HeldFile } from "./held-file.ts";
import { insideNamespace } from "./namespace-enter.ts";
import { nameDirectories, noteUnseen, parseFirstEntry, readNamespaces } from "./namespaces.ts";
import { UnseenNotes } from "./unseen-notes.ts";

const COUNT_PATH = "/proc/sys/net/netfilter/nf_conntrack_count";
const LOOK_AGAIN_MS = 60_000;
/** While there is no tracker, which may come. */
const LOOK_SOON_MS = 10_000;
/** Files held open at most; further namespaces are opened each time. */
const HELD_MAX = 500;
/** The header and the first figure behind it. */
const FIRST_ENTRY_BYTES = 512;

/** A namespace and how it is counted. */
interface Counted {
  facts: NamespaceFacts;
  /** Undefined: it cannot be counted, `facts.unseen` says why. */
  read: (() => number | KernelError) | undefined;
  close: () => void;
}

export class NamespaceCounter {
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #buffer = new Uint8Array(FIRST_ENTRY_BYTES);
  readonly #decoder = new TextDecoder();
  #counted: Counted[] = [];
  #unseen: readonly Unseen[] = [];
  #lookedAtMs = -Infinity;
  #names = "";
  #held = 0;

  constructor(files: Files, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** Own first, then by count; `capacityFlows` is the limit that all share. */
  counts(capacityFlows?: number): { namespaces: readonly NamespaceFacts[]; unseen: readonly Unseen[] } {
    const names = this.#namesAsTheyAre();
    const isOwnCounted = this.#counted[0]?.read !== undefined;
    const lookAgainMs = isOwnCounted ? LOOK_AGAIN_MS : LOOK_SOON_MS;
    const isOld = this.#clock.elapsedMs() - this.#lookedAtMs >= lookAgainMs;
    if (isOld || names !== this.#names) this.#look(names);
    const namespaces: NamespaceFacts[] = [];
    for (const each of this.#counted) {
      const facts = this.#factsNow(each, capacityFlows);
      if (facts !== undefined) namespaces.push(facts);
    }
    namespaces.sort(
      (left, right) =>
        Number(right.own) - Number(left.own) || (right.occupancyFlows ?? -1) - (left.occupancyFlows ?? -1),
    );
    return { namespaces, unseen: this.#unseen };
  }

  close(): void {
    for (const { close } of this.#counted) close();
    this.#counted = [];
    this.#lookedAtMs = -Infinity;
  }

  /** Changes when a name comes or goes: a directory's time does. */
  #namesAsTheyAre(): string {
    return nameDirectories.map(({ path }) => this.#files.stat(path)?.changedAtMs ?? "").join(" ");
  }

  #look(names: string): void {
    this.close();
    const notes = new UnseenNotes();
    const read = readNamespaces(this.#files, { addresses: false });
    noteUnseen(notes, read);
    this.#unseen = notes.entries;
    this.#counted = read.namespaces.map((facts) => this.#counterOf(facts, read.targets.get(facts) ?? {}));
    this.#names = names;
    this.#lookedAtMs = this.#clock.elapsedMs();
  }

  #counterOf(facts: NamespaceFacts, target: { path?: string; pid?: number }): Counted {
    const { path, pid } = target;
    const idle: Counted = { facts, read: undefined, close: () => undefined };
    if (facts.unseen !== undefined) return idle;
    if (facts.own) return this.#hold(facts, (work) => work());
    if (path !== undefined) return this.#hold(facts, (work) => insideNamespace({ path }, work));
    if (pid === undefined) return idle;
    const held = this.#hold(facts, (work) => insideNamespace({ pid }, work));
    if (typeof held.read?.() === "number") return held;
    held.close();
    return { facts, read: () => this.#readOfProcess(pid), close: () => undefined };
  }

  #hold(facts: NamespaceFacts, inside: <Result>(work: () => Result) => Result): Counted {
    const file = new HeldFile(COUNT_PATH, inside);
    const mayStayOpen = this.#held < HELD_MAX;
    if (mayStayOpen) this.#held += 1;
    return {
      facts,
      read: () => {
        const length = file.read(this.#buffer);
        // What is opened again may be another namespace of the same name.
        const isAnother = file.openings > 1 && mayStayOpen;
        if (!mayStayOpen) file.close();
        if (typeof length !== "number") return length;
        if (isAnother) return gone(file.path);
        return Number(this.#decoder.decode(this.#buffer.subarray(0, length)));
      },
      close: () => {
        file.close();
        if (mayStayOpen) this.#held -= 1;
      },
    };
  }

  /** From outside, as anybody may. It is not held open: that would keep the namespace alive. */
  #readOfProcess(pid: number): number | KernelError {
    const path = `/proc/${pid}/net/stat/nf_conntrack`;
    const file = new HeldFile(path, (work) => work());
    const length = file.read(this.#buffer);
    file.close();
    if (typeof length !== "number") return length;
    return parseFirstEntry(this.#decoder.decode(this.#buffer.subarray(0, length))) ?? gone(path);
  }

  /** Undefined when it is gone: what is there instead is looked at the next time. */
  #factsNow(each: Counted, capacityFlows: number | undefined): NamespaceFacts | undefined {
    const shared = capacityFlows === undefined ? {} : { capacityFlows };
    if (each.read === undefined) return { ...each.facts, ...shared };
    const read = each.read();
    if (typeof read === "number") return { ...each.facts, ...shared, occupancyFlows: read };
    this.#lookedAtMs = -Infinity;
    if (read.code === "not-found") return undefined;
    const { occupancyFlows: _, ...facts } = each.facts;
    return { ...facts, ...shared, unseen: read.message };
  }
}

function gone(path: string): KernelError {
  return new KernelError("not-found", `Cannot read ${path}: the namespace is another one`);
}

/**
 * All settings of a namespace, read again and again from files that stay open. Bytes are compared; text is
 * made only of what changed. Which files there are is looked at now and then, and at once when one fails.
 */
import type { SettingsReading } from "../table/host.ts";
import type { KernelError } from "./error.ts";
import type { Files } from "./files.ts";
import { type FileCalls, HeldFile, type Inside, nodeFileCalls } from "./held-file.ts";
import { type FoundValue, settingFiles, type SettingFile, settingsFrom } from "./settings-reading.ts";

/** Readings until it is looked whether there are other files: settings come with modules, hardly ever. */
const READINGS_TO_LOOK = 10;
/** Longer than any number. */
const VALUE_BYTES = 64;
const COUNT_FILES = new Set([
  "net.netfilter.nf_conntrack_count",
  "net.ipv4.netfilter.ip_conntrack_count",
  "net.ipv4.ip_conntrack_count",
]);
const NEWLINE = 10;
const DIGIT_ZERO = 48;

/** A file that shows a setting, and what it showed last. */
interface Held {
  file: SettingFile;
  held: HeldFile;
  bytes: Uint8Array;
  /** Of what it showed; negative while it shows nothing. */
  length: number;
  isCount: boolean;
}

const ABSENT = -1;

export class LiveSettings {
  readonly #files: Files;
  readonly #inside: Inside;
  readonly #calls: FileCalls;
  readonly #decoder = new TextDecoder();
  readonly #buffer = new Uint8Array(VALUE_BYTES);
  readonly #held = new Map<string, Held>();
  #reading: SettingsReading = settingsFrom([]);
  #version = 0;
  #readings = 0;
  #mustLook = true;
  #refused: KernelError | undefined;

  constructor(files: Files, inside: Inside, calls: FileCalls = nodeFileCalls) {
    this.#files = files;
    this.#inside = inside;
    this.#calls = calls;
  }

  /** What was read last; an object that is replaced, never changed. */
  get reading(): SettingsReading {
    return this.#reading;
  }

  /** Grows when a setting, not the count of flows, is another one than before. */
  get version(): number {
    return this.#version;
  }

  /** Of files that are there but may not be read, the first one's error. */
  get refused(): KernelError | undefined {
    return this.#refused;
  }

  /** Whether one that was there has failed at the last reading. */
  get hasLost(): boolean {
    return this.#mustLook;
  }

  /** Reads all. Gives whether the files that there may be were looked for again, as `mustLook` asks. */
  read(mustLook = false): boolean {
    const isLook = mustLook || this.#mustLook || this.#readings % READINGS_TO_LOOK === 0;
    this.#readings += 1;
    if (isLook) this.#look();
    let changed = false;
    let counted = false;
    for (const each of this.#held.values()) {
      if (!this.#readOne(each)) continue;
      if (each.isCount) counted = true;
      else changed = true;
    }
    if (changed) {
      this.#version += 1;
      this.#reading = settingsFrom(this.#found());
    } else if (counted) {
      this.#putCount();
    }
    return isLook;
  }

  close(): void {
    for (const { held } of this.#held.values()) held.close();
    this.#held.clear();
  }

  #look(): void {
    this.#mustLook = false;
    this.#refused = undefined;
    const there = this.#inside(() => {
      const all = settingFiles(this.#files);
      // What is not there costs an error each time it is opened.
      return all.filter(({ path }) => this.#held.has(path) || this.#files.has(path));
    });
    for (const file of there) {
      if (this.#held.has(file.path)) continue;
      this.#held.set(file.path, {
        file,
        held: new HeldFile(file.path, this.#inside, this.#calls),
        bytes: new Uint8Array(VALUE_BYTES),
        length: ABSENT,
        isCount: COUNT_FILES.has(file.name),
      });
    }
  }

  /** Whether it shows something else than before. */
  #readOne(each: Held): boolean {
    const read = each.held.read(this.#buffer);
    if (typeof read !== "number") return this.#fail(each, read);
    if (read === each.length && isSame(this.#buffer, each.bytes, read)) return false;
    each.bytes.set(this.#buffer.subarray(0, read));
    each.length = read;
    return true;
  }

  #fail(each: Held, error: KernelError): boolean {
    const wasThere = each.length !== ABSENT;
    // Asked for again at the next look, when it may be there or allowed again.
    each.held.close();
    this.#held.delete(each.file.path);
    if (wasThere) this.#mustLook = true;
    if (error.code !== "not-found" && !each.file.isParameter) this.#refused ??= error;
    return wasThere;
  }

  *#found(): Generator<FoundValue> {
    for (const { file, bytes, length } of this.#held.values()) {
      if (length === ABSENT) continue;
      const text = this.#decoder.decode(bytes.subarray(0, length)).trim();
      yield { name: file.name, text, origin: file.path };
    }
  }

  /** Only the count is another one, as it is each second. */
  #putCount(): void {
    for (const each of this.#held.values()) {
      if (!each.isCount) continue;
      const count = decimalOf(each.bytes, each.length);
      if (count === undefined) continue;
      const values = { ...this.#reading.values, nf_conntrack_count: count };
      this.#reading = { ...this.#reading, values };
      return;
    }
  }
}

function isSame(one: Uint8Array, other: Uint8Array, length: number): boolean {
  for (let at = 0; at < length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** The number a file shows, before its newline. */
function decimalOf(bytes: Uint8Array, length: number): number | undefined {
  let value = 0;
  let at = 0;
  for (; at < length && bytes[at] !== NEWLINE; at++) {
    const digit = (bytes[at] as number) - DIGIT_ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return at === 0 ? undefined : value;
}

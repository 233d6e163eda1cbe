/**
 * A text file that others write and rotate, followed from its end on: every byte once, in order.
 *
 * A file that is renamed is read on while its writer still has it (a syslog daemon is told to open the new
 * one some time later), then the new one from its beginning. A file that is copied and cut short
 * (logrotate's copytruncate) is told by its size, or when it has grown again by the bytes before our place;
 * what we had not read of it is in the copy, which has the same name and `.1`, or a date.
 * Only a copy of which nothing had been read is not known as one: lines of a file that is cut short within a
 * second of its first line are lost.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";

import { fileError, KernelError } from "./error.ts";

const CHUNK_BYTES = 64 * 1024;
/** Read at once at most; what is left comes at the next call. */
const READ_MAX_BYTES = 8 * 1024 * 1024;
/** Bytes before our place that are looked at again. */
const MARK_BYTES = 64;
/** Copies that are looked into, the newest first. */
const COPIES_MAX = 5;
/** How often it is asked, after a rename, whether the old file still grows. */
const FORMER_CALLS = 60;

/** An open file and how far it was read. */
interface Place {
  descriptor: number;
  inode: number;
  at: number;
  /** Size and time when it was read to its end: when both are the same, nothing was written. */
  size: number;
  changedAtMs: number;
  /** The last bytes before `at`. */
  mark: Uint8Array;
}

/** What is done with what was read. */
export interface FollowedText {
  chunk(bytes: Uint8Array): void;
  /** Nothing follows a line without newline: the file was replaced. */
  endLine(): void;
}

export class FollowedFile {
  readonly #path: string;
  readonly #text: FollowedText;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #place: Place | undefined;
  /** The file that had the name before, and for how many calls it is still read. */
  #former: { place: Place; calls: number } | undefined;
  #isOpen = true;
  #losses = 0;
  #refused: KernelError | undefined;

  /** From the end of what is there on. Throws KernelError when it cannot be read. */
  constructor(path: string, text: FollowedText) {
    this.#path = path;
    this.#text = text;
    const place = openPlace(path);
    const { size, mtimeMs } = fstatSync(place.descriptor);
    place.at = size;
    place.size = size;
    place.changedAtMs = mtimeMs;
    place.mark = this.#bytesBefore(place);
    this.#place = place;
  }

  /** Times that lines were cut away before we read them, and no copy of them was found. */
  get losses(): number {
    return this.#losses;
  }

  /** Why the file cannot be read now; it is tried again each time. */
  get refused(): KernelError | undefined {
    return this.#refused;
  }

  /** Reads what was written since. Never throws. */
  read(): void {
    if (!this.#isOpen) return;
    this.#refused = undefined;
    this.#attempt(() => this.#readFormer());
    this.#attempt(() => this.#place !== undefined && this.#readOn(this.#place));
    // Also when the file we have cannot be read any more: a new one may be.
    this.#attempt(() => this.#lookForNewFile());
  }

  #attempt(work: () => unknown): void {
    try {
      work();
    } catch (cause) {
      this.#refused = fileError(cause, `read ${this.#path}`);
    }
  }

  close(): void {
    this.#isOpen = false;
    for (const place of [this.#place, this.#former?.place]) {
      if (place !== undefined) closeSync(place.descriptor);
    }
    this.#place = undefined;
    this.#former = undefined;
  }

  #readFormer(): void {
    const former = this.#former;
    if (former === undefined) return;
    // Whoever cuts it now has no more lines for us.
    const isCut = fstatSync(former.place.descriptor).size < former.place.at;
    if (!isCut) this.#readOn(former.place);
    former.calls -= 1;
    if (isCut || former.calls <= 0) this.#dropFormer();
  }

  #dropFormer(): void {
    if (this.#former === undefined) return;
    closeSync(this.#former.place.descriptor);
    this.#former = undefined;
  }

  #lookForNewFile(): void {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    // Between the rename and the new file there is none.
    if (found === undefined || found.ino === this.#place?.inode) return;
    const place = openPlace(this.#path);
    const before = this.#place;
    this.#dropFormer();
    if (before !== undefined) {
      // Its last lines may have come since it was read above.
      this.#readOn(before);
      this.#text.endLine();
      this.#former = { place: before, calls: FORMER_CALLS };
    }
    this.#place = place;
    this.#readOn(place);
  }

  /** Reads from our place to the end. */
  #readOn(place: Place): void {
    const { size, mtimeMs } = fstatSync(place.descriptor);
    if (size === place.size && mtimeMs === place.changedAtMs && place.at === size) return;
    if (size < place.at || !this.#isMarkThere(place)) this.#beginAgain(place);
    this.#readFrom(place, READ_MAX_BYTES);
    place.size = size;
    place.changedAtMs = mtimeMs;
  }

  /** Whether what was before our place still is. */
  #isMarkThere(place: Place): boolean {
    const now = this.#bytesBefore(place);
    return now.length === place.mark.length && now.every((byte, at) => byte === place.mark[at]);
  }

  /** It was cut short: the rest of what it held is in the copy, then it begins anew. */
  #beginAgain(place: Place): void {
    const copy = this.#copyOf(place);
    if (copy === undefined) {
      if (place.at > 0) this.#losses += 1;
    } else {
      this.#readFrom(copy, Infinity);
      closeSync(copy.descriptor);
    }
    this.#text.endLine();
    place.at = 0;
    place.mark = new Uint8Array();
  }

  /** The copy at our place, if there is one of this file. */
  #copyOf(place: Place): Place | undefined {
    if (place.at === 0) return undefined;
    for (const path of copiesOf(this.#path)) {
      const copy = openPlace(path);
      copy.at = place.at;
      copy.mark = place.mark;
      if (fstatSync(copy.descriptor).size >= place.at && this.#isMarkThere(copy)) return copy;
      closeSync(copy.descriptor);
    }
    return undefined;
  }

  #readFrom(place: Place, mostBytes: number): void {
    const buffer = this.#buffer;
    let read = 0;
    while (read < mostBytes) {
      const length = readSync(place.descriptor, buffer, 0, buffer.length, place.at);
      if (length === 0) break;
      this.#text.chunk(buffer.subarray(0, length));
      place.at += length;
      read += length;
    }
    if (read > 0) place.mark = this.#bytesBefore(place);
  }

  #bytesBefore(place: Place): Uint8Array {
    const mark = new Uint8Array(Math.min(MARK_BYTES, place.at));
    const length = readSync(place.descriptor, mark, 0, mark.length, place.at - mark.length);
    return mark.subarray(0, length);
  }
}

/** Throws KernelError. */
function openPlace(path: string): Place {
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(descriptor);
    const { ino: inode } = found;
    if (!found.isFile()) {
      closeSync(descriptor);
      throw new KernelError("invalid", `Cannot read ${path}: it is not a plain file`);
    }
    return { descriptor, inode, at: 0, size: 0, changedAtMs: 0, mark: new Uint8Array() };
  } catch (cause) {
    throw fileError(cause, `read ${path}`);
  }
}

/** Files whose names begin with this one's, as rotation names them; the newest first. */
function copiesOf(path: string): readonly string[] {
  const slash = path.lastIndexOf("/");
  const directory = path.slice(0, slash + 1);
  const name = path.slice(slash + 1);
  const names = readdirSync(directory).filter((each) => /^[.-]\d+$/.test(each.slice(name.length)));
  const paths = names.filter((each) => each.startsWith(name)).map((each) => directory + each);
  const changed = (each: string): number => statSync(each, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return paths.toSorted((left, right) => changed(right) - changed(left)).slice(0, COPIES_MAX);
}

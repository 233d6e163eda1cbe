/**
 * Files as they would be: edits gather here, on top of what the host has, until the change is made of them.
 * Reads through the host and writes nothing.
 */
import type { Definition } from "../table/boot.ts";
import type { ChangeHost, FileImage } from "./change-host.ts";
import { appendLine, type Edited, replaceValue } from "./edit-line.ts";
import { sameBytes } from "./standing.ts";
import type { FileEdit, LineEdit, OverlaidFile } from "./steps.ts";

const NEW_FILE = { mode: 0o644, uid: 0, gid: 0 } as const;

/** Files of distributions, and what is made anew at each boot: overridden in /etc, never edited. */
const NOT_OURS = /^\/(usr|lib|lib64|run|proc|sys|dev|boot)\//;

interface Draft {
  path: string;
  target: string;
  before?: FileImage;
  bytes: Uint8Array;
  mode: number;
  purpose: FileEdit["purpose"];
  lines: LineEdit[];
}

export class Drafts {
  readonly #host: ChangeHost;
  #byTarget: Map<string, Draft>;

  constructor(host: ChangeHost, drafts: ReadonlyMap<string, Draft> = new Map()) {
    this.#host = host;
    this.#byTarget = new Map(drafts);
  }

  /** The same edits, to try more of them. */
  copy(): Drafts {
    const drafts = [...this.#byTarget].map(([target, draft]): [string, Draft] => [
      target,
      { ...draft, lines: [...draft.lines] },
    ]);
    return new Drafts(this.#host, new Map(drafts));
  }

  /** Puts a value in place of the one a definition gives; false when that cannot be done in its file. */
  replace(definition: Definition, value: number): boolean {
    const draft = this.#open(definition.path, purposeOf(definition), false);
    const edited = draft === undefined ? undefined : replaceValue(draft.bytes, definition, value);
    if (draft === undefined || edited === undefined) return false;
    this.#keep(draft, edited);
    return true;
  }

  /** Adds lines to a file; a new one begins with `header`. Gives what is in the way, if anything. */
  append(
    path: string,
    purpose: FileEdit["purpose"],
    { header, lines, mode }: { header: readonly string[]; lines: readonly string[]; mode?: number },
  ): string | undefined {
    const draft = this.#open(path, purpose, true);
    if (draft === undefined) return whatIsInTheWay(this.#host, path);
    const isNew = draft.before === undefined && draft.bytes.length === 0;
    if (isNew && mode !== undefined) draft.mode = mode;
    for (const line of isNew ? [...header, ...lines] : lines) {
      this.#keep(draft, appendLine(draft.bytes, line));
    }
    return undefined;
  }

  /** For the simulation of a boot. */
  overlay(): readonly OverlaidFile[] {
    return [...this.#byTarget.values()].map(({ target, bytes, before, mode }) => {
      const file = { path: target, bytes };
      return before === undefined ? { ...file, executable: (mode & 0o111) !== 0 } : file;
    });
  }

  /** `isRead`: whether the next boot would take what a file of this name says. */
  edits(isRead: (file: OverlaidFile) => boolean): readonly FileEdit[] {
    return [...this.#byTarget.values()].flatMap((draft): readonly FileEdit[] => {
      const { path, target, before, bytes, mode, purpose, lines } = draft;
      if (before !== undefined && sameBytes(before.bytes, bytes)) return [];
      const known = { path, target, purpose, lines };
      if (before === undefined) {
        const after = { ...NEW_FILE, bytes, mode };
        return [{ ...known, after, directories: missingDirectories(this.#host, target) }];
      }
      const beside = freeBackup(this.#host, target);
      const backup = isRead({ path: beside, bytes }) ? freeBackup(this.#host, outside(target)) : beside;
      return [{ ...known, before, after: { ...before, bytes }, backup, directories: [] }];
    });
  }

  #open(path: string, purpose: FileEdit["purpose"], mayMake: boolean): Draft | undefined {
    const look = this.#host.look(path);
    if (look.kind === "file" && !NOT_OURS.test(look.path)) {
      const known = this.#byTarget.get(look.path);
      if (known !== undefined) return known;
      const { image, path: target } = look;
      // By the name of the file itself, but an old name that leads out of /etc is the one people know.
      const shown = target.startsWith("/etc/") ? target : path;
      const draft = { path: shown, target, before: image, bytes: image.bytes, mode: image.mode };
      return { ...draft, purpose, lines: [] };
    }
    if (look.kind !== "missing" || !mayMake || !directoryMayBe(this.#host, path)) return undefined;
    const known = this.#byTarget.get(path);
    if (known !== undefined) return known;
    return { path, target: path, bytes: new Uint8Array(), mode: NEW_FILE.mode, purpose, lines: [] };
  }

  #keep(draft: Draft, { bytes, edit }: Edited): void {
    draft.bytes = bytes;
    draft.lines.push(edit);
    this.#byTarget.set(draft.target, draft);
  }
}

function purposeOf({ reader }: Definition): FileEdit["purpose"] {
  return reader === "modprobe" ? "modprobe" : "sysctl";
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Whether the directory of a file is there, or can come into being. */
function directoryMayBe(host: ChangeHost, path: string): boolean {
  const parent = parentOf(path);
  if (parent === "/") return true;
  const { kind } = host.look(parent);
  return kind === "directory" || (kind === "missing" && directoryMayBe(host, parent));
}

function whatIsInTheWay(host: ChangeHost, path: string): string {
  const look = host.look(path);
  switch (look.kind) {
    case "masked":
      return `${path} is masked by a link to /dev/null`;
    case "directory":
      return `${path} is a directory`;
    case "file":
      return `${path} is a link to ${look.path}, which is not for operators to edit`;
    case "other":
      return `${path} is ${look.what}`;
    case "missing":
      return `${parentOf(path)} is not a directory`;
  }
}

/** Outermost first. */
function missingDirectories(host: ChangeHost, path: string): readonly string[] {
  const parent = parentOf(path);
  if (parent === "/" || host.look(parent).kind !== "missing") return [];
  return [...missingDirectories(host, parent), parent];
}

/** `/etc/modprobe.d/ct` is kept as `/etc/ct.org` where every name of its directory is read. */
function outside(target: string): string {
  const above = parentOf(parentOf(target));
  return `${above === "/" ? "" : above}/${target.slice(target.lastIndexOf("/") + 1)}`;
}

/** `/etc/sysctl.conf.org`; an older backup is never overwritten, so `.org.1` and so on. */
function freeBackup(host: ChangeHost, target: string): string {
  const first = `${target}.org`;
  let backup = first;
  for (let number = 1; host.look(backup).kind !== "missing"; number += 1) backup = `${first}.${number}`;
  return backup;
}

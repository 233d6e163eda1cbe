/**
 * The files of a host with edits laid over them that are not written yet: what a boot would see afterwards.
 */
import type { BootFiles, BootLook, BootNames, BootText } from "../boot/boot.ts";
import type { OverlaidFile } from "./steps.ts";

/** `files`, with each of `edits` in place of what is there, or besides it. */
export function overlayFiles(files: BootFiles, edits: readonly OverlaidFile[]): BootFiles {
  if (edits.length === 0) return files;
  return new Overlay(files, edits);
}

class Overlay implements BootFiles {
  readonly #files: BootFiles;
  readonly #byPath: ReadonlyMap<string, OverlaidFile>;

  constructor(files: BootFiles, edits: readonly OverlaidFile[]) {
    this.#files = files;
    this.#byPath = new Map(edits.map((edit) => [edit.path, edit]));
  }

  look(path: string): BootLook {
    const found = this.#files.look(path);
    const edit = this.#editAt(path, found);
    if (edit !== undefined) {
      const executable = edit.executable ?? found.executable;
      const look: BootLook = { kind: "file", path: edit.path, bytes: edit.bytes.length };
      return executable === undefined ? look : { ...look, executable };
    }
    const made = found.kind === "none" && this.#below(path).length > 0;
    return made ? { kind: "directory", path } : found;
  }

  read(path: string): BootText {
    const edit = this.#editAt(path, this.#files.look(path));
    return edit === undefined ? this.#files.read(path) : { text: new TextDecoder().decode(edit.bytes) };
  }

  list(path: string): BootNames {
    const listing = this.#files.list(path);
    const { kind, path: real } = this.#files.look(path);
    const added = this.#below(kind === "directory" ? real : path);
    if (added.length === 0) return listing;
    return { names: [...new Set([...("names" in listing ? listing.names : []), ...added])] };
  }

  #editAt(path: string, { kind, path: real }: BootLook): OverlaidFile | undefined {
    return this.#byPath.get(kind === "file" ? real : path);
  }

  /** Names in a directory that edits bring about: files, and directories on the way to them. */
  #below(directory: string): readonly string[] {
    const prefix = `${directory === "/" ? "" : directory}/`;
    return [...this.#byPath.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length).split("/")[0] ?? "");
  }
}

/**
 * A profile of tuned with all it includes: options by section, each with the line it comes from.
 *
 * Sources: tuned.conf(5), tuned-profiles(7); the loader and merger of tuned 2.20, whose rules these are:
 * includes come first and are overridden, a profile that includes its own name means the next directory's.
 */
import type { BootFiles } from "./boot-input.ts";

export interface TunedOption {
  text: string;
  path: string;
  line: number;
}

export interface TunedSection {
  /** The plugin: the section's name unless `type` says otherwise. */
  type: string;
  enabled: boolean;
  options: ReadonlyMap<string, TunedOption>;
}

export interface TunedProfile {
  sections: ReadonlyMap<string, TunedSection>;
  /** Profiles that are missing or cannot be told, for people. */
  missing: readonly string[];
}

/** /etc before /usr; the directory `profiles` since 2.23. */
const DIRECTORIES = [
  "/etc/tuned/profiles",
  "/etc/tuned",
  "/usr/lib/tuned/profiles",
  "/usr/lib/tuned",
] as const;
const INCLUDES_MAX = 50;
const SECTION_WORDS = new Set(["type", "enabled", "replace", "drop", "devices", "priority"]);

type Section = Map<string, TunedOption>;

/** The merged profile of several names, later ones over earlier ones. */
export function tunedProfile(files: BootFiles, names: readonly string[]): TunedProfile {
  const loader = new Loader(files);
  for (const name of names) loader.load(name);
  return { sections: loader.sections(), missing: loader.missing };
}

class Loader {
  readonly missing: string[] = [];
  readonly #files: BootFiles;
  readonly #merged = new Map<string, Section>();
  readonly #read = new Set<string>();

  constructor(files: BootFiles) {
    this.#files = files;
  }

  load(asked: string): void {
    const name = asked.replace(/^-/, "");
    const paths = this.#pathsOf(name);
    const path = paths.find((each) => !this.#read.has(each));
    if (path === undefined || this.#read.size >= INCLUDES_MAX) {
      if (paths.length === 0 && !asked.startsWith("-")) this.missing.push(name);
      return;
    }
    this.#read.add(path);
    const reading = this.#files.read(path);
    if (!("text" in reading)) {
      this.missing.push(`${name} (${path}: ${reading.why})`);
      return;
    }
    const sections = parseProfile(reading.text, path);
    const include = sections.get("main")?.get("include")?.text ?? "";
    for (const included of includedNames(include)) this.load(included);
    for (const [section, options] of sections) this.#merge(section, options);
  }

  sections(): ReadonlyMap<string, TunedSection> {
    const found = new Map<string, TunedSection>();
    for (const [name, all] of this.#merged) {
      if (name === "main" || name === "variables") continue;
      const options = new Map([...all].filter(([option]) => !SECTION_WORDS.has(option)));
      const enabled = !/^(false|no|0|off)$/i.test(all.get("enabled")?.text ?? "");
      found.set(name, { type: all.get("type")?.text ?? name, enabled, options: this.#expanded(options) });
    }
    return found;
  }

  /** In every directory: the first not read yet is taken, as a profile may include the one it hides. */
  #pathsOf(name: string): readonly string[] {
    if (!/^[\w.-]+$/.test(name)) return [];
    return DIRECTORIES.map((directory) => `${directory}/${name}/tuned.conf`).filter(
      (path) => this.#files.look(path).kind === "file",
    );
  }

  #merge(name: string, options: Section): void {
    const before = this.#merged.get(name);
    if (before === undefined || /^(true|yes|1|on)$/i.test(options.get("replace")?.text ?? "")) {
      this.#merged.set(name, new Map(options));
      return;
    }
    for (const dropped of (options.get("drop")?.text ?? "").split(/[\s,;]+/)) before.delete(dropped);
    for (const [option, value] of options) before.set(option, value);
  }

  /** `${name}` of [variables]; what cannot be told stays as it is written. */
  #expanded(options: Section): Section {
    const variables = this.#merged.get("variables");
    const expand = (text: string): string =>
      text.replaceAll(/\$\{([\w-]+)\}/g, (whole, name: string) => variables?.get(name)?.text ?? whole);
    return new Map([...options].map(([name, value]) => [name, { ...value, text: expand(value.text) }]));
  }
}

/**
 * Names of an `include=`. Which of two profiles virt_check chooses depends on the machine: both are taken,
 * the one for virtual machines first, as it is itself the other with less.
 */
function includedNames(text: string): readonly string[] {
  const plain = text.replaceAll(/\$\{f:virt_check:([\w.-]+):([\w.-]+)\}/g, "$1,$2");
  return plain.split(/\s*[,;]\s*/).filter((name) => name !== "");
}

/** An INI file as Python's ConfigParser reads it: `=` alone, `#` in a line, keys as they are written. */
function parseProfile(text: string, path: string): ReadonlyMap<string, Section> {
  const sections = new Map<string, Section>();
  let current: Section | undefined;
  let last: { section: Section; name: string } | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.replace(/(^|\s)#.*$/, "").trimEnd();
    if (line.trim() === "" || line.startsWith(";")) continue;
    const header = /^\[([^\]]+)\]/.exec(line);
    const pair = /^(\S[^=]*?)\s*=\s*(.*)$/.exec(line);
    if (header !== null) {
      const name = header[1] ?? "";
      current = sections.get(name) ?? new Map<string, TunedOption>();
      sections.set(name, current);
      last = undefined;
    } else if (/^\s/.test(line) && last !== undefined) {
      // A line that is indented continues the value above it.
      const option = last.section.get(last.name);
      if (option !== undefined)
        last.section.set(last.name, { ...option, text: `${option.text}\n${line.trim()}` });
    } else if (pair !== null && current !== undefined) {
      const name = pair[1] ?? "";
      current.set(name, { text: unquoted(pair[2] ?? ""), path, line: index + 1 });
      last = { section: current, name };
    }
  }
  return sections;
}

function unquoted(text: string): string {
  return /^(["'])(.*)\1$/.exec(text.trim())?.[2] ?? text.trim();
}

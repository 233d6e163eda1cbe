/**
 * The kernel's command line at the next boot: from the boot loader's files where they are there, else the one
 * of this boot.
 *
 * Source: Documentation/admin-guide/kernel-parameters.rst; `sysctl.` since 5.8 (fs/proc/proc_sysctl.c);
 * kernel-install(8), the Boot Loader Specification, GRUB's manual.
 */
import { type BootFiles, namesAt, textAt } from "./boot-input.ts";
import { assignment, words } from "./words.ts";

export interface CommandLineWord {
  name: string;
  text?: string;
  path: string;
  line?: number;
  /** Why the next boot will not have it. */
  notRead?: string;
}

const GRUB_FILES = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];
const GRUB_DEFAULTS = "/etc/default/grub";
const ENTRIES = "/boot/loader/entries";
const INSTALL_FILES = ["/etc/kernel/cmdline"];
const NOW = "/proc/cmdline";

/** Words in the order in which the kernel reads them; those it will not read last. */
export function nextCommandLine(files: BootFiles): readonly CommandLineWord[] {
  const loader = loaderWords(files);
  const now = wordsAt(textAt(files, NOW) ?? "", NOW);
  if (loader === undefined) return now;
  const asked = defaultsWords(files).filter((word) => !includes(loader, word));
  const gone = now.filter((word) => !includes(loader, word) && !includes(asked, word));
  return [
    ...loader,
    ...asked.map((word) => ({
      ...word,
      notRead: `${loader[0]?.path ?? "grub.cfg"} does not have it yet; update-grub`,
    })),
    ...gone.map((word) => ({ ...word, notRead: "only this boot has it" })),
  ];
}

function includes(all: readonly CommandLineWord[], { name, text }: CommandLineWord): boolean {
  return all.some((word) => word.name === name && word.text === text);
}

/** What the boot loader hands over: its default is taken to be the first entry. */
function loaderWords(files: BootFiles): readonly CommandLineWord[] | undefined {
  return grubWords(files) ?? specificationWords(files) ?? installWords(files);
}

function grubWords(files: BootFiles): readonly CommandLineWord[] | undefined {
  for (const path of GRUB_FILES) {
    const lines = (textAt(files, path) ?? "").split("\n");
    const at = lines.findIndex((line) => /^\s*linux(16|efi)?\s/.test(line));
    if (at >= 0) return wordsAt((lines[at] ?? "").trim().split(/\s+/).slice(2).join(" "), path, at + 1);
  }
  return undefined;
}

function specificationWords(files: BootFiles): readonly CommandLineWord[] | undefined {
  const newest = namesAt(files, ENTRIES).findLast((name) => name.endsWith(".conf"));
  if (newest === undefined) return undefined;
  const path = `${ENTRIES}/${newest}`;
  return (textAt(files, path) ?? "").split("\n").flatMap((line, index) => {
    const options = /^\s*options\s+(.*)$/.exec(line)?.[1];
    return options === undefined ? [] : wordsAt(options, path, index + 1);
  });
}

function installWords(files: BootFiles): readonly CommandLineWord[] | undefined {
  const path = INSTALL_FILES.find((each) => textAt(files, each) !== undefined);
  return path === undefined ? undefined : wordsAt(textAt(files, path) ?? "", path, 1);
}

/** What /etc/default/grub asks for; grub-mkconfig copies it to grub.cfg. */
function defaultsWords(files: BootFiles): readonly CommandLineWord[] {
  return (textAt(files, GRUB_DEFAULTS) ?? "").split("\n").flatMap((line, index) => {
    const text = /^\s*GRUB_CMDLINE_LINUX(?:_DEFAULT)?=(["']?)(.*)\1\s*$/.exec(line)?.[2];
    return text === undefined ? [] : wordsAt(text, GRUB_DEFAULTS, index + 1);
  });
}

function wordsAt(text: string, path: string, line?: number): readonly CommandLineWord[] {
  const all = words(text);
  const end = all.indexOf("--");
  const place = line === undefined ? { path } : { path, line };
  return all.slice(0, end < 0 ? undefined : end).map((word) => ({ ...assignment(word), ...place }));
}

/**
 * What modprobe knows of the tracker: parameters, commands that run instead of loading it, and whether it
 * may be loaded at all.
 *
 * Source: modprobe.d(5), libkmod-config.c of kmod 30; /etc/modprobe.conf from module-init-tools 3.
 */
import type { BootFiles, Closed } from "./boot-input.ts";
import { closedDirectories, type ConfFile, confFiles } from "./conf-directory.ts";
import { assignment, moduleName, words } from "./words.ts";

const DIRECTORIES = [
  "/etc/modprobe.d",
  "/run/modprobe.d",
  "/usr/local/lib/modprobe.d",
  "/usr/lib/modprobe.d",
  "/lib/modprobe.d",
];
const OLD_FILE = "/etc/modprobe.conf";

/** `options nf_conntrack hashsize=1024`, one for each parameter. */
export interface ModuleOption {
  parameter: string;
  /** Empty when there is no equals sign. */
  text: string;
  module: string;
  path: string;
  line: number;
  notRead?: string;
}

export interface Modprobe {
  options: readonly ModuleOption[];
  /** Commands of `install` lines of modules of the tracker. */
  installs: readonly { module: string; command: string; path: string; line: number }[];
  /** Modules that nothing loads by itself, systemd-modules-load included, with the place that says so. */
  blacklisted: ReadonlyMap<string, string>;
  closed: readonly Closed[];
}

/** `old`: module-init-tools, which reads /etc/modprobe.conf first and any name in /etc/modprobe.d. */
export function readModprobe(files: BootFiles, old: boolean): Modprobe {
  const options: ModuleOption[] = [];
  const installs: { module: string; command: string; path: string; line: number }[] = [];
  const blacklisted = new Map<string, string>();
  const closed: Closed[] = [...closedDirectories(files, DIRECTORIES)];
  for (const { path, notRead } of modprobeFiles(files, old)) {
    const reading = files.read(path);
    if ("refused" in reading) {
      if (notRead === undefined && reading.refused !== "none") closed.push({ path, ...reading });
      continue;
    }
    const skipped = notRead === undefined ? {} : { notRead };
    for (const { text, line } of joinedLines(reading.text)) {
      const [command, name, ...rest] = words(text);
      if (command === undefined || name === undefined) continue;
      const module = moduleName(name);
      if (command === "options") {
        for (const word of rest) {
          const { name: parameter, text: value = "" } = assignment(word);
          options.push({ parameter, text: value, module, path, line, ...skipped });
        }
      } else if (notRead !== undefined) continue;
      else if (command === "install") {
        installs.push({ module, command: text.replace(/^\s*\S+\s+\S+\s*/, ""), path, line });
      } else if (command === "blacklist") blacklisted.set(module, `${path}:${line}`);
    }
  }
  return { options, installs, blacklisted, closed };
}

function modprobeFiles(files: BootFiles, old: boolean): readonly ConfFile[] {
  const found = confFiles(files, DIRECTORIES, old ? "" : ".conf");
  if (files.look(OLD_FILE).kind !== "file") return found;
  return [
    old ? { path: OLD_FILE } : { path: OLD_FILE, notRead: "modprobe does not read it any more" },
    ...found,
  ];
}

/** Lines with a backslash at their end go on in the next one. */
export function joinedLines(text: string): readonly { text: string; line: number }[] {
  const lines: { text: string; line: number }[] = [];
  let joined = "";
  let from = 1;
  for (const [index, line] of text.split("\n").entries()) {
    if (joined === "") from = index + 1;
    const bare = line.replace(/\r$/, "");
    if (bare.endsWith("\\")) {
      joined += bare.slice(0, -1);
      continue;
    }
    const whole = joined + bare;
    joined = "";
    if (!/^\s*(#|$)/.test(whole)) lines.push({ text: whole, line: from });
  }
  return lines;
}

/**
 * Rules of udev that set values again when the tracker's module appears: the known way to hold values that
 * are set too early otherwise.
 *
 * Source: udev(7), and the example in sysctl.d(5).
 */
import type { BootFiles, Closed } from "./boot-input.ts";
import { closedDirectories, confFiles } from "./conf-directory.ts";
import { joinedLines } from "./modprobe.ts";
import { shellSteps, type ShellStep } from "./shell-settings.ts";
import { expandPattern, isPattern } from "./sysctl-name.ts";

const DIRECTORIES = [
  "/etc/udev/rules.d",
  "/run/udev/rules.d",
  "/usr/local/lib/udev/rules.d",
  "/usr/lib/udev/rules.d",
  "/lib/udev/rules.d",
];

export interface UdevRun {
  steps: readonly ShellStep[];
  path: string;
  line: number;
}

/** What udev runs when `module` is added. */
export function udevRuns(
  files: BootFiles,
  module: string,
): { runs: readonly UdevRun[]; closed: readonly Closed[] } {
  const closed: Closed[] = [...closedDirectories(files, DIRECTORIES)];
  const runs: UdevRun[] = [];
  for (const { path, notRead } of confFiles(files, DIRECTORIES, ".rules")) {
    if (notRead !== undefined) continue;
    const reading = files.read(path);
    if ("refused" in reading) {
      if (reading.refused !== "none") closed.push({ path, ...reading });
      continue;
    }
    for (const { text, line } of joinedLines(reading.text)) {
      if (!isForModule(text, module)) continue;
      const commands = [...text.matchAll(/\bRUN(?:\{program\})?\s*\+?=\s*"([^"]*)"/g)];
      const steps = commands.flatMap((match) => shellSteps(match[1] ?? ""));
      if (steps.length > 0) runs.push({ steps, path, line });
    }
  }
  return { runs, closed };
}

/** A rule for the module itself: by its name, or by its place in /sys. */
function isForModule(rule: string, module: string): boolean {
  const wanted = (key: string): string | undefined =>
    new RegExp(`(?:^|[\\s,])${key}\\s*==\\s*"([^"]*)"`).exec(rule)?.[1];
  const action = wanted("ACTION");
  if (action !== undefined && !action.split("|").includes("add")) return false;
  if (wanted("SUBSYSTEM") !== undefined && wanted("SUBSYSTEM") !== "module") return false;
  const names = wanted("KERNEL")?.split("|");
  const paths = wanted("DEVPATH")?.split("|");
  if (names !== undefined) return names.some((name) => matches(name, module));
  return paths?.some((path) => path === `/module/${module}`) === true;
}

function matches(pattern: string, name: string): boolean {
  return isPattern(pattern) ? expandPattern(pattern, [name]).length > 0 : pattern === name;
}

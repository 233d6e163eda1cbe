/**
 * Settings that a shell script or a command line makes: `sysctl -w`, `sysctl -p`, an `echo` into a file of
 * /proc/sys or /sys/module, and modules it loads. Only what stands there literally; a variable or a loop is
 * not followed. For rc.local, install lines of modprobe, RUN keys of udev and ExecStart lines.
 */

/** One thing a script does, with its line, from 1. */
export type ShellStep = { line: number } & (
  | { does: "set"; name: string; text: string }
  /** `sysctl -p FILE`. */
  | { does: "read-file"; path: string }
  /** `sysctl --system`, or systemd-sysctl with only the names under `prefixes` (none: all). */
  | { does: "read-all"; by: "procps" | "systemd-sysctl"; prefixes: readonly string[] }
  | { does: "load"; module: string; options: readonly string[] }
);

export function shellSteps(text: string): readonly ShellStep[] {
  const steps: ShellStep[] = [];
  let joined = "";
  let from = 1;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (joined === "") from = index + 1;
    if (line.endsWith("\\")) {
      joined += `${line.slice(0, -1)} `;
      continue;
    }
    steps.push(...commandsOf(joined + line).flatMap((words) => stepsOf(words, from)));
    joined = "";
  }
  return steps;
}

/** Words of each command of a line: quotes are taken off, comments left out. */
function commandsOf(line: string): readonly (readonly string[])[] {
  const commands: string[][] = [[]];
  const pattern =
    /\s*(?:(#.*$)|([;&|(){}]+)|(\d?>+)|((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"';&|(){}>\\])+)|(.))/gy;
  for (const match of line.matchAll(pattern)) {
    const [, comment, separator, redirect, word] = match;
    if (comment !== undefined) break;
    if (separator !== undefined) {
      // A pipe hands the words of `echo` on to `tee`.
      if (separator === "|") commands.at(-1)?.push("|");
      else commands.push([]);
    } else if (redirect !== undefined) commands.at(-1)?.push(redirect);
    else if (word !== undefined) commands.at(-1)?.push(unquoted(word));
  }
  return commands.flatMap(nestedIn).filter((words) => words.length > 0);
}

/** `sh -c "..."` is a script of its own. */
function nestedIn(words: readonly string[]): readonly (readonly string[])[] {
  const at = words.findIndex((word) => /(^|\/)(ba|da)?sh$/.test(word));
  const script = at < 0 || words[at + 1]?.startsWith("-") !== true ? undefined : words[at + 2];
  return script === undefined ? [words] : commandsOf(script);
}

function unquoted(word: string): string {
  return [...word.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)/gs)]
    .map((match) => match.slice(1).find((part) => part !== undefined) ?? "")
    .join("");
}

function stepsOf(words: readonly string[], line: number): readonly ShellStep[] {
  const at = words.findIndex((word) => /^(\S*\/)?(sysctl|systemd-sysctl|modprobe|echo|printf)$/.test(word));
  const program = words[at]?.split("/").at(-1);
  const rest = words.slice(at + 1);
  if (program === "sysctl") return sysctlSteps(rest, line);
  if (program === "systemd-sysctl") return systemdSteps(rest, line);
  if (program === "modprobe") return loadSteps(rest, line);
  if (program === undefined) return [];
  return echoSteps(rest, line);
}

function sysctlSteps(words: readonly string[], line: number): readonly ShellStep[] {
  if (words.includes("--system")) return [{ line, does: "read-all", by: "procps", prefixes: [] }];
  const load = words.findIndex((word) => /^(-[a-z]*[pf]|--load(=.*)?)$/.test(word));
  if (load >= 0) {
    const given = words[load]?.split("=")[1];
    const paths = words.slice(load + 1).filter((word) => word.startsWith("/"));
    const found = given === undefined ? paths : [given, ...paths];
    return (found.length === 0 ? ["/etc/sysctl.conf"] : found).map((path) => ({
      line,
      does: "read-file",
      path,
    }));
  }
  return words.flatMap((word): readonly ShellStep[] => {
    const match = /^([^=-][^=>]*)=(.*)$/s.exec(word);
    return match === null ? [] : [{ line, does: "set", name: match[1] ?? "", text: (match[2] ?? "").trim() }];
  });
}

function systemdSteps(words: readonly string[], line: number): readonly ShellStep[] {
  const prefixes = words.flatMap((word, index) => {
    if (word.startsWith("--prefix=")) return [word.slice("--prefix=".length)];
    return word === "--prefix" ? [words[index + 1] ?? ""] : [];
  });
  return [{ line, does: "read-all", by: "systemd-sysctl", prefixes }];
}

function loadSteps(words: readonly string[], line: number): readonly ShellStep[] {
  const [module, ...options] = words.filter((word) => !word.startsWith("-"));
  if (module === undefined || words.some((word) => /^(-r|--remove)$/.test(word))) return [];
  if (words.some((word) => /^(-a|--all)$/.test(word))) {
    return [module, ...options].map((each) => ({ line, does: "load", module: each, options: [] }));
  }
  return [{ line, does: "load", module, options: options.filter((word) => word.includes("=")) }];
}

function echoSteps(words: readonly string[], line: number): readonly ShellStep[] {
  const at = words.findIndex((word) => /^(>+|1>+|tee)$/.test(word));
  const path = at < 0 ? undefined : words.slice(at + 1).find((word) => word.startsWith("/"));
  const said = words.slice(0, words.indexOf("|") < 0 ? at : Math.min(at, words.indexOf("|")));
  const text = said.filter((word) => word !== "-n" && word !== "-e").join(" ");
  const match = /^\/proc\/sys\/(.+)$|^\/sys\/module\/(\w+)\/parameters\/(\w+)$/.exec(path ?? "");
  if (match === null) return [];
  const name = match[1] === undefined ? `${match[2]}.${match[3]}` : match[1];
  return [{ line, does: "set", name, text: text.replace(/\\n$/, "") }];
}

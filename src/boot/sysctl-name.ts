/**
 * Names of settings as people write them in sysctl files, and the files under /proc/sys they mean; and
 * patterns, as glob(3) expands them.
 */

/** `net.netfilter.nf_conntrack_max`, `net/netfilter/nf_conntrack_max` or a pattern to a path with slashes. */
export function sysctlTarget(name: string): string {
  const separator = /[/.]/.exec(name)?.[0];
  // The first separator decides: with a slash the name is a path already, with a dot both change places.
  if (separator !== ".") return name;
  return name.replaceAll(/[/.]/g, (found) => (found === "." ? "/" : "."));
}

/** The same without what a path does not need: doubled slashes, `./`, slashes in front and at the end. */
export function plainTarget(target: string): string {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  return parts.join("/");
}

/** Directories that names of the tracker are in: `..` leads out of those only. */
const DIRECTORIES = new Set(["net", "net/netfilter", "net/ipv4", "net/ipv4/netfilter"]);

/**
 * The path under /proc/sys that the kernel finds at `target`, `..` followed. With a slash at its end it finds
 * only directories: the slash stays.
 */
export function foundTarget(target: string): string {
  const parts: string[] = [];
  for (const part of plainTarget(target).split("/")) {
    if (part === ".." && DIRECTORIES.has(parts.join("/"))) parts.pop();
    else parts.push(part);
  }
  return parts.join("/") + (target.endsWith("/") ? "/" : "");
}

/** `net/netfilter/nf_conntrack_max` to `net.netfilter.nf_conntrack_max`. */
export function dottedName(target: string): string {
  return target.replaceAll(/[/.]/g, (found) => (found === "/" ? "." : "/"));
}

export function isPattern(target: string): boolean {
  return /[*?[]/.test(target);
}

/** The paths of `targets` that a pattern matches as glob(3) does, sorted: wildcards stop at slashes. */
export function expandPattern(pattern: string, targets: readonly string[]): readonly string[] {
  const parts = plainTarget(pattern)
    .split("/")
    .map((part) => {
      const expression = partExpression(part, "[^/]");
      // A dot in front is only matched by a dot.
      return expression !== undefined && /^[*?[]/.test(part) ? `(?!\\.)${expression}` : expression;
    });
  if (parts.includes(undefined)) return [];
  const expression = new RegExp(`^${parts.join("/")}$`, "s");
  return targets.filter((target) => expression.test(target)).toSorted();
}

/** Whether `text` matches as fnmatch(3) does without flags: wildcards go over slashes, too. */
export function matchesAnywhere(pattern: string, text: string): boolean {
  const expression = partExpression(pattern, "[^]");
  return expression !== undefined && new RegExp(`^${expression}$`, "s").test(text);
}

/** One part of a pattern as a regular expression; undefined for one that matches nothing. */
function partExpression(part: string, any: string): string | undefined {
  let expression = "";
  for (let at = 0; at < part.length; at++) {
    const char = part.charAt(at);
    if (char === "*") expression += `${any}*`;
    else if (char === "?") expression += any;
    else if (char === "\\" && at + 1 < part.length) expression += RegExp.escape(part.charAt(++at));
    else if (char === "[") {
      const set = /^\[([!^]?)(\]?[^\]]*)\]/.exec(part.slice(at));
      if (set === null) expression += "\\[";
      else {
        const members = (set[2] ?? "").replaceAll(/[\\[\]^&|~]/g, "\\$&");
        expression += `(?!/)[${set[1] === "" ? "" : "^"}${members}]`;
        at += set[0].length - 1;
      }
    } else expression += RegExp.escape(char);
  }
  try {
    return new RegExp(expression).source;
  } catch {
    return undefined;
  }
}

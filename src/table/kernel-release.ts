/**
 * Kernel releases as comparable values. A release only hints at behaviour (distributions carry backports):
 * where a behaviour can be seen, look at it; where not, go by the release and say so.
 */

/** Major, minor and patch of a release; what follows (`-21-amd64`, `.el7`) is left out. */
export interface KernelRelease {
  major: number;
  minor: number;
  patch: number;
  text: string;
}

/**
 * Reads `6.1.0-21-amd64`, `2.6.18`, `5.15`, `3.10.0-1160.el7.x86_64`; undefined when it does not begin so.
 */
export function parseKernelRelease(text: string): KernelRelease | undefined {
  const match = /^\s*v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (match === null) return undefined;
  return {
    major: Number(match[1]),
    minor: Number(match[2]),
    patch: Number(match[3] ?? 0),
    text: text.trim(),
  };
}

/** Whether `release` is `since` or newer; `since` as `5.15` or `2.6.23`. */
export function isSince(release: KernelRelease, since: string): boolean {
  const other = parseKernelRelease(since);
  if (other === undefined) return false;
  if (release.major !== other.major) return release.major > other.major;
  if (release.minor !== other.minor) return release.minor > other.minor;
  return release.patch >= other.patch;
}

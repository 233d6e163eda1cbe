/** Why a file that somebody named cannot be read, in words. */

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};

/** Of what node:fs throws. */
export function whyUnreadable({ code = "", message }: NodeJS.ErrnoException): string {
  return REASONS[code] ?? message;
}

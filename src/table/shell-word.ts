/** Words of commands that people paste: names come from files, processes and strangers. */

/** A word of a shell command: bare when it is harmless, quoted otherwise. */
export function shellWord(text: string): string {
  return /^[\w.:@%+,/=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Text as one word of a POSIX shell (Shell Command Language, 2.2): bare where that is safe, else quoted. */
export function quoteForShell(text: string): string {
  if (/^[\w./:=,@%+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

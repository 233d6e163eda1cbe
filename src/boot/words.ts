/** Words of a line as the kernel's command line and modprobe split them: at blanks, except within quotes. */
export function words(text: string): readonly string[] {
  return [...text.matchAll(/(?:"[^"]*"?|'[^']*'?|[^\s"'])+/g)].map(([word]) => word);
}

/** `name="a b"` and `"name=a b"` to name and value; the value is absent without an equals sign. */
export function assignment(word: string): { name: string; text?: string } {
  const bare = word.replaceAll(/["']/g, "");
  const equals = bare.indexOf("=");
  return equals < 0 ? { name: bare } : { name: bare.slice(0, equals), text: bare.slice(equals + 1) };
}

/** Names of modules are the same with dashes and underscores. */
export function moduleName(text: string): string {
  return text.replaceAll("-", "_").replace(/\.ko(\.(gz|xz|zst))?$/, "");
}

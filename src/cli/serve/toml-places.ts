/**
 * Where in a TOML text a key and its value stand, so that a mistake can be pointed at. The text was read by
 * the parser before: here it is known to be TOML (v1.0, toml.io), and only the places are wanted.
 */

/** A way to a value: keys, and indices of arrays. */
export type KeyPath = readonly (string | number)[];

export interface Place {
  line: number;
  column: number;
}

interface Offsets {
  key: number;
  value: number;
}

/** Places of a text. What does not stand there itself has the place of what would hold it. */
export class TomlPlaces {
  readonly #text: string;
  readonly #offsets: ReadonlyMap<string, Offsets>;

  constructor(text: string) {
    this.#text = text;
    this.#offsets = new Scanner(text).scan();
  }

  keyAt(path: KeyPath): Place {
    return this.#place(path, "key");
  }

  valueAt(path: KeyPath): Place {
    return this.#place(path, "value");
  }

  #place(path: KeyPath, part: keyof Offsets): Place {
    for (let length = path.length; length > 0; length -= 1) {
      const found = this.#offsets.get(nameOf(path.slice(0, length)));
      // Of a table that lacks something, its name says more than what stands in it.
      if (found !== undefined) return placeOf(this.#text, length === path.length ? found[part] : found.key);
    }
    return { line: 1, column: 1 };
  }
}

function nameOf(path: KeyPath): string {
  return JSON.stringify(path);
}

function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

const QUOTES = ['"""', "'''", '"', "'"] as const;

class Scanner {
  readonly #text: string;
  readonly #offsets = new Map<string, Offsets>();
  /** Of an array of tables, how many of them have begun. */
  readonly #begun = new Map<string, number>();
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): ReadonlyMap<string, Offsets> {
    let table: KeyPath = [];
    for (this.#skipBlank(); this.#at < this.#text.length; this.#skipBlank()) {
      if (this.#is("[")) table = this.#header();
      else this.#pair(table);
    }
    return this.#offsets;
  }

  /** `[a.b]` or `[[a.b]]`: the path of the table that begins. */
  #header(): KeyPath {
    const isArray = this.#is("[[");
    this.#at += isArray ? 2 : 1;
    const keys = this.#keys();
    this.#at += isArray ? 2 : 1;
    let path: KeyPath = [];
    for (const [index, { key, offset }] of keys.entries()) {
      path = path.concat(key);
      this.#note(path, { key: offset, value: offset });
      const name = nameOf(path);
      const begun = this.#begun.get(name);
      const begins = isArray && index === keys.length - 1;
      if (begins) this.#begun.set(name, (begun ?? 0) + 1);
      if (begins) path = path.concat(begun ?? 0);
      else if (begun !== undefined) path = path.concat(begun - 1);
      this.#note(path, { key: offset, value: offset });
    }
    return path;
  }

  /** `a.b = value` in a table. */
  #pair(table: KeyPath): void {
    const keys = this.#keys();
    this.#at += "=".length;
    this.#skipSpace();
    const value = this.#at;
    let path = table;
    for (const { key, offset } of keys) {
      path = path.concat(key);
      this.#note(path, { key: offset, value });
    }
    this.#value(path);
  }

  /** A dotted key, up to what follows it. */
  #keys(): { key: string; offset: number }[] {
    const keys: { key: string; offset: number }[] = [];
    for (;;) {
      this.#skipSpace();
      const offset = this.#at;
      keys.push({ key: this.#key(), offset });
      this.#skipSpace();
      if (!this.#is(".")) return keys;
      this.#at += 1;
    }
  }

  #key(): string {
    if (this.#is('"') || this.#is("'")) {
      const from = this.#at;
      this.#string();
      const quoted = this.#text.slice(from, this.#at);
      return quoted.startsWith('"') ? unescaped(quoted) : quoted.slice(1, -1);
    }
    const from = this.#at;
    while (/[\w-]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    return this.#text.slice(from, this.#at);
  }

  #value(path: KeyPath): void {
    if (this.#is("[")) return this.#array(path);
    if (this.#is("{")) return this.#inlineTable(path);
    if (QUOTES.some((quote) => this.#is(quote))) return this.#string();
    while (this.#at < this.#text.length && !/[\s,\]}#]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
  }

  #array(path: KeyPath): void {
    this.#at += 1;
    for (let index = 0; ; index += 1) {
      this.#skipBlank(",");
      if (this.#isOver("]")) return;
      this.#note([...path, index], { key: this.#at, value: this.#at });
      this.#value([...path, index]);
    }
  }

  #inlineTable(path: KeyPath): void {
    this.#at += 1;
    for (;;) {
      this.#skipBlank(",");
      if (this.#isOver("}")) return;
      this.#pair(path);
    }
  }

  /** Steps over the end of an array or table. A text that ends before it is over as well. */
  #isOver(end: string): boolean {
    if (this.#at < this.#text.length && !this.#is(end)) return false;
    this.#at += 1;
    return true;
  }

  #string(): void {
    const quote = QUOTES.find((each) => this.#is(each)) ?? '"';
    const escapes = quote.startsWith('"');
    this.#at += quote.length;
    while (this.#at < this.#text.length && !this.#is(quote)) this.#at += escapes && this.#is("\\") ? 2 : 1;
    this.#at += quote.length;
    // Up to two quotes may stand right before the closing three.
    while (quote.length === 3 && this.#is(quote.slice(0, 1))) this.#at += 1;
  }

  #note(path: KeyPath, offsets: Offsets): void {
    const name = nameOf(path);
    if (!this.#offsets.has(name)) this.#offsets.set(name, offsets);
  }

  #is(word: string): boolean {
    return this.#text.startsWith(word, this.#at);
  }

  #skipSpace(): void {
    while (this.#is(" ") || this.#is("\t")) this.#at += 1;
  }

  /** Blanks, ends of lines and comments, and what else is `beside` them. */
  #skipBlank(beside = ""): void {
    for (; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] ?? "";
      if (character === "#") this.#at = endOfLine(this.#text, this.#at);
      else if (!/[\s\uFEFF]/.test(character) && character !== beside) return;
    }
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

/** Escapes of keys are those of JSON, as far as anybody writes them; others stay as they are. */
function unescaped(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted.slice(1, -1);
  }
}

/**
 * TypeScript with everything blanked that is not code: comments, and the inside of strings, templates and
 * regular expressions. Length and lines stay, so an offset means the same in both texts. A rule that looks
 * for a call then does not find it in a sentence about it.
 *
 * It is a scanner and not a parser; a `/` begins a regular expression where a value may stand.
 */

/** After one of these a `/` begins a regular expression, otherwise it divides. */
const BEFORE_VALUE = new Set("(,=:[!&|?{};+-*%~^<>".split(""));
const WORDS_BEFORE_VALUE = /\b(return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield)$/;

/** Returns `text` with the same length and the same lines, code only. */
export function blank(text: string): string {
  const scanner = new Scanner(text);
  scanner.code(false);
  return scanner.result();
}

class Scanner {
  readonly #text: string;
  readonly #out: string[] = [];
  #at = 0;
  /** The last code copied, to tell a division from a regular expression. */
  #code = "";

  constructor(text: string) {
    this.#text = text;
  }

  result(): string {
    return this.#out.join("");
  }

  /** Copies code up to the end, or up to the `}` that ends a template's expression. */
  code(inTemplate: boolean): void {
    let depth = 0;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (this.#comment()) continue;
      if (char === '"' || char === "'") this.#quoted(char);
      else if (char === "`") this.#template();
      else if (char === "/" && this.#valueMayStand()) this.#regex();
      else {
        if (char === "{") depth += 1;
        if (char === "}") {
          if (depth === 0 && inTemplate) return;
          depth -= 1;
        }
        this.#copy(1);
      }
    }
  }

  /** Blanks a comment, if one begins here. */
  #comment(): boolean {
    const start = this.#text.slice(this.#at, this.#at + 2);
    if (start !== "//" && start !== "/*" && !(start === "#!" && this.#at === 0)) return false;
    const end = start === "/*" ? this.#text.indexOf("*/", this.#at + 2) : this.#text.indexOf("\n", this.#at);
    this.#blank((end === -1 ? this.#text.length : end + (start === "/*" ? 2 : 0)) - this.#at);
    return true;
  }

  #quoted(quote: string): void {
    this.#copy(1);
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === quote || char === "\n") break;
      this.#blank(char === "\\" ? 2 : 1);
    }
    this.#copy(1);
  }

  #template(): void {
    this.#copy(1);
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === "`") break;
      if (char === "$" && this.#text.charAt(this.#at + 1) === "{") {
        this.#copy(2);
        this.code(true);
        this.#copy(1);
      } else this.#blank(char === "\\" ? 2 : 1);
    }
    this.#copy(1);
  }

  #regex(): void {
    this.#copy(1);
    let inClass = false;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (char === "\n" || (char === "/" && !inClass)) break;
      if (char === "[") inClass = true;
      if (char === "]") inClass = false;
      this.#blank(char === "\\" ? 2 : 1);
    }
    this.#copy(1);
  }

  #valueMayStand(): boolean {
    const before = this.#code.trimEnd();
    return (
      before === "" || BEFORE_VALUE.has(before.charAt(before.length - 1)) || WORDS_BEFORE_VALUE.test(before)
    );
  }

  #copy(length: number): void {
    const copied = this.#text.slice(this.#at, this.#at + length);
    this.#out.push(copied);
    this.#code = (this.#code + copied).slice(-20);
    this.#at += length;
  }

  #blank(length: number): void {
    this.#out.push(this.#text.slice(this.#at, this.#at + length).replace(/[^\n]/g, " "));
    this.#at += length;
  }
}

/**
 * Text for a terminal, measured as a terminal shows it. Names of processes, namespaces and helpers come from
 * outside: they may hold anything, so they pass through `visible` before they are shown and can move no
 * cursor.
 */

/** C0 and C1 controls, DEL, line separators, and the marks that turn the reading direction around. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const UNSAFE_ONCE = new RegExp(UNSAFE.source, "u");
const NOT_ASCII = /[^\u0020-\u007e]/u;
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE_PICTURE = /^\p{Emoji_Presentation}$/u;

/**
 * Blocks whose characters take two columns (Unicode 16, EastAsianWidth W and F), as first and last code
 * point.
 */
const WIDE_BLOCKS: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97c],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

/** `text` with control characters written out (`\x1b`), so that showing it is harmless. */
export function visible(text: string): string {
  if (!UNSAFE_ONCE.test(text)) return text;
  return text.replaceAll(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}

/** Columns a terminal needs for `text`; unstyled text only. */
export function widthOf(text: string): number {
  if (!NOT_ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Lines and blocks (U+2500 to U+259F) are what bars are made of; the tables of Unicode take 2 ms to load. */
function characterWidth(character: string): number {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x300 || (code >= 0x2500 && code <= 0x259f)) return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  if (WIDE_PICTURE.test(character)) return 2;
  return WIDE_BLOCKS.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/**
 * `text` cut to at most `columns`, with `...` where something was cut (nothing but dots when there is no
 * room).
 */
export function fit(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const room = columns - 3;
  if (room <= 0) return "...".slice(0, Math.max(0, columns));
  let cut = "";
  let width = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > room) break;
    cut += character;
  }
  return `${cut.trimEnd()}...`;
}

/** `text` filled with spaces on the right to `columns`. */
export function padRight(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - widthOf(text)));
}

/** `text` filled with spaces on the left to `columns`. */
export function padLeft(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** Words of `text` in lines of at most `columns`; a longer word has a line of its own and is not broken. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/u)) {
    if (word === "") continue;
    if (line === "") line = word;
    else if (widthOf(line) + 1 + widthOf(word) <= columns) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}

/**
 * As `wrap`, but at most `most` lines: whole sentences as far as they fit, otherwise the last line ends in
 * `...`.
 */
export function wrapAtMost(text: string, columns: number, most: number): string[] {
  const lines = wrap(text, columns);
  if (lines.length <= most) return lines;
  const sentences = text.split(/(?<=\.)\s+(?=[A-Z\d])/u);
  for (let count = sentences.length - 1; count > 0; count -= 1) {
    const whole = wrap(sentences.slice(0, count).join(" "), columns);
    if (whole.length <= most) return whole;
  }
  const kept = lines.slice(0, most);
  const words = (kept.pop() ?? "").split(" ");
  while (words.length > 1 && widthOf(words.join(" ")) + 3 > columns) words.pop();
  return [...kept, fit(`${words.join(" ")}...`, columns)];
}

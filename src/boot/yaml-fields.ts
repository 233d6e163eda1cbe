/**
 * The few fields of a YAML file that owners need, by their path: a reader of block mappings, block sequences
 * of plain words, quoted and plain scalars, comments, and JSON's flow forms of one line. It is no YAML
 * parser: what it does not understand it says (`odd`), and the caller says so to people.
 *
 * Source: YAML 1.2.2, chapters 6 to 8, as far as kubeadm, k3s, rke2 and people write it.
 */

/** One scalar, with the line it is on. */
export interface YamlScalar {
  text: string;
  line: number;
}

export interface YamlFields {
  /** `conntrack.maxPerCore`; items of a sequence have the sequence's own path. */
  fields: ReadonlyMap<string, readonly YamlScalar[]>;
  /** Lines that were not understood: anchors, block scalars, tabs, flow over several lines. */
  odd: readonly number[];
}

interface Level {
  indent: number;
  path: string;
}

/** Longest file that is looked at, and its deepest field. */
const LINES_MAX = 20_000;
const DEPTH_MAX = 40;

/** Fields of the first document that has any, with later documents' fields behind them. */
export function yamlFields(text: string): YamlFields {
  const reader = new FieldReader();
  for (const [index, line] of text.split(/\r?\n/, LINES_MAX).entries()) reader.line(line, index + 1);
  return { fields: reader.fields, odd: reader.odd };
}

class FieldReader {
  readonly fields = new Map<string, YamlScalar[]>();
  readonly odd: number[] = [];
  #levels: Level[] = [{ indent: -1, path: "" }];
  /** Lines deeper than this belong to a block scalar, whose text nobody wants. */
  #skipDeeperThan: number | undefined;

  line(raw: string, line: number): void {
    const content = withoutComment(raw).trimEnd();
    if (content.trim() === "") return;
    const indent = content.length - content.trimStart().length;
    if (this.#skipDeeperThan !== undefined) {
      if (indent > this.#skipDeeperThan) return;
      this.#skipDeeperThan = undefined;
    }
    if (/^(---|\.\.\.)(\s|$)/.test(content)) {
      this.#levels = [{ indent: -1, path: "" }];
      return;
    }
    if (content.slice(0, indent).includes("\t")) {
      this.odd.push(line);
      return;
    }
    this.#content(content.trimStart(), indent, line);
  }

  #content(content: string, indent: number, line: number): void {
    const item = /^-(?:\s+|$)(.*)$/.exec(content);
    if (item === null) {
      this.#pair(content, indent, line);
      return;
    }
    // An item may stand as far left as the key of its sequence.
    while (this.#top().indent > indent || (this.#top().indent === indent && this.#top().path === "")) {
      this.#levels.pop();
    }
    const rest = item[1] ?? "";
    if (rest === "") return;
    if (pairOf(rest) !== undefined && !/^["'[{]/.test(rest)) {
      this.#pair(rest, indent + (content.length - rest.length), line);
    } else this.#value(this.#top().path, rest, indent, line);
  }

  #pair(content: string, indent: number, line: number): void {
    const pair = pairOf(content);
    if (pair === undefined) {
      if (/^[[{]/.test(content) && indent === 0) this.#value("", content, indent, line);
      else this.odd.push(line);
      return;
    }
    while (this.#top().indent >= indent) this.#levels.pop();
    const above = this.#top().path;
    const path = above === "" ? pair.key : `${above}.${pair.key}`;
    if (this.#levels.length > DEPTH_MAX) {
      this.odd.push(line);
      return;
    }
    this.#levels.push({ indent, path });
    if (pair.value !== "") this.#value(path, pair.value, indent, line);
  }

  #value(path: string, text: string, indent: number, line: number): void {
    if (/^[|>][-+\d]*$/.test(text)) {
      this.#skipDeeperThan = indent;
      return;
    }
    if (/^[&*!]/.test(text)) {
      this.odd.push(line);
      return;
    }
    if (/^[[{]/.test(text)) {
      this.#flow(path, text, line);
      return;
    }
    this.#put(path, scalarText(text), line);
  }

  /** `["a=1", "b=2"]` and `{maxPerCore: 0, min: null}` on one line, without anything nested. */
  #flow(path: string, text: string, line: number): void {
    const inner = /^(?:\[([^[\]{}]*)\]|\{([^[\]{}]*)\})$/.exec(text);
    if (inner === null) {
      this.odd.push(line);
      return;
    }
    for (const part of (inner[1] ?? inner[2] ?? "").split(",")) {
      const word = part.trim();
      if (word === "") continue;
      const pair = inner[2] === undefined ? undefined : pairOf(word);
      if (pair === undefined) this.#put(path, scalarText(word), line);
      else this.#put(path === "" ? pair.key : `${path}.${pair.key}`, scalarText(pair.value), line);
    }
  }

  #put(path: string, text: string, line: number): void {
    const known = this.fields.get(path);
    if (known === undefined) this.fields.set(path, [{ text, line }]);
    else known.push({ text, line });
  }

  #top(): Level {
    return this.#levels.at(-1) ?? { indent: -1, path: "" };
  }
}

function pairOf(content: string): { key: string; value: string } | undefined {
  const match = /^(?:"([^"\\]*)"|'([^']*)'|([^\s"'[\]{}#&*!|>%@`][^:]*?))\s*:(?:\s+(.*))?$/.exec(content);
  if (match === null) return undefined;
  return { key: match[1] ?? match[2] ?? match[3] ?? "", value: (match[4] ?? "").trim() };
}

/** Cuts a comment: `#` at the beginning or after a blank, outside of quotes. */
function withoutComment(line: string): string {
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at] ?? "";
    if (quote !== "") {
      if (letter === quote) quote = "";
    } else if ((letter === '"' || letter === "'") && /(^|[\s:[{,-])$/.test(line.slice(0, at))) quote = letter;
    else if (letter === "#" && (at === 0 || /\s/.test(line[at - 1] ?? ""))) return line.slice(0, at);
  }
  return line;
}

function scalarText(text: string): string {
  const quoted = /^(?:"([^"]*)"|'([^']*)')$/.exec(text);
  return quoted?.[1] ?? quoted?.[2] ?? text;
}

/**
 * Tests written as text tables: a header row names the columns, each further row is one case. Columns are
 * separated by two or more spaces or by `|`; `#` starts a comment line; a cell `-` is an absent value and not
 * the text "-".
 *
 *     state        timeoutSeconds  idle
 *     ESTABLISHED  431000          1000s
 *     NONE         -               unknown
 */

/** One row: cells by the name of their column; an absent cell has no property. */
export type TextRow<Column extends string> = { readonly [column in Column]?: string } & {
  /** Line of the table, for messages: 1 is the header. */
  readonly line: number;
};

/**
 * Reads a text table with exactly the columns named. Throws an Error that names the line when a row has more
 * cells than there are columns, or when the header is not what the caller expects.
 */
export function textTable<const Column extends string>(
  columns: readonly Column[],
  text: string,
): readonly TextRow<Column>[] {
  const lines = text.split("\n").map((content, index) => ({ content: content.trim(), line: index + 1 }));
  const rows = lines.filter(({ content }) => content !== "" && !content.startsWith("#"));
  const [header, ...body] = rows;
  const found = header === undefined ? [] : cells(header.content);
  if (found.join(" ") !== columns.join(" ")) {
    throw new Error(
      `Cannot read text table: its header is "${found.join(" ")}", wanted "${columns.join(" ")}"`,
    );
  }
  return body.map(({ content, line }) => toRow(columns, cells(content), line));
}

function cells(line: string): readonly string[] {
  const separator = line.includes("|") ? /\s*\|\s*/ : /\s{2,}/;
  return line.replace(/^\|\s*|\s*\|$/g, "").split(separator);
}

function toRow<Column extends string>(
  columns: readonly Column[],
  found: readonly string[],
  line: number,
): TextRow<Column> {
  if (found.length !== columns.length) {
    throw new Error(
      `Cannot read text table: line ${line} has ${found.length} cells, its header ${columns.length}; ` +
        "separate cells by two spaces and write - for an absent value",
    );
  }
  const named: Record<string, string | number> = { line };
  for (const [index, column] of columns.entries()) {
    const cell = found[index];
    if (cell !== undefined && cell !== "-") named[column] = cell;
  }
  return named as TextRow<Column>;
}

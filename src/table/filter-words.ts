/**
 * The words of a filter: where each begins, so that an error can point at it, and which known word one looks
 * like.
 */

export interface Token {
  kind: "word" | "quoted" | "symbol" | "end";
  /** Quoted text without its quotes. */
  text: string;
  /** Offset and length in the filter, quotes included. */
  at: number;
  length: number;
}

const TOKEN = /"([^"]*)"|(&&|\|\||==|!=|<>|<=|>=|[()=<>!,&|"])|([^\s()=<>!,&|"]+)/g;

/**
 * Cuts a filter into words and symbols, an "end" last. A lone quotation mark is a symbol, which no filter
 * has.
 */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const [whole, quoted, symbol] = match;
    const place = { at: match.index, length: whole.length };
    if (quoted !== undefined) tokens.push({ kind: "quoted", text: quoted, ...place });
    else if (symbol !== undefined) tokens.push({ kind: "symbol", text: symbol, ...place });
    else tokens.push({ kind: "word", text: whole, ...place });
  }
  tokens.push({ kind: "end", text: "", at: text.trimEnd().length, length: 1 });
  return tokens;
}

/** The candidate that `word` was most likely meant to be; undefined when none is near. */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  const typed = word.toLowerCase();
  let nearest: string | undefined;
  let least = Math.min(3, Math.ceil(typed.length / 2));
  for (const candidate of candidates) {
    const distance = editDistance(typed, candidate.toLowerCase());
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest ?? [...candidates].find((candidate) => startsAlike(typed, candidate.toLowerCase()));
}

function startsAlike(typed: string, candidate: string): boolean {
  return (
    typed.length >= 3 && (candidate.startsWith(typed) || typed.startsWith(candidate)) && candidate.length >= 3
  );
}

/** Letters to insert, drop, replace or swap with their neighbour (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const next = [row];
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1] ? 0 : 1;
      let cost = Math.min(
        (last[column] as number) + 1,
        (next[column - 1] as number) + 1,
        (last[column - 1] as number) + same,
      );
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (swapped && row > 1 && column > 1) cost = Math.min(cost, (beforeLast[column - 2] as number) + 1);
      next.push(cost);
    }
    beforeLast = last;
    last = next;
  }
  return last[right.length] as number;
}

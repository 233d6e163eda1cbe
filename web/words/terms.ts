/**
 * Filters built by clicking: conditions side by side, each one term of the language of `headroom list`. Pure.
 */
import { formatDuration } from "./figures.ts";

/** One filter text from terms; a term that has an `or` of its own is put in brackets. */
export function joinTerms(terms: readonly string[]): string {
  const parts = terms.map((term) => term.trim()).filter((term) => term !== "");
  if (parts.length <= 1) return parts.join("");
  return parts.map((term) => (/\bor\b|\|/.test(term) && !isBracketed(term) ? `(${term})` : term)).join(" ");
}

function isBracketed(term: string): boolean {
  if (!term.startsWith("(") || !term.endsWith(")")) return false;
  let depth = 0;
  for (const [index, char] of [...term].entries()) {
    if (char === "(") depth += 1;
    if (char === ")") depth -= 1;
    if (depth === 0 && index < term.length - 1) return false;
  }
  return depth === 0;
}

/** Terms with one more; the same term is not added twice. */
export function withTerm(terms: readonly string[], term: string): string[] {
  return terms.includes(term) ? [...terms] : [...terms, term];
}

/** The term for a range of seconds of silence. */
export function idleTerm(fromSeconds: number, toSeconds: number | undefined): string {
  const from = `idle>=${formatDuration(fromSeconds)}`;
  if (toSeconds === undefined) return from;
  const to = `idle<${formatDuration(toSeconds)}`;
  return fromSeconds === 0 ? to : `${from} ${to}`;
}

/** `0-10s`, `1h-2h`, `5d and more`. */
export function spanWords(fromSeconds: number, toSeconds: number | undefined): string {
  if (toSeconds === undefined) return `${formatDuration(fromSeconds)} and more`;
  return `${fromSeconds === 0 ? "0" : formatDuration(fromSeconds)} – ${formatDuration(toSeconds)}`;
}

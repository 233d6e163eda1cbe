/** Sentences that become part of others. */

/** A message begins with a capital, which looks odd behind a colon. */
export function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

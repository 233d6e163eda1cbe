/**
 * What the tracker said of a packet: the connection-tracking class rules can match (`ct state`), and whether
 * the tracker itself dropped it.
 */

/** Classes, as bytes of a verdict column; DROP is added to one of them. */
export const Verdict = {
  /** Never reached the tracker: not IP, or thrown away by the IP layer. */
  NONE: 0,
  NEW: 1,
  ESTABLISHED: 2,
  RELATED: 3,
  INVALID: 4,
  UNTRACKED: 5,
  /** A fragment whose datagram is not whole yet; its verdict is that of the datagram. */
  HELD: 6,
  DROP: 0x80,
} as const;

const names = ["none", "new", "established", "related", "invalid", "untracked", "held"];

/** The words of a verdict line: `new`, `established drop`. */
export function verdictText(verdict: number): string {
  const name = names[verdict & ~Verdict.DROP] ?? String(verdict);
  return (verdict & Verdict.DROP) === 0 ? name : `${name} drop`;
}

/**
 * What was odd but usable while reading: counted, never dropped in silence, shown in every report. Loss is
 * data.
 */

/** Counts of odd things met in one reading. A name that is missing did not occur. */
export interface Oddities {
  /** Dumps the kernel flagged as inconsistent (NLM_F_DUMP_INTR): flows may be missing or doubled. */
  interrupted?: number;
  /** Netlink attributes this program does not know, at any level. */
  unknownAttributes?: number;
  /** Attributes or messages whose length does not fit their type; the field is then absent. */
  malformedAttributes?: number;
  /** Messages cut by the receive buffer. */
  truncatedMessages?: number;
  /** Times the socket's buffer overflowed (ENOBUFS). */
  overruns?: number;
  /** Lines of a listing that are not a flow and were left out. */
  skippedLines?: number;
  /** Words in a line that this program does not know; the rest of the line was used. */
  unknownWords?: number;
  /** Lines longer than the limit of the reader; left out. */
  overlongLines?: number;
  /** Numbers beyond what the field or a JavaScript number holds; the greatest that fits is kept. */
  saturated?: number;
  /** The input ended in the middle of a flow or of a compressed stream. */
  truncatedInput?: number;
}

export type OddityName = keyof Oddities;

/** Counts one more (or `by` more) of `name`. */
export function countOddity(oddities: Oddities, name: OddityName, by = 1): void {
  oddities[name] = (oddities[name] ?? 0) + by;
}

/** Adds all counts of `from` to `into`. */
export function addOddities(into: Oddities, from: Readonly<Oddities>): void {
  for (const [name, count] of Object.entries(from)) {
    if (count !== undefined) countOddity(into, name as OddityName, count);
  }
}

/** One sentence part per oddity, for people. Keys are fixed names of the machine output. */
export const oddityText: Record<OddityName, string> = {
  interrupted: "dumps changed while they were read; flows may be missing or doubled",
  unknownAttributes: "netlink attributes of a newer kernel, kept aside",
  malformedAttributes: "netlink attributes of impossible length, their fields left out",
  truncatedMessages: "netlink messages cut by the receive buffer",
  overruns: "overruns of the socket buffer; messages were lost",
  skippedLines: "lines that are not a flow, left out",
  unknownWords: "unknown words in lines, the rest of the line was used",
  overlongLines: "lines above the length limit, left out",
  saturated: "numbers too large to hold, kept at the greatest that fits",
  truncatedInput: "inputs that ended in the middle",
};

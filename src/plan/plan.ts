/**
 * Judgement: facts in, verdict out; and the sizes that belong to a host.
 *
 * `judge` runs one rule per finding code over plain facts that somebody else read. It refuses to read
 * anything itself, to guess what is missing (a rule without its facts is silent), and to lump causes: a drop
 * is a full table, a full table elsewhere, a clash, a chain too long, expectations or memory, and what is
 * left over is said to be left over.
 *
 * Invariants: a code never changes its meaning; evidence is numbers; no remedy sets a capacity without its
 * buckets; a higher occupancy never lowers the level.
 *
 * Read first: facts.ts (what there is to judge by), judge.ts (the table of rules), drops.ts (how drops are
 * taken apart), load.ts (what the load of the hash costs).
 */
export type { Facts } from "./facts.ts";
export { judge } from "./judge.ts";
export { defaultSizes, type DefaultSizes, recommendedBuckets } from "./sizes.ts";
export { extensionBytesOf, tableMemory, type TableMemory } from "./memory.ts";
export { tableFigures, type TableFigures } from "./table-figures.ts";
export { type CheckJson, verdictToJson } from "./check-json.ts";
export { verdictToNagios } from "./nagios.ts";

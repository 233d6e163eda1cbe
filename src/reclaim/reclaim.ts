/**
 * The door of src/reclaim: which flows may go, and their going at a measured pace.
 *
 * It refuses to touch a host: reading, ending flows, clocks and files are given to it. It refuses to
 * guess: a flow whose silence cannot be told counts as one that speaks.
 *
 * Invariants:
 * - what is protected stays, whatever the filter says, and is counted by the first reason that holds;
 * - between the last look at a flow and its end lie a few milliseconds, and no more than HURRIED_STALE_MS
 *   while this program is given a processor;
 * - what is about to go is handed to `keep` before it goes.
 *
 * Read first: protections.ts (what stays), sieve.ts (what goes), reclaim-flows.ts (how).
 */
export { type Cut, type CutSample, cutsOf, CutTally, greatest } from "./cuts.ts";
export { Pace } from "./pace.ts";
export {
  FLOOR_SECONDS,
  PROTECTION_REASONS,
  type ProtectionReason,
  Protections,
  protectionText,
} from "./protections.ts";
export { type ReclaimEnd, reclaimFlows } from "./reclaim-flows.ts";
export { parseSshConnection, SessionFlows } from "./session-flows.ts";
export { Sieve, type SieveCounts } from "./sieve.ts";

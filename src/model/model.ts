/**
 * The door of src/model: what the kernel's tracker would have done with packets, under any settings and any
 * generation of kernels.
 *
 * A `Tracker` takes batches of decoded packets and gives a verdict for each; the table it keeps is read as
 * any other source of flows is. It reads no capture, no clock and no host, invents no NAT, and draws its
 * random numbers from a seed: the same packets and settings give the same table.
 *
 * Invariants: time never goes back; an accepted new packet is confirmed at once, as on a router that drops
 * nothing by rules; nothing is allocated for a packet unless it is dropped.
 *
 * Read first: tracker.ts (the way of a packet), flow-rows.ts (a flow in words), chains.ts (the hash table),
 * collector.ts (when expired flows go), generation.ts (what differs between kernels).
 */
export { FTP_PORT } from "./ftp.ts";
export { Tracker, type HelperName, type TrackerOptions } from "./tracker.ts";
export { SettingError, type SettingErrorCode } from "./tracker-settings.ts";
export { type TrackerTally } from "./tracker-tally.ts";
export { type ModelFacts } from "./tracker-facts.ts";
export { type TimelineColumns } from "./timeline.ts";
export {
  DropCause,
  type DropCauseName,
  type DropEpisode,
  type DroppedPacket,
  type DropReport,
} from "./drops.ts";
export { Verdict, verdictText } from "./verdict.ts";
export { type Generation, GENERATIONS } from "./generation.ts";

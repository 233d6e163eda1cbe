/**
 * What the kernel log and the counters tell of the past and of elsewhere: a table that was full, one of
 * another namespace, expectations, memory.
 */
import type { Finding, Level } from "../../table/finding.ts";
import type { KernelLogTally, NamespaceFacts } from "../../table/host.ts";
import { settingOf } from "../../table/settings.ts";
import { dropsNow, dropsSinceBoot } from "../drops.ts";
import type { Facts } from "../facts.ts";
import { keepAfterReboot, lookCloser, onTheHost, raiseCapacity } from "../remedies.ts";
import { otherNamespaces, tableFigures } from "../table-figures.ts";
import { amountOf, groupDigits } from "../wording.ts";
import { tableFull } from "./fullness.ts";
import {
  isRecent,
  logCoversRecent,
  type Logged,
  loggedEvidence,
  loggedLines,
  loggedText,
  namespaceOfTally,
  ownerOfLine,
} from "./logged.ts";
import { namespaceCommand, namespaceText } from "./namespace-text.ts";
import { evidenceOf, LOSING_NOW, remediesOf } from "./rule.ts";

/**
 * `full-in-the-past`: log lines about this table, or counters that only a full table moves. Silent while it
 * is full.
 */
export function fullInThePast(facts: Facts): readonly Finding[] {
  if (tableFull(facts).length > 0) return [];
  const logged = loggedLines(facts, "table-full", (tally) => ownerOfLine(facts, tally) !== "other");
  const { noRoomPackets = 0, evictedFlows = 0 } = dropsSinceBoot(facts);
  if (logged === undefined && noRoomPackets === 0 && evictedFlows === 0) return [];
  const proved = logged !== undefined || evictedFlows > 0;
  if (!proved && allocationFailed(facts).length > 0) return [];
  return [
    {
      code: "full-in-the-past",
      level: pastLevel(facts, logged, noRoomPackets > 0 && proved),
      title: proved
        ? `The table has been full${logged === undefined ? " since boot" : `: ${loggedText(logged)}`}`
        : `${amountOf(noRoomPackets, "packet")} refused since boot: no room, no memory, or by a tracker`,
      evidence: evidenceOf({
        ...loggedEvidence(logged, facts),
        droppedPacketsSinceBoot: dropsSinceBoot(facts).noRoomPackets,
        evictedFlowsSinceBoot: dropsSinceBoot(facts).evictedFlows,
        capacityFlows: tableFigures(facts).capacityFlows,
      }),
      meaning: proved ? pastMeaning(facts, logged) : UNPROVED_MEANING,
      remedy: proved ? remediesOf(lookCloser, raiseCapacity(facts), keepAfterReboot) : [lookCloser],
    },
  ];
}

const UNPROVED_MEANING =
  "The kernel counts a full table, a failed allocation and a packet refused by a protocol's tracker " +
  "together, and neither its log nor an eviction tells which it was. Clashes are not among these.";

/**
 * A warning while it may have been within the last day; later it stays in the report and no longer alarms.
 */
function pastLevel(facts: Facts, logged: Logged | undefined, dropped: boolean): Level {
  if (logged !== undefined) return isRecent(logged) ? "warning" : "ok";
  return dropped && !logCoversRecent(facts) ? "warning" : "ok";
}

function pastMeaning(facts: Facts, logged: Logged | undefined): string {
  const { noRoomPackets = 0, evictedFlows = 0 } = dropsSinceBoot(facts);
  const lost = noRoomPackets > 0 ? `At least ${amountOf(noRoomPackets, "packet")} dropped since boot. ` : "";
  const evicted = evictedFlows > 0 ? `${amountOf(evictedFlows, "flow")} evicted to make room. ` : "";
  const limited = logged === undefined ? "" : " The kernel limits its messages: do not count drops by them.";
  const whose =
    logged !== undefined && otherNamespaces(facts).length > 0
      ? " A line may speak of another namespace's table without saying so."
      : "";
  return `${lost}${evicted}It will happen again at the next peak of that size.${limited}${whose}`;
}

/** `full-in-another-namespace`: another table under the same limit is full now, or the log names one. */
export function fullInAnotherNamespace(facts: Facts): readonly Finding[] {
  const ownCapacity = tableFigures(facts).capacityFlows;
  const others = otherNamespaces(facts);
  const full = others
    .filter(({ occupancyFlows, capacityFlows = ownCapacity }) => {
      if (occupancyFlows === undefined || capacityFlows === undefined || capacityFlows <= 0) return false;
      return occupancyFlows >= capacityFlows;
    })
    .sort((one, two) => (two.occupancyFlows ?? 0) - (one.occupancyFlows ?? 0));
  const logged = loggedLines(facts, "table-full", (tally) => ownerOfLine(facts, tally) === "other");
  const [worst] = full;
  if (worst === undefined && logged === undefined) return [];
  const named = worst ?? namespaceOfLine(facts);
  const whose = named === undefined ? unknownNamespaceText(facts) : namespaceText(named);
  const more = full.length > 1 ? ` and of ${amountOf(full.length - 1, "other namespace")}` : "";
  const figures = worst === undefined ? "" : `: ${groupDigits(worst.occupancyFlows ?? 0)} flows`;
  const seen = logged === undefined ? "" : ` (${loggedText(logged)})`;
  const verb = worst === undefined ? "has been" : "is";
  return [
    {
      code: "full-in-another-namespace",
      level: worst === undefined ? recentLevel(logged) : "critical",
      title: `The table of ${whose}${more} ${verb} full${figures}`,
      evidence: evidenceOf({
        fullNamespaces: full.length,
        namespaceInode: named?.inode ?? inodeOfLine(facts),
        namespace: named?.name ?? named?.owner,
        occupancyFlows: worst?.occupancyFlows,
        capacityFlows: worst?.capacityFlows ?? ownCapacity,
        ...loggedEvidence(logged, facts),
      }),
      meaning:
        `Connections through that namespace are dropped while the table looked at here has room${seen}. ` +
        "Every network namespace has a table of its own, and each may hold as many flows as the one limit " +
        "says.",
      remedy: remediesOf(
        named === undefined ? everyNamespace : namespaceCommand(named),
        raiseCapacity(facts),
        keepAfterReboot,
      ),
    },
  ];
}

const everyNamespace = {
  text: "Count every namespace of this host against the limit.",
  command: "headroom check --all-netns",
};

/** The latest line about another table: of one that is still there, if any is. */
function foreignTally(facts: Facts): KernelLogTally | undefined {
  const foreign = (facts.kernelLog?.tallies ?? []).filter(
    (tally) => tally.kind === "table-full" && ownerOfLine(facts, tally) === "other",
  );
  return foreign.findLast((tally) => namespaceOfTally(facts, tally) !== undefined) ?? foreign.at(-1);
}

function inodeOfLine(facts: Facts): number | undefined {
  return foreignTally(facts)?.namespaceInode;
}

function namespaceOfLine(facts: Facts): NamespaceFacts | undefined {
  const tally = foreignTally(facts);
  return tally === undefined ? undefined : namespaceOfTally(facts, tally);
}

function unknownNamespaceText(facts: Facts): string {
  const inode = inodeOfLine(facts);
  if (inode !== undefined) return `namespace ${inode}, which is not to be seen now,`;
  return "another namespace (this one has dropped nothing)";
}

function recentLevel(logged: Logged | undefined): Level {
  return logged === undefined || isRecent(logged) ? "warning" : "ok";
}

/** `expectations-full`: helpers (FTP, SIP, H.323 ...) can announce no further connections. */
export function expectationsFull(facts: Facts): readonly Finding[] {
  const capacityFlows = facts.expectations?.capacityFlows ?? facts.settings.values.nf_conntrack_expect_max;
  const occupancyFlows = facts.expectations?.occupancyFlows;
  const full = occupancyFlows !== undefined && capacityFlows !== undefined && occupancyFlows >= capacityFlows;
  const logged = loggedLines(facts, "expectation-table-full");
  if (!(full && capacityFlows > 0) && logged === undefined) return [];
  const room = full ? `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)}` : undefined;
  const parts = [room, logged === undefined ? undefined : loggedText(logged)].filter(
    (part) => part !== undefined,
  );
  const target = Math.max(256, (capacityFlows ?? 0) * 2);
  return [
    {
      code: "expectations-full",
      level: full ? "warning" : recentLevel(logged),
      title: `${full ? "No room" : "There was no room"} for expected connections: ${parts.join(", ")}`,
      evidence: evidenceOf({ occupancyFlows, capacityFlows, ...loggedEvidence(logged, facts) }),
      meaning:
        "Helpers announce the connections that a control connection agreed upon (FTP data, SIP media). " +
        "Those beyond the limit are not recognised as related and are treated as new. The table of flows " +
        "is not concerned.",
      remedy: [
        {
          text: onTheHost(facts, `Allow ${groupDigits(target)} expected connections; costs little.`),
          command: `sysctl -w ${settingOf("nf_conntrack_expect_max").sysctl ?? ""}=${target}`,
        },
        keepAfterReboot,
      ],
    },
  ];
}

/**
 * `allocation-failed`: the kernel logged that it had no memory for a flow; or it drops more than clashes
 * explain while the table has room and nothing is evicted, which leaves memory and a protocol's tracker as
 * causes.
 */
export function allocationFailed(facts: Facts): readonly Finding[] {
  const logged = loggedLines(facts, "allocation-failed");
  const now = dropsNow(facts);
  const refusing = (now?.noRoomPackets ?? 0) > 0 && tableFull(facts).length === 0;
  if (logged === undefined && !refusing) return [];
  const { availableBytes, memoryBytes } = facts.host;
  const title =
    logged === undefined
      ? "New connections refused though there is room: no memory, or by a tracker"
      : `The kernel had no memory for new flows: ${loggedText(logged)}`;
  const orRefused = logged === undefined ? ", or a protocol's tracker refused the packet" : "";
  return [
    {
      code: "allocation-failed",
      level: refusing ? "warning" : recentLevel(logged),
      title,
      evidence: evidenceOf({
        ...loggedEvidence(logged, facts),
        [LOSING_NOW]: now?.noRoomPackets === undefined ? undefined : now.noRoomPackets / now.seconds,
        availableBytes,
        memoryBytes,
      }),
      meaning:
        "The limit was not reached: the kernel had no memory left for a flow" +
        `${orRefused}. A higher limit does not help.`,
      remedy: [
        { text: "See who uses the memory of the kernel.", command: "slabtop -o -s c" },
        { text: "See what the allocator says.", command: "dmesg -T --level=err,warn" },
      ],
    },
  ];
}

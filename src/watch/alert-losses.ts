/**
 * Rules for what the kernel drops, by cause: a full table, evictions, clashes, chains, expectations, memory.
 */
import { amountOf, groupDigits, lookCloser, percent, setBuckets } from "../plan/plan.ts";
import type { FindingCode, Remedy } from "../table/finding.ts";
import type { KernelLogKind } from "../table/host.ts";
import type { AlertFacts, Condition } from "./alert-condition.ts";
import { figuresOf, findingOf, useOf, waysOut } from "./alert-figures.ts";
import { DROPS_SECONDS } from "./alert-drops.ts";
import type { AlertOptions } from "./alert-options.ts";

/** From here on the kernel's own collector evicts, and the count swings below the limit. */
const PRESSURE_SHARE = 0.95;

/** Words and ways out of the finding of the same code, where there is one. */
function wordsOf(
  facts: AlertFacts,
  code: FindingCode,
  otherwise: { meaning: string; remedy: readonly Remedy[] },
): { meaning: string; remedy: readonly Remedy[] } {
  const found = findingOf(facts, code);
  return found === undefined ? otherwise : { meaning: found.meaning, remedy: found.remedy };
}

/** `table-full`: at the limit, or packets dropped for want of room, or the kernel says so. */
export function tableFull(facts: AlertFacts): readonly Condition[] | undefined {
  const { drops } = facts;
  const use = useOf(facts);
  if (use === undefined && drops === undefined) return undefined;
  const lost = drops?.noRoomPackets ?? 0;
  const evicted = drops?.evictedFlows ?? 0;
  const lines = drops?.tableFullLines ?? 0;
  const peak = Math.max(use?.useShare ?? 0, drops?.peakUseShare ?? 0);
  const forWantOfRoom = lost > 0 && (peak >= PRESSURE_SHARE || evicted > 0);
  // A line of the log may speak of another namespace: that one is named by the rule of namespaces.
  const saidHere = lines > 0 && peak >= PRESSURE_SHARE;
  if (peak < 1 && !forWantOfRoom && !saidHere) return [];
  const dropped = lost > 0 ? `, ${amountOf(lost, "packet")} dropped in the last minute` : "";
  const held =
    use === undefined
      ? ""
      : `: ${groupDigits(use.occupancyFlows)} of ${groupDigits(use.capacityFlows)} flows`;
  const isNow = use === undefined || use.useShare >= 1;
  return [
    {
      code: "table-full",
      level: "critical",
      keeps: "critical",
      title: isNow ? `Table full${held}${dropped}` : `Table full a moment ago${held} now${dropped}`,
      evidence: figuresOf({
        ...use,
        peakUseShare: peak,
        droppedPackets: drops?.noRoomPackets,
        evictedFlows: drops?.evictedFlows,
        tableFullLines: drops?.tableFullLines,
        overSeconds: drops?.seconds,
      }),
      ...wordsOf(facts, "table-full", {
        meaning:
          "New connections are dropped unless the kernel finds an unassured flow to evict; existing " +
          "ones go on.",
        remedy: waysOut(facts),
      }),
    },
  ];
}

/** `early-drop`: flows evicted to make room for others. */
export function earlyDrop(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const { drops } = facts;
  if (drops?.evictedFlows === undefined) return undefined;
  if (drops.evictedFlows <= 0) return [];
  return [
    {
      code: "early-drop",
      level: drops.evictedFlows >= options.rules["early-drop"].flowsPerMinute ? "warning" : "ok",
      keeps: "warning",
      title: `${amountOf(drops.evictedFlows, "flow")} evicted in the last minute to make room`,
      evidence: figuresOf({ ...useOf(facts), evictedFlows: drops.evictedFlows, overSeconds: drops.seconds }),
      meaning:
        "The table was full, and the kernel ended flows that had seen no answer, or were not assured, so " +
        "that new ones could begin. Those that end this way may be connections somebody is waiting for.",
      remedy: waysOut(facts),
    },
  ];
}

/** `insert-clash`: packets lost because two made the same flow, or NAT had no port left. */
export function insertClash(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const { drops } = facts;
  if (drops?.clashPackets === undefined) return undefined;
  const limit = options.rules["insert-clash"].packetsPerMinute;
  if (drops.clashPackets < limit / 2) return [];
  return [
    {
      code: "insert-clash",
      level: drops.clashPackets >= limit ? "warning" : "ok",
      keeps: "warning",
      title: `Up to ${amountOf(drops.clashPackets, "packet")} lost to clashes in the last minute`,
      evidence: figuresOf({ clashPackets: drops.clashPackets, overSeconds: drops.seconds }),
      ...wordsOf(facts, "insert-clash", {
        meaning:
          "Two packets of one new flow arrived at once, or NAT had no port left for it; the later packet " +
          "was dropped, whatever room the table had.",
        remedy: [
          {
            text: "Look at the rules of source NAT: --random-fully and more addresses make clashes rare.",
            command: "iptables -t nat -S POSTROUTING",
          },
        ],
      }),
    },
  ];
}

/** `chain-too-long`: new connections refused in silence. */
export function chainTooLong(facts: AlertFacts, options: AlertOptions): readonly Condition[] | undefined {
  const { drops } = facts;
  if (drops?.chainTooLongPackets === undefined) return undefined;
  const refused = drops.chainTooLongPackets;
  if (refused <= 0) return [];
  const enough = refused >= options.rules["chain-too-long"].packetsPerMinute;
  return [
    {
      code: "chain-too-long",
      level: enough ? "critical" : "ok",
      keeps: "critical",
      title: `${amountOf(refused, "new connection")} lost in the last minute, hash chain too long`,
      evidence: figuresOf({
        ...useOf(facts),
        chainTooLongPackets: refused,
        bucketCount: facts.state.sample?.values.bucketCount,
        overSeconds: drops.seconds,
      }),
      ...wordsOf(facts, "chain-too-long", {
        meaning:
          "The packets were dropped while the table had room, without a log line or a move of the drop " +
          "counter. The cause is too few buckets for this many flows.",
        remedy: [...setBuckets(facts.state.facts), lookCloser],
      }),
    },
  ];
}

/** Lines of the kernel log of a kind within the last minute or so; undefined where there are none. */
function loggedLately(facts: AlertFacts, kind: KernelLogKind): { lines: number; sample: string } | undefined {
  const fromMs = facts.nowMs - DROPS_SECONDS * 1000;
  const tallies = (facts.state.facts.kernelLog?.tallies ?? []).filter(
    (tally) => tally.kind === kind && (tally.lastAtMs ?? 0) > fromMs,
  );
  const last = tallies.at(-1);
  return last && { lines: tallies.reduce((sum, { lines }) => sum + lines, 0), sample: last.sample };
}

/** `expectations-full`: helpers can announce no further connections. */
export function expectationsFull(facts: AlertFacts): readonly Condition[] | undefined {
  const { expectations, settings } = facts.state.facts;
  const capacityFlows = expectations?.capacityFlows ?? settings.values.nf_conntrack_expect_max;
  const occupancyFlows = facts.state.sample?.values.expectationFlows ?? expectations?.occupancyFlows;
  const logged = loggedLately(facts, "expectation-table-full");
  const told = occupancyFlows !== undefined && capacityFlows !== undefined && capacityFlows > 0;
  if (!told && logged === undefined && facts.state.facts.kernelLog === undefined) return undefined;
  const full = told && occupancyFlows >= capacityFlows;
  if (!full && logged === undefined) return [];
  const room = told ? `${groupDigits(occupancyFlows)} of ${groupDigits(capacityFlows)}` : "the log says so";
  const target = Math.max(256, (capacityFlows ?? 0) * 2);
  return [
    {
      code: "expectations-full",
      level: "warning",
      keeps: "warning",
      title: `No room for expected connections: ${room}`,
      evidence: figuresOf({ occupancyFlows, capacityFlows, logLine: logged?.sample }),
      ...wordsOf(facts, "expectations-full", {
        meaning:
          "Helpers announce the connections that a control connection agreed upon (FTP data, SIP media). " +
          "Those beyond the limit are treated as new. The table of flows is not concerned.",
        remedy: [
          {
            text: `Allow ${groupDigits(target)} expected connections; costs little.`,
            command: `sysctl -w net.netfilter.nf_conntrack_expect_max=${target}`,
          },
        ],
      }),
    },
  ];
}

/** `allocation-failed`: refused although there is room: no memory, or by a protocol's tracker. */
export function allocationFailed(facts: AlertFacts): readonly Condition[] | undefined {
  const { drops } = facts;
  const logged = loggedLately(facts, "allocation-failed");
  if (logged === undefined && (drops?.noRoomPackets === undefined || drops.peakUseShare === undefined)) {
    return undefined;
  }
  const lost = drops?.noRoomPackets ?? 0;
  const hadRoom = (drops?.peakUseShare ?? 1) < PRESSURE_SHARE && (drops?.evictedFlows ?? 0) === 0;
  const refused = lost > 0 && hadRoom;
  if (logged === undefined && !refused) return [];
  const { availableBytes, memoryBytes } = facts.state.facts.host;
  const title =
    logged === undefined
      ? `${amountOf(lost, "packet")} refused in the last minute though the table has room ` +
        `(${percent(drops?.peakUseShare ?? 0)} full)`
      : `The kernel had no memory for new flows: ${amountOf(logged.lines, "line")} in its log`;
  return [
    {
      code: "allocation-failed",
      // A tracker refuses broken packets all the time: only the allocator's own word is certain.
      level: logged === undefined ? "warning" : "critical",
      keeps: "warning",
      title,
      evidence: figuresOf({
        refusedPackets: refused ? lost : undefined,
        logLine: logged?.sample,
        availableBytes,
        memoryBytes,
      }),
      ...wordsOf(facts, "allocation-failed", {
        meaning:
          "The limit was not reached: the kernel had no memory left for a flow, or a protocol's tracker " +
          "refused the packet. A higher limit does not help.",
        remedy: [
          { text: "See who uses the memory of the kernel.", command: "slabtop -o -s c" },
          { text: "See what the allocator says.", command: "dmesg -T --level=err,warn" },
          lookCloser,
        ],
      }),
    },
  ];
}

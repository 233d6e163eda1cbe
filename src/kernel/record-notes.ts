/**
 * What a record says besides the kernel's messages: its beginning, where a dump of the table begins and ends,
 * losses, changed settings, the kernel's own count, its end. Each is the body of a netlink message NOOP,
 * which every reader of netlink passes over (include/uapi/linux/netlink.h): one line of JSON.
 */
import { SETTING_KEYS, type SettingKey, type Settings } from "../table/settings.ts";

/** What every note begins with: tells ours from whatever else a NOOP may carry. */
const FORMAT = "headroom/record/v1";

/** Why the table was read in the middle of events. */
export type DumpReason = "start" | "loss" | "end";

/** What the record was made of, and where. */
export interface RecordBeginning {
  kind: "beginning";
  kernelRelease?: string;
  hostname?: string;
  /** As it was named on the command line. */
  namespace?: string;
  namespaceInode?: number;
  /** In force when it began. */
  settings: Settings;
  /** Of so many flows the events of one are here. */
  oneOf: number;
  /** Which flows have events at all: see EventCoverage. */
  coverage: string;
  /** Wall clock when it began, epoch milliseconds; all other times follow from a clock that never jumps. */
  clockMs: number;
  version: string;
}

export type RecordNote =
  | RecordBeginning
  | { kind: "dump"; reason: DumpReason }
  | { kind: "dump-end"; complete: boolean; flows: number }
  /** Events were lost: how many times since the beginning, and how many where the kernel counts them. */
  | { kind: "loss"; losses: number; lostEvents?: number }
  | { kind: "settings"; settings: Settings }
  /** nf_conntrack_count: what counts against the limit, expired flows too. */
  | { kind: "count"; occupancyFlows: number }
  | { kind: "end"; events: number; losses: number; lostEvents?: number };

/** A note as bytes: the body of its message. */
export function writeNote(note: RecordNote): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...note }));
}

/** The note in the body of a NOOP; undefined when it is none of ours, or not one that is understood. */
export function readNote(body: Uint8Array): RecordNote | undefined {
  const found = parsed(body);
  if (found === undefined || found["format"] !== FORMAT) return undefined;
  switch (found["kind"]) {
    case "beginning":
      return beginningOf(found);
    case "dump": {
      const { reason } = found;
      return reason === "start" || reason === "loss" || reason === "end"
        ? { kind: "dump", reason }
        : undefined;
    }
    case "dump-end":
      return { kind: "dump-end", complete: found["complete"] === true, flows: countOf(found["flows"]) ?? 0 };
    case "loss":
      return { kind: "loss", losses: countOf(found["losses"]) ?? 0, ...lostOf(found) };
    case "settings":
      return { kind: "settings", settings: settingsOf(found["settings"]) };
    case "count": {
      const occupancyFlows = countOf(found["occupancyFlows"]);
      return occupancyFlows === undefined ? undefined : { kind: "count", occupancyFlows };
    }
    case "end": {
      const [events = 0, losses = 0] = [countOf(found["events"]), countOf(found["losses"])];
      return { kind: "end", events, losses, ...lostOf(found) };
    }
    default:
      return undefined;
  }
}

type Found = Readonly<Record<string, unknown>>;

function parsed(body: Uint8Array): Found | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Found)
      : undefined;
  } catch {
    return undefined;
  }
}

function beginningOf(found: Found): RecordBeginning {
  const { kernelRelease, hostname, namespace, namespaceInode, coverage, version } = found;
  const inode = countOf(namespaceInode);
  return {
    kind: "beginning",
    ...(typeof kernelRelease === "string" ? { kernelRelease: plain(kernelRelease) } : {}),
    ...(typeof hostname === "string" ? { hostname: plain(hostname) } : {}),
    ...(typeof namespace === "string" ? { namespace: plain(namespace) } : {}),
    ...(inode === undefined ? {} : { namespaceInode: inode }),
    settings: settingsOf(found["settings"]),
    oneOf: Math.max(1, countOf(found["oneOf"]) ?? 1),
    coverage: typeof coverage === "string" ? plain(coverage) : "unknown",
    clockMs: countOf(found["clockMs"]) ?? 0,
    version: typeof version === "string" ? plain(version) : "",
  };
}

function lostOf(found: Found): { lostEvents?: number } {
  const lostEvents = countOf(found["lostEvents"]);
  return lostEvents === undefined ? {} : { lostEvents };
}

function settingsOf(value: unknown): Settings {
  if (typeof value !== "object" || value === null) return {};
  const found = value as Found;
  const known = SETTING_KEYS.flatMap((key): [SettingKey, number][] => {
    const number = countOf(found[key]);
    return number === undefined ? [] : [[key, number]];
  });
  return Object.fromEntries(known);
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

const LONGEST_NAME = 128;

/** Nothing in it acts on a terminal. */
function plain(text: string): string {
  return text.slice(0, LONGEST_NAME).replace(/[^\x20-\x7e\u00a1-\uffff]/g, "?");
}

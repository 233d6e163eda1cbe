/**
 * From `--source`, `--root` and `--netns` to a host to look at and flows to read. A listing that came without
 * its host is never mixed with facts of the host this program runs on.
 */
import { statSync } from "node:fs";
import { availableParallelism } from "node:os";

import type { FlowSource, HostAccess } from "../kernel/kernel.ts";
import type { Listing } from "../listing/listing.ts";
import type { FlowReading } from "../table/source.ts";
import type { Context } from "./context.ts";
import type { FlowOptions } from "./options.ts";
import { shellWord } from "../table/shell-word.ts";
import { UsageError } from "./usage-error.ts";

/** Words `--source` takes besides paths. */
export const SOURCE_WORDS = ["kernel", "netlink", "procfs"] as const;

/** A listing of so many bytes, some 170,000 flows, is read by two threads (decision 005). */
const LARGE_BYTES = 33_554_432;

/** What a command looks at. */
export interface Place {
  /** Absent when a listing came alone. */
  host?: HostAccess;
  /** Flows asked of the host, or the listing that stands for them. */
  flows: { kind: "host"; source: FlowSource } | { kind: "file"; path: string };
  /**
   * Options that lead another command to the same place, with a blank in front. Absent when flows come from
   * standard input, which cannot be read twice.
   */
  sameOptions?: string;
}

/** Opens what the options name. Close `host` in the end. */
export async function openPlace(context: Context, options: FlowOptions): Promise<Place> {
  const { source = "kernel", netns } = options;
  const kernel = await context.deps.kernel();
  const word = SOURCE_WORDS.find((known) => known === source);
  const directory = word === undefined && isDirectory(source);
  const root = directory ? source : options.root;
  refuseContradictions(options, directory);
  const open = (): HostAccess =>
    kernel.openHost({
      clock: context.deps.clock,
      ...(root === undefined ? {} : { root }),
      ...(netns === undefined ? {} : { namespace: netns }),
      ...(context.debug === undefined ? {} : { debug: context.debug }),
    });
  const same = source === "-" ? {} : { sameOptions: sameOptionsText(options) };
  if (isFile(source, directory)) {
    const flows = { kind: "file", path: source } as const;
    return { ...(root === undefined ? {} : { host: open() }), flows, ...same };
  }
  const asked = word === undefined || word === "kernel" ? "auto" : word;
  return { host: open(), flows: { kind: "host", source: asked }, ...same };
}

function refuseContradictions({ source, root, netns, allNetns }: FlowOptions, directory: boolean): void {
  if (directory && root !== undefined) {
    throw new UsageError(
      `Cannot use --root ${root} and --source ${source}: both are directories that stand in for /`,
    );
  }
  const alone = root === undefined && isFile(source, directory);
  if (alone && (netns !== undefined || allNetns === true)) {
    const option = netns === undefined ? "--all-netns" : `--netns ${netns}`;
    throw new UsageError(`Cannot use ${option}: a listing has no network namespaces to enter`);
  }
}

function isFile(source: string | undefined, directory: boolean): boolean {
  return source !== undefined && !directory && SOURCE_WORDS.every((word) => word !== source);
}

function isDirectory(path: string): boolean {
  return path !== "-" && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** While standard input is read nothing else runs: ^C then ends the program as it always does. */
export function readsStandardInput({ flows }: Place): boolean {
  return flows.kind === "file" && flows.path === "-";
}

/**
 * The reading of a place. `sampleFlows` asks the kernel for about so many; a listing is always read whole.
 */
export async function openReading(
  context: Context,
  place: Place,
  sampleFlows: number | undefined,
): Promise<FlowReading> {
  const { host, flows } = place;
  if (flows.kind === "file") {
    const kernel = await context.deps.kernel();
    const origin = flows.path === "-" ? "standard input" : flows.path;
    const { program } = context.deps;
    if (program === undefined || !isWorthAThread(flows.path)) {
      return readBytes(kernel.openBytes(flows.path), origin);
    }
    const { readListingAhead } = await import("./listing-ahead.ts");
    return readListingAhead({ path: flows.path, origin, program, openBytes: kernel.openBytes });
  }
  if (host === undefined) throw new UsageError("Cannot read flows: no host was named");
  const opened = host.flows({
    source: flows.source,
    ...(sampleFlows === undefined ? {} : { sampleFlows }),
  });
  return opened.kind === "reading" ? opened.reading : readBytes(opened.bytes(), opened.origin, opened.source);
}

/** Large, on two processors, and a file, which alone can be read by two at once. */
function isWorthAThread(path: string): boolean {
  const file = path === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
  return file?.isFile() === true && file.size >= LARGE_BYTES && availableParallelism() > 1;
}

/** Loaded when there is a listing to read: netlink does without. */
async function readBytes(
  bytes: Iterable<Uint8Array>,
  origin: string,
  source: "procfs" | "file" = "file",
): Promise<FlowReading> {
  const { readListing } = await import("../listing/listing.ts");
  return readListing(bytes, { origin, source });
}

/** The reading as that of a listing, which knows more; undefined of one over netlink. */
export function listingOf(reading: FlowReading): Listing | undefined {
  return isListing(reading) ? reading : undefined;
}

function isListing(reading: FlowReading): reading is Listing {
  return "style" in reading;
}

/** Whether it was a listing of events: a flow is in it each time it changed. Known when it has been read. */
export function isEventListing(reading: FlowReading): boolean {
  return listingOf(reading)?.format?.endsWith("events") === true;
}

/** ` --root 'a b' --source procfs`: what another command needs to look at the same place. */
function sameOptionsText({ root, source, netns }: FlowOptions): string {
  const parts: string[] = [];
  if (root !== undefined) parts.push("--root", shellWord(root));
  if (source !== undefined && source !== "kernel") parts.push("--source", shellWord(source));
  if (netns !== undefined) parts.push("--netns", shellWord(netns));
  return parts.map((part) => ` ${part}`).join("");
}

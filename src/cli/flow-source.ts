/**
 * From `--source`, `--root` and `--netns` to a host to look at and flows to read. A listing that came without
 * its host is never mixed with facts of the host this program runs on.
 */
import { statSync } from "node:fs";

import type { FlowSource, HostAccess } from "../kernel/kernel.ts";
import type { FlowReading } from "../table/source.ts";
import type { Context } from "./context.ts";
import type { FlowOptions } from "./options.ts";
import { UsageError } from "./usage-error.ts";

/** Words `--source` takes besides paths. */
export const SOURCE_WORDS = ["kernel", "netlink", "procfs"] as const;

/** What a command looks at. */
export interface Place {
  /** Absent when a listing came alone. */
  host?: HostAccess;
  /** Flows asked of the host, or the listing that stands for them. */
  flows: { kind: "host"; source: FlowSource } | { kind: "file"; path: string };
  /** Options that lead another command to the same place, with a blank in front. */
  sameOptions: string;
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
  const sameOptions = sameOptionsText(options);
  if (isFile(source, directory)) {
    const flows = { kind: "file", path: source } as const;
    return { ...(root === undefined ? {} : { host: open() }), flows, sameOptions };
  }
  const asked = word === undefined || word === "kernel" ? "auto" : word;
  return { host: open(), flows: { kind: "host", source: asked }, sameOptions };
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
    return readBytes(kernel.openBytes(flows.path), origin);
  }
  if (host === undefined) throw new UsageError("Cannot read flows: no host was named");
  const opened = host.flows({
    source: flows.source,
    ...(sampleFlows === undefined ? {} : { sampleFlows }),
  });
  return opened.kind === "reading" ? opened.reading : readBytes(opened.bytes(), opened.origin, opened.source);
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

/** ` --root 'a b' --source procfs`: what another command needs to look at the same place. */
function sameOptionsText({ root, source, netns }: FlowOptions): string {
  const parts: string[] = [];
  if (root !== undefined) parts.push("--root", shellWord(root));
  if (source !== undefined && source !== "kernel") parts.push("--source", shellWord(source));
  if (netns !== undefined) parts.push("--netns", shellWord(netns));
  return parts.map((part) => ` ${part}`).join("");
}

/** `text` as one word of a shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

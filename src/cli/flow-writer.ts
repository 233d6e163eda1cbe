/**
 * One flow as one line: the kernel's own words, a wider form for people, JSON or CSV.
 */
import { csvHeader, flowToCsv, flowToJsonText, formatFlow, type LineStyle } from "../listing/listing.ts";
import { formatAddress } from "../table/address.ts";
import { roughDuration } from "../table/duration.ts";
import type { Flow, Tuple } from "../table/flow.ts";
import { protocolName } from "../table/protocol.ts";
import { Status } from "../table/status.ts";
import { formatBytes } from "./figures.ts";
import type { ListOptions } from "./options.ts";
import { padLeft, padRight, visible } from "./plain-text.ts";

/** A flow with what is known of it from outside. */
export interface ListedFlow {
  flow: Flow;
  idleSeconds?: number;
  /** Named when flows of several network namespaces are listed. */
  namespace?: string;
}

export interface FlowWriter {
  /** First lines, before any flow. */
  header: readonly string[];
  line(listed: ListedFlow, style: LineStyle): string;
}

/** The writer the options ask for. */
export function flowWriter(options: ListOptions): FlowWriter {
  const several = options.allNetns === true;
  if (options.json === true) return { header: [], line: jsonLine };
  if (options.csv === true) {
    return {
      header: [several ? `${csvHeader},namespace` : csvHeader],
      line: ({ flow, idleSeconds, namespace }) =>
        flowToCsv(flow, idleSeconds === undefined ? {} : { idleSeconds }) +
        (several ? `,${csvCell(namespace ?? "")}` : ""),
    };
  }
  if (options.format === "wide") return { header: [wideHeader], line: wideLine };
  return { header: [], line: kernelLine };
}

function jsonLine({ flow, idleSeconds, namespace }: ListedFlow): string {
  const text = flowToJsonText(flow, idleSeconds === undefined ? {} : { idleSeconds });
  return namespace === undefined ? text : `${text.slice(0, -1)},"namespace":${JSON.stringify(namespace)}}`;
}

function csvCell(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function kernelLine({ flow, namespace }: ListedFlow, style: LineStyle): string {
  const text = formatFlow(flow, style);
  // Without these, all of it is our own words and numbers.
  const line = flow.rare === undefined ? text : visible(text);
  return namespace === undefined ? line : `${line} netns=${visible(namespace)}`;
}

/** Widths of all but the last column; IPv6 addresses make theirs wider. */
const wideWidths = [6, 12, 22, 22, 7, 7, 9] as const;
const wideHeader = wideRow(["proto", "state", "source", "destination", "idle", "left", "carried", "notes"]);

function wideRow(cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const width = wideWidths[index] ?? 0;
      return index >= 4 && index <= 6 ? padLeft(cell, width) : padRight(cell, width);
    })
    .join(" ")
    .trimEnd();
}

function wideLine({ flow, idleSeconds, namespace }: ListedFlow): string {
  const { originalTraffic, replyTraffic, timeoutSeconds } = flow;
  const counted = originalTraffic !== undefined || replyTraffic !== undefined;
  const bytes = (originalTraffic?.bytes ?? 0) + (replyTraffic?.bytes ?? 0);
  const [source, destination] = endsOf(flow.original);
  return wideRow([
    protocolName(flow.protocol),
    flow.state ?? "",
    source,
    destination,
    idleSeconds === undefined ? "?" : roughDuration(idleSeconds),
    timeoutSeconds === undefined ? "?" : roughDuration(timeoutSeconds),
    counted ? formatBytes(bytes) : "",
    notesOf(flow, namespace),
  ]);
}

/** Both ends of a direction as people write them. */
function endsOf(tuple: Tuple): [string, string] {
  const { source, destination } = tuple;
  switch (tuple.kind) {
    case "ports":
      return [endText(source, tuple.sourcePort), endText(destination, tuple.destinationPort)];
    case "icmp":
      return [formatAddress(source), `${formatAddress(destination)} type ${tuple.type} id ${tuple.id}`];
    case "keys":
      return [formatAddress(source), `${formatAddress(destination)} key ${tuple.destinationKey}`];
    case "none":
      return [formatAddress(source), formatAddress(destination)];
  }
}

function endText(address: Tuple["source"], port: number): string {
  const text = formatAddress(address);
  return address.length === 4 ? `${text}:${port}` : `[${text}]:${port}`;
}

/** Flags, translation, mark and zone, where there are any. */
function notesOf(flow: Flow, namespace: string | undefined): string {
  const { status, knownStatus, reply, original, mark = 0, zone = 0 } = flow;
  const notes: string[] = [];
  const bits = (status ?? 0) & knownStatus;
  if (bits & Status.HW_OFFLOAD) notes.push("hw-offload");
  else if (bits & Status.OFFLOAD) notes.push("offload");
  if (bits & Status.ASSURED) notes.push("assured");
  if (status !== undefined && knownStatus & ~status & Status.SEEN_REPLY) notes.push("unreplied");
  if (reply !== undefined) {
    const [from, to] = endsOf(original);
    const [back, away] = endsOf(reply);
    if (away !== from && original.kind !== "icmp") notes.push(`as ${away}`);
    if (back !== to && original.kind !== "icmp") notes.push(`to ${back}`);
  }
  if (mark !== 0) notes.push(`mark 0x${mark.toString(16)}`);
  if (zone !== 0) notes.push(`zone ${zone}`);
  if (flow.rare?.helper !== undefined) notes.push(`helper ${flow.rare.helper}`);
  if (namespace !== undefined) notes.push(`netns ${namespace}`);
  return visible(notes.join(", "));
}

/** The flows that a model has left, as lines of /proc/net/nf_conntrack of the kernel it stands for. */
import { formatFlow, type LineStyle, unnamedProtocols } from "../../listing/listing.ts";
import type { Tracker } from "../../model/model.ts";
import { flowAt } from "../../table/flow.ts";
import { parseKernelRelease } from "../../table/kernel-release.ts";
import type { Sink } from "../terminal.ts";

/** Characters gathered before they are written. */
const ROOM_CHARACTERS = 32 * 1024;

/** Writes every flow of the tracker's table, one a line. */
export async function writeTable(sink: Sink, tracker: Tracker): Promise<void> {
  const style = styleOf(tracker);
  let lines = "";
  for await (const columns of tracker.flows().batches()) {
    for (let row = 0; row < columns.count; row += 1) {
      lines += `${formatFlow(flowAt(columns, row), style)}\n`;
      if (lines.length < ROOM_CHARACTERS) continue;
      sink.write(lines);
      lines = "";
    }
  }
  if (lines !== "") sink.write(lines);
}

function styleOf({ settings, nowMs }: Tracker): LineStyle {
  const release = parseKernelRelease(settings.generation);
  return {
    zones: true,
    ...(release === undefined ? {} : { unnamed: unnamedProtocols(release) }),
    ...(nowMs === undefined ? {} : { nowMs }),
  };
}

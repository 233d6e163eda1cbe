/** From the command line to what is asked for. */
import { conntrackCommand } from "./conntrack-command.ts";
import type { ReclaimOptions } from "./reclaim-line.ts";
import type { Wish } from "./reclaim-text.ts";

/**
 * Flows a second: whoever listens to events (conntrackd) gets one for each, and loses what it cannot
 * read in time (decision 012 has figures).
 */
const DEFAULT_RATE = 10_000;

/** What is asked for, with everything that was left out. */
export async function wishOf(options: ReclaimOptions, filter: string): Promise<Wish> {
  const { idleSeconds, shortenToSeconds, max } = options;
  const conntrack = await conntrackOf(options, filter);
  return {
    filter: filter.trim(),
    ...(idleSeconds === undefined ? {} : { idleSeconds }),
    ...(shortenToSeconds === undefined ? {} : { shortenToSeconds }),
    includeNat: options.includeNat === true,
    rate: options.rate ?? DEFAULT_RATE,
    ...(max === undefined ? {} : { mostFlows: max }),
    ...(conntrack === undefined ? {} : { conntrack }),
  };
}

async function conntrackOf(
  { idleSeconds, netns }: ReclaimOptions,
  filter: string,
): Promise<string | undefined> {
  if (idleSeconds !== undefined) return undefined;
  const { parseFilter } = await import("../../table/filter.ts");
  const command = conntrackCommand(parseFilter(filter), "-D");
  if (command === undefined || netns === undefined) return command;
  const enter = /^\d+$/.test(netns) ? `nsenter -t ${netns} -n` : `ip netns exec ${netns}`;
  return `${enter} ${command}`;
}

/**
 * Commands as they are typed on the host when they are about the table of another network namespace. Without
 * this an operator would change, list or free the flows of the host's own.
 */
import type { Remedy } from "./finding.ts";
import { shellWord } from "./shell-word.ts";

/** Commands of ours that look at, or change, the table of one namespace. */
const OURS = /^((?:sudo )?headroom (?:check|explain|list|whatif|plan|apply|verify|reclaim|record))\b/;
/** Programs that act on the namespace they run in. */
const THERE = /^(?:conntrack|ip6?tables|nft|sysctl -w net\.)/;
/** Of the host as a whole, whatever namespace is meant: they can only be set from the initial one. */
const OF_THE_HOST = /^sysctl -w net\.netfilter\.nf_conntrack_(?:max|buckets|expect_max)=/;

/**
 * `command`, about the network namespace `netns` (a name of `ip netns`, a process or a path, as `--netns`
 * takes it). What is about the whole host, or names a namespace already, stays as it is.
 */
export function commandIn(command: string, netns: string | undefined): string {
  if (netns === undefined || / --(?:all-)?netns\b/.test(command)) return command;
  const word = shellWord(netns);
  const ours = OURS.exec(command)?.[1];
  if (ours !== undefined) return `${ours} --netns ${word}${command.slice(ours.length)}`;
  if (!THERE.test(command) || OF_THE_HOST.test(command)) return command;
  if (/^\d+$/.test(netns)) return `nsenter -t ${netns} -n ${command}`;
  return netns.startsWith("/") ? `nsenter --net=${word} ${command}` : `ip netns exec ${word} ${command}`;
}

/** Ways out whose commands are typed on the host. */
export function remediesIn(remedies: readonly Remedy[], netns: string | undefined): readonly Remedy[] {
  if (netns === undefined) return remedies;
  return remedies.map((remedy) =>
    remedy.command === undefined ? remedy : { ...remedy, command: commandIn(remedy.command, netns) },
  );
}

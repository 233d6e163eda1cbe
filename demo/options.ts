/** The command line of the demo. */
import { parseArgs } from "node:util";

import { Refusal } from "./refusal.ts";

export interface DemoOptions {
  /** The story in one minute instead of three. */
  fast: boolean;
  /** Ends after the story; otherwise ^C does. */
  once: boolean;
  /** Runs the commands that mend it instead of only showing them. */
  mend: boolean;
  /** Where the dashboard listens; absent: 9466, or the next port that is free. */
  port?: number;
  /** Directory for pictures of the dashboard. */
  screenshots?: string;
}

export const HELP = `Usage: npm run demo -- [options]

Builds a client, a router and a web server in network namespaces of this machine, lets the router's table fill
up until packets drop, and tells what happens, with \`headroom serve\` watching. Needs root, nginx and curl.

  --mend              also run the commands that mend it
  --once              end after the story instead of waiting for ^C
  --fast              one minute instead of three
  --port N            the dashboard listens there (default: 9466, or the next that is free)
  --screenshots DIR   take pictures of the dashboard (needs chromium)
  --help              print this
`;

/** Reads the words after the program; "help" when that is asked for. Throws Refusal. */
export function readOptions(words: readonly string[]): DemoOptions | "help" {
  const { help, port, screenshots, fast = false, once = false, mend = false } = parse(words);
  if (help === true) return "help";
  if (port !== undefined && !(/^\d+$/.test(port) && Number(port) < 65_536)) {
    throw new Refusal(`Cannot use --port ${port}: wanted a number from 0 to 65535`);
  }
  return {
    fast,
    once,
    mend,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(screenshots === undefined ? {} : { screenshots }),
  };
}

function parse(words: readonly string[]) {
  try {
    const options = {
      fast: { type: "boolean" },
      once: { type: "boolean" },
      mend: { type: "boolean" },
      port: { type: "string" },
      screenshots: { type: "string" },
      help: { type: "boolean", short: "h" },
    } as const;
    return parseArgs({ args: [...words], options }).values;
  } catch (error) {
    throw new Refusal(`${(error as Error).message.split(". ")[0]}; --help has the options`, { cause: error });
  }
}

/**
 * `npm run demo`: a router whose table fills up, and Headroom watching it. Everything happens in namespaces
 * of this machine and is undone in every case (ledger.ts).
 */
import { accessSync, constants, existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatCount } from "../src/cli/figures.ts";
import { CHROMIUM } from "./chromium.ts";
import { capacityNow, lowerCapacity, makeLab, roomFor } from "./lab.ts";
import { Ledger } from "./ledger.ts";
import { type DemoOptions, HELP, readOptions } from "./options.ts";
import { openPictures } from "./pictures.ts";
import { Refusal } from "./refusal.ts";
import { Story } from "./story.ts";
import { type Screen, Telling } from "./telling.ts";
import { startTraffic, type Visits } from "./traffic.ts";
import { occupancies, startWatching } from "./watching.ts";

/** Programs that are needed, and their packages in Debian. */
const PROGRAMS = [
  ["ip", "iproute2"],
  ["nft", "nftables"],
  ["nginx", "nginx-light"],
  ["curl", "curl"],
] as const;

/** Of what is no terminal. */
const COLUMNS = 100;

process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const beganMs = performance.now();
  const seconds = (): number => (performance.now() - beganMs) / 1000;
  const telling = new Telling(screenOf(process.stdout), seconds);
  try {
    const options = readOptions(words);
    if (options === "help") {
      process.stdout.write(HELP);
      return 0;
    }
    refuseWithout(options);
    process.env["PATH"] = searchPath();
    return await play(options, telling, seconds);
  } catch (error) {
    telling.close();
    if (!(error instanceof Refusal)) throw error;
    process.stderr.write(`demo: ${error.message}\n`);
    return 1;
  }
}

/** Throws Refusal when something is missing. Nothing is installed. */
function refuseWithout({ screenshots }: DemoOptions): void {
  const missing = PROGRAMS.filter(([program]) => !isInPath(program));
  if (missing.length > 0) {
    const names = missing.map(([program]) => program).join(", ");
    const packages = missing.map(([, name]) => name).join(" ");
    throw new Refusal(`The demo needs ${names}, not found here: apt-get install ${packages}`);
  }
  if (screenshots !== undefined && !existsSync(CHROMIUM)) {
    throw new Refusal(`Pictures need ${CHROMIUM}, not found here: apt-get install chromium`);
  }
  if (process.geteuid?.() !== 0) {
    throw new Refusal("The demo needs root, to make network namespaces: sudo npm run demo");
  }
}

function isInPath(program: string): boolean {
  return searchPath()
    .split(":")
    .some((directory) => {
      try {
        accessSync(join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** With the directories of administrators, which a shell of `su` may lack. */
function searchPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
}

function screenOf(stream: NodeJS.WriteStream): Screen {
  return {
    write: (text) => void stream.write(text),
    // A serial line says 0.
    columns: stream.columns > 0 ? stream.columns : COLUMNS,
    moves: stream.isTTY,
    colours: stream.isTTY && stream.hasColors(),
  };
}

/** From the first namespace to the last word. */
async function play(options: DemoOptions, telling: Telling, seconds: () => number): Promise<number> {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interruption.abort());
  }
  const capacityBefore = capacityNow();
  const ledger = new Ledger((text) => telling.plain(text));
  let exitCode = 0;
  try {
    await playIn(options, { telling, seconds, ledger, interrupted: interruption.signal });
  } catch (error) {
    if (error instanceof Refusal) throw error;
    telling.close();
    if (!interruption.signal.aborted) {
      telling.plain(`The demo cannot go on: ${(error as Error).message}`, "red");
      exitCode = 1;
    }
  } finally {
    telling.close();
    await ledger.close();
  }
  telling.plain(`\n${lastWords(capacityBefore)}`);
  return exitCode;
}

function lastWords(before: number | undefined): string {
  const now = capacityNow();
  if (before === undefined || now === undefined) return "Everything is removed.";
  if (now === before) return `Everything is removed, and nf_conntrack_max is ${formatCount(before)} again.`;
  return (
    `Everything is removed. nf_conntrack_max is ${formatCount(now)}: somebody set it meanwhile; ` +
    `it was ${formatCount(before)} before the demo.`
  );
}

interface Play {
  telling: Telling;
  seconds: () => number;
  ledger: Ledger;
  interrupted: AbortSignal;
}

async function playIn(options: DemoOptions, { telling, seconds, ledger, interrupted }: Play): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "headroom-demo-"));
  ledger.note("directory", directory);
  const others = capacityNow() === undefined ? new Map<string, number>() : await occupancies();
  const capacityFlows = roomFor(others);
  makeLab(ledger);
  lowerCapacity(ledger, capacityFlows);
  telling.plain("A client, a router and a web server on this machine, in namespaces of their own.", "bold");
  telling.plain(
    `The router tracks what it forwards. Its table has room for ${formatCount(capacityFlows)} flows: ` +
      "nf_conntrack_max, one value for the whole host, is lowered for the demo and put back in every case.",
  );
  const visits: Visits = { pages: 0, failed: 0 };
  startTraffic(directory, ({ pages, failed }) => {
    visits.pages += pages;
    visits.failed += failed;
  });
  const watching = await startWatching(ledger, directory, options.port);
  telling.plain(`\nDashboard  ${watching.url}\n`, ["bold", "cyan"]);
  const pictures =
    options.screenshots === undefined
      ? undefined
      : await openPictures(options.screenshots, `${directory}/chromium`, watching.url);
  const story = new Story(
    {
      telling,
      watching,
      pictures,
      capacityFlows,
      mend: options.mend,
      once: options.once,
      visits: () => {
        const since = { ...visits };
        visits.pages = 0;
        visits.failed = 0;
        return since;
      },
      removedFile: `${directory}/removed.txt`,
      interrupted,
      seconds,
    },
    options.fast,
  );
  try {
    await story.tell();
    if (!options.once) {
      telling.say(`That was the story. The dashboard goes on at ${watching.url}; ^C ends it.`);
      await story.watch();
    }
  } finally {
    story.close();
    await pictures?.close();
  }
}

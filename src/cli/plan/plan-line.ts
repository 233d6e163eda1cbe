/**
 * The command line of `headroom plan`.
 */
import { type Command, Option } from "commander";

import type { Traffic } from "../../plan/plan.ts";
import { addHostOptions, choiceOption, type Options, withUnits } from "../command-options.ts";
import { parseMemory } from "../figures.ts";
import {
  type HostOptions,
  POINTER_BITS,
  readCount,
  readKernel,
  readMemory,
  readPointer,
  readSeconds,
  readThreshold,
} from "../options.ts";
import { UsageError } from "../usage-error.ts";
import { readTraffic } from "./traffic-words.ts";

export const PLAN_FORMATS = ["text", "json", "sysctl.d", "sysctl.conf", "ansible", "kube-proxy"] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

/** Bytes, or a share of the memory. */
export type MemoryBudget = { bytes: number } | { share: number };

export interface PlanOptions extends HostOptions {
  source?: string;
  netns?: string;
  sample?: number;
  /** 0: one reading. */
  observeSeconds?: number;
  format?: PlanFormat;
  peakFactor?: number;
  targetShare?: number;
  memoryBudget?: MemoryBudget;
  belowRfc?: true;
  fromTraffic?: Traffic;
  memoryBytes?: number;
  kernel?: string;
  pointerBytes?: 4 | 8;
}

export interface PlanSelection {
  command: "plan";
  options: PlanOptions;
}

export function addPlan(program: Command, select: (selection: PlanSelection) => void): void {
  const command = program
    .command("plan")
    .description("say which values to choose, why, and at what memory cost")
    .addOption(choiceOption("--format <form>", "output", PLAN_FORMATS))
    .addOption(
      new Option("--peak <factor>", "how many times the present load the peak is (default: 1)").argParser(
        (text) => readFactor("--peak", text),
      ),
    )
    .addOption(
      new Option("--target-use <percent>", "use of the capacity at the peak (default: 50)").argParser(
        (text) => readThreshold("--target-use", text),
      ),
    )
    .addOption(
      new Option(
        "--memory-budget <size>",
        "the most a full table may take, as 256M or 5% (default: 10% of the memory)",
      ).argParser((text) => readBudget("--memory-budget", text)),
    )
    .addOption(
      new Option("--observe <duration>", "watch for so long (default: 10s; 0: one reading)").argParser(
        (text) => readObservation("--observe", text),
      ),
    )
    .option("--below-rfc", "timeouts may go below what the RFCs ask of a NAT")
    .addOption(
      new Option(
        "--from-traffic <words>",
        "for a host on paper: pageviews=100000/h,connections-per-page=10,hold=120s",
      ).argParser((text) => readTraffic("--from-traffic", text)),
    )
    .addOption(
      new Option("--memory <size>", "MemTotal, as 1G, 512M or bytes").argParser((text) =>
        readMemory("--memory", text),
      ),
    )
    .addOption(
      new Option("--kernel <release>", "as 2.6.18 or 6.1.0-18-amd64").argParser((text) =>
        readKernel("--kernel", text),
      ),
    )
    .addOption(
      choiceOption("--pointer <bits>", "pointer size", POINTER_BITS).argParser((text) =>
        readPointer("--pointer", text),
      ),
    )
    .option("--source <source>", "where flows come from (default: kernel); see headroom --help")
    .option("--netns <name|pid>", "look at this network namespace")
    .addOption(
      new Option("--sample <n>", "read only about this many flows; figures then carry their error").argParser(
        (text) => readCount("--sample", text, 100),
      ),
    );
  addHostOptions(command).action((options: Options) =>
    select({ command: "plan", options: planOptions(options) }),
  );
}

/** Names with their units. */
function planOptions(options: Options): PlanOptions {
  const { observe, peak, targetUse, ...rest } = options;
  const renamed = { observeSeconds: observe, peakFactor: peak, targetShare: targetUse };
  const given = Object.entries(renamed).filter(([, value]) => value !== undefined);
  return withUnits({ ...rest, ...Object.fromEntries(given) }) as PlanOptions;
}

/** A number above 0, as `3` or `1.5`. */
function readFactor(option: string, text: string): number {
  const factor = Number(/^\d+(?:\.\d+)?$/.exec(text)?.[0]);
  if (!(factor > 0 && factor <= 1_000_000)) {
    throw new UsageError(`Cannot use \`${option} ${text}\`: wanted a factor above 0, such as 3 or 1.5`);
  }
  return factor;
}

function readBudget(option: string, text: string): MemoryBudget {
  const percent = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1]);
  if (percent > 0 && percent <= 100) return { share: percent / 100 };
  const bytes = parseMemory(text);
  if (bytes === undefined || bytes === 0) {
    throw new UsageError(
      `Cannot use \`${option} ${text}\`: wanted a memory size such as 256M, or a share such as 5%`,
    );
  }
  return { bytes };
}

function readObservation(option: string, text: string): number {
  return /^0+s?$/.test(text) ? 0 : readSeconds(option, text);
}

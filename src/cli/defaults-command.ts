/**
 * `headroom defaults`: what a kernel chooses by itself for a memory size, with the formula in words. What is
 * not given is taken from the host looked at; then what it really has is printed beside.
 */
import { defaultSizes, type DefaultSizes } from "../table/sizes.ts";
import type { Settings } from "../table/settings.ts";
import { type Context, print, printJson } from "./context.ts";
import { ExitCode } from "./exit-code.ts";
import { formatBytes, formatCount } from "./figures.ts";
import { type Look, tone } from "./look.ts";
import { lookAtHost, machineAsked } from "./machine-asked.ts";
import type { DefaultsOptions } from "./options.ts";
import { UsageError } from "./usage-error.ts";
import { padLeft, visible, wrap } from "./plain-text.ts";

export interface DefaultsReport {
  memoryBytes: number;
  kernelRelease: string;
  pointerBytes: 4 | 8;
  sizes: DefaultSizes;
  /** What the host looked at has; absent when the question was about another machine. */
  present?: { bucketCount?: number; capacityFlows?: number };
}

export async function runDefaults(context: Context, options: DefaultsOptions): Promise<ExitCode> {
  const report = await defaultsReport(context, options);
  if (options.json === true) printJson(context, defaultsToJson(report));
  else print(context, renderDefaults(report, context.look));
  return ExitCode.ok;
}

async function defaultsReport(context: Context, options: DefaultsOptions): Promise<DefaultsReport> {
  const complete = options.memoryBytes !== undefined && options.kernel !== undefined;
  const seen = complete ? undefined : await lookAtHost(context, options.root);
  const { memoryBytes, kernelRelease, pointerBytes } = machineAsked(options, seen);
  const { hashsize } = options;
  const pageBytes = seen?.host.pageBytes;
  const sizes = defaultSizes({
    memoryBytes,
    kernelRelease,
    pointerBytes,
    ...(pageBytes === undefined ? {} : { pageBytes }),
    ...(hashsize === undefined ? {} : { hashsize }),
  });
  if (sizes === undefined) {
    throw new UsageError(
      `Cannot tell the sizes of kernel ${kernelRelease}: there was no connection tracking before 2.4.0`,
    );
  }
  const asked = [options.memoryBytes, options.kernel, options.pointerBytes, hashsize];
  const aboutHost = seen !== undefined && asked.every((value) => value === undefined);
  return {
    memoryBytes,
    kernelRelease,
    pointerBytes,
    sizes,
    ...(aboutHost ? { present: presentSizes(seen.settings) } : {}),
  };
}

function presentSizes(settings: Settings): { bucketCount?: number; capacityFlows?: number } {
  const bucketCount = settings.nf_conntrack_buckets ?? settings.hashsize;
  const capacityFlows = settings.nf_conntrack_max;
  return {
    ...(bucketCount === undefined ? {} : { bucketCount }),
    ...(capacityFlows === undefined ? {} : { capacityFlows }),
  };
}

/** Lines of `headroom defaults`. */
export function renderDefaults(report: DefaultsReport, look: Look): string[] {
  const { sizes, present } = report;
  const bits = report.pointerBytes * 8;
  const figures = [sizes.buckets, sizes.capacityFlows].map(formatCount);
  const width = Math.max(...figures.map((text) => text.length));
  const [buckets = "", capacity = ""] = figures.map((text) => padLeft(text, width));
  const capacityHere = presentText(sizes.capacityFlows, present?.capacityFlows);
  return [
    `Kernel ${visible(report.kernelRelease)}, ${bits}-bit, ${formatBytes(report.memoryBytes)} of memory`,
    "",
    `buckets   ${tone(look, "bold", buckets)}${presentText(sizes.buckets, present?.bucketCount)}`,
    `capacity  ${tone(look, "bold", capacity)} flows${capacityHere}`,
    "",
    `As kernels ${sizes.generation} choose:`,
    ...sizes.formula.flatMap((step) => {
      const [first = "", ...more] = wrap(step, look.columns - 4);
      return [`  - ${first}`, ...more.map((line) => `    ${line}`)];
    }),
  ];
}

function presentText(chosen: number, present: number | undefined): string {
  if (present === undefined) return "";
  return present === chosen ? "  (as it is here)" : `  (here it is ${formatCount(present)})`;
}

/** `headroom/defaults/v1`. */
export function defaultsToJson(report: DefaultsReport): object {
  const { sizes, present } = report;
  return {
    schema: "headroom/defaults/v1",
    memoryBytes: report.memoryBytes,
    kernelRelease: report.kernelRelease,
    pointerBits: report.pointerBytes * 8,
    bucketCount: sizes.buckets,
    capacityFlows: sizes.capacityFlows,
    generation: sizes.generation,
    formula: sizes.formula,
    ...(present === undefined ? {} : { present }),
  };
}

/**
 * `headroom replay`: captured packets through the model of the tracker, under settings of one's own, under
 * several at once, or under those of a saved host.
 */
import { FTP_PORT, type Generation, SettingError, Tracker } from "../../model/model.ts";
import { SETTING_KEYS, type SettingKey, type Settings } from "../../table/settings.ts";
import { type Context, print, printJson, warn } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { countOf } from "../figures.ts";
import { openOutput, type OutputFile } from "../output-file.ts";
import { visible } from "../plain-text.ts";
import { shellWord } from "../../table/shell-word.ts";
import type { BatchOptions } from "./packet-batches.ts";
import { bytesOf, lookInto } from "./record-input.ts";
import { type RecordRead, readRecord } from "./record-reading.ts";
import { runRecord } from "./record-run.ts";
import type { CourseSpec } from "./replay-course.ts";
import { replayToJson } from "./replay-json.ts";
import type { ReplayOptions } from "./replay-line.ts";
import type { ReplayReport } from "./replay-report.ts";
import { type Run, runCapture, type RunRequest } from "./replay-run.ts";
import { type SettingChange, settingsAtStart } from "./replay-settings.ts";
import { renderReplay } from "./replay-text.ts";
import { generationOf, USUAL_GENERATION } from "./rules-of.ts";
import { writeTable } from "./table-writer.ts";
import { UsageError } from "../usage-error.ts";
import { VerdictWriter } from "./verdict-writer.ts";
import { BATCH_ROWS } from "../../packet/packet.ts";

type TrackerSettings = Tracker["settings"];

/** Rows of each ranking on the screen, and those that are counted: machine output shows them all. */
const SHOWN_ROWS = 5;
const COUNTED_ROWS = 20;
/** The same seed gives the same table, so this is no random number. */
const SEED = 1;
const VLANS = 4096;

export async function runReplay(
  context: Context,
  options: ReplayOptions,
  capture: string | undefined,
): Promise<ExitCode> {
  refuseContradictions(options, capture);
  const path = capture ?? "";
  const signal = context.terminal.interruption();
  const startedMs = context.deps.clock.elapsedMs();
  const input = options.live === undefined ? await lookInto(context, path, signal) : { isRecord: false };
  if (input.isRecord) refuseForRecord(options);
  const record = input.isRecord
    ? await readRecord(context, await bytesOf(context, path, input), {
        origin: originOf(options, path),
        signal,
      })
    : undefined;
  const plan = await planOf(context, options, record);
  const outputs = new Outputs(context, options, path);
  try {
    const run = await runPlan(context, options, path, {
      ...plan,
      ...outputs.onBatch,
      ...(input.bytes === undefined ? {} : { bytes: input.bytes }),
      ...(record === undefined ? {} : { record }),
      signal,
    });
    const seconds = (context.deps.clock.elapsedMs() - startedMs) / 1000;
    await outputs.end(run);
    const figures = record === undefined ? {} : { record: record.figures };
    const report: ReplayReport = {
      capture: { origin: originOf(options, path), ...run.read, ...figures },
      generation: plan.generation,
      helpers: options.helper ?? [],
      courses: run.reports,
      seconds,
      threads: run.threads,
      ...(signal.aborted && options.live === undefined ? { interrupted: true } : {}),
    };
    if (!outputs.takesStandardOutput) say(context, options, path, report);
    else footer(context, report);
    // ^C is how live packets end.
    return report.interrupted === true ? ExitCode.interrupted : ExitCode.ok;
  } finally {
    outputs.close();
  }
}

function originOf({ live }: ReplayOptions, path: string): string {
  return live ?? (path === "-" ? "standard input" : path);
}

async function runPlan(
  context: Context,
  options: ReplayOptions,
  path: string,
  plan: Pick<RunRequest, "batches" | "bytes" | "specs" | "signal" | "onBatch"> & { record?: RecordRead },
): Promise<Run> {
  const { live, netns, forSeconds, until } = options;
  const { record } = plan;
  if (record !== undefined) {
    return runRecord(context, { ...plan, record, ...(until === undefined ? {} : { until }) });
  }
  if (live === undefined) {
    const origin = originOf(options, path);
    return runCapture(context, { ...plan, path, origin, ...(until === undefined ? {} : { until }) });
  }
  const { runLive } = await import("./replay-live.ts");
  return runLive(context, {
    ...plan,
    interfaceName: live,
    ...(netns === undefined ? {} : { namespace: netns }),
    ...(forSeconds === undefined ? {} : { seconds: forSeconds }),
  });
}

function say(context: Context, options: ReplayOptions, path: string, report: ReplayReport): void {
  if (options.json === true) {
    printJson(context, replayToJson(report));
    return;
  }
  const text = {
    ...report,
    top: options.top ?? SHOWN_ROWS,
    ...(path === "-" || path === "" ? {} : { sameCommand: sameCommandOf(options, path) }),
    ...(options.table === undefined ? {} : { table: options.table }),
  };
  print(context, renderReplay(text, context.look));
}

/** What is said beside a table or verdicts on standard output. */
function footer(context: Context, { capture, courses, interrupted }: ReplayReport): void {
  const [course] = courses;
  const parts = [
    `${countOf(capture.counts.records, "record")} of ${capture.origin}`,
    `${countOf(course?.flowsAtEnd ?? 0, "flow")} left`,
  ];
  const broken = capture.summary?.break;
  if (broken !== undefined) parts.push(`broken at byte ${broken.offsetBytes}: ${broken.reason}`);
  if (capture.brokenPacking === true) parts.push("the packed data is broken or ends too early");
  if (interrupted === true) parts.push("interrupted");
  warn(context, visible(parts.join("; ")));
}

function refuseContradictions(options: ReplayOptions, capture: string | undefined): void {
  const { live, table, verdicts, compare = [], json } = options;
  if (capture === undefined && live === undefined) {
    throw new UsageError(
      "Cannot replay: no capture was named",
      "Name a file of tcpdump, - for standard input, or --live INTERFACE",
    );
  }
  if (capture !== undefined && live !== undefined) {
    throw new UsageError(`Cannot replay ${capture} and --live ${live} at once`);
  }
  if (live === undefined && (options.netns ?? options.forSeconds) !== undefined) {
    throw new UsageError("Cannot use --netns and --for with a capture: they are for --live");
  }
  if (live !== undefined && options.until !== undefined) {
    throw new UsageError("Cannot use --until with --live: its clock is the real one; --for ends it");
  }
  const onOutput = [table, verdicts].filter((file) => file === "-").length;
  if (onOutput === 2) {
    throw new UsageError(
      "Cannot print the table and the verdicts both on standard output",
      "Give one of them a file: --verdicts verdicts.txt",
    );
  }
  if (onOutput === 1 && json === true) {
    throw new UsageError("Cannot print --json beside a table or verdicts on standard output");
  }
  if (compare.length > 0 && (table ?? verdicts) !== undefined) {
    throw new UsageError(
      "Cannot write a table or verdicts of several runs",
      "Leave --compare out, and give the settings by --set",
    );
  }
}

/** What is run, before the capture is opened. */
interface Plan {
  generation: Generation;
  specs: readonly CourseSpec[];
  batches: BatchOptions;
}

async function planOf(
  context: Context,
  options: ReplayOptions,
  record: RecordRead | undefined,
): Promise<Plan> {
  const host =
    record === undefined || options.root !== undefined
      ? await hostSettings(context, options.root)
      : recordedSettings(record);
  const generation = options.kernel ?? host.generation ?? USUAL_GENERATION;
  const { set = [], helper = [], compare = [], seed = SEED } = options;
  // Only asked what it knows: it needs no table.
  const known = new Tracker({ generation, settings: { nf_conntrack_buckets: 1 } }).settings;
  const base = { ...knownSettings(host.values, known.values), ...liveSettings(options) };
  const common = {
    generation,
    helpers: helper,
    seed,
    batchRows: BATCH_ROWS,
    top: Math.max(options.top ?? 0, COUNTED_ROWS),
  };
  const lists = compare.length === 0 ? [{ label: "", changes: [] }] : compare;
  const recorded = (host.changes ?? []).filter(({ key }) => known.values[key] !== undefined);
  const specs = lists.map(({ label, changes }): CourseSpec => {
    const asked = [...set, ...changes];
    // What changed while it was recorded changes again, but for what was asked for.
    const all = [...recorded.filter(({ key }) => asked.every((each) => each.key !== key)), ...asked];
    const settings = settingsAtStart(base, all);
    const later = all.filter(({ at }) => at !== undefined);
    refuseSettings(known, settings, later);
    const given = all.filter(({ at }) => at === undefined).map(({ key }) => key);
    return { ...common, label, given, settings, changes: later };
  });
  const { tracksUdplite: udplite, tracksDccp: dccp } = known.rules;
  return {
    generation,
    specs,
    batches: {
      decoder: {
        seed,
        ports: { udplite, dccp },
        // A capture may be of the host itself, whose packets to itself are in its table, too.
        hasLocalTraffic: true,
        ...(specs.some(hasHelper) ? { payloadPorts: [FTP_PORT] } : {}),
        ...(options.trustChecksums === true ? { trustsChecksums: true } : {}),
        ...(options.zoneByVlan === true ? { zones: { byVlan: everyVlan() } } : {}),
      },
      cuts: specs.flatMap(({ changes }) => changes.flatMap(({ at }) => (at === undefined ? [] : [at]))),
    },
  };
}

/** Whether flows may get a helper: by name, or by the setting of older kernels that gives one to all. */
function hasHelper({ helpers, settings, changes }: CourseSpec): boolean {
  const assigns = changes.some(({ key, value }) => key === "nf_conntrack_helper" && value === 1);
  return helpers.length > 0 || assigns || settings.nf_conntrack_helper === 1;
}

/**
 * Packets of an interface are seen before its card has computed their checksums, or are cut off before their
 * end: they are not verified unless that is asked for.
 */
function liveSettings({ live }: ReplayOptions): Settings {
  return live === undefined ? {} : { nf_conntrack_checksum: 0 };
}

/** A zone for each VLAN, by the same number; none for packets without a tag. */
function everyVlan(): Map<number, number> {
  return new Map(Array.from({ length: VLANS }, (_, vlan) => [vlan, vlan]));
}

/** What a saved host has set, and the kernel nearest to its own. */
async function hostSettings(context: Context, root: string | undefined): Promise<HostSettings> {
  if (root === undefined) return { values: {} };
  const host = (await context.deps.kernel()).openHost({ clock: context.deps.clock, root });
  try {
    const { values } = host.settings();
    const generation = generationOf(host.host().kernelRelease);
    return { values, ...(generation === undefined ? {} : { generation }) };
  } finally {
    host.close();
  }
}

/** What was in force when it was recorded, and what changed then. */
function recordedSettings({ settings, changes, figures }: RecordRead): HostSettings {
  const generation = generationOf(figures.kernelRelease);
  return {
    values: settings,
    ...(generation === undefined ? {} : { generation }),
    changes: changes.flatMap(({ atMs, settings: changed }) =>
      SETTING_KEYS.flatMap((key): SettingChange[] => {
        const value = changed[key];
        return value === undefined ? [] : [{ key, value, text: "", at: { epochSeconds: atMs / 1000 } }];
      }),
    ),
  };
}

/** What makes no sense for events. */
function refuseForRecord({ verdicts, helper }: ReplayOptions): void {
  if (verdicts !== undefined) {
    throw new UsageError(
      "Cannot write verdicts of a record: it holds events of flows, not the packets they came from",
      "A capture of tcpdump has packets",
    );
  }
  if (helper !== undefined) {
    throw new UsageError("Cannot use --helper with a record: helpers read packets, and it has none");
  }
}

interface HostSettings {
  values: Settings;
  generation?: Generation;
  changes?: readonly SettingChange[];
}

/** Of a host's settings those that the model of this kernel has. */
function knownSettings(values: Settings, known: Settings): Settings {
  const keys = SETTING_KEYS.filter((key) => known[key] !== undefined && values[key] !== undefined);
  return Object.fromEntries(keys.map((key): [SettingKey, number] => [key, values[key] ?? 0]));
}

/** Says before anything is read that this kernel would refuse a setting. */
function refuseSettings(known: TrackerSettings, settings: Settings, later: readonly SettingChange[]): void {
  try {
    for (const key of SETTING_KEYS) {
      const value = settings[key];
      if (value !== undefined) known.set(key, value);
    }
    for (const { key, value } of later) known.set(key, value);
  } catch (error) {
    if (error instanceof SettingError) throw new UsageError(error.message);
    throw error;
  }
}

/** Where a run's table and verdicts go. */
class Outputs {
  readonly #table: OutputFile | undefined;
  readonly #verdicts: OutputFile | undefined;
  readonly #writer: VerdictWriter | undefined;
  readonly takesStandardOutput: boolean;

  constructor(context: Context, { table, verdicts }: ReplayOptions, capture: string) {
    this.takesStandardOutput = table === "-" || verdicts === "-";
    const open = (path: string, what: string): OutputFile =>
      openOutput(path, what, capture, context.terminal.stdout);
    this.#table = table === undefined ? undefined : open(table, "table");
    this.#verdicts = verdicts === undefined ? undefined : open(verdicts, "verdicts");
    if (this.#verdicts !== undefined) this.#writer = new VerdictWriter(this.#verdicts);
  }

  /** What sees every batch; nothing when nobody asked. */
  get onBatch(): Pick<RunRequest, "onBatch"> {
    const writer = this.#writer;
    return writer === undefined ? {} : { onBatch: (batch, verdicts) => writer.add(batch, verdicts) };
  }

  async end({ first }: Run): Promise<void> {
    this.#writer?.end();
    this.#verdicts?.end();
    if (this.#table === undefined) return;
    await writeTable(this.#table, first.tracker);
    this.#table.end();
  }

  close(): void {
    this.#table?.close();
    this.#verdicts?.close();
  }
}

/** The same run once more, as typed. */
function sameCommandOf(options: ReplayOptions, path: string): string {
  const words = ["headroom", "replay", shellWord(path)];
  for (const change of options.set ?? []) words.push("--set", shellWord(change.text));
  if (options.kernel !== undefined) words.push("--kernel", options.kernel);
  for (const helper of options.helper ?? []) words.push("--helper", helper);
  if (options.root !== undefined) words.push("--root", shellWord(options.root));
  if (options.zoneByVlan === true) words.push("--zone-by-vlan");
  if (options.trustChecksums === true) words.push("--trust-checksums");
  return words.join(" ");
}

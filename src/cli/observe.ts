/**
 * Watching a table for a while: its idle ages twice, some seconds apart, a census of the later reading, and
 * on demand the flows made in between, counted by their events. Of a saved table there is one reading.
 *
 * Both readings walk the table alike, so a flow is met in both after about the same time. That time, not the
 * one asked for, is what counts afterwards: it is taken from the clock at each batch.
 */
import { type Arrivals, ArrivalsBuilder, IdleAges } from "../census/census.ts";
import type { HostAccess } from "../kernel/kernel.ts";
import type { AgesReading } from "../plan/plan.ts";
import type { SettingsReading } from "../table/host.ts";
import type { IdleContext } from "../table/idle.ts";
import { parseKernelRelease } from "../table/kernel-release.ts";
import type { FlowReading } from "../table/source.ts";
import type { Unseen } from "../table/unseen.ts";
import { timeoutsOf } from "./assumed-timeouts.ts";
import type { Context } from "./context.ts";
import type { Observed, ObserveOptions } from "./observed.ts";
import { openReading, type Place } from "./flow-source.ts";
import { paced, Progress } from "./progress.ts";
import { isKernelError, refusal } from "./refusal.ts";
import { takeCensus } from "./take-census.ts";
import { UsageError } from "./usage-error.ts";

export type { Observed, ObserveOptions } from "./observed.ts";

/** Between the readings of the running kernel, where nobody says otherwise. */
export const OBSERVE_SECONDS = 10;
/** How often a waiting program looks for events and for ^C. */
const WAKE_MS = 100;
const COUNTED_ROWS = 20;

/**
 * Observes a place. Throws KernelError where flows cannot be read, UsageError where no time can be waited
 * for.
 */
export async function observe(context: Context, place: Place, options: ObserveOptions): Promise<Observed> {
  const { host } = place;
  if (place.flows.kind === "file" && place.flows.path !== "-") {
    const { lookInto } = await import("./replay/record-input.ts");
    const input = await lookInto(context, place.flows.path, options.signal);
    if (input.isRecord) {
      const { observeRecord } = await import("./record/observe-record.ts");
      return observeRecord(context, place.flows.path, input, options);
    }
  }
  const isRunning = host !== undefined && host.host().root === undefined && place.flows.kind === "host";
  const observeSeconds = options.observeSeconds ?? (isRunning ? OBSERVE_SECONDS : 0);
  if (observeSeconds > 0 && !isRunning) {
    throw new UsageError("Cannot observe a saved table: it holds one reading", "Use --observe 0");
  }
  const settings = host?.settings();
  const occupancyFlows = settings?.values.nf_conntrack_count;
  if (options.sampleFlows !== undefined && occupancyFlows === undefined) {
    throw new UsageError("Cannot sample: how many flows the sample would stand for is not known here");
  }
  const listener = options.arrivals === true && observeSeconds > 0 ? listen(context, host) : undefined;
  try {
    const first = observeSeconds > 0 ? await earlierReading(context, place, options) : undefined;
    if (first !== undefined) {
      await waitUntil(context, first.startedMs + observeSeconds * 1000, options.signal, () =>
        listener?.drain(),
      );
    }
    const second = await laterReading(context, place, settings, options, () => listener?.drain());
    const seconds = first === undefined ? 0 : (second.meanMs - first.meanMs) / 1000;
    const arrivals = listener?.finish();
    const occupancyAfterFlows = isRunning ? host.counters()?.occupancyFlows : undefined;
    return {
      ...second.observed,
      observation: {
        ...(first === undefined ? {} : { first: first.ages }),
        second: second.ages,
        seconds,
        settings: second.context.settings,
        ...(second.context.release === undefined ? {} : { release: second.context.release }),
        census: second.observed.census,
        ...(arrivals === undefined ? {} : { arrivals }),
      },
      ...(settings === undefined ? {} : { settings }),
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
      ...(occupancyAfterFlows === undefined ? {} : { occupancyAfterFlows }),
      unseen: [...(host?.unseen ?? []), ...(listener?.unseen ?? [])],
    };
  } finally {
    listener?.close();
  }
}

/** What idle ages are to be reckoned with. */
function idleContextOf(
  context: Context,
  { host }: Place,
): { context: IdleContext; assumed: boolean; occupancyFlows?: number } {
  const values = host?.settings().values;
  const { settings, assumed } = timeoutsOf(values);
  const { kernelRelease } = host?.host() ?? {};
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const idle = {
    settings,
    nowMs: context.deps.clock.nowMs(),
    ...(release === undefined ? {} : { release }),
  };
  const occupancyFlows = values?.nf_conntrack_count;
  return { context: idle, assumed, ...(occupancyFlows === undefined ? {} : { occupancyFlows }) };
}

/** When flows were met, on average over all of them. */
class MeanTime {
  #sum = 0;
  #flows = 0;
  readonly #clock: Context["deps"]["clock"];

  constructor({ deps }: Context) {
    this.#clock = deps.clock;
  }

  add(flows: number): void {
    this.#sum += this.#clock.elapsedMs() * flows;
    this.#flows += flows;
  }

  /** Of nothing: now. */
  get meanMs(): number {
    return this.#flows === 0 ? this.#clock.elapsedMs() : this.#sum / this.#flows;
  }
}

interface EarlierReading {
  ages: AgesReading;
  startedMs: number;
  meanMs: number;
}

async function earlierReading(
  context: Context,
  place: Place,
  { sampleFlows, signal }: ObserveOptions,
): Promise<EarlierReading> {
  const { context: idle, occupancyFlows } = idleContextOf(context, place);
  const ages = new IdleAges(idle);
  const time = new MeanTime(context);
  const startedMs = context.deps.clock.elapsedMs();
  const reading = await openReading(context, place, sampleFlows);
  const expectedFlows = sampleFlows ?? occupancyFlows;
  const pace = {
    ...(signal === undefined ? {} : { signal }),
    ...(expectedFlows === undefined ? {} : { expectedFlows }),
  };
  for await (const columns of paced(reading, context, pace)) {
    time.add(columns.count);
    ages.add(columns);
  }
  return { ages: agesReading(ages, reading, occupancyFlows), startedMs, meanMs: time.meanMs };
}

/** A sample stands for the occupancy, the whole table for itself. */
function agesReading(ages: IdleAges, reading: FlowReading, occupancyFlows: number | undefined): AgesReading {
  const flowsRead = ages.flows;
  const ofFlows = reading.complete ? flowsRead : Math.max(flowsRead, occupancyFlows ?? flowsRead);
  return { regimes: ages.regimes(), flowsRead, ofFlows };
}

interface LaterReading {
  ages: AgesReading;
  meanMs: number;
  context: IdleContext;
  observed: Pick<Observed, "census" | "source" | "origin" | "interrupted" | "assumedTimeouts">;
}

async function laterReading(
  context: Context,
  place: Place,
  settings: SettingsReading | undefined,
  options: ObserveOptions,
  between: () => void,
): Promise<LaterReading> {
  const { sampleFlows, signal, topRows = COUNTED_ROWS, onBatch } = options;
  const { context: idle, assumed, occupancyFlows } = idleContextOf(context, place);
  const kernelRelease = place.host?.host().kernelRelease;
  const ages = new IdleAges(idle);
  const time = new MeanTime(context);
  const reading = await openReading(context, place, sampleFlows);
  const taken = await takeCensus(context, {
    reading,
    topRows,
    ...(settings === undefined ? {} : { settings }),
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
    ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    ...(sampleFlows === undefined ? {} : { sampleFlows }),
    ...(signal === undefined ? {} : { signal }),
    onBatch: (columns) => {
      time.add(columns.count);
      ages.add(columns);
      onBatch?.(columns, idle);
      between();
    },
  });
  const { census, interrupted } = taken;
  return {
    ages: agesReading(ages, reading, occupancyFlows),
    meanMs: time.meanMs,
    context: idle,
    observed: {
      census,
      source: reading.source,
      origin: reading.origin,
      interrupted,
      assumedTimeouts: assumed,
    },
  };
}

/** Waits on the clock; says how long there is to wait. */
async function waitUntil(
  context: Context,
  untilMs: number,
  signal: AbortSignal | undefined,
  between: () => void,
): Promise<void> {
  const { clock } = context.deps;
  const progress = new Progress(context.terminal, clock);
  try {
    for (;;) {
      const leftMs = untilMs - clock.elapsedMs();
      if (leftMs <= 0 || signal?.aborted === true) return;
      progress.show(() => `Observing: ${Math.ceil(leftMs / 1000)} s left`);
      between();
      await new Promise((resolve) => {
        setTimeout(resolve, Math.min(WAKE_MS, leftMs));
      });
    }
  } finally {
    progress.clear();
  }
}

/** Counts arrivals while it is drained; what was refused is in `unseen`. */
interface Listener {
  drain(): void;
  finish(): Arrivals | undefined;
  close(): void;
  readonly unseen: readonly Unseen[];
}

function listen({ deps: { clock } }: Context, host: HostAccess | undefined): Listener {
  const silent = { drain: () => {}, finish: () => undefined, close: () => {} };
  if (host === undefined) return { ...silent, unseen: [] };
  try {
    const events = host.events({ kinds: ["new", "update", "destroy"] });
    const builder = new ArrivalsBuilder();
    const startedMs = clock.elapsedMs();
    const drain = (): void => {
      for (let batch = events.read(0); batch !== undefined; batch = events.read(0)) builder.add(batch);
    };
    return {
      drain,
      finish: () => {
        drain();
        const { losses, lostEvents } = events;
        return builder.finish({
          seconds: (clock.elapsedMs() - startedMs) / 1000,
          losses,
          ...(lostEvents === undefined ? {} : { lostEvents }),
          updatesWatched: true,
        });
      },
      close: () => events.close(),
      unseen: [],
    };
  } catch (error) {
    if (!isKernelError(error)) throw error;
    return { ...silent, unseen: [refusal("flows made while observing", error)] };
  }
}

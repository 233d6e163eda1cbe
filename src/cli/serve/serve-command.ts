/**
 * `headroom serve`: watches this host until it is told to stop.
 */
import { dirname } from "node:path";

import type { ServiceNotify } from "../../kernel/kernel.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import type { Sink } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { HEADROOM_VERSION } from "../version.ts";
import { ConfigurationError } from "./configuration.ts";
import {
  checkConfiguration,
  type FoundConfiguration,
  loadConfiguration,
  placedMistakes,
} from "./configuration-file.ts";
import { unusableFiles, unusableNamespace } from "./named-files.ts";
import type { BrokenRule } from "./configuration-rules.ts";
import { listenToSignals, type ProcessSignals, waitOr } from "./process-signals.ts";
import { eachSecond } from "./seconds.ts";
import type { ServeJson } from "./serve-schema.ts";
import { openLog, type ServeLog } from "./serve-log.ts";
import type { ServeOptions } from "./serve-line.ts";
import { startLines, statusText } from "./serve-text.ts";
import { openServing, type Serving } from "./serving.ts";

/** How often the one who started it is told how it stands, seconds. */
const STATUS_SECONDS = 30;

export async function runServe(context: Context, options: ServeOptions): Promise<ExitCode> {
  if (options.root !== undefined) {
    throw new UsageError(
      "Cannot watch a saved host: nothing changes in it",
      "headroom check --root looks at it",
    );
  }
  if (options.checkConfig === true) {
    const kernel = await context.deps.kernel();
    const { path } = checkConfiguration(options, (written) => [
      ...unusableFiles(written, context.terminal.environment["PATH"] ?? ""),
      ...unusableNamespace(written, { clock: context.deps.clock, kernel }),
    ]);
    print(context, [`${path ?? "No file, the defaults hold"}: ok`]);
    return ExitCode.ok;
  }
  const found = loadConfiguration(options);
  const signals = listenToSignals();
  try {
    return await serve(context, options, found, signals);
  } finally {
    signals.release();
  }
}

async function serve(
  context: Context,
  options: ServeOptions,
  found: FoundConfiguration,
  signals: ProcessSignals,
): Promise<ExitCode> {
  const { terminal, deps } = context;
  const sink = new PatientSink(terminal.stderr);
  const log = openLog(found.configuration.log, {
    sink,
    isTerminal: terminal.stderrIsTerminal,
    clock: deps.clock,
  });
  warnOfReceivers(context, options, log);
  const notify = await openNotify(context, log);
  const serving = await openServing({
    context,
    configuration: found.configuration,
    log,
    webDirectory: webDirectory(deps),
  });
  try {
    sayStart(context, options, found, serving);
    notify?.ready(statusText(serving.state, serving.place.url));
    signals.onReload(() => {
      reload(options, serving, log, notify);
      warnOfReceivers(context, options, log);
      // A terminal that is gone says goodbye with the same signal.
      if (terminal.stderrIsTerminal && sink.isGone) process.kill(process.pid, "SIGTERM");
    });
    await beat(context, serving, signals.end, notify);
    notify?.stopping();
  } finally {
    await serving.close();
  }
  return ExitCode.ok;
}

/** Who cannot be told is no reason to watch nothing, and is said before there is something to tell. */
function warnOfReceivers({ terminal }: Context, options: ServeOptions, log: ServeLog): void {
  const searchPath = terminal.environment["PATH"] ?? "";
  const isReceiver = ({ paths }: BrokenRule): boolean => paths.some(([section]) => section === "alerts");
  try {
    const mistakes = placedMistakes(options, (written) =>
      unusableFiles(written, searchPath).filter(isReceiver),
    );
    for (const mistake of mistakes) log.warn(mistake);
  } catch (error) {
    // A file that cannot be used was told already.
    if (!(error instanceof ConfigurationError)) throw error;
  }
}

async function beat(
  context: Context,
  serving: Serving,
  end: AbortSignal,
  notify: ServiceNotify | undefined,
): Promise<void> {
  let seconds = 0;
  await eachSecond({
    clock: context.deps.clock,
    wait: (ms) => waitOr(end, ms),
    isOver: () => end.aborted,
    work: async () => {
      await serving.second();
      notify?.alive();
      seconds += 1;
      if (seconds % STATUS_SECONDS === 0) notify?.status(statusText(serving.state, serving.place.url));
    },
  });
}

async function openNotify({ deps, terminal }: Context, log: ServeLog): Promise<ServiceNotify | undefined> {
  const { openServiceNotify } = await deps.kernel();
  const notify = openServiceNotify?.(terminal.environment, process.pid, (error) =>
    log.debug(`Cannot tell systemd: ${error.message}`),
  );
  return notify?.isWanted === true ? notify : undefined;
}

/** Where set-up puts it, seen from bin/headroom. */
function webDirectory({ program = "" }: Context["deps"]): string {
  return `${dirname(dirname(program))}/node_modules/.cache/headroom/web`;
}

function sayStart(
  context: Context,
  options: ServeOptions,
  { path }: FoundConfiguration,
  serving: Serving,
): void {
  const { configuration, stateDirectory, historyBoundBytes, state, place } = serving;
  const { unseen } = state.facts;
  if (options.json === true) {
    const { url, address, port } = place;
    const line: ServeJson = {
      schema: "headroom/serve/v1",
      version: HEADROOM_VERSION,
      url,
      address,
      port,
      stateDirectory,
      historyBoundBytes,
      ...(path === undefined ? {} : { configuration: path }),
      allowChanges: configuration.server.allow_changes,
      unseen: [...unseen],
    };
    return printJson(context, line);
  }
  const { look } = context;
  print(
    context,
    startLines({ state, configuration, stateDirectory, historyBoundBytes, url: place.url, look }),
  );
}

/** Reads the file again; one that cannot be used changes nothing. */
function reload(
  options: ServeOptions,
  serving: Serving,
  log: ServeLog,
  notify: ServiceNotify | undefined,
): void {
  notify?.reloading();
  try {
    const { inPlace, afterRestart } = serving.reload(loadConfiguration(options).configuration);
    if (inPlace.length === 0) log.info("Read the configuration again: nothing to take over");
    else log.info("Took over", { options: inPlace.join(" ") });
    if (afterRestart.length > 0) {
      log.warn("These options wait for a restart", { options: afterRestart.join(" ") });
    }
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    const lines = error.message.split("\n");
    const mistakes = error instanceof ConfigurationError ? lines.slice(1) : [];
    log.error(`${lines[0] ?? ""}; what was in force stays so`, {});
    for (const mistake of mistakes) log.error(mistake);
  }
  notify?.ready(statusText(serving.state, serving.place.url));
}

/** A log that nobody reads any more is no reason to stop watching. */
class PatientSink implements Sink {
  isGone = false;
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  write(chunk: string | Uint8Array): void {
    if (this.isGone) return;
    try {
      this.#sink.write(chunk);
    } catch {
      this.isGone = true;
    }
  }
}

/**
 * `headroom apply`: shows what will be written as the commands an operator would type, asks, writes, reads
 * back, and says how to take it back. What cannot be done is said before anything is written.
 */
import {
  applyChange,
  type ApplyOutcome,
  type Change,
  type ChangeHost,
  composeChange,
  type Making,
  type NotLasting,
  type Refusal,
  shellSteps,
} from "../../change/change.ts";
import type { HostAccess, WritableHost } from "../../kernel/kernel.ts";
import { formatDuration } from "../../table/duration.ts";
import { SETTING_KEYS, type Settings } from "../../table/settings.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { type Look, tone } from "../look.ts";
import { visible, wrap } from "../plain-text.ts";
import { settingName, settingValueText } from "../setting-words.ts";
import { subjectOf } from "../subject.ts";
import { UsageError } from "../usage-error.ts";
import { appliedLines, bulletLines, notLastingSentence, renderChange } from "./apply-text.ts";
import { ask, refuseUnasked } from "./ask.ts";
import { changeFactsOf } from "./change-facts.ts";
import type { ApplyOptions } from "./change-line.ts";
import { type ReadyGuard, startGuard } from "./guard-start.ts";
import { holdingSignals } from "./held-signals.ts";
import { refusalExitCode, sayIfHeard, sayRefusal, standingLines } from "./refusal-text.ts";
import { mirrorPaths, reportingHost } from "./reporting-host.ts";
import { sizeSentences } from "./size-sentences.ts";
import { takeBackAtOnce } from "./take-back.ts";
import { timeoutNotes } from "./timeout-notes.ts";
import {
  ofNamespace,
  readPlanText,
  setWords,
  wantedFromPlan,
  wantedFromWords,
  type WantedSettings,
} from "./wanted-settings.ts";
import { whoIsHere } from "./who.ts";
import { openPlaces, type Places, sameOptionsText } from "./places.ts";

const SCHEMA = "headroom/apply/v1";

/** What is changed where, and what of a plan is left to be done on the host. */
interface Job extends Places {
  left: Settings;
}

export async function runApply(context: Context, options: ApplyOptions): Promise<ExitCode> {
  const kernel = await context.deps.kernel();
  if (options.dryRun !== true) refuseUnasked(options.yes);
  const { wanted: asked, foundByPlan } = await wishesOf(context, options);
  const places = await openPlaces(context, kernel, options);
  try {
    const split = options.plan !== undefined && !isOfHost(options, places);
    const { wanted, left } = split ? ofNamespace(asked) : { wanted: asked, left: {} };
    const job: Job = { ...places, left };
    if (Object.keys(wanted).length === 0 && Object.keys(left).length > 0) {
      return refuse(context, options, nothingForNamespace(left));
    }
    const moved = movedSincePlan(places.access.settings().values, foundByPlan, wanted);
    if (moved !== undefined) return refuse(context, options, moved);
    const composition = composeChange(wanted, changeFactsOf(places.access), places.host, {
      persist: options.persist !== false && isOfHost(options, places),
    });
    switch (composition.kind) {
      case "refused":
        return refuse(context, options, composition.refusal);
      case "nothing-to-do":
        return sayNothingToDo(context, options, composition.notLasting, [
          ...composition.notes,
          ...leftNotes(left),
        ]);
      case "change":
        return await goOn(context, options, job, withTimeoutNotes(composition.change, places));
    }
  } finally {
    places.access.close();
  }
}

function withTimeoutNotes(change: Change, { access }: Places): Change {
  const notes = timeoutNotes(access.settings().values, change.wanted);
  return notes.length === 0 ? change : { ...change, notes: [...notes, ...change.notes] };
}

/** Files are read by the boot of the host, and what it sets is the host's: other namespaces have no boot. */
function isOfHost({ netns }: ApplyOptions, { access }: Places): boolean {
  return netns === undefined && access.host().initialNamespace !== false;
}

function nothingForNamespace(left: Settings): Refusal {
  return {
    code: "other-namespace",
    message: `Cannot apply the plan in this network namespace: all of it is the host's`,
    help: `On the host: ${hostCommand(left)}`,
  };
}

function hostCommand(left: Settings): string {
  return `headroom apply ${setWords(left)}`;
}

function leftNotes(left: Settings): readonly string[] {
  const keys = Object.keys(left);
  if (keys.length === 0) return [];
  const are = keys.length === 1 ? "is" : "are";
  return [`${keys.join(" and ")} ${are} the host's and left as before. On the host: ${hostCommand(left)}`];
}

async function wishesOf(context: Context, { set, plan }: ApplyOptions): Promise<WantedSettings> {
  if (plan !== undefined) {
    return wantedFromPlan(plan, readPlanText(await context.deps.kernel(), plan));
  }
  if (set === undefined || set.length === 0) {
    throw new UsageError(
      "Cannot tell what to change: neither --set nor --plan was given",
      "As in headroom apply --set nf_conntrack_tcp_timeout_established=12h",
    );
  }
  return wantedFromWords(set);
}

/** What a plan was made for must still be so. A value that is right already does no harm. */
function movedSincePlan(found: Settings, planned: Settings, wanted: Settings): Refusal | undefined {
  for (const key of SETTING_KEYS) {
    const from = planned[key];
    const now = found[key];
    const isAsked = wanted[key] !== undefined;
    if (!isAsked || from === undefined || now === from || now === wanted[key]) continue;
    const was = settingValueText(key, from);
    const is = now === undefined ? "not there" : settingValueText(key, now);
    return {
      code: "moved",
      message: `Cannot apply the plan: ${settingName(key)} was ${was} when it was made and is ${is} now`,
      help: "Plan again: headroom plan --json",
      key,
    };
  }
  return undefined;
}

function refuse(context: Context, options: ApplyOptions, refusal: Refusal, change?: Change): ExitCode {
  const more = change === undefined ? { steps: [], files: [] } : partsOf(change);
  return sayRefusal(context, refusal, { asked: options.json === true, schema: SCHEMA, more });
}

function sayNothingToDo(
  context: Context,
  options: ApplyOptions,
  notLasting: readonly NotLasting[],
  notes: readonly string[],
): ExitCode {
  if (options.json === true) {
    const empty = { steps: [], files: [], notLasting };
    const dry = options.dryRun === true ? { dryRun: true } : {};
    printJson(context, { schema: SCHEMA, outcome: "nothing-to-do", ...dry, ...empty, notes });
    return ExitCode.ok;
  }
  const { look } = context;
  const when = options.persist === false || notLasting.length > 0 ? "" : ", now and after a reboot";
  print(context, [
    `Nothing to do: every value is right already${when}`,
    ...warningLines(notLasting, look),
    ...notes.flatMap((note) => bulletLines(visible(note), look)),
  ]);
  return ExitCode.ok;
}

async function goOn(context: Context, options: ApplyOptions, job: Job, change: Change): Promise<ExitCode> {
  const { host, left } = job;
  const refusal = options.dryRun === true ? undefined : whyNotNow(host, change);
  const json = options.json === true;
  if (!json) print(context, changeLines(context, options, job, change));
  if (refusal !== undefined) return refuse(context, options, refusal, change);
  if (options.dryRun === true) {
    if (json) printJson(context, { schema: SCHEMA, dryRun: true, ...partsOf(change), ...leftJson(left) });
    else print(context, ["", "Nothing was changed (--dry-run)."]);
    return ExitCode.ok;
  }
  if (options.yes !== true && !ask(context, "\nApply?")) {
    print(context, ["Nothing was changed."]);
    return ExitCode.refused;
  }
  return make(context, options, job, change);
}

/** Asked before the question: nobody shall answer it in vain. */
function whyNotNow(host: WritableHost, change: Change): Refusal | undefined {
  const values = change.steps.filter(({ from }) => from !== undefined).map(({ path }) => path);
  for (const path of [...values, ...change.files.map(({ target }) => target), "/var/lib/headroom/changes"]) {
    const why = host.whyNotWritable(path);
    if (why !== undefined) {
      const message = `Cannot write ${path}: ${why}; nothing was changed`;
      return { code: "not-writable", message, path };
    }
  }
  return undefined;
}

function changeLines(context: Context, options: ApplyOptions, job: Job, change: Change): string[] {
  const host = job.access.host();
  const subject = subjectOf(host, options);
  return renderChange(
    {
      change,
      ...(subject === undefined ? {} : { subject }),
      sizes: sizeSentences(host, job.access.settings().values, change.wanted),
      notes: [...namespaceNotes(options, job), ...leftNotes(job.left), ...guardNotes(options)],
    },
    context.look,
  );
}

function namespaceNotes(options: ApplyOptions, places: Places): readonly string[] {
  if (options.persist === false || options.root !== undefined || isOfHost(options, places)) return [];
  const which = options.netns === undefined ? "This network namespace" : `Network namespace ${options.netns}`;
  return [
    `${which} is not the host's own: the values last as long as it does, and no file is written. ` +
      "Capacity and buckets are the host's and cannot be set in it",
  ];
}

function guardNotes({ confirmWithinSeconds }: ApplyOptions): readonly string[] {
  if (confirmWithinSeconds === undefined) return [];
  const within = formatDuration(confirmWithinSeconds);
  return [
    `Everything is taken back after ${within} unless \`headroom confirm\` comes, ` +
      "also when this session is lost",
  ];
}

async function make(context: Context, options: ApplyOptions, job: Job, change: Change): Promise<ExitCode> {
  const { confirmWithinSeconds } = options;
  const guard = confirmWithinSeconds === undefined ? undefined : await readyGuard(context);
  if (guard !== undefined && "refusal" in guard) return refuse(context, options, guard.refusal, change);
  const by = whoIsHere(context.terminal);
  const nowMs = (): number => context.deps.clock.nowMs();
  const making: Making = {
    by,
    nowMs,
    ...madeIn(job.access, options),
    ...guarding(options, guard, nowMs()),
  };
  const host = reported(context, options, { host: job.host, change });
  try {
    const { result, signals } = await holdingSignals(() => applyChange(change, host, making));
    const stopped = signals.has("SIGINT") || signals.has("SIGTERM");
    if (stopped && result.kind === "applied") {
      return takeBackAtOnce(context, { host, making, receipt: result.receipt, json: options.json === true });
    }
    return sayOutcome(context, options, { outcome: result, change, notes: job.host.notes, left: job.left });
  } finally {
    guard?.release();
  }
}

function madeIn(access: HostAccess, { netns }: ApplyOptions): Pick<Making, "namespace"> {
  const { namespaceInode: inode, root, initialNamespace } = access.host();
  // That of the host is another number after a reboot, and still the host's.
  if (inode === undefined || root !== undefined || initialNamespace === true) return {};
  return { namespace: { inode, ...(netns === undefined ? {} : { name: netns }) } };
}

async function readyGuard(context: Context): Promise<ReadyGuard | { refusal: Refusal; release(): void }> {
  try {
    return await startGuard(context.deps.program ?? "");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Cannot start the guard that would take the change back: ${why}; nothing was changed`;
    return { refusal: { code: "no-guard", message }, release: () => {} };
  }
}

function guarding(
  { confirmWithinSeconds, root, netns }: ApplyOptions,
  guard: ReadyGuard | undefined,
  nowMs: number,
): Pick<Making, "guard"> {
  if (guard === undefined || confirmWithinSeconds === undefined) return {};
  const confirmByMs = nowMs + confirmWithinSeconds * 1000;
  return {
    guard: {
      confirmByMs,
      start: ({ id }) =>
        guard.order({
          id,
          withinSeconds: confirmWithinSeconds,
          confirmByMs,
          ...(root === undefined ? {} : { root: absolute(root) }),
          ...(netns === undefined ? {} : { netns }),
        }),
    },
  };
}

/** The guard has another working directory. */
function absolute(path: string): string {
  return path.startsWith("/") ? path : `${process.cwd()}/${path}`;
}

function reported(
  context: Context,
  options: ApplyOptions,
  { host, change }: { host: ChangeHost; change: Change },
): ChangeHost {
  if (options.json === true) return host;
  sayIfHeard(context, [""]);
  const mark = context.look.unicode ? "✓" : "ok";
  return reportingHost(host, mirrorPaths(change.steps), (line) =>
    sayIfHeard(context, [`${tone(context.look, "green", mark)} ${visible(line)}`]),
  );
}

interface Made {
  outcome: ApplyOutcome;
  change: Change;
  /** What of the files could not be kept. */
  notes: readonly string[];
  left: Settings;
}

function sayOutcome(context: Context, options: ApplyOptions, made: Made): ExitCode {
  const { outcome, change } = made;
  if (outcome.kind === "refused") return refuse(context, options, outcome.refusal, change);
  if (options.json === true) printJson(context, { schema: SCHEMA, ...outcomeJson(made) });
  else print(context, outcomeLines(context, options, made));
  return outcomeExitCode(outcome);
}

function outcomeExitCode(outcome: ApplyOutcome): ExitCode {
  switch (outcome.kind) {
    case "nothing-to-do":
    case "applied":
      return ExitCode.ok;
    case "refused":
      return refusalExitCode(outcome.refusal);
    case "reverted":
      return ExitCode.refused;
    case "stuck":
      return ExitCode.stuck;
  }
}

function outcomeLines(context: Context, options: ApplyOptions, made: Made): readonly string[] {
  const { outcome, notes, left } = made;
  const { look } = context;
  const same = sameOptionsText(options);
  switch (outcome.kind) {
    case "nothing-to-do":
    case "refused":
      return ["Nothing was changed."];
    case "applied": {
      const { confirmWithinSeconds } = options;
      const within =
        confirmWithinSeconds === undefined ? {} : { withinSeconds: formatDuration(confirmWithinSeconds) };
      const kept = notes.flatMap((note) => bulletLines(visible(note), look));
      const lines = appliedLines(outcome.receipt, { sameOptions: same, ...within }, look);
      return [...kept, "", ...lines, ...leftLines(left, look), ...warningLines(made.change.notLasting, look)];
    }
    case "reverted":
      return ["", tone(look, ["bold", "red"], "Not done: everything is as it was"), visible(outcome.cause)];
    case "stuck":
      return [
        "",
        tone(look, ["bold", "red"], "Stuck: a step failed, and so did taking back; this is not as it was"),
        ...wrap(visible(outcome.cause), look.columns),
        ...standingLines(outcome.standing),
        `When the cause is gone: headroom rollback ${outcome.receipt.id}${same}`,
      ];
  }
}

/** As prominent as that it is done. */
function warningLines(notLasting: readonly NotLasting[], look: Look): readonly string[] {
  return notLasting.flatMap((each) =>
    wrap(visible(notLastingSentence(each)), look.columns).map((line) => tone(look, ["bold", "yellow"], line)),
  );
}

function leftLines(left: Settings, look: Look): readonly string[] {
  if (Object.keys(left).length === 0) return [];
  return [`On the host:  ${tone(look, "cyan", hostCommand(left))}`];
}

function leftJson(left: Settings): object {
  const rows = Object.entries(left).map(([key, to]) => ({ key, to }));
  return rows.length === 0 ? {} : { left: rows };
}

/** Steps and files as machine output has them. */
function partsOf(change: Change): object {
  return {
    steps: change.steps
      .filter(({ mirror }) => mirror !== true)
      .map(({ key, name, path, from, to }) => ({ key, name, path, from, to })),
    files: change.files.map(({ path, backup }) => ({ path, backup })),
    commands: shellSteps(change),
    added: change.added,
    notLasting: change.notLasting,
    notes: change.notes,
  };
}

function outcomeJson({ outcome, change, notes, left }: Made): object {
  const receipt = "receipt" in outcome ? outcome.receipt : undefined;
  return {
    outcome: outcome.kind,
    changeId: receipt?.id,
    ...partsOf(change),
    notes: [...change.notes, ...notes, ...leftNotes(left)],
    ...leftJson(left),
    confirmByMs: outcome.kind === "applied" ? receipt?.confirmByMs : undefined,
    cause: "cause" in outcome ? outcome.cause : undefined,
    standing: "standing" in outcome ? outcome.standing : undefined,
  };
}

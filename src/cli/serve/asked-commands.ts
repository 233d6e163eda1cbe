/**
 * Plans and changes that somebody asks for over HTTP: `headroom plan` and `headroom apply` are run, and what
 * they print is the answer.
 */
import { ApiProblem } from "../../server/server.ts";
import { SETTING_KEYS, type Settings } from "../../table/settings.ts";
import type { ApplyOptions } from "../change/change-line.ts";
import type { Context } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import type { PlanOptions } from "../plan/plan-line.ts";
import { roughDuration } from "../../table/duration.ts";
import type { WatchState } from "../../watch/watch.ts";
import { readWantedSetting } from "../setting-words.ts";
import { captured } from "./captured.ts";

/** Before the watch has observed, a plan is made by two readings: so far apart, and of so many flows. */
const OBSERVE_SECONDS = 5;
const SAMPLE_FROM_FLOWS = 100_000;
const SAMPLE_FLOWS = 50_000;

/**
 * What `headroom plan --json` prints, made of what the watch has observed; in its first seconds, of readings
 * of its own. Throws ApiProblem, KernelError.
 */
export async function askedPlan(
  context: Context,
  options: PlanOptions,
  { state, signal }: { state: WatchState; signal: AbortSignal },
): Promise<object> {
  const { planWatched, runPlan } = await import("../plan/plan-command.ts");
  const { facts, observation, census } = state;
  if (observation?.first !== undefined && census !== undefined) {
    const { occupancyFlows } = census;
    const ago = roughDuration(Math.max(0, context.deps.clock.nowMs() - census.atMs) / 1000);
    const seen = {
      observation,
      census: observation.census,
      origin: `the kernel (the later one ${ago} ago)`,
      interrupted: false,
      ...(occupancyFlows === undefined ? {} : { occupancyFlows }),
    };
    return planWatched(context, options, { facts, seen });
  }
  const own = { observeSeconds: OBSERVE_SECONDS, json: true as const };
  const isLarge = (state.sample?.values.occupancyFlows ?? 0) > SAMPLE_FROM_FLOWS;
  const { answer, said } = await captured(context, signal, (quiet) =>
    runPlan(quiet, { ...options, ...own, ...(isLarge ? { sample: SAMPLE_FLOWS } : {}) }),
  );
  if (answer === undefined) throw new ApiProblem("unavailable", said);
  return answer;
}

/**
 * What `headroom apply --json` prints when it has made the change. Throws ApiProblem with what it says when
 * it has not.
 */
export async function askedChange(
  context: Context,
  options: ApplyOptions,
  settings: Settings,
): Promise<object> {
  const { runApply } = await import("../change/apply-command.ts");
  const set = SETTING_KEYS.flatMap((key) => {
    const value = settings[key];
    return value === undefined ? [] : [readWantedSetting("--set", `${key}=${value}`)];
  });
  const { code, answer, said } = await captured(context, new AbortController().signal, (quiet) =>
    runApply(quiet, { ...options, set, json: true, yes: true }),
  );
  if (code === ExitCode.ok && answer !== undefined) return answer;
  throw new ApiProblem(
    code === ExitCode.notPermitted ? "not-permitted" : "change-refused",
    refusalOf(answer, said),
  );
}

function refusalOf(answer: object | undefined, said: string): string {
  const { refusal, cause } = (answer ?? {}) as { refusal?: { message?: string }; cause?: string };
  const [first = "The change was refused"] = said.split("\n");
  return refusal?.message ?? cause ?? first;
}

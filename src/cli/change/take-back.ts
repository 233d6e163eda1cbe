/**
 * A change that was interrupted while it was made: it is finished first, so that it can be taken back
 * whole.
 */
import { type ChangeHost, type Making, type Receipt, rollbackChange } from "../../change/change.ts";
import { type Context, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { sayIfHeard, standingLines } from "./refusal-text.ts";

export interface TakenBack {
  host: ChangeHost;
  making: Making;
  receipt: Receipt;
  json: boolean;
}

export function takeBackAtOnce(context: Context, { host, making, receipt, json }: TakenBack): ExitCode {
  const { guard: _, ...alone } = making;
  const outcome = rollbackChange(receipt.id, host, alone);
  const { id } = receipt;
  const steps = receipt.steps
    .filter(({ mirror }) => mirror !== true)
    .map(({ key, from, to }) => ({ key, from, to }));
  const files = receipt.files.map(({ path, backup }) => ({ path, backup }));
  const base = { schema: "headroom/apply/v1", changeId: id, steps, files, cause: "interrupted" };
  switch (outcome.kind) {
    case "rolled-back":
      if (json) printJson(context, { ...base, outcome: "reverted" });
      else sayIfHeard(context, ["", "Interrupted: everything is as it was"]);
      return ExitCode.interrupted;
    case "refused":
      if (json) printJson(context, { ...base, outcome: "applied" });
      else sayIfHeard(context, ["", `Interrupted, but change ${id} stands: ${outcome.refusal.message}`]);
      return ExitCode.stuck;
    case "stuck":
      if (json) printJson(context, { ...base, outcome: "stuck", standing: outcome.standing });
      else
        sayIfHeard(context, ["", "Interrupted, and taking back failed:", ...standingLines(outcome.standing)]);
      return ExitCode.stuck;
  }
}

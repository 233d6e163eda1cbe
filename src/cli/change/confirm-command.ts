/** `headroom confirm`: keeps a change that waits to be confirmed. */
import { confirmChange } from "../../change/change.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { tone } from "../look.ts";
import type { ConfirmOptions } from "./change-line.ts";
import { holdingSignals } from "./held-signals.ts";
import { openToWrite, sameOptionsText } from "./places.ts";
import { sayRefusal } from "./refusal-text.ts";
import { whoIsHere } from "./who.ts";

const SCHEMA = "headroom/confirm/v1";

export async function runConfirm(context: Context, options: ConfirmOptions, id = "last"): Promise<ExitCode> {
  const host = await openToWrite(context, options);
  const making = { by: whoIsHere(context.terminal), nowMs: () => context.deps.clock.nowMs() };
  const { result } = await holdingSignals(() => confirmChange(id, host, making));
  if (result.kind === "refused") {
    return sayRefusal(context, result.refusal, { asked: options.json === true, schema: SCHEMA });
  }
  const { id: changeId } = result.receipt;
  if (options.json === true) printJson(context, { schema: SCHEMA, outcome: "confirmed", changeId });
  else {
    const undo = `headroom rollback ${changeId}${sameOptionsText(options)}`;
    print(context, [
      tone(context.look, ["bold", "green"], `Kept: change ${changeId}`),
      `Take it back: ${tone(context.look, "cyan", undo)}`,
    ]);
  }
  return ExitCode.ok;
}

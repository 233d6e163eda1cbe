/** A command: the notice as JSON on its standard input, and the most important of it in its environment. */
import type { ReceiverOptions } from "../alerts-options-schema.ts";
import { noticeJson, statusOf } from "./notice-json.ts";
import { summaryOf } from "./notice-text.ts";
import type { Receiver, ReceiverDeps, Sending } from "./receiver.ts";
import { runProgram } from "./run-program.ts";

export type CommandOptions = Extract<ReceiverOptions, { kind: "command" }>;

/** Of this program's environment, what a command gets. */
const PASSED_ON = ["PATH", "HOME", "LANG", "TZ"];

export function command(options: CommandOptions, deps: ReceiverDeps): Receiver {
  const [program = "", ...programArguments] = options.command;
  return {
    name: options.name,
    kind: "command",
    where: program,
    async deliver(sending) {
      const output = await runProgram({
        program,
        programArguments,
        input: `${JSON.stringify(noticeJson(sending, deps.dashboardUrl))}\n`,
        environment: environmentOf(sending, deps),
        timeoutSeconds: options.timeout,
        signal: sending.signal,
      });
      return output === "" ? undefined : output;
    },
  };
}

function environmentOf({ notice }: Sending, { environment }: ReceiverDeps): Record<string, string> {
  const { alert, kind, id, instance } = notice;
  const passed = PASSED_ON.flatMap((name): [string, string][] => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(passed),
    HEADROOM_ALERT_NOTICE: id,
    HEADROOM_ALERT_KIND: kind,
    HEADROOM_ALERT_STATUS: statusOf(notice),
    HEADROOM_ALERT_ID: alert.id,
    HEADROOM_ALERT_CODE: alert.code,
    HEADROOM_ALERT_SUBJECT: alert.subject ?? "",
    HEADROOM_ALERT_LEVEL: alert.level,
    HEADROOM_ALERT_INSTANCE: instance,
    HEADROOM_ALERT_TITLE: alert.title,
    HEADROOM_ALERT_SUMMARY: summaryOf(notice),
  };
}

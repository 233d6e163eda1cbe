/**
 * `headroom verify`: the values in force beside those after the next boot, from the files that set them.
 * Reads files and values, runs nothing, and changes nothing.
 */
import type { SettingKey } from "../../table/settings.ts";
import type { Unseen } from "../../table/unseen.ts";
import { bootOutlook, type BootOutlook, outlookOf } from "../../plan/plan.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { shellWord } from "../../table/shell-word.ts";
import { readSettingKey } from "../setting-words.ts";
import { subjectOf } from "../subject.ts";
import { UsageError } from "../usage-error.ts";
import { forecastOf } from "./boot-files.ts";
import { verifyToJson } from "./verify-json.ts";
import type { VerifyOptions } from "./verify-line.ts";
import type { VerifyReport } from "./verify-report.ts";
import { renderVerify } from "./verify-text.ts";

export async function runVerify(context: Context, options: VerifyOptions): Promise<ExitCode> {
  const { setting } = options;
  const key = setting === undefined ? undefined : readSettingKey("verify", setting, setting);
  const report = await verifyReport(context, options, key);
  if (options.json === true) printJson(context, verifyToJson(report));
  else print(context, renderVerify(report, context.look));
  return report.holds ? ExitCode.ok : ExitCode.failed;
}

async function verifyReport(
  context: Context,
  options: VerifyOptions,
  key: SettingKey | undefined,
): Promise<VerifyReport> {
  const { root, netns } = options;
  if (root !== undefined && netns !== undefined) throw noNamespaces(netns);
  const { clock } = context.deps;
  const kernel = await context.deps.kernel();
  const access = kernel.openHost({
    clock,
    ...(root === undefined ? {} : { root }),
    ...(netns === undefined ? {} : { namespace: netns }),
    ...(context.debug === undefined ? {} : { debug: context.debug }),
  });
  try {
    const host = access.host();
    const seen = await forecastOf(access);
    if (seen === undefined) throw nothingToSee(root);
    const apart = host.initialNamespace === false && netns === undefined;
    const boot = apart ? { ...seen, unseen: [...seen.unseen, otherFiles] } : seen;
    const outlook = bootOutlook({ host, settings: access.settings(), boot });
    const subject = subjectOf(host, netns === undefined ? {} : { netns });
    return {
      ...(key === undefined ? outlook : outlookOfOne(outlook, key)),
      boot: key === undefined ? boot : { ...boot, unknown: [] },
      detail: options.all === true || key !== undefined ? "all" : "short",
      trackerLoaded: host.tracker !== "none" && host.tracker !== "unknown",
      ownNamespace: host.initialNamespace !== false,
      rootOption: root === undefined ? "" : ` --root ${shellWord(root)}`,
      netnsOption: netns === undefined ? "" : ` --netns ${shellWord(netns)}`,
      unseen: [...access.unseen.filter(({ what }) => what !== "the table"), ...boot.unseen],
      ...(key === undefined ? {} : { key }),
      ...(subject === undefined ? {} : { subject }),
    };
  } finally {
    access.close();
  }
}

/** What the whole outlook says of one setting. */
function outlookOfOne({ rows, others }: BootOutlook, key: SettingKey): BootOutlook {
  const one = [...rows, ...others].filter((row) => row.key === key);
  return { ...outlookOf(one), rows: one };
}

/** Whoever is in another network namespace may be in a container, and see another host's files. */
const otherFiles: Unseen = {
  what: "files of the host",
  why: "this is not the initial network namespace; in a container the files seen here are its own",
  help: "run headroom verify on the host itself",
  cause: "incomplete",
};

function noNamespaces(netns: string): UsageError {
  return new UsageError(
    `Cannot look at network namespace ${netns} of a saved host: its files tell of one namespace`,
    "Leave out --root or --netns",
  );
}

function nothingToSee(root: string | undefined): UsageError {
  return new UsageError(
    `Cannot tell what the next boot of ${root ?? "this host"} does: it has none of the files that set values`,
    "Looked for /etc/sysctl.d, /etc/sysctl.conf, /usr/lib/sysctl.d, /etc/modprobe.d and /etc/modprobe.conf",
  );
}

/**
 * `headroom alerts`: what fires and what fired, read from the history beside whoever writes it; and
 * `headroom alerts test`: whether receivers can be reached.
 */
import type { Clock } from "../../base/clock.ts";
import type { Alert, Incident, Notice } from "../../watch/watch.ts";
import { type Context, print, printJson } from "../context.ts";
import { ExitCode } from "../exit-code.ts";
import { nextCommands } from "../look.ts";
import { loadConfiguration } from "../serve/configuration-file.ts";
import type { Configuration } from "../serve/configuration-schema.ts";
import { instanceName } from "../serve/instance-name.ts";
import { directoryToRead } from "../serve/state-directory.ts";
import { UsageError } from "../usage-error.ts";
import type { AlertsSelection } from "./alerts-line.ts";
import { renderAlerts, renderTested, type Tested } from "./alerts-text.ts";
import { withoutSlash } from "./receivers/incident-url.ts";
import { type Receiver, ReceiverError } from "./receivers/receiver.ts";
import { testNotice } from "./test-notice.ts";

/** How far back it looks. */
const DAYS = 7;
const DAY_MS = 86_400_000;

export async function runAlerts(context: Context, selection: AlertsSelection): Promise<ExitCode> {
  const { config, root, state } = selection.options;
  if (root !== undefined) {
    throw new UsageError(
      "Cannot tell the alerts of a saved host: nobody watches it",
      "--state names a history",
    );
  }
  const { configuration } = loadConfiguration({
    ...(config === undefined ? {} : { config }),
    ...(state === undefined ? {} : { state }),
  });
  return selection.action === "test"
    ? testReceivers(context, selection, configuration)
    : listAlerts(context, selection, configuration);
}

async function listAlerts(
  context: Context,
  { options }: AlertsSelection,
  { history }: Configuration,
): Promise<ExitCode> {
  const directory = directoryToRead(history.directory, context.terminal.environment);
  const { byImportance, openHistory } = await import("../../watch/watch.ts");
  const nowMs = context.deps.clock.nowMs();
  const opened = openHistory(directory);
  const found = newestFirst(opened.incidents(nowMs - DAYS * DAY_MS, nowMs + DAY_MS));
  const isOpen = ({ alert }: Incident): boolean => alert.state === "firing";
  const firing = found.filter(isOpen).toSorted((one, two) => byImportance(one.alert, two.alert));
  const incidents = [...firing, ...found.filter((incident) => !isOpen(incident))];
  opened.close();
  if (options.json === true) {
    const alerts = incidents.map(({ alert }) => alert);
    const isFiring = ({ state }: Alert): boolean => state === "firing";
    printJson(context, {
      schema: "headroom/alerts/v1",
      atMs: nowMs,
      firing: alerts.filter(isFiring),
      resolved: alerts.filter((alert) => !isFiring(alert)),
    });
    return ExitCode.ok;
  }
  const { look } = context;
  print(context, renderAlerts(incidents, { nowMs, days: DAYS, look }));
  const next = { command: "headroom alerts test", why: "whether those who are to be told can be reached" };
  print(context, ["", ...nextCommands(look, [next])]);
  return ExitCode.ok;
}

function newestFirst(incidents: readonly Incident[]): readonly Incident[] {
  return incidents.toSorted((one, two) => (two.alert.firedAtMs ?? 0) - (one.alert.firedAtMs ?? 0));
}

async function testReceivers(
  context: Context,
  { options, receiver: wanted }: AlertsSelection,
  { alerts, watch }: Configuration,
): Promise<ExitCode> {
  const chosen = alerts.receivers.filter(({ name }) => wanted === undefined || name === wanted);
  if (chosen.length === 0) {
    const names = alerts.receivers.map(({ name }) => name).join(", ");
    throw new UsageError(
      wanted === undefined
        ? "Cannot test: there are no receivers"
        : `Cannot test ${wanted}: no such receiver`,
      names === ""
        ? "Add a section [[alerts.receivers]] to headroom.toml, see docs/alerts.md"
        : `There are ${names}`,
    );
  }
  const [{ openReceiver }, kernel] = await Promise.all([
    import("./receivers/open-receivers.ts"),
    context.deps.kernel(),
  ]);
  const { clock } = context.deps;
  const host = kernel.openHost({ clock });
  const notice = testNotice(clock.nowMs(), instanceName(host.host(), watch));
  host.close();
  const signal = context.terminal.interruption();
  const environment = context.terminal.environment;
  const dashboardUrl = withoutSlash(alerts.dashboard_url);
  const deps = { clock, environment, ...(dashboardUrl === "" ? {} : { dashboardUrl }) };
  const tested = await Promise.all(
    chosen.map(async (one) => testOf(openReceiver(one, deps), { notice, signal, clock })),
  );
  if (options.json === true) printJson(context, { schema: "headroom/alerts-test/v1", receivers: tested });
  else print(context, renderTested(tested, context.look));
  return tested.every(({ delivered }) => delivered) ? ExitCode.ok : ExitCode.failed;
}

async function testOf(
  receiver: Receiver,
  { notice, signal, clock }: { notice: Notice; signal: AbortSignal; clock: Clock },
): Promise<Tested> {
  const { name, kind, where } = receiver;
  const began = clock.elapsedMs();
  const sinceBegan = (): number => Math.round(clock.elapsedMs() - began);
  const result = { receiver: name, kind, where };
  try {
    const said = await receiver.deliver({ notice, lost: 0, attempt: 1, signal });
    const milliseconds = sinceBegan();
    return { ...result, delivered: true, milliseconds, ...(said === undefined ? {} : { said }) };
  } catch (error) {
    if (!(error instanceof ReceiverError)) throw error;
    const { message: why, help } = error;
    const milliseconds = sinceBegan();
    return { ...result, delivered: false, milliseconds, why, ...(help === undefined ? {} : { help }) };
  }
}

/**
 * All parts of `serve` put together: store, host, watcher, alerts and server, opened in this order and closed
 * in the other. The beat calls `second`.
 */
import { renameSync } from "node:fs";
import { networkInterfaces } from "node:os";

import type { Clock } from "../../base/clock.ts";
import { seededRandom } from "../../base/random.ts";
import { makeForecast } from "../../plan/plan.ts";
import {
  type Api,
  censusRowsFor,
  createApi,
  isLoopback,
  listen,
  ListenError,
  type Listening,
  Metrics,
} from "../../server/server.ts";
import {
  AlertKeeper,
  type HistoryWriter,
  openStore,
  rememberPlace,
  StoreError,
  Watcher,
  type WatchState,
} from "../../watch/watch.ts";
import { alertOptionsOf } from "../alerts/alerts-options-schema.ts";
import { appliedSettings } from "../alerts/applied-settings.ts";
import { AlertDelivery } from "../alerts/delivery.ts";
import { openReceiver, subscriptionsOf } from "../alerts/receivers/open-receivers.ts";
import type { Receiver } from "../alerts/receivers/receiver.ts";
import type { Context } from "../context.ts";
import { subjectOf } from "../subject.ts";
import { HEADROOM_VERSION } from "../version.ts";
import { apiDepsOf, apiOptionsOf } from "./api-wiring.ts";
import { changesBetween, type ConfigurationChanges, withInPlace } from "./configuration-changes.ts";
import type { Configuration } from "./configuration-schema.ts";
import { type HostToWatch, openHostToWatch } from "./host-to-watch.ts";
import { logNews } from "./news-log.ts";
import { openableUrl } from "./openable-url.ts";
import { ownProcess } from "./own-process.ts";
import { ServeError } from "./serve-error.ts";
import type { ServeLog } from "./serve-log.ts";
import { readTls, readToken } from "./server-files.ts";
import { makeStateDirectory, stateDirectoryOf, withPrivateFiles } from "./state-directory.ts";
import { readAssets } from "./web-assets.ts";

export interface ServingParts {
  context: Context;
  configuration: Configuration;
  log: ServeLog;
  /** Directory of the built dashboard. */
  webDirectory: string;
}

/**
 * Opens everything, listens, and looks once. Throws StoreError, KernelError, ServeError and ServerFileError;
 * then nothing is left open.
 */
export async function openServing(parts: ServingParts): Promise<Serving> {
  const { context, configuration } = parts;
  const { history: options } = configuration;
  const directory = stateDirectoryOf(options.directory, context.terminal.environment);
  makeStateDirectory(directory);
  const kernel = await context.deps.kernel();
  const { clock } = context.deps;
  const history = openHistory(directory, clock, options);
  let serving: Serving | undefined;
  try {
    const { namespace, kernel_log, namespaces } = configuration.watch;
    const host = openHostToWatch({
      clock,
      kernel,
      followLog: kernel_log,
      countNamespaces: namespaces,
      ...(namespace === "" ? {} : { namespace }),
    });
    const { hostname, namespaceInode } = host.facts().host;
    const place = {
      ...(hostname === undefined ? {} : { hostname }),
      ...(namespace === "" ? {} : { namespace }),
      ...(namespaceInode === undefined ? {} : { namespaceInode }),
    };
    rememberPlace(history, place, clock.nowMs());
    serving = new Serving(parts, { directory, history, host });
    await serving.listen();
    await serving.second();
    return serving;
  } catch (error) {
    if (serving === undefined) history.close();
    else await serving.close();
    throw error;
  }
}

function openHistory(
  directory: string,
  clock: Clock,
  { max_size, keep_seconds, keep_10s, keep_60s }: Configuration["history"],
): HistoryWriter {
  try {
    return withPrivateFiles(directory, () =>
      openStore({
        directory,
        clock,
        rename: renameSync,
        options: { maxBytes: max_size, keepSeconds: { 1: keep_seconds, 10: keep_10s, 60: keep_60s } },
      }),
    );
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "in-use") throw error;
    const [who = ""] = / \(process \d+(?= writes it\))/.exec(error.message) ?? [];
    throw new ServeError(
      error.code,
      `Cannot keep the history in ${directory}: another headroom serve writes it${who && `${who})`}`,
      "That one watches this host already; --state keeps another history elsewhere",
      error,
    );
  }
}

interface Opened {
  directory: string;
  history: HistoryWriter;
  host: HostToWatch;
}

export class Serving {
  readonly stateDirectory: string;
  readonly #parts: ServingParts;
  readonly #host: HostToWatch;
  readonly #history: HistoryWriter;
  readonly #keeper: AlertKeeper;
  readonly #watcher: Watcher;
  readonly #assets: ReturnType<typeof readAssets>;
  readonly #metrics: Metrics;
  #configuration: Configuration;
  readonly #instance: string;
  readonly #delivery: AlertDelivery;
  #listening: Listening | undefined;
  /** As read last. */
  #token: string | undefined;
  #tls: ReturnType<typeof readTls>;
  #began = false;

  constructor(parts: ServingParts, { directory, history, host }: Opened) {
    this.#parts = parts;
    this.stateDirectory = directory;
    this.#configuration = parts.configuration;
    this.#history = history;
    this.#host = host;
    this.#assets = readAssets(parts.webDirectory);
    const { clock } = parts.context.deps;
    this.#instance = this.#instanceName();
    this.#keeper = this.#newKeeper();
    this.#delivery = new AlertDelivery({
      keeper: this.#keeper,
      receivers: [],
      clock,
      instance: this.#instance,
      log: parts.log,
    });
    this.#watcher = this.#newWatcher();
    this.#metrics = this.#newMetrics();
    logNews(this.#watcher, parts.log);
    // A change of ours is one that must not get lost from now on.
    this.#watcher.subscribe(({ kind }) => kind === "setting" && this.#configureAlerts());
  }

  get state(): WatchState {
    return this.#watcher.state();
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get historyBoundBytes(): number {
    return this.#history.size().boundBytes;
  }

  /** Where it listens. */
  get place(): Pick<Listening, "url" | "address" | "port"> {
    if (this.#listening === undefined) throw new TypeError("Asked for its address before it listens");
    const { url, address, port } = this.#listening;
    return { url: openableUrl(url, address, networkInterfaces()), address, port };
  }

  /** Looks once and remembers. Rejects for our own mistakes alone. */
  async second(): Promise<void> {
    this.#began = true;
    await this.#watcher.second();
    this.#delivery.wake();
  }

  async listen(): Promise<void> {
    const { server } = this.#configuration;
    const { host: address, port } = server.listen;
    try {
      const tls = readTls(server);
      const api = this.#newApi({ address, port }, this.#configuration);
      this.#listening = await listen(api, tls === undefined ? {} : { tls });
      this.#tls = tls;
      this.#token = api.options.token;
      this.#warnOfPlainText(address);
      // Which Host headers are answered depends on the port, where one was found.
      if (port === 0) this.#listening.use(this.#newApi(this.#listening, this.#configuration));
      this.#delivery.configure(this.#receivers(this.#configuration));
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      throw new ServeError(error.code, error.message, error.help, error);
    }
  }

  /**
   * Takes over what can change while it runs; says what cannot. The token and the certificate are read again
   * in any case. Throws ServerFileError and ListenError; then nothing has changed.
   */
  reload(wanted: Configuration): ConfigurationChanges {
    const { inPlace, afterRestart } = changesBetween(this.#configuration, wanted);
    const next = withInPlace(this.#configuration, wanted);
    // What can fail comes first.
    const receivers = this.#receivers(next);
    const tls = readTls(next.server);
    const api = this.#newApi(this.place, next);
    const isOtherToken = api.options.token !== this.#token;
    const isOtherCertificate = tls !== undefined && JSON.stringify(tls) !== JSON.stringify(this.#tls);
    if (isOtherCertificate) this.#listening?.renew(tls);
    this.#tls = tls;
    this.#listening?.use(api);
    this.#token = api.options.token;
    this.#configuration = next;
    this.#configureAlerts();
    this.#delivery.configure(receivers);
    this.#metrics.nameAsNodeExporter(next.metrics.node_exporter_names);
    this.#parts.log.setLevel(next.log.level);
    const renewed = [
      ...(isOtherToken ? ["the token"] : []),
      ...(isOtherCertificate ? ["the certificate"] : []),
    ];
    return { inPlace: [...inPlace, ...renewed], afterRestart };
  }

  /** Writes what is under way and lets go of everything. */
  async close(): Promise<void> {
    // What never began has no end to remember.
    if (this.#began) await this.#watcher.stop();
    await this.#delivery.stop();
    await this.#listening?.close();
    this.#host.close();
    this.#history.close();
  }

  #warnOfPlainText(address: string): void {
    if (this.#tls !== undefined || isLoopback(address)) return;
    this.#parts.log.warn(
      "The token and all answers travel in the clear: give it tls_certificate and tls_key, " +
        "or put a proxy with TLS before it",
    );
  }

  #newApi({ address, port }: { address: string; port: number }, configuration: Configuration): Api {
    const { context, log } = this.#parts;
    const { server } = configuration;
    const token = readToken(server, (text) => log.warn(text));
    const secrets = { token, hasTls: server.tls_certificate !== "" };
    return createApi(
      apiDepsOf(
        {
          context,
          log,
          watched: this.#watcher,
          history: this.#history,
          assets: this.#assets,
          metrics: this.#metrics,
        },
        configuration,
        apiOptionsOf(configuration, { address, port }, secrets),
      ),
    );
  }

  /** The host in notices, and the namespace where it is not the host's own. */
  #instanceName(): string {
    const { namespace } = this.#configuration.watch;
    return subjectOf(this.#host.facts().host, namespace === "" ? {} : { netns: namespace }) ?? "this host";
  }

  #newKeeper(): AlertKeeper {
    const { clock, seed = 0 } = this.#parts.context.deps;
    const { alerts } = this.#configuration;
    return new AlertKeeper({
      store: this.#history,
      options: alertOptionsOf(alerts),
      receivers: subscriptionsOf(alerts.receivers),
      random: seededRandom(seed),
      nowMs: clock.nowMs(),
      instance: this.#instance,
      applied: this.#applied(),
    });
  }

  #configureAlerts(): void {
    const { alerts } = this.#configuration;
    this.#keeper.configure(alertOptionsOf(alerts), subscriptionsOf(alerts.receivers), this.#applied());
  }

  /** What `headroom apply` makes last is the host's; another namespace has no boot. */
  #applied(): ReturnType<typeof appliedSettings> {
    return this.#configuration.watch.namespace === "" ? appliedSettings(this.#host.changes()) : [];
  }

  #receivers({ alerts }: Configuration): readonly Receiver[] {
    const { clock } = this.#parts.context.deps;
    const dashboardUrl = (alerts.dashboard_url === "" ? this.place.url : alerts.dashboard_url).replace(
      /\/$/,
      "",
    );
    const deps = { clock, environment: this.#parts.context.terminal.environment, dashboardUrl };
    return alerts.receivers.map((options) => openReceiver(options, deps));
  }

  #newMetrics(): Metrics {
    const { top, node_exporter_names } = this.#configuration.metrics;
    return new Metrics({
      watched: this.#watcher,
      history: this.#history,
      clock: this.#parts.context.deps.clock,
      version: HEADROOM_VERSION,
      ownProcess,
      options: { top, nodeExporterNames: node_exporter_names },
    });
  }

  #newWatcher(): Watcher {
    const { deps } = this.#parts.context;
    const { watch, forecast, alerts, metrics } = this.#configuration;
    const { warning, critical } = alerts["near-full"];
    return new Watcher({
      host: this.#host,
      history: this.#history,
      clock: deps.clock,
      cpuSeconds: () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
      memoryBytes: () => process.memoryUsage.rss(),
      allowedCpuShare: watch.cpu_budget,
      censusSampleFlows: watch.census_flows,
      leastCensusSeconds: watch.census_interval,
      mostCensusSeconds: Math.max(watch.census_interval, watch.census_longest_interval),
      censusTopRows: censusRowsFor(metrics.top),
      followEvents: watch.events,
      thresholds: { warningShare: Math.min(warning, critical), criticalShare: critical },
      alerts: this.#keeper,
      seed: deps.seed ?? 0,
      ...(forecast.enabled
        ? { forecast: (facts) => makeForecast(facts, { horizonSeconds: forecast.horizon }) }
        : {}),
    });
  }
}

/**
 * All parts of `serve` put together: store, host, watcher, alerts and server, opened in this order and closed
 * in the other. The beat calls `second`.
 */
import { renameSync } from "node:fs";
import { networkInterfaces } from "node:os";

import type { Clock } from "../../base/clock.ts";
import { seededRandom } from "../../base/random.ts";
import {
  type Api,
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
import { withoutSlash } from "../alerts/receivers/incident-url.ts";
import { openReceiver, subscriptionsOf } from "../alerts/receivers/open-receivers.ts";
import type { Receiver } from "../alerts/receivers/receiver.ts";
import type { Context } from "../context.ts";
import { HEADROOM_VERSION } from "../version.ts";
import { apiDepsOf, apiOptionsOf } from "./api-wiring.ts";
import { changesBetween, type ConfigurationChanges, withInPlace } from "./configuration-changes.ts";
import type { Configuration } from "./configuration-schema.ts";
import { type HostToWatch, openHostToWatch } from "./host-to-watch.ts";
import { instanceName } from "./instance-name.ts";
import { logNews } from "./news-log.ts";
import { openableUrl } from "./openable-url.ts";
import { ownProcess } from "./own-process.ts";
import { ServeError } from "./serve-error.ts";
import type { ServeLog } from "./serve-log.ts";
import { readTls, readToken } from "./server-files.ts";
import { makeStateDirectory, stateDirectoryOf, withPrivateFiles } from "./state-directory.ts";
import { watcherOptionsOf } from "./watcher-wiring.ts";
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
  let host: HostToWatch | undefined;
  let serving: Serving | undefined;
  try {
    const { namespace, kernel_log, namespaces } = configuration.watch;
    host = openHostToWatch({
      clock,
      kernel,
      followLog: kernel_log,
      countNamespaces: namespaces,
      ...(namespace === "" ? {} : { namespace }),
    });
    const { host: facts } = host.facts();
    const { hostname, namespaceInode } = facts;
    const place = {
      ...(hostname === undefined ? {} : { hostname }),
      ...(namespace === "" ? {} : { namespace }),
      ...(namespaceInode === undefined ? {} : { namespaceInode }),
    };
    rememberPlace(history, place, clock.nowMs());
    const instance = instanceName(facts, configuration.watch);
    serving = new Serving(parts, { directory, history, host, instance });
    await serving.listen();
    await serving.second();
    return serving;
  } catch (error) {
    if (serving !== undefined) await serving.close();
    else {
      host?.close();
      history.close();
    }
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
  /** The host in notices. */
  instance: string;
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
  readonly #delivery: AlertDelivery;
  #listening: Listening | undefined;
  /** As read last. */
  #token: string | undefined;
  #tls: ReturnType<typeof readTls>;
  #began = false;
  #hasNewSettings = false;

  constructor(parts: ServingParts, { directory, history, host, instance }: Opened) {
    this.#parts = parts;
    this.stateDirectory = directory;
    this.#configuration = parts.configuration;
    this.#history = history;
    this.#host = host;
    this.#assets = readAssets(parts.webDirectory);
    const { clock } = parts.context.deps;
    this.#keeper = this.#newKeeper(instance);
    this.#delivery = new AlertDelivery({
      keeper: this.#keeper,
      receivers: [],
      clock,
      instance,
      log: parts.log,
    });
    this.#watcher = new Watcher(
      watcherOptionsOf({
        context: parts.context,
        host,
        history,
        keeper: this.#keeper,
        configuration: () => this.#configuration,
      }),
    );
    this.#metrics = this.#newMetrics();
    logNews(this.#watcher, parts.log);
    this.#watcher.subscribe(({ kind }) => {
      if (kind === "setting") this.#hasNewSettings = true;
    });
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
    // A change of ours is one that must not get lost from now on.
    if (this.#hasNewSettings) this.#configureAlerts();
    this.#hasNewSettings = false;
    this.#delivery.wake();
  }

  async listen(): Promise<void> {
    const { server } = this.#configuration;
    try {
      const tls = readTls(server);
      const api = this.#newApi(this.#configuration);
      this.#listening = await listen(api, tls === undefined ? {} : { tls });
      this.#tls = tls;
      this.#token = api.options.token;
      this.#warnOfPlainText(server.listen.host);
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
    const api = this.#newApi(next);
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

  #newApi(configuration: Configuration): Api {
    const { context, log } = this.#parts;
    const token = readToken(configuration.server, (text) => log.warn(text));
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
        apiOptionsOf(configuration, token),
      ),
    );
  }

  #newKeeper(instance: string): AlertKeeper {
    const { clock, seed = 0 } = this.#parts.context.deps;
    const { alerts } = this.#configuration;
    return new AlertKeeper({
      store: this.#history,
      options: alertOptionsOf(alerts),
      receivers: subscriptionsOf(alerts.receivers),
      random: seededRandom(seed),
      nowMs: clock.nowMs(),
      instance,
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
    const dashboardUrl = withoutSlash(alerts.dashboard_url === "" ? this.place.url : alerts.dashboard_url);
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
}

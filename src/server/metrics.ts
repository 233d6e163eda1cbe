/**
 * /metrics: what the watcher knows, as text for Prometheus. It reads nothing itself: a text is made from the
 * state of the watcher, at most once for each second it looks, and kept for whoever asks next.
 */
import type { Clock } from "../base/clock.ts";
import type { Census } from "../census/census.ts";
import type { NamespaceFacts } from "../table/host.ts";
import {
  type History,
  type HistorySize,
  namespaceLabel,
  type Watched,
  type WatchNews,
  type WatchNote,
  type WatchState,
} from "../watch/watch.ts";
import type { MetricsText } from "./api-deps.ts";
import type { Family, Figures, NewsCounts, OwnProcess, Ranked, RankedNamespace } from "./metrics-family.ts";
import { censusFamilies, eventFamilies } from "./metrics-flows.ts";
import { nodeFamilies } from "./metrics-node.ts";
import { MetricsPage, type PageFormat } from "./metrics-page.ts";
import { Ranking } from "./metrics-ranking.ts";
import { counterFamilies, namespaceFamilies, settingFamilies, tableFamilies } from "./metrics-table.ts";
import { judgementFamilies, processFamilies, watchFamilies } from "./metrics-watch.ts";

/** The size of the history is asked for no more often. */
const SIZE_MS = 60_000;

export interface MetricsDeps {
  watched: Watched;
  history: Pick<History, "size">;
  clock: Clock;
  version: string;
  /** What this process costs; called once for each text. */
  ownProcess: () => OwnProcess;
  options: MetricsOptions;
}

export interface MetricsOptions {
  /** Rows of each ranking; 0: none. */
  top: number;
  /** The names of node_exporter as well. */
  nodeExporterNames: boolean;
}

/** Everything /metrics may have, in its order. */
export function familiesOf({
  nodeExporterNames,
}: Pick<MetricsOptions, "nodeExporterNames">): readonly Family[] {
  return [
    ...tableFamilies,
    ...counterFamilies,
    ...judgementFamilies,
    ...censusFamilies,
    ...eventFamilies,
    ...namespaceFamilies,
    ...settingFamilies,
    ...watchFamilies,
    ...processFamilies,
    ...(nodeExporterNames ? nodeFamilies : []),
  ];
}

interface Kept {
  state: WatchState;
  text: Promise<MetricsText>;
}

export class Metrics {
  readonly #deps: MetricsDeps;
  readonly #counts = new Counts();
  readonly #sources: Ranking<Ranked>;
  readonly #services: Ranking<Ranked>;
  readonly #namespaces: Ranking<RankedNamespace>;
  #nodeExporterNames: boolean;
  readonly #pages = new Map<PageFormat, MetricsPage>();
  readonly #kept = new Map<PageFormat, Kept>();
  #size: { size: HistorySize; elapsedMs: number } | undefined;

  constructor(deps: MetricsDeps) {
    this.#deps = deps;
    const { top, nodeExporterNames } = deps.options;
    this.#nodeExporterNames = nodeExporterNames;
    this.#sources = new Ranking(top);
    this.#services = new Ranking(top);
    this.#namespaces = new Ranking(top);
    deps.watched.subscribe((news) => this.#hear(news));
  }

  /** The text for a client with this Accept header: the same object as long as nothing is new. */
  text(accept?: string): Promise<MetricsText> {
    const format = wantsOpenMetrics(accept) ? "openmetrics" : "prometheus";
    const state = this.#deps.watched.state();
    const kept = this.#kept.get(format);
    if (kept?.state === state) return kept.text;
    const page = this.#pageOf(format);
    const text = page.text(this.#figures(state)).then((written) => ({ text: written, type: page.type }));
    this.#kept.set(format, { state, text });
    return text;
  }

  /** From now on with the names of node_exporter as well, or without. */
  nameAsNodeExporter(nodeExporterNames: boolean): void {
    this.#nodeExporterNames = nodeExporterNames;
    this.#pages.clear();
    this.#kept.clear();
  }

  /** Who is shown by name follows every census, also when nobody asks. */
  #hear(news: WatchNews): void {
    this.#counts.add(news);
    if (news.kind === "census") this.#rank(news.census);
  }

  #rank(census: Census | undefined): Pick<Figures, "sources" | "services"> {
    return {
      sources: this.#sources.of(census, () => sourcesOf(census)),
      services: this.#services.of(census, () => servicesOf(census)),
    };
  }

  #figures(state: WatchState): Figures {
    return {
      state,
      counts: this.#counts.values(),
      history: this.#historySize(),
      own: this.#deps.ownProcess(),
      ...this.#rank(state.census?.census),
      namespaces: this.#namespaces.of(state.namespaces, () => namespacesOf(state.namespaces)),
      version: this.#deps.version,
    };
  }

  #historySize(): HistorySize {
    const elapsedMs = this.#deps.clock.elapsedMs();
    if (this.#size === undefined || elapsedMs - this.#size.elapsedMs >= SIZE_MS) {
      this.#size = { size: this.#deps.history.size(), elapsedMs };
    }
    return this.#size.size;
  }

  #pageOf(format: PageFormat): MetricsPage {
    const page =
      this.#pages.get(format) ??
      new MetricsPage(format, familiesOf({ nodeExporterNames: this.#nodeExporterNames }));
    this.#pages.set(format, page);
    return page;
  }
}

/** News counted since the program began. */
class Counts {
  #settingChanges = 0;
  readonly #firing = new Set<string>();
  #alertsFired = 0;
  readonly #notes: Record<WatchNote["kind"], number> = {
    started: 0,
    stopped: 0,
    gap: 0,
    "clock-jump": 0,
    "events-lost": 0,
    skipped: 0,
    "sight-lost": 0,
    "sight-regained": 0,
    "configuration-changed": 0,
  };

  add(news: WatchNews): void {
    if (news.kind === "setting") this.#settingChanges += 1;
    if (news.kind === "note") this.#notes[news.note.kind] += 1;
    if (news.kind !== "alert") return;
    // An alert that fires is told of again when its evidence is new.
    const { id, state } = news.alert;
    if (state !== "firing") this.#firing.delete(id);
    else if (!this.#firing.has(id)) {
      this.#firing.add(id);
      this.#alertsFired += 1;
    }
  }

  values(): NewsCounts {
    return {
      settingChanges: this.#settingChanges,
      alertsFired: this.#alertsFired,
      notes: { ...this.#notes },
    };
  }
}

function sourcesOf(census: Census | undefined): readonly Ranked[] {
  return census?.topSources.rows.map(({ address, flows }) => ({ name: address, flows })) ?? [];
}

function servicesOf(census: Census | undefined): readonly Ranked[] {
  return (
    census?.topServices.rows.map(({ protocol, port, flows }) => ({ name: `${protocol}/${port}`, flows })) ??
    []
  );
}

/** The fullest first, by share of their capacity; names that two have are told apart by their number. */
function namespacesOf(namespaces: readonly NamespaceFacts[]): readonly RankedNamespace[] {
  const taken = new Set<string>();
  const rows = namespaces.flatMap((namespace) => {
    const { occupancyFlows, capacityFlows, inode } = namespace;
    if (occupancyFlows === undefined) return [];
    const label = namespaceLabel(namespace);
    const name = taken.has(label) ? `${label} net:[${inode ?? taken.size}]` : label;
    taken.add(name);
    return [{ name, flows: occupancyFlows, ...(capacityFlows === undefined ? {} : { capacityFlows }) }];
  });
  return rows.toSorted((one, other) => useOf(other) - useOf(one) || other.flows - one.flows);
}

function useOf({ flows, capacityFlows = 0 }: RankedNamespace): number {
  return capacityFlows === 0 ? 0 : flows / capacityFlows;
}

const OPEN_METRICS = "application/openmetrics-text";

/** Whether a client likes OpenMetrics 1.0 at least as much as the older text (RFC 9110, section 12.5.1). */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  let [open, plain] = [0, 0];
  for (const part of (accept ?? "").toLowerCase().split(",")) {
    const [type = "", ...rest] = part.split(";").map((text) => text.trim());
    const parameters = new Map(rest.map((text) => text.split("=", 2) as [string, string]));
    const weight = Number(parameters.get("q") ?? 1);
    const version = parameters.get("version")?.replaceAll('"', "") ?? "1.0.0";
    if (type === OPEN_METRICS && version === "1.0.0") open = Math.max(open, weight);
    if (type === "text/plain") plain = Math.max(plain, weight);
  }
  return open > 0 && open >= plain;
}

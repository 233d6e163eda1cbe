/** Families and their values as text, in one of the two formats that Prometheus reads, by prom-client. */
import { Counter, Gauge, Registry, type RegistryContentType } from "prom-client";

import type { Family, Figures } from "./metrics-family.ts";

export type PageFormat = "prometheus" | "openmetrics";

interface Member {
  family: Family;
  metric: Gauge | Counter;
  name: string;
}

/**
 * One format of /metrics, with metrics of its own: the library writes names of counters differently in each,
 * and changes them for good when it does.
 */
export class MetricsPage {
  readonly type: string;
  readonly #format: PageFormat;
  readonly #registry: Registry<RegistryContentType>;
  readonly #members: readonly Member[];
  #turn: Promise<unknown> = Promise.resolve();

  constructor(format: PageFormat, families: readonly Family[]) {
    this.#format = format;
    this.#registry = new Registry<RegistryContentType>();
    if (format === "openmetrics") this.#registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    this.type = this.#registry.contentType;
    this.#members = families.map((family) => this.#member(family));
  }

  #member(family: Family): Member {
    const { type, help, labels = [] } = family;
    const isBare = this.#format === "openmetrics" && type === "counter";
    const name = isBare ? family.name.replace(/_total$/, "") : family.name;
    const given = { name, help, labelNames: [...labels], registers: [this.#registry] };
    return { family, name, metric: type === "counter" ? new Counter(given) : new Gauge(given) };
  }

  /** The text for figures; one after the other, since a metric holds the values of one text. */
  text(figures: Figures): Promise<string> {
    const text = this.#turn.then(() => this.#write(figures));
    this.#turn = text.catch(() => undefined);
    return text;
  }

  async #write(figures: Figures): Promise<string> {
    const told = this.#members.filter((member) => put(member, figures));
    const texts = await Promise.all(told.map(({ name }) => this.#registry.getSingleMetricAsString(name)));
    return `${texts.join("\n")}\n${this.#format === "openmetrics" ? "# EOF\n" : ""}`;
  }
}

/** Puts the values of a family into its metric; false when there are none. */
function put({ family, metric }: Member, figures: Figures): boolean {
  const values = family.values(figures);
  if (values.length === 0) return false;
  metric.reset();
  // A metric without labels comes back as 0.
  for (const { value, labels = {} } of values) {
    if (metric instanceof Counter) metric.inc(labels, value);
    else metric.set(labels, value);
  }
  return true;
}

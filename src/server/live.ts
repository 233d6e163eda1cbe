/**
 * /api/v1/live: news as Server-Sent Events (HTML Living Standard, 9.2). A client that does not read, or that
 * is gone, is let go; the watcher never waits for one.
 */
import type { Clock } from "../base/clock.ts";
import { SERIES_NAMES } from "../table/series.ts";
import type { History, Watched, WatchNews } from "../watch/watch.ts";
import { alertJson, levelOf, liveCensusJson } from "./answers.ts";
import type { LiveEvent, LiveSample } from "./api-schema.ts";
import { ApiProblem } from "./problem.ts";

/** A proxy or a browser gives up what is silent for longer than some tens of seconds. */
const HEARTBEAT_MS = 15_000;
/** What a browser waits before it asks again. */
const RETRY_MS = 2000;
/** Samples that were missed are sent again when no more than so many. */
const RESUME_MS = 60_000;

export interface LiveFacts {
  watched: Watched;
  history: History;
  clock: Clock;
  every: (milliseconds: number, call: () => void) => () => void;
  mostClients: number;
  queueBytes: number;
}

export interface LiveClient {
  /** Of the last sample it saw; absent for a new client. */
  lastEventId?: string;
  signal: AbortSignal;
  /** Ends the connection of a client that does not read. */
  cut: () => void;
  /** When it is over, with the bytes that were sent. */
  onEnd: (bytes: number) => void;
}

export class Live {
  readonly #facts: LiveFacts;
  #clients = 0;

  constructor(facts: LiveFacts) {
    this.#facts = facts;
  }

  /** Clients at present. */
  get clients(): number {
    return this.#clients;
  }

  /** The stream of one client; throws ApiProblem when there are too many. */
  open(client: LiveClient): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#clients >= this.#facts.mostClients) {
      throw new ApiProblem("busy", `Cannot send live data: ${this.#clients} clients have it already`, {
        help: "Close a page, or ask for /api/v1/status now and then",
        headers: { "retry-after": "10" },
      });
    }
    this.#clients += 1;
    const sending = new Sending(this.#facts, client, () => (this.#clients -= 1));
    return sending.stream;
  }
}

/** One client, from its first event to its end. */
class Sending {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #facts: LiveFacts;
  readonly #client: LiveClient;
  readonly #encoder = new TextEncoder();
  readonly #stops: (() => void)[];
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  #bytes = 0;
  #lastSampleMs = 0;

  constructor(facts: LiveFacts, client: LiveClient, onEnd: () => void) {
    this.#facts = facts;
    this.#client = client;
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#end(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: facts.queueBytes }),
    );
    const stop = (): void => this.#end();
    client.signal.addEventListener("abort", stop, { once: true });
    this.#stops = [onEnd, () => client.signal.removeEventListener("abort", stop)];
    this.#write(`retry: ${RETRY_MS}\n\n`);
    this.#resume();
    this.#stops.push(
      facts.watched.subscribe((news) => this.#tell(news)),
      facts.every(HEARTBEAT_MS, () => this.#write(": still there\n\n")),
    );
    if (client.signal.aborted) this.#end();
  }

  /** What a client missed while it was away for less than a minute; for a new one the last sample. */
  #resume(): void {
    const { history, watched, clock } = this.#facts;
    const state = watched.state();
    const lastMs = /^\d{1,15}$/.test(this.#client.lastEventId ?? "")
      ? Number(this.#client.lastEventId)
      : undefined;
    const nowMs = clock.nowMs();
    if (lastMs !== undefined && lastMs <= nowMs && nowMs - lastMs <= RESUME_MS) {
      const span = { fromMs: lastMs + 1, toMs: nowMs + 1 };
      const points = RESUME_MS / 1000 + 2;
      const { atMs, columns } = history.series({ names: SERIES_NAMES, ...span, points });
      atMs.forEach((at, index) => {
        const values = Object.entries(columns).flatMap(([name, { avg }]) => {
          const value = avg[index];
          return value === undefined || Number.isNaN(value) ? [] : [[name, value] as const];
        });
        if (at > lastMs && values.length > 0) this.#sample({ atMs: at, values: Object.fromEntries(values) });
      });
    }
    if (state.sample !== undefined) this.#sample({ atMs: state.sample.atMs, values: state.sample.values });
    this.#event("state", { atMs: nowMs, level: levelOf(state) });
  }

  #tell(news: WatchNews): void {
    switch (news.kind) {
      case "sample":
        this.#sample({ atMs: news.sample.atMs, values: news.sample.values });
        break;
      case "census":
        this.#event("census", liveCensusJson(news));
        break;
      case "alert":
        this.#event("alert", alertJson(news.alert));
        break;
      case "setting":
        this.#event("setting", news.change);
        break;
      case "note":
        this.#event("note", news.note);
        break;
      case "state":
        this.#event("state", {
          atMs: this.#facts.clock.nowMs(),
          level: levelOf(this.#facts.watched.state()),
        });
        break;
    }
  }

  /** Only samples have an id: the last one says where to go on. The wall clock may have been set back. */
  #sample(sample: LiveSample): void {
    if (sample.atMs === this.#lastSampleMs) return;
    this.#lastSampleMs = sample.atMs;
    this.#event("sample", sample, String(sample.atMs));
  }

  #event(event: LiveEvent, data: object, id?: string): void {
    const idLine = id === undefined ? "" : `id: ${id}\n`;
    this.#write(`event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`);
  }

  #write(text: string): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    const bytes = this.#encoder.encode(text);
    if ((controller.desiredSize ?? 0) < bytes.length) {
      this.#end();
      this.#client.cut();
      return;
    }
    this.#bytes += bytes.length;
    controller.enqueue(bytes);
  }

  #end(): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    this.#controller = undefined;
    for (const stop of this.#stops) stop();
    try {
      controller.close();
    } catch {
      // Its reader cancelled it: it is closed.
    }
    this.#client.onEnd(this.#bytes);
  }
}

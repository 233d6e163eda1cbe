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

type Bytes = Uint8Array<ArrayBuffer>;

const HEARTBEAT = encoded(": still there\n\n");

export class Live {
  readonly #facts: LiveFacts;
  /** News as it is sent: the same bytes for all clients. */
  readonly #frames = new WeakMap<WatchNews, Bytes>();
  #clients = 0;

  constructor(facts: LiveFacts) {
    this.#facts = facts;
  }

  /** Clients at present. */
  get clients(): number {
    return this.#clients;
  }

  /** The stream of one client; throws ApiProblem when there are too many. */
  open(client: LiveClient): ReadableStream<Bytes> {
    if (this.#clients >= this.#facts.mostClients) {
      throw new ApiProblem("busy", `Cannot send live data: ${this.#clients} clients have it already`, {
        help: "Close a page, or ask for /api/v1/status now and then",
        headers: { "retry-after": "10" },
      });
    }
    // The history may refuse: nothing is open then.
    const samples = samplesFor(client.lastEventId, this.#facts);
    this.#clients += 1;
    const frameOf = (news: WatchNews): Bytes => this.#frameOf(news);
    const sending = new Sending({ ...this.#facts, frameOf }, client, () => (this.#clients -= 1));
    sending.begin(samples);
    return sending.stream;
  }

  #frameOf(news: WatchNews): Bytes {
    const frame = this.#frames.get(news) ?? encoded(newsText(news, this.#facts));
    this.#frames.set(news, frame);
    return frame;
  }
}

interface SendingFacts extends LiveFacts {
  frameOf: (news: WatchNews) => Bytes;
}

/** One client, from its first event to its end. */
class Sending {
  readonly stream: ReadableStream<Bytes>;
  readonly #facts: SendingFacts;
  readonly #client: LiveClient;
  readonly #stops: (() => void)[];
  #controller: ReadableStreamDefaultController<Bytes> | undefined;
  #bytes = 0;
  #lastSampleMs = 0;

  constructor(facts: SendingFacts, client: LiveClient, onEnd: () => void) {
    this.#facts = facts;
    this.#client = client;
    this.stream = new ReadableStream<Bytes>(
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
    this.#stops = [
      onEnd,
      () => client.signal.removeEventListener("abort", stop),
      facts.watched.subscribe((news) => this.#tell(news)),
      facts.every(HEARTBEAT_MS, () => this.#send(HEARTBEAT)),
    ];
  }

  /** What comes before all news. */
  begin(samples: readonly LiveSample[]): void {
    this.#send(encoded(`retry: ${RETRY_MS}\n\n`));
    for (const sample of samples) this.#sample(sample.atMs, () => encoded(sampleText(sample)));
    this.#send(encoded(stateText(this.#facts)));
    if (this.#client.signal.aborted) this.#end();
  }

  #tell(news: WatchNews): void {
    const { frameOf } = this.#facts;
    if (news.kind === "sample") this.#sample(news.sample.atMs, () => frameOf(news));
    else this.#send(frameOf(news));
  }

  /** Each once. The wall clock may have been set back. */
  #sample(atMs: number, frame: () => Bytes): void {
    if (atMs === this.#lastSampleMs) return;
    this.#lastSampleMs = atMs;
    this.#send(frame());
  }

  #send(bytes: Bytes): void {
    const controller = this.#controller;
    if (controller === undefined) return;
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

/** What a client missed while it was away for less than a minute; for a new one the last sample. */
function samplesFor(
  lastEventId: string | undefined,
  { history, watched, clock }: LiveFacts,
): readonly LiveSample[] {
  const samples: LiveSample[] = [];
  const lastMs = /^\d{1,15}$/.test(lastEventId ?? "") ? Number(lastEventId) : undefined;
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
      if (at > lastMs && values.length > 0) samples.push({ atMs: at, values: Object.fromEntries(values) });
    });
  }
  const { sample } = watched.state();
  return sample === undefined ? samples : [...samples, sample];
}

function newsText(news: WatchNews, facts: Pick<LiveFacts, "watched" | "clock">): string {
  switch (news.kind) {
    case "sample":
      return sampleText(news.sample);
    case "census":
      return eventText("census", liveCensusJson(news));
    case "alert":
      return eventText("alert", alertJson(news.alert));
    case "setting":
      return eventText("setting", news.change);
    case "note":
      return eventText("note", news.note);
    case "state":
      return stateText(facts);
  }
}

/** Only samples have an id: the last one says where to go on. */
function sampleText({ atMs, values }: LiveSample): string {
  return eventText("sample", { atMs, values }, `id: ${atMs}\n`);
}

function stateText({ watched, clock }: Pick<LiveFacts, "watched" | "clock">): string {
  return eventText("state", { atMs: clock.nowMs(), level: levelOf(watched.state()) });
}

function eventText(event: LiveEvent, data: object, idLine = ""): string {
  return `event: ${event}\n${idLine}data: ${JSON.stringify(data)}\n\n`;
}

function encoded(text: string): Bytes {
  return new TextEncoder().encode(text);
}

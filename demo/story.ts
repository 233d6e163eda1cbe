/** What happens, act by act, and what is told of it. */
import { setTimeout as sleep } from "node:timers/promises";

import type { CensusJson, StatusJson } from "../src/server/api-schema.ts";
import { formatCount, formatShare } from "../src/cli/figures.ts";
import { roughDuration } from "../src/table/duration.ts";
import { HOARDER_ADDRESS, ROUTER, VISITORS } from "./lab.ts";
import type { Pictures } from "./pictures.ts";
import { clock, type Telling } from "./telling.ts";
import { askAsNewcomer, askBesideServer, NEWCOMER_COMMAND, startHoarder, type Visits } from "./traffic.ts";
import { type Heard, headroom, headroomAside, type Watching } from "./watching.ts";

/** How long things take, seconds. */
interface Pace {
  normal: number;
  filling: number;
  full: number;
  /** Between two forecasts that are told. */
  forecasts: number;
  observe: number;
  /** The established timeout that mends it, and the silence after which flows are freed. */
  timeout: number;
  idle: number;
  mended: number;
}

const USUAL: Pace = {
  normal: 40,
  filling: 70,
  full: 12,
  forecasts: 15,
  observe: 10,
  timeout: 30,
  idle: 20,
  mended: 40,
};
const FAST: Pace = {
  normal: 8,
  filling: 26,
  full: 4,
  forecasts: 10,
  observe: 3,
  timeout: 10,
  idle: 5,
  mended: 10,
};

/** Traffic and luck differ: a wait for something takes so many times longer than it should, at the most. */
const PATIENCE = 3;
const LEAST_PATIENCE_SECONDS = 45;
const PICTURE_SHARE = 0.62;
/** The forecast is waited for until then: while the what-if looks, another tenth of the table fills. */
const LATEST_PICTURE_SHARE = 0.75;
/** Flows come and go in between. */
const FULL_SHARE = 0.998;
/** The table has room again. */
const ROOM_SHARE = 0.7;
/** Visitors end flows all the time, and a newcomer may find one's place: some are lost before it counts. */
const ENOUGH_LOST = 2;
const MOST_NEWCOMERS = 8;
const SETTLE_SECONDS = 2;
/** What is about to happen is not foretold any more. */
const NEARLY_FULL_SHARE = 0.95;
const ESTABLISHED = "nf_conntrack_tcp_timeout_established";

export interface StoryParts {
  telling: Telling;
  watching: Watching;
  pictures: Pictures | undefined;
  capacityFlows: number;
  mend: boolean;
  /** Ends after the story, also where nobody mended it. */
  once: boolean;
  /** What the visitors said since the last call. */
  visits: () => Visits;
  /** Where what is freed is written. */
  removedFile: string;
  interrupted: AbortSignal;
  seconds: () => number;
}

export class Story {
  readonly #parts: StoryParts;
  readonly #pace: Pace;
  readonly #beat: NodeJS.Timeout;
  #isLooking = false;
  #status: StatusJson | undefined;
  #failure: Error | undefined;
  /** Forecasts are told from here on. */
  #tellsForecasts = false;
  #toldForecastAt = -Infinity;
  /** The first forecast of a full table that was told: when, and for when. */
  #foretold: { at: number; fullAt: number } | undefined;
  #fullAt: number | undefined;
  /** What the what-if said of the long run. */
  #longRunFlows: number | undefined;

  constructor(parts: StoryParts, fast: boolean) {
    this.#parts = parts;
    this.#pace = fast ? FAST : USUAL;
    this.#beat = setInterval(() => void this.#look(), 1000);
  }

  /** Tells it all. Rejects when it is interrupted, or when what must happen does not. */
  async tell(): Promise<void> {
    await this.#normal();
    await this.#filling();
    await this.#full();
    await this.#explained();
    if (await this.#mended()) await this.#recovered();
  }

  /** Goes on watching, and telling of alerts, until ^C. */
  async watch(): Promise<void> {
    for (;;) await this.#wait(3600);
  }

  close(): void {
    clearInterval(this.#beat);
  }

  async #normal(): Promise<void> {
    const { telling, visits } = this.#parts;
    telling.say(
      `Normal traffic: ${VISITORS} visitors ask nginx for pages and close again. The table breathes.`,
    );
    await this.#until("visitors are seen", 20, ({ occupancyFlows = 0 }) => occupancyFlows > VISITORS);
    await this.#wait(this.#pace.normal);
    const { pages } = visits();
    const full = this.#status?.forecast?.fullIn;
    const quiet = full === undefined ? ". No forecast of trouble." : ".";
    telling.say(`${formatCount(pages)} pages so far${quiet}`);
  }

  async #filling(): Promise<void> {
    const { capacityFlows, telling } = this.#parts;
    const room = capacityFlows - (this.#status?.occupancyFlows ?? 0);
    const perSecond = Math.ceil(room / this.#pace.filling);
    this.#parts.visits();
    telling.say(
      `A new release on ${HOARDER_ADDRESS}: ${perSecond} connections a second, and it closes none.`,
      ["bold"],
    );
    this.#tellsForecasts = true;
    startHoarder(perSecond);
    const share = ({ useShare = 0 }: StatusJson): number => useShare;
    await this.#until("the table fills", this.#pace.filling, (status) => {
      const least = this.#foretold === undefined ? LATEST_PICTURE_SHARE : PICTURE_SHARE;
      return share(status) >= least;
    });
    await this.#parts.pictures?.filling();
    await this.#whatif();
    await this.#until("the table is full", this.#pace.filling, (status) => share(status) >= FULL_SHARE);
    this.#tellsForecasts = false;
    telling.say("Full. The router drops what would begin a connection; what is open goes on.", [
      "bold",
      "red",
    ]);
    if (this.#foretold !== undefined && this.#fullAt !== undefined) {
      const { at, fullAt } = this.#foretold;
      telling.say(
        `At ${clock(at)} the forecast was ${clock(fullAt)}; it was full at ${clock(this.#fullAt)}.`,
      );
    }
  }

  async #full(): Promise<void> {
    const { telling } = this.#parts;
    this.#parts.visits();
    await this.#wait(SETTLE_SECONDS);
    telling.say("Newcomers knock:");
    telling.command(NEWCOMER_COMMAND);
    let lost = 0;
    for (let newcomer = 0; newcomer < MOST_NEWCOMERS && lost < ENOUGH_LOST; newcomer += 1) {
      if (newcomer > 0) await this.#wait(1);
      const { ms, words } = await askAsNewcomer();
      if (ms === undefined) lost += 1;
      telling.say(ms === undefined ? words : `answered in ${ms.toFixed(1)} ms: a flow had just ended`);
    }
    const { ms } = await askBesideServer();
    if (ms !== undefined && lost > 0) {
      telling.say(`Beside the server the same takes ${ms.toFixed(1)} ms: nginx is well, the router is not.`);
    }
    await this.#wait(this.#pace.full);
    const { pages, failed } = this.#parts.visits();
    telling.say(
      `Visitors since it is full: ${formatCount(pages)} pages came, ${formatCount(failed)} did not.`,
    );
    await this.#parts.pictures?.full();
  }

  async #explained(): Promise<void> {
    const { telling, watching } = this.#parts;
    telling.say("What fills it?");
    telling.command(`headroom explain --netns ${ROUTER}`);
    const { census } = (await watching.ask("census")) as CensusJson;
    const { flows, topSources, topServices } = census as {
      flows: number;
      topSources: { address: string; flows: number }[];
      topServices: { protocol: string; port: number; flows: number }[];
    };
    const [source] = topSources;
    const [service] = topServices;
    if (source !== undefined && service !== undefined) {
      const held = `${source.address} holds ${formatCount(source.flows)} of ${formatCount(flows)} flows`;
      const where = `${service.protocol}/${service.port} has ${formatShare(service.flows / flows)} of them`;
      telling.say(`${held} (${formatShare(source.flows / flows)}); ${where}.`);
    }
    await this.#parts.pictures?.fills();
  }

  /** Asked while it fills: a full table turns away what would come, and nobody can count it. */
  async #whatif(): Promise<void> {
    const { telling, capacityFlows, pictures } = this.#parts;
    const { timeout, observe } = this.#pace;
    const words = ["whatif", "--netns", ROUTER, "--set", `${ESTABLISHED}=${timeout}s`];
    telling.say(`What if silent connections were forgotten after ${timeout} s instead of five days?`, "bold");
    telling.command(`headroom ${words.join(" ")}`);
    const answer = JSON.parse(await headroom([...words, "--observe", `${observe}s`, "--json"])) as {
      before: Counted;
      after: Counted;
    };
    const [now, then] = [counted(answer.before), counted(answer.after)];
    this.#longRunFlows = then;
    const share = formatShare(then / capacityFlows);
    telling.say(`${formatCount(now)} flows now; about ${formatCount(then)} in the long run (${share}).`);
    telling.say(
      "(Seconds, for the demo is short: on a host of yours it is hours. But it is night, nobody looks.)",
    );
    await pictures?.whatif(`${ESTABLISHED}=${timeout}`);
  }

  /** Shows the commands, and runs them or waits for somebody who does. False: nobody did. */
  async #mended(): Promise<boolean> {
    const { telling, mend, once, removedFile } = this.#parts;
    const { timeout, idle } = this.#pace;
    const where = ["--netns", ROUTER];
    const apply = ["apply", ...where, "--set", `${ESTABLISHED}=${timeout}s`];
    const reclaim = [
      "reclaim",
      ...where,
      "--idle",
      `${idle}s`,
      "--floor",
      `${idle}s`,
      "src",
      HOARDER_ADDRESS,
    ];
    if (!mend) {
      telling.say("What mends it, in another terminal (as root; each shows first what it will do):", [
        "bold",
      ]);
      telling.command(`bin/headroom ${reclaim.join(" ")}`);
      telling.command(`bin/headroom ${apply.join(" ")}`);
      if (once) return false;
      telling.say("The demo goes on; ^C ends it.");
      await this.#until("somebody mends it", Infinity, ({ useShare = 1 }) => useShare < ROOM_SHARE);
      return true;
    }
    telling.say("Room first: what is silent goes.", "bold");
    telling.command(`headroom ${reclaim.join(" ")} --yes`);
    const said = await headroom([...reclaim, "--yes", "--removed", removedFile, "--json"]);
    const { doneFlows = 0 } = JSON.parse(said) as { doneFlows?: number };
    telling.say(`${formatCount(doneFlows)} flows are gone.`);
    telling.say("And so that it stays so:", "bold");
    telling.command(`headroom ${apply.join(" ")} --yes`);
    await headroomAside([...apply, "--yes"]);
    await this.#until("there is room", this.#pace.filling, ({ useShare = 1 }) => useShare < ROOM_SHARE);
    return true;
  }

  async #recovered(): Promise<void> {
    const { telling } = this.#parts;
    this.#parts.visits();
    telling.say("There is room again. The newcomer knocks once more:", ["bold", "green"]);
    telling.command(NEWCOMER_COMMAND);
    const { ms, words } = await askAsNewcomer();
    telling.say(ms === undefined ? words : `answered in ${ms.toFixed(1)} ms.`);
    await this.#wait(this.#pace.mended);
    const { occupancyFlows = 0, useShare = 0 } = this.#status ?? {};
    const { pages, failed } = this.#parts.visits();
    const said =
      this.#longRunFlows === undefined ? "" : `; the what-if said ${formatCount(this.#longRunFlows)}`;
    telling.say(
      `The careless release still runs, and the table stays at ${formatCount(occupancyFlows)} flows ` +
        `(${formatShare(useShare)})${said}. Pages since: ${formatCount(pages)} came, ` +
        `${formatCount(failed)} did not.`,
    );
    await this.#parts.pictures?.recovered();
  }

  /** Each second: how full it is, which alerts came, what is foretold. */
  async #look(): Promise<void> {
    const { watching, telling, capacityFlows } = this.#parts;
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const status = await watching.status();
      this.#status = status;
      if ((status.useShare ?? 0) >= FULL_SHARE) this.#fullAt ??= this.#parts.seconds();
      telling.use(status.occupancyFlows ?? 0, status.capacityFlows ?? capacityFlows);
      for (const heard of watching.newAlerts()) this.#alert(heard);
      if (this.#tellsForecasts) this.#forecast(status);
    } catch (error) {
      this.#failure ??= error as Error;
    } finally {
      this.#isLooking = false;
    }
  }

  #alert({ kind, level, code, title }: Heard): void {
    if (kind === "resolved") this.#parts.telling.say(`ALERT  over: ${code}`, "green");
    else
      this.#parts.telling.say(
        `ALERT  ${level.toUpperCase()}  ${title}`,
        level === "critical" ? "red" : "yellow",
      );
  }

  #forecast({ forecast, atMs, useShare = 0 }: StatusJson): void {
    const now = this.#parts.seconds();
    const full = forecast?.fullIn;
    if (forecast === undefined || full?.seconds === undefined || useShare >= NEARLY_FULL_SHARE) return;
    if (now - this.#toldForecastAt < this.#pace.forecasts) return;
    this.#toldForecastAt = now;
    // It was made some seconds ago.
    const passed = (atMs - forecast.madeAtMs) / 1000;
    const from = (seconds: number): string => roughDuration(Math.max(0, seconds - passed));
    // One forecast is held against what comes: the first that was told.
    this.#foretold ??= { at: now, fullAt: now + full.seconds - passed };
    const latest = full.latestSeconds === undefined ? "later" : from(full.latestSeconds);
    this.#parts.telling.say(
      `FORECAST  full in ${from(full.seconds)} (${from(full.earliestSeconds)} to ${latest})`,
      "magenta",
    );
  }

  /** Waits until it is so. Rejects when that takes much longer than it should, or the demo is to end. */
  async #until(what: string, seconds: number, isSo: (status: StatusJson) => boolean): Promise<void> {
    const end = this.#parts.seconds() + Math.max(LEAST_PATIENCE_SECONDS, seconds * PATIENCE);
    while (this.#status === undefined || !isSo(this.#status)) {
      if (this.#parts.seconds() > end) throw new Error(`waited in vain until ${what}`);
      await this.#wait(0.2);
    }
  }

  async #wait(seconds: number): Promise<void> {
    this.#assertWatching();
    await sleep(seconds * 1000, undefined, { signal: this.#parts.interrupted });
    this.#assertWatching();
  }

  #assertWatching(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** As the kernel counts: with flows that have expired and are not collected yet, where that is known. */
interface Counted {
  flows: number;
  occupancyFlows?: number;
}

function counted({ flows, occupancyFlows }: Counted): number {
  return occupancyFlows ?? flows;
}

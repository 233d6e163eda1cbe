/**
 * Carries notices from the keeper of alerts to receivers: one at a time to each, all receivers beside each
 * other, again after a while where one was not taken; and tells those who want it what still fires.
 */
import type { Clock } from "../../base/clock.ts";
import type { Alert, AlertKeeper, Delivery } from "../../watch/watch.ts";
import type { LogFields } from "../serve/serve-log.ts";
import { type Receiver, ReceiverError } from "./receivers/receiver.ts";

export interface DeliveryOptions {
  keeper: Pick<AlertKeeper, "due" | "delivered" | "failed" | "waitMs" | "alerts">;
  receivers: readonly Receiver[];
  clock: Clock;
  instance: string;
  log: DeliveryLog;
}

/** What is told of deliveries; the log of `serve` meets it. */
export interface DeliveryLog {
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
}

/** Between two looks when nothing is known to come: notices are announced by `wake`. */
const LOOK_MS = 60_000;
/** A failing refresh is logged so seldom. */
const SAY_AGAIN_MS = 600_000;

export class AlertDelivery {
  readonly #options: DeliveryOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #refreshed = new Map<string, { atMs: number; busy: boolean; saidAtMs?: number }>();
  #receivers: readonly Receiver[];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#receivers = options.receivers;
  }

  /** Other receivers from now on; what is on its way goes on. */
  configure(receivers: readonly Receiver[]): void {
    this.#receivers = receivers;
    this.wake();
  }

  /** Looks whether there is something to send. To be called after each second; costs next to nothing. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    const nowMs = this.#options.clock.nowMs();
    for (const delivery of this.#options.keeper.due(nowMs)) this.#start(this.#deliver(delivery));
    for (const receiver of this.#receivers) this.#refresh(receiver, nowMs);
    clearTimeout(this.#timer);
    const waitMs = Math.min(LOOK_MS, this.#options.keeper.waitMs(nowMs) ?? LOOK_MS);
    this.#timer = setTimeout(() => this.wake(), Math.max(waitMs, 1));
    this.#timer.unref();
  }

  /** Sends nothing any more, and ends what is under way: it will be sent again at the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await Promise.allSettled(this.#running);
  }

  #start(work: Promise<void>): void {
    const done = work.finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { keeper, clock, log } = this.#options;
    const { notice, attempt, lost } = delivery;
    const receiver = this.#receivers.find(({ name }) => name === delivery.receiver);
    const fields = { receiver: delivery.receiver, alert: notice.alert.id, notice: notice.kind, attempt };
    const began = clock.elapsedMs();
    try {
      if (receiver === undefined) throw new ReceiverError("not-usable", "There is no such receiver any more");
      const said = await receiver.deliver({ notice, lost, attempt, signal: this.#stopping.signal });
      const milliseconds = Math.round(clock.elapsedMs() - began);
      keeper.delivered(delivery, clock.nowMs());
      log.info("Alert delivered", { ...fields, milliseconds, ...(said === undefined ? {} : { said }) });
    } catch (error) {
      if (!(error instanceof ReceiverError)) throw error;
      const refused = error.code === "refused";
      const givenUp = keeper.failed(delivery, clock.nowMs(), error.message, refused);
      if (error.code === "stopped") return;
      const text = givenUp ? "Alert not delivered, and given up" : "Alert not delivered, will try again";
      log.warn(text, {
        ...fields,
        why: error.message,
        ...(error.help === undefined ? {} : { help: error.help }),
      });
    }
    this.wake();
  }

  #refresh(receiver: Receiver, nowMs: number): void {
    const { refresh, name } = receiver;
    if (refresh === undefined) return;
    const state = this.#refreshed.get(name) ?? { atMs: nowMs, busy: false };
    this.#refreshed.set(name, state);
    const sinceMs = nowMs - state.atMs;
    if (state.busy || (sinceMs >= 0 && sinceMs < refresh.everySeconds * 1000)) return;
    state.atMs = nowMs;
    const firing = this.#options.keeper.alerts().filter((alert) => alert.state === "firing");
    if (firing.length === 0) return;
    state.busy = true;
    this.#start(this.#sendRefresh(receiver, firing, state));
  }

  async #sendRefresh(
    { refresh, name }: Receiver,
    firing: readonly Alert[],
    state: { busy: boolean; saidAtMs?: number },
  ): Promise<void> {
    const { clock, instance, log } = this.#options;
    try {
      await refresh?.send(firing, instance, this.#stopping.signal);
      delete state.saidAtMs;
    } catch (error) {
      if (!(error instanceof ReceiverError)) throw error;
      const nowMs = clock.nowMs();
      if (error.code === "stopped" || nowMs - (state.saidAtMs ?? -Infinity) < SAY_AGAIN_MS) return;
      state.saidAtMs = nowMs;
      log.warn("Alerts not refreshed", { receiver: name, why: error.message });
    } finally {
      state.busy = false;
    }
  }
}

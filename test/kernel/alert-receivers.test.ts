/**
 * Alerts at a real Alertmanager (Debian's), on loopback and on ports that are free: they arrive, are
 * resolved, survive that it is away for a while, and end by themselves when nobody repeats them.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import * as z from "zod/mini";

import { systemClock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import { receiverSchema } from "../../src/cli/alerts/alerts-options-schema.ts";
import { AlertDelivery } from "../../src/cli/alerts/delivery.ts";
import { openReceiver, subscriptionsOf } from "../../src/cli/alerts/receivers/open-receivers.ts";
import { AlertKeeper, DEFAULT_ALERT_OPTIONS } from "../../src/watch/watch.ts";
import { MemoryStore, watchState } from "../support/alert-samples.ts";

const PROGRAM = "prometheus-alertmanager";
const missing = spawnSync(PROGRAM, ["--version"]).error !== undefined;
const skip = missing ? `${PROGRAM} is not installed` : false;

interface Shown {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  status: { state: string };
  startsAt: string;
  generatorURL: string;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Alertmanager {
  readonly url: string;
  readonly #port: number;
  readonly #directory: string;
  #process: ChildProcess | undefined;

  constructor(port: number, directory: string) {
    this.#port = port;
    this.#directory = directory;
    this.url = `http://127.0.0.1:${port}`;
    writeFileSync(join(directory, "am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n");
  }

  async start(): Promise<void> {
    this.#process = spawn(
      PROGRAM,
      [
        `--config.file=${join(this.#directory, "am.yml")}`,
        `--storage.path=${join(this.#directory, "data")}`,
        `--web.listen-address=127.0.0.1:${this.#port}`,
        "--cluster.listen-address=",
      ],
      { stdio: "ignore" },
    );
    await until(async () => (await fetch(`${this.url}/-/ready`)).ok);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process?.once("exit", resolve));
    if (this.#process?.kill("SIGKILL") === true) await ended;
    this.#process = undefined;
  }

  async alerts(): Promise<Shown[]> {
    return (await (await fetch(`${this.url}/api/v2/alerts?active=true`)).json()) as Shown[];
  }
}

/** Waits until it holds; an error means not yet. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 300; turn += 1) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`It did not come to hold: ${holds.toString()}`);
}

/** A keeper and a delivery that live in real time, with a second that takes a tenth of it. */
function watching(t: TestContext, urls: readonly string[]): { becomes(values: object): void } {
  const receivers = [
    z.parse(receiverSchema, { name: "am", kind: "alertmanager", urls, refresh: "5s", timeout: "2s" }),
  ];
  const { rules } = DEFAULT_ALERT_OPTIONS;
  const keeper = new AlertKeeper({
    store: new MemoryStore(),
    options: {
      ...DEFAULT_ALERT_OPTIONS,
      rules: { ...rules, "near-full": { ...rules["near-full"], forSeconds: 0, clearSeconds: 0 } },
    },
    receivers: subscriptionsOf(receivers),
    random: seededRandom(1),
    nowMs: systemClock.nowMs(),
    instance: "gw",
  });
  const deps = { clock: systemClock, environment: {}, dashboardUrl: "http://127.0.0.1:9466" };
  const delivery = new AlertDelivery({
    keeper,
    receivers: receivers.map((options) => openReceiver(options, deps)),
    clock: systemClock,
    instance: "gw",
    log: { info: () => {}, warn: () => {} },
  });
  let state = {};
  const beat = setInterval(() => {
    const nowMs = systemClock.nowMs();
    keeper.evaluate(watchState(state, {}, nowMs), nowMs);
    delivery.wake();
  }, 100);
  t.after(async () => {
    clearInterval(beat);
    await delivery.stop();
  });
  return { becomes: (values) => void (state = values) };
}

test(
  "a real Alertmanager: an alert arrives, is still there after it was away, and is resolved",
  { skip },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "hr-alertmanager-"));
    const alertmanager = new Alertmanager(await freePort(), directory);
    t.after(async () => {
      await alertmanager.stop();
      rmSync(directory, { recursive: true });
    });
    const host = watching(t, [alertmanager.url]);

    // It is down when the table fills up: the notice waits for it.
    host.becomes({ occupancyFlows: 9500 });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await alertmanager.start();
    await until(async () => (await alertmanager.alerts()).length === 1);
    const [alert] = await alertmanager.alerts();
    assert.deepEqual(alert?.labels, {
      alertname: "HeadroomNearFull",
      severity: "critical",
      instance: "gw",
      code: "near-full",
    });
    assert.equal(alert.annotations["summary"], "Table 95 % full: 9,500 of 10,000 flows");
    assert.match(alert.generatorURL, /^http:\/\/127.0.0.1:9466\/#\/history\/.*near-full/);

    // Killed and begun anew without what it knew: the refresh tells it again, and since when.
    await alertmanager.stop();
    rmSync(join(directory, "data"), { recursive: true });
    await alertmanager.start();
    await until(async () => (await alertmanager.alerts())[0]?.startsAt === alert.startsAt);

    host.becomes({});
    await until(async () => (await alertmanager.alerts()).length === 0);
  },
);

/**
 * Alerts of the real `headroom serve`, from flows in a real table to receivers that are away at first: what
 * fired while they were, and before the daemon was killed, arrives; and so does that it is over.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createPort } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { flowMaker, injectFlows, injectTable } from "../support/inject.ts";
import { headroom, killServed, startServe, until } from "../support/served.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-serve-alerts-"));
after(killServed);
after(() => rmSync(directory, { recursive: true }));

const ALERTMANAGER = "prometheus-alertmanager";
const skip = process.geteuid?.() === 0 ? false : "needs root, for network namespaces";
const hasAlertmanager = spawnSync(ALERTMANAGER, ["--version"]).error === undefined;

interface Notice {
  id: string;
  status: string;
  alert: { code: string; level: string; title: string };
}

/** A webhook that keeps what it is sent, by the number of a notice. */
class Webhook {
  readonly notices = new Map<string, Notice>();
  #server: Server | undefined;

  async listen(port: number): Promise<void> {
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => (body += text));
      request.on("end", () => {
        const id = String(request.headers["headroom-notice"]);
        this.notices.set(id, { ...(JSON.parse(body) as Notice), id });
        response.end("{}");
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", resolve));
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }

  of(status: string, code: string): Notice[] {
    return [...this.notices.values()].filter(
      (notice) => notice.status === status && notice.alert.code === code,
    );
  }
}

async function freePort(): Promise<number> {
  const server = createPort();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One per cent of the table is full enough here: the capacity is the machine's, and stays as it is. */
function configurationText(webhookPort: number, alertmanagerPort: number): string {
  return `
[alerts]
near-full = { warning = "1%", critical = "50%", hysteresis = "0.2%", for = "1s", clear = "1s" }
filling = { enabled = false }
one-source-hoards = { enabled = false }
[[alerts.receivers]]
name = "hook"
kind = "webhook"
url = "http://127.0.0.1:${webhookPort}/in"
timeout = "2s"
[[alerts.receivers]]
name = "am"
kind = "alertmanager"
urls = ["http://127.0.0.1:${alertmanagerPort}"]
refresh = "5s"
timeout = "2s"
`;
}

test(
  "what fires while receivers are away, and before a SIGKILL, arrives; and so does its end",
  { skip },
  async (t) => {
    const table = injectTable({ flows: 0, capacityFlows: 1000, prefix: "hr-serve-alerts" });
    const [hookPort, managerPort] = [await freePort(), await freePort()];
    const hook = new Webhook();
    t.after(() => {
      hook.close();
      table.close();
    });
    const file = join(directory, "alerts.toml");
    writeFileSync(file, configurationText(hookPort, managerPort));
    const state = join(directory, "state");
    const words = ["--netns", table.name, "--state", state, "--config", file];
    const first = await startServe(words);
    await until("it watches", async () => (await first.get("status"))["occupancyFlows"] === 0);

    injectFlows(table.name, 4000, flowMaker(4000, 2));
    await until("nobody took the alert", () => first.said().includes("Alert not delivered, will try again"));
    const { alerts } = await first.get("alerts");
    assert.equal((alerts as { code: string; state: string }[])[0]?.code, "near-full");
    await first.end("SIGKILL");

    await hook.listen(hookPort);
    const second = await startServe(words);
    await until("the webhook was told", () => hook.of("firing", "near-full").length > 0);
    const [told] = hook.of("firing", "near-full");
    assert.match(told?.alert.title ?? "", /^Table \d+(\.\d+)? % full: 4,\d{3} of \d/);
    assert.equal(hook.of("firing", "near-full").length, 1, "one notice, however often it is sent");

    const listed = spawnSync(headroom, ["alerts", "--state", state, "--json"], { encoding: "utf8" });
    assert.equal(listed.status, 0, listed.stderr);
    const { firing } = JSON.parse(listed.stdout) as { firing: { code: string }[] };
    assert.deepEqual(
      firing.map(({ code }) => code),
      ["near-full"],
    );

    if (hasAlertmanager) await alertmanagerHears(managerPort, t);
    else t.diagnostic(`${ALERTMANAGER} is not installed: it was not told`);

    spawnSync("ip", ["netns", "exec", table.name, "conntrack", "-F"]);
    await until("the webhook hears that it is over", () => hook.of("resolved", "near-full").length === 1);
    const { incidents } = await second.get("incidents");
    const [incident] = incidents as { id: string; alert: { code: string } }[];
    const one = await second.get(`incidents/${incident?.id ?? ""}`);
    assert.ok("census" in one, "the incident says who filled it");
    assert.equal(await second.end(), 0);
  },
);

/** Debian's Alertmanager, which was not there either until now. */
async function alertmanagerHears(port: number, t: { after(work: () => Promise<void>): void }): Promise<void> {
  writeFileSync(join(directory, "am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n");
  const options = [
    `--config.file=${join(directory, "am.yml")}`,
    `--storage.path=${join(directory, "am")}`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--cluster.listen-address=",
  ];
  const child = spawn(ALERTMANAGER, options, { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  t.after(() => {
    child.kill("SIGKILL");
    return ended;
  });
  await until("Alertmanager shows the alert", async () => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v2/alerts?active=true`);
      const shown = (await answer.json()) as { labels: Record<string, string> }[];
      return shown.some(({ labels }) => labels["alertname"] === "HeadroomNearFull");
    } catch {
      return false;
    }
  });
}

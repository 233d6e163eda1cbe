/**
 * The dashboard over a real `headroom serve` that watches a router with real traffic: figures on the page are
 * held against what conntrack(8) says of the same table, and every view is used.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";

import {
  type Browser,
  overflow,
  reasonWithoutBrowser,
  settled,
  startBrowser,
  until,
  violations,
  visit,
} from "../support/browser.ts";
import {
  firstLine,
  HOLDING_CLIENT,
  HOLDING_SERVER,
  makeRouter,
  type Router,
  SERVER_ADDRESS,
} from "../support/router.ts";
import { headroom, killServed, type Served, startServe } from "../support/served.ts";

const ESTABLISHED = "nf_conntrack_tcp_timeout_established";
const IDLE_PORT = "9000";
const IDLE_FLOWS = 300;
const SERVER_ADDRESS_6 = "2001:db8:8765:4321:fedc:ba98:7654:3210";
const TOKEN = "open-sesame-0123456789";

const skip = reasonToSkip();
const directory = mkdtempSync(join(tmpdir(), "hr-dashboard-"));
const children = new Set<ChildProcess>();
let router: Router;
let browser: Browser;

function reasonToSkip(): string | false {
  if (process.geteuid?.() !== 0) return "needs root, for network namespaces";
  const missing = ["/usr/sbin/nginx", "/usr/sbin/conntrack", "/usr/bin/curl"].find(
    (path) => !existsSync(path),
  );
  return missing === undefined ? reasonWithoutBrowser() : `${missing} is missing (apt-get install)`;
}

before(async () => {
  if (skip !== false) return;
  router = makeRouter("hr-web");
  await startTraffic();
  browser = await startBrowser();
});

after(async () => {
  if (skip === false) {
    await browser.close();
    for (const child of children) child.kill("SIGKILL");
    killServed();
    router.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

/** Idle connections, web clients that come and go over IPv4 and IPv6, and UDP that nobody answers. */
async function startTraffic(): Promise<void> {
  addVersion6();
  const configuration = join(directory, "nginx.conf");
  writeFileSync(
    configuration,
    `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr; events {}
     http { access_log off; server { listen 80; listen [::]:80; location / { return 200; } } }`,
  );
  router.start(router.server, "nginx", "-c", configuration, "-p", directory);
  const holding = router.start(router.server, process.execPath, "-e", HOLDING_SERVER, IDLE_PORT);
  await firstLine(holding);
  const idle = [SERVER_ADDRESS, IDLE_PORT, String(IDLE_FLOWS)];
  const client = router.start(router.client, process.execPath, "-e", HOLDING_CLIENT, ...idle);
  assert.equal(await firstLine(client), `{"opened":${IDLE_FLOWS},"failed":0}`);
  const fetchAll = `curl -s -o /dev/null http://${SERVER_ADDRESS}/ 'http://[${SERVER_ADDRESS_6}]/'`;
  router.start(router.client, "sh", "-c", `while :; do ${fetchAll}; sleep 0.3; done`);
  const send = `setInterval(() => {
    const socket = require("node:dgram").createSocket("udp4");
    socket.send("x", 53, "${SERVER_ADDRESS}", () => socket.close());
  }, 100)`;
  router.start(router.client, process.execPath, "-e", send);
}

function addVersion6(): void {
  const links = [
    [router.client, "c0", "2001:db8:1234:5678:9abc:def0:1234:5678", "2001:db8:1234:5678::1"],
    [router.server, "s0", SERVER_ADDRESS_6, "2001:db8:8765:4321::1"],
  ] as const;
  router.run(router.router, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
  for (const [host, device, address, gateway] of links) {
    router.run(host, "ip", "address", "add", `${address}/64`, "dev", device, "nodad");
    router.run(router.router, "ip", "address", "add", `${gateway}/64`, "dev", `r-${device}`, "nodad");
    router.run(host, "ip", "route", "add", "default", "via", gateway);
  }
}

/** The real thing, watching the router. */
function serve(
  { state, port = 0 }: { state: string; port?: number },
  ...words: readonly string[]
): Promise<Served> {
  const listen = ["--listen", `127.0.0.1:${port}`];
  return startServe(["--netns", router.router, ...listen, "--state", state, ...words]);
}

function portOf({ url }: Served): number {
  return Number(new URL(url).port);
}

/** What conntrack(8) lists of the router's table. */
function listed(...filter: readonly string[]): number {
  return router
    .run(router.router, "conntrack", "-L", ...filter)
    .trim()
    .split("\n")
    .filter(Boolean).length;
}

function counted(): number {
  return Number(router.run(router.router, "conntrack", "-C"));
}

/** A figure of the page, such as `1,299 flows`. */
async function figure(page: Page, selector: string): Promise<number> {
  const text = await page.locator(selector).first().innerText();
  return Number(/[\d,]+/.exec(text)?.[0].replaceAll(",", ""));
}

/** The page's figure lies where the kernel's was first and last, give or take what came and went. */
function assertBetween(shown: number, first: number, last: number, what: string): void {
  const room = 30 + 0.1 * Math.max(first, last);
  const [low, high] = [Math.min(first, last) - room, Math.max(first, last) + room];
  assert.ok(shown >= low && shown <= high, `${what}: the page says ${shown}, the kernel ${first} to ${last}`);
}

let shared: Served | undefined;
const state = join(directory, "state");

async function watched(): Promise<Served> {
  shared ??= await serve({ state });
  return shared;
}

test("the overview has the figures of the kernel, second by second", { skip }, async () => {
  const { url } = await watched();
  const first = counted();
  const { page, complaints } = await visit(browser, url);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.locator(".figure.great .figure-detail").waitFor();
  assertBetween(await figure(page, ".figure.great .figure-detail"), first, counted(), "in use");
  assert.match(await page.locator(".host-name").innerText(), new RegExp(`namespace ${router.router}`));
  const clock = await page.locator(".live-time").innerText();
  await until(page, `document.querySelector(".live-time").innerText !== ${JSON.stringify(clock)}`);
  await page.locator(".plot .u-over").first().waitFor();
  await page.locator(".use-bar").waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

for (const colorScheme of ["light", "dark"] as const) {
  test(`every view of real traffic is whole from 390 to 1920 pixels, ${colorScheme}`, { skip }, async () => {
    const { url } = await watched();
    const { page, complaints } = await visit(browser, url);
    await page.emulateMedia({ colorScheme });
    const views = ["overview", "fills", "flows", "whatif", "namespaces", "history", "settings"];
    for (const view of views) {
      await page.goto(`${url}#/${view}`);
      await settled(page);
      for (const width of [390, 1280, 1920]) {
        await page.setViewportSize({ width, height: 900 });
        assert.equal(await overflow(page), 0, `${view} is wider than ${width} pixels`);
      }
      assert.deepEqual(await violations(page), [], view);
    }
    assert.deepEqual(complaints, []);
    await page.close();
  });
}

test("narrowed down by clicks, the page counts and lists what conntrack -L does", { skip }, async () => {
  const { url } = await watched();
  const { page } = await visit(browser, `${url}#/fills`);
  await settled(page);
  await page.getByRole("button", { name: /^ESTABLISHED/ }).click();
  await page.waitForURL(/term=/);
  await settled(page);
  await page.getByRole("button", { name: new RegExp(`^tcp ${IDLE_PORT}`) }).click();
  await until(page, "document.querySelectorAll('.crumb.term').length === 2");
  await until(page, `document.querySelector(".total b").textContent === "${IDLE_FLOWS} flows"`);
  const idle = listed("-p", "tcp", "--state", "ESTABLISHED", "--orig-port-dst", IDLE_PORT);
  assert.equal(await figure(page, ".total b"), idle);
  await page.getByRole("link", { name: "see the entries" }).click();
  await page.locator(".flow-table tbody tr").first().waitFor();
  assert.equal(await figure(page, ".total b"), idle);
  while ((await page.getByRole("button", { name: "Show more" }).count()) > 0) {
    await page.getByRole("button", { name: "Show more" }).click();
    await settled(page);
  }
  assert.equal(await page.locator(".flow-table tbody tr").count(), idle);
  // The command beside it finds the same.
  const command = await page.locator(".flows .command code").innerText();
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");
  const found = spawnSync(headroom, [...words.slice(1), "--json"], {
    encoding: "utf8",
  });
  assert.equal(found.status, 0, found.stderr);
  const rows = found.stdout.trim().split("\n");
  assert.equal(rows.filter((row) => row.includes(`"${SERVER_ADDRESS}"`)).length, idle);
  await page.close();
});

test("on a phone each table shows what it is for, without scrolling sideways", { skip }, async () => {
  const { url } = await watched();
  const { page } = await visit(browser, `${url}#/settings`);
  await page.setViewportSize({ width: 390, height: 844 });
  const seen = [
    ["settings", ".setting-table tbody td"],
    ["namespaces", ".ns-table .ns-share b"],
    ["flows", ".flow-table tbody .mono .value"],
  ] as const;
  for (const [view, selector] of seen) {
    await page.goto(`${url}#/${view}`);
    await settled(page);
    await page.locator(selector).first().waitFor();
    const cut =
      await page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].filter((one) => {
      const { left, right, width } = one.getBoundingClientRect();
      return width > 0 && (left < 0 || right > innerWidth);
    }).length`);
    assert.equal(cut, 0, view);
  }
  await page.close();
});

test("sliders give a command that headroom apply reads as it is meant", { skip }, async () => {
  const { url } = await watched();
  const { page, complaints } = await visit(browser, `${url}#/whatif`);
  await page.setViewportSize({ width: 1280, height: 900 });
  const slider = page.getByRole("slider", { name: "Established TCP flows live" });
  await slider.waitFor();
  await slider.press("ArrowLeft");
  await until(page, "/established=\\d/.test(document.querySelector('.how-to code')?.textContent)");
  const byKey = await page.locator(".how-to code").innerText();
  const box = await slider.boundingBox();
  assert.ok(box !== null);
  await page.mouse.move(box.x + box.width - 10, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2, { steps: 6 });
  await page.mouse.up();
  await until(page, `document.querySelector(".how-to code").textContent !== ${JSON.stringify(byKey)}`);
  await page.getByRole("slider", { name: "Limit" }).press("ArrowRight");
  await until(page, "document.querySelector('.how-to code').textContent.includes('nf_conntrack_max=')");
  await settled(page);
  // The idle connections are silent, and are told to be what would go.
  await page.locator(".breaks-panel").waitFor();
  await page.locator(".plot .u-over").first().waitFor();
  const command = await page.locator(".how-to code").innerText();
  // The limit is the host's, the timeout the namespace's own.
  const parts = command.split(" && ").map((part) => part.split(/\s+/));
  assert.equal(parts.length, 2, command);
  const dry = parts.map(([program, verb, ...words]) => {
    assert.deepEqual([program, verb], ["headroom", "apply"]);
    const ended = spawnSync(headroom, ["apply", "--dry-run", ...words], { encoding: "utf8" });
    assert.ok(ended.status !== 2 && ended.status !== 70, `${command}: ${ended.stderr}`);
    return ended.stdout;
  });
  assert.match(
    dry[0] ?? "",
    /nf_conntrack_max[^]*nf_conntrack_buckets|nf_conntrack_buckets[^]*nf_conntrack_max/,
  );
  assert.match(dry[1] ?? "", new RegExp(ESTABLISHED));
  assert.deepEqual(complaints, []);
  await page.close();
});

test("a setting changed on the host is told in the history and in the settings", { skip }, async () => {
  const { url } = await watched();
  const { page } = await visit(browser, `${url}#/history`);
  await settled(page);
  router.run(router.router, "sysctl", "-qw", "net.netfilter.nf_conntrack_udp_timeout=77");
  await page.getByText("nf_conntrack_udp_timeout: 30s → 1m17s").waitFor();
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "not as the default" }).click();
  const row = page.locator(".setting-table tr", { hasText: "nf_conntrack_udp_timeout" });
  assert.match(await row.innerText(), /1m17s[^]*30s/);
  await page.getByRole("link", { name: "Namespaces" }).click();
  await page.getByRole("link", { name: router.router }).waitFor();
  const watchedRow = page.locator(".ns-table tr", { hasText: "watched" });
  assert.match(await watchedRow.innerText(), new RegExp(router.router));
  await page.close();
});

test("killed and started again, the page is grey and comes back with its history", { skip }, async () => {
  const first = await watched();
  const { page } = await visit(browser, first.url);
  await settled(page);
  await page.getByText("Live", { exact: true }).waitFor();
  await first.end("SIGKILL");
  await page.locator(".banner").waitFor();
  assert.equal(await page.locator("main.stale").count(), 1);
  assert.match(await page.locator(".figure.great .figure-detail").innerText(), /flows/);
  shared = await serve({ state, port: portOf(first) });
  await until(page, "document.querySelector('.banner, main.stale') === null");
  await page.getByText("Live", { exact: true }).waitFor();
  await page.goto(`${first.url}#/history`);
  await page.getByText("nf_conntrack_udp_timeout: 30s → 1m17s").waitFor();
  await page.goto(`${first.url}#/overview`);
  await settled(page);
  const text = await page.locator(".plot").first().getAttribute("aria-label");
  assert.match(text ?? "", /^Flows in use since/);
  // A moment that was drawn before it was killed: what filled the table then.
  await page.locator(".plot").first().press("PageUp");
  await page.keyboard.press("Enter");
  await page.waitForURL(/fills\?at=\d+/);
  await settled(page);
  assert.ok((await figure(page, ".total b")) >= IDLE_FLOWS);
  await page.close();
});

test("a session that ended locks the page, and signing in opens it again", { skip }, async (t) => {
  const token = join(directory, "token");
  writeFileSync(token, `${TOKEN}\n`, { mode: 0o600 });
  const config = join(directory, "token.toml");
  writeFileSync(config, `[server]\ntoken_file = ${JSON.stringify(token)}\n`);
  const served = await serve({ state: join(directory, "locked") }, "--config", config);
  t.after(() => served.end("SIGKILL"));
  const page = await browser.context.newPage();
  await page.goto(served.url);
  await page.locator("#token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.getByText("Live", { exact: true }).waitFor();
  await browser.context.clearCookies();
  await served.end("SIGKILL");
  await page.locator(".banner").waitFor();
  const again = await serve({ state: join(directory, "locked"), port: portOf(served) }, "--config", config);
  t.after(() => again.end("SIGKILL"));
  await page.getByText("This Headroom asks for its token").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.locator("#token").fill(TOKEN);
  await page.keyboard.press("Enter");
  await page.getByText("Live", { exact: true }).waitFor();
  await page.close();
});

test("without permission the page says what cannot be seen, and what would help", { skip }, async (t) => {
  const open = mkdtempSync(join(tmpdir(), "hr-nobody-"));
  t.after(() => rmSync(open, { recursive: true, force: true }));
  spawnSync("chown", ["65534:65534", open]);
  const as = ["env", "-C", "/", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const served = await startServe(["--state", join(open, "state")], { as });
  t.after(() => served.end("SIGKILL"));
  const { url } = served;
  const { page } = await visit(browser, url);
  await settled(page);
  await page.locator(".unseen-list summary").click();
  assert.match(await page.locator(".unseen-list").innerText(), /permi|CAP_NET_ADMIN|root/i);
  for (const view of ["overview", "fills", "flows", "whatif", "namespaces", "history", "settings"]) {
    await page.goto(`${url}#/${view}`);
    await settled(page);
    assert.deepEqual(await violations(page), [], view);
    if (["fills", "flows", "whatif"].includes(view))
      await page.getByText("Headroom is not permitted to read the flows").waitFor();
    const text = await page.locator("#content").innerText();
    assert.doesNotMatch(text, /undefined|NaN|\[object/, view);
  }
  await page.close();
});

/**
 * The dashboard in a real browser, as an operator uses it: every view in both themes from a phone to a wide
 * screen, narrowing down, sliding, losing the daemon and getting it back. Nothing here looks at the kernel;
 * it stands here because it starts programs.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

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

const root = fileURLToPath(new URL("../..", import.meta.url));
const skip = reasonWithoutBrowser();

const ESTABLISHED = "nf_conntrack_tcp_timeout_established";
const VIEWS = [
  "#/overview",
  "#/overview?range=1d",
  "#/fills",
  "#/flows",
  `#/whatif?set=${ESTABLISHED}%3D7200`,
  "#/namespaces",
  "#/history",
  "#/settings",
];

let browser: Browser;
const children = new Set<ChildProcess>();

before(async () => {
  if (skip === false) browser = await startBrowser();
});

after(async () => {
  if (skip !== false) return;
  await browser.close();
  for (const child of children) await stop(child);
});

interface Served {
  url: string;
  port: number;
  child: ChildProcess;
}

/** The API with a host that is made up, and the built page. */
async function serve(...args: string[]): Promise<Served> {
  const script = `${root}test/support/fake-serve.ts`;
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", script, ...withPort(args)],
    { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
  );
  children.add(child);
  const url = await new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const found = /^(http:\/\/\S+)$/m.exec(text)?.[1];
      if (found !== undefined) resolve(found.replace(/\/$/, ""));
    });
  });
  return { url, port: Number(new URL(url).port), child };
}

function withPort(args: readonly string[]): string[] {
  return args.includes("--port") ? [...args] : ["--port", "0", ...args];
}

async function stop(child: ChildProcess): Promise<void> {
  children.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [390, 1280, 2560]) {
    test(`every view is whole at ${width} pixels, ${colorScheme}`, { skip }, async (t) => {
      const { url, child } = await serve("--changes");
      t.after(() => stop(child));
      const { page, complaints } = await visit(browser, url);
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      for (const view of VIEWS) {
        await page.goto(`${url}/${view}`);
        await settled(page);
        assert.deepEqual(await violations(page), [], view);
        assert.equal(await overflow(page), 0, `${view} is wider than the screen`);
      }
      assert.deepEqual(complaints, []);
      await page.close();
    });
  }
}

test("narrowing down by click and by Enter adds terms, which can be taken away", { skip }, async (t) => {
  const { url, child } = await serve();
  t.after(() => stop(child));
  const { page, complaints } = await visit(browser, `${url}/`);
  await page.goto(`${url}/#/fills`);
  await settled(page);
  const total = async (): Promise<string> => page.locator(".total b").innerText();
  const all = await total();
  await page.getByRole("button", { name: /^ESTABLISHED/ }).click();
  await until(page, `document.querySelector(".total b")?.textContent !== "${all}"`);
  await page.locator("section.idle button.rank").nth(9).focus();
  await page.keyboard.press("Enter");
  await until(page, "document.querySelectorAll('.crumb.term').length === 2");
  assert.match(page.url(), /term=tcp\+state\+established&term=idle/);
  await page.getByRole("button", { name: "Take away tcp state established" }).click();
  await page.getByRole("button", { name: "all flows" }).click();
  await until(page, `document.querySelector(".total b")?.textContent === "${all}"`);
  await page.goBack();
  assert.equal(await page.locator(".crumb.term").count(), 1);
  assert.deepEqual(complaints, []);
  await page.close();
});

test(
  "a mistake in a filter is shown at its place, and a value is filtered by with a click",
  { skip },
  async (t) => {
    const { url, child } = await serve();
    t.after(() => stop(child));
    const { page } = await visit(browser, `${url}/`);
    await page.goto(`${url}/#/flows`);
    await settled(page);
    await page.getByLabel("Filter").fill("tcp and idel>1h");
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(".mistake mark").innerText(), "idel");
    assert.deepEqual(await violations(page), []);
    await page.getByLabel("Filter").fill("udp");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await until(page, "document.querySelector('.mistake, [aria-busy=true]') === null");
    await page.locator("td .value", { hasText: "53" }).first().click();
    await page.waitForURL(/destination-port/);
    assert.equal(await page.getByLabel("Filter").inputValue(), "udp destination-port 53");
    await page.close();
  },
);

test(
  "a slider moved by keys gives the command, and the change is asked for before it is made",
  { skip },
  async (t) => {
    const { url, child } = await serve("--changes");
    t.after(() => stop(child));
    const { page, complaints } = await visit(browser, `${url}/`);
    await page.goto(`${url}/#/whatif`);
    await settled(page);
    const slider = page.getByRole("slider", { name: "Established TCP flows live" });
    assert.equal(await slider.getAttribute("aria-valuetext"), "5d");
    for (const _ of [1, 2, 3]) await slider.press("ArrowLeft");
    await until(
      page,
      `document.querySelector(".how-to code")?.textContent === "headroom apply --set ${ESTABLISHED}=1d"`,
    );
    await page.getByRole("slider", { name: "Limit" }).press("ArrowRight");
    await until(
      page,
      "document.querySelector('.how-to code')?.textContent.includes('nf_conntrack_buckets=')",
    );
    await page.getByRole("button", { name: "Apply on this host" }).click();
    assert.deepEqual(await violations(page), []);
    await page.getByRole("button", { name: "Apply", exact: true }).click();
    await page.getByText("Done: applied.").waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    assert.deepEqual(complaints, []);
    await page.close();
  },
);

test("where changes are not allowed there is no button to make them", { skip }, async (t) => {
  const { url, child } = await serve();
  t.after(() => stop(child));
  const { page } = await visit(browser, `${url}/`);
  await page.goto(`${url}/#/whatif?set=${ESTABLISHED}%3D7200`);
  await page.locator(".how-to code").waitFor();
  assert.equal(await page.getByRole("button", { name: "Apply on this host" }).count(), 0);
  await page.close();
});

test("the daemon is lost: figures stay with their age, and all comes back by itself", { skip }, async (t) => {
  const first = await serve();
  const { page } = await visit(browser, `${first.url}/`);
  await settled(page);
  const inUse = await page.locator(".figure.great .figure-value").innerText();
  await page.getByText("Live", { exact: true }).waitFor();
  await until(
    page,
    "performance.getEntriesByType('resource').some(({ name }) => name.includes('/settings-'))",
  );
  await stop(first.child);
  await page.locator(".banner").waitFor();
  assert.equal(await page.locator(".figure.great .figure-value").innerText(), inUse);
  assert.match(await page.locator(".banner").innerText(), /does not answer[^]*ago/);
  assert.deepEqual(await violations(page), []);
  // Views that were never opened are there all the same.
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByText("This fills in by itself").waitFor();
  const second = await serve("--port", String(first.port));
  t.after(() => stop(second.child));
  await page.getByText("Live", { exact: true }).waitFor();
  await page.locator(".setting-table").waitFor();
  assert.equal(await page.locator(".banner").count(), 0);
  await page.close();
});

test("a host of which nothing is known yet is told of calmly", { skip }, async (t) => {
  const { url, child } = await serve("--bare");
  t.after(() => stop(child));
  const { page } = await visit(browser, `${url}/`);
  for (const view of VIEWS) {
    await page.goto(`${url}/${view}`);
    await settled(page);
    assert.deepEqual(await violations(page), [], view);
  }
  await page.close();
});

test("a span is zoomed into with the mouse, and back leads out again", { skip }, async (t) => {
  const { url, child } = await serve();
  t.after(() => stop(child));
  const { page, complaints } = await visit(browser, `${url}/`);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.goto(`${url}/#/overview?range=6h`);
  const over = page.locator(".u-over").first();
  await over.waitFor();
  const box = await over.boundingBox();
  assert.ok(box !== null);
  await page.mouse.move(box.x + 100, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 220, box.y + 70, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=\d+&to=\d+/);
  await page.getByRole("button", { name: "Back", exact: true }).click();
  await page.waitForURL(/range=6h/);
  await page.locator(".plot").first().focus();
  await page.keyboard.press("ArrowLeft");
  await until(page, "/^[0-9]{2}:/.test(document.querySelector('.plot-at')?.textContent)");
  // A moment that is clicked: what filled the table then.
  const again = await over.boundingBox();
  assert.ok(again !== null);
  await page.mouse.click(again.x + 150, again.y + 60);
  await page.waitForURL(/fills\?at=\d+/);
  await page.locator(".total b").waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("an answer on its way is a skeleton, and an empty table is told as such", { skip }, async (t) => {
  const { url, child } = await serve();
  t.after(() => stop(child));
  const page = await browser.context.newPage();
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route("**/api/v1/{flows,census}*", async (route) => {
    await held;
    const body = (await (await route.fetch()).json()) as { flows?: object[]; census?: { flows: number } };
    if (body.census !== undefined) body.census.flows = 0;
    else Object.assign(body, { flows: [], matchedFlows: 0, lookedAtFlows: 0 });
    await route.fulfill({ json: body });
  });
  await page.goto(`${url}/#/flows`);
  await page.locator(".skeleton").waitFor();
  assert.deepEqual(await violations(page), []);
  release();
  await page.getByText("The table is empty").waitFor();
  assert.deepEqual(await violations(page), []);
  await page.goto(`${url}/#/fills`);
  await page.getByText("The table is empty").waitFor();
  await page.close();
});

test("a server with a token asks for it first", { skip }, async (t) => {
  const { url, child } = await serve("--token", "open-sesame-0123456789");
  t.after(() => stop(child));
  const page = await browser.context.newPage();
  await page.goto(url);
  await page.locator("input").first().fill("open-sesame-0123456789");
  await page.keyboard.press("Enter");
  await settled(page);
  await page.context().clearCookies();
  await page.reload();
  await page.locator("input").first().waitFor();
  await page.close();
});

test("light and dark are chosen here and kept", { skip }, async (t) => {
  const { url, child } = await serve();
  t.after(() => stop(child));
  const { page } = await visit(browser, `${url}/`);
  await page.emulateMedia({ colorScheme: "light" });
  const ground = async (): Promise<unknown> =>
    page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
  const light = await ground();
  await page.getByRole("button", { name: "Dark" }).click();
  assert.notEqual(await ground(), light);
  await page.reload();
  await settled(page);
  assert.notEqual(await ground(), light);
  await page.getByRole("button", { name: "As the system has it" }).click();
  assert.equal(await ground(), light);
  await page.close();
});

/**
 * A real browser for tests of the dashboard: Debian's chromium, which asks nobody anything, and what an
 * operator and a visitor who cannot see would notice.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "playwright-core";

import { CHROMIUM, CHROMIUM_WORDS } from "../../demo/chromium.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = `${root}node_modules/.cache/headroom/web/index.html`;

/** Why the dashboard cannot be looked at here; false when it can. */
export function reasonWithoutBrowser(): string | false {
  if (!existsSync(CHROMIUM)) return "chromium is missing (apt-get install chromium)";
  return existsSync(PAGE) ? false : "the dashboard is not built (node scripts/web.mjs says why)";
}

export interface Browser {
  context: BrowserContext;
  close(): Promise<void>;
}

export async function startBrowser(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const directory = mkdtempSync(join(tmpdir(), "headroom-browser-"));
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_WORDS,
  });
  return {
    context,
    close: async () => {
      await context.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface Visit {
  page: Page;
  /** What a visitor should never cause: errors, and requests to anybody else. */
  complaints: string[];
}

export async function visit({ context }: Browser, url: string): Promise<Visit> {
  const page = await context.newPage();
  const { origin } = new URL(url);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    const { url: about } = message.location();
    if (message.type() !== "error" || isNotYetKnown(message.text(), about)) return;
    complaints.push(`console: ${message.text()} ${about}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) complaints.push(`asked elsewhere: ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}

/** In its first seconds a watcher has no census, forecast or observation yet, and the API says so by 404. */
function isNotYetKnown(text: string, url: string): boolean {
  return text.includes("404") && /\/api\/v1\/(census|forecast|whatif)\b/.test(url);
}

/** What axe-core finds wrong. The debugger puts it in: the policy of the page allows no other script. */
export async function violations(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const axe = readFileSync(`${root}node_modules/axe-core/axe.min.js`, "utf8");
  await session.send("Runtime.evaluate", { expression: axe });
  const found = await session.send("Runtime.evaluate", {
    expression: `axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) =>
      id + ": " + nodes.slice(0, 3).map(({ target }) => target.join(" ")).join(", ")))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  return found.result.value as string[];
}

/** Waits until an expression is true; asked from outside, as the page may evaluate nothing. */
export async function until(page: Page, expression: string): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if ((await page.evaluate(expression)) === true) return;
    await page.waitForTimeout(50);
  }
  assert.fail(`never true: ${expression}`);
}

/** The view is there, with its answers, and nothing moves any more. */
export async function settled(page: Page): Promise<void> {
  await page.waitForSelector("#content h1, #content .empty");
  await until(page, "document.querySelector('.skeleton, [aria-busy=true]') === null");
  // Colours that are still on their way are no colours to judge.
  await until(page, "document.getAnimations().every(({ playState }) => playState !== 'running')");
}

/** By how many pixels the page is wider than the screen; 0 when it is whole. */
export async function overflow(page: Page): Promise<number> {
  return Math.max(0, Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth")));
}

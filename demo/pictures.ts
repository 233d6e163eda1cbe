/** Pictures of the dashboard while the story goes on, by Debian's chromium. */
import { mkdirSync } from "node:fs";
import type { BrowserContext, Page } from "playwright-core";

import { CHROMIUM, CHROMIUM_WORDS } from "./chromium.ts";

const WIDE = { width: 1280, height: 860 };
/** With losses below use, on the same axis. */
const HIGH = { width: 1280, height: 915 };
const OVERVIEW = "overview?range=15m";
const PHONE = { width: 390, height: 844 };
/** Until charts are drawn and bars have grown. */
const SETTLE_MS = 1500;

export class Pictures {
  readonly #context: BrowserContext;
  readonly #page: Page;
  readonly #directory: string;
  readonly #url: string;

  constructor(context: BrowserContext, page: Page, directory: string, url: string) {
    this.#context = context;
    this.#page = page;
    this.#directory = directory;
    this.#url = url;
  }

  async filling(): Promise<void> {
    await this.#take("overview", OVERVIEW, "light", HIGH);
    await this.#take("overview-dark", OVERVIEW, "dark", HIGH);
  }

  async full(): Promise<void> {
    await this.#take("full", OVERVIEW, "light", HIGH);
    await this.#take("phone", OVERVIEW, "dark", PHONE);
  }

  async fills(): Promise<void> {
    await this.#take("fills", "fills", "light");
  }

  async whatif(setting: string): Promise<void> {
    await this.#take("whatif", `whatif?set=${encodeURIComponent(setting)}`, "light");
  }

  async recovered(): Promise<void> {
    await this.#take("recovered", OVERVIEW, "light", HIGH);
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  async #take(name: string, view: string, colorScheme: "light" | "dark", viewport = WIDE): Promise<void> {
    const page = this.#page;
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    await page.goto(`${this.#url}#/${view}`);
    await page.reload();
    await page.waitForTimeout(SETTLE_MS);
    await page.screenshot({ path: `${this.#directory}/${name}.png` });
  }
}

/** Starts the browser; `profile` is a directory for it alone. */
export async function openPictures(directory: string, profile: string, url: string): Promise<Pictures> {
  const { chromium } = await import("playwright-core");
  mkdirSync(directory, { recursive: true });
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: CHROMIUM_WORDS,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  return new Pictures(context, page, directory, url);
}

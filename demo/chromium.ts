/** Debian's browser, and how it is started so that it asks nobody anything. */

export const CHROMIUM = "/usr/bin/chromium";

/** As root there is no sandbox to be had. */
export const CHROMIUM_WORDS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Light or dark: what the system says, or what was chosen here. */
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

export const theme = signal<Theme>("system");
/** Grows when colours are others than before, for what is drawn rather than styled. */
export const colours = signal(0);

const KEPT = "headroom-theme";

export function startTheme(): void {
  const kept = keptTheme();
  show(kept === "light" || kept === "dark" ? kept : "system");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (colours.value += 1));
}

export function chooseTheme(wanted: Theme): void {
  show(wanted);
  try {
    if (wanted === "system") localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, wanted);
  } catch {
    // It holds until the page is closed.
  }
}

/** A browser that keeps nothing for this page throws when it is asked. */
function keptTheme(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function show(wanted: Theme): void {
  theme.value = wanted;
  if (wanted === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = wanted;
  colours.value += 1;
}

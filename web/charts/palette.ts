/** Colours of the style sheet for what is drawn on a canvas, which cannot read them itself. */

const probe = document.createElement("span");
probe.hidden = true;

/** The colour a custom property stands for at present: `colourOf("--use")`. */
export function colourOf(name: string): string {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** The same, let through by a share of 1. */
export function faded(name: string, alpha: number): string {
  return colourOf(name).replace(/^rgb\(([^)]+)\)$/, (_, parts: string) =>
    parts.includes(",") ? `rgba(${parts}, ${alpha})` : `rgb(${parts} / ${alpha})`,
  );
}

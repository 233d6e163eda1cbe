/** Small signs, drawn as lines; each stands beside words and is hidden from screen readers. */
import type { JSX } from "preact";

const PATHS = {
  overview: "M3 13h4l3-8 4 14 3-6h4",
  fills: "M4 5h16M4 10h11M4 15h14M4 20h7",
  flows: "M4 6h16M4 12h16M4 18h16M9 6v12",
  whatif: "M5 4v10m0 4v2M12 4v3m0 4v9M19 4v8m0 4v4M2.5 16h5M9.5 9h5M16.5 14h5",
  namespaces: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  history: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4M12 8v4l3 2",
  settings: "M4 7h9m4 0h3M4 17h3m4 0h9M15 5v4M9 15v4",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2m0 16v2M2 12h2m16 0h2M5 5l1 1m12 12l1 1M5 19l1-1m12-12l1-1",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  screen: "M3 5h18v11H3zM9 20h6M12 16v4",
  back: "M14 6l-6 6 6 6",
  arrow: "M5 12h14M13 6l6 6-6 6",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  unplugged: "M4 20l4-4m8-8l4-4M8.500 9.500l6 6-2 2a4.200 4.200 0 0 1-6-6zM15.500 14.500l-6-6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

const SHAPES = {
  ok: "M8 1.500a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13z",
  warning: "M8 1l7.500 13.500H.5z",
  critical: "M4.800 1h6.400L15 4.800v6.400L11.200 15H4.800L1 11.200V4.800z",
  unknown: "M8 .8l7.200 7.200L8 15.200.8 8z",
} as const;

const SIGNS = {
  ok: "M5 8.200l2.200 2.200L11 6",
  warning: "M8 6v4m0 2v.4",
  critical: "M8 4.500v4.500m0 2v.4",
} as const;

/** A level by shape as well as by colour: disc, triangle, octagon, diamond. */
export function LevelIcon({ level }: { level: keyof typeof SHAPES }): JSX.Element {
  return (
    <svg class={`level-icon level-${level}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path class="shape" d={SHAPES[level]} />
      <path
        class="sign"
        d={
          level === "unknown"
            ? "M6.200 6.500a1.800 1.800 0 1 1 2.600 1.600c-.6.3-.8.700-.8 1.200m0 2v.3"
            : SIGNS[level]
        }
      />
    </svg>
  );
}

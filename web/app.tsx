/** The frame of the page: where one is, how it stands, where one can go, and what is said to silence. */
import type { ComponentType, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { Locked } from "./parts/locked.tsx";
import { Failure, Skeleton } from "./parts/panel.tsx";
import { LevelNews, Masthead, Navigation, StaleBanner } from "./parts/shell.tsx";
import { connection, generation, status } from "./state/connection.ts";
import { type ViewId, route, VIEWS } from "./state/route.ts";
import { OverviewView } from "./views/overview.tsx";
import { formatShare } from "./words/figures.ts";

/** The first view is there at once; the others come when the page is idle, or when they are wanted. */
const LATER: Readonly<Record<Exclude<ViewId, "overview">, () => Promise<ComponentType>>> = {
  fills: async () => (await import("./views/fills.tsx")).FillsView,
  flows: async () => (await import("./views/flows.tsx")).FlowsView,
  whatif: async () => (await import("./views/whatif.tsx")).WhatifView,
  namespaces: async () => (await import("./views/namespaces.tsx")).NamespacesView,
  history: async () => (await import("./views/history.tsx")).HistoryView,
  settings: async () => (await import("./views/settings.tsx")).SettingsView,
};

export function App(): JSX.Element {
  const { view } = route.value;
  const isStale = connection.value.kind === "gone";
  useTitle(view);
  useEffect(() => {
    const timer = setTimeout(() => {
      // All at once, so that they are there when the daemon is not.
      for (const load of Object.values(LATER)) load().catch(() => undefined);
    }, 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="frame">
      <a class="skip" href="#content" onClick={skip}>
        Skip to the figures
      </a>
      <Masthead />
      <Navigation view={view} />
      <div class="stage">
        <StaleBanner />
        <main id="content" tabIndex={-1} class={isStale ? "content stale" : "content"}>
          {connection.value.kind === "locked" ? <Locked /> : <Current view={view} />}
        </main>
      </div>
      <LevelNews />
    </div>
  );
}

function Current({ view }: { view: ViewId }): JSX.Element {
  const [views, setViews] = useState<Partial<Record<ViewId, ComponentType>>>({ overview: OverviewView });
  const [problem, setProblem] = useState<Error | undefined>(undefined);
  useEffect(() => {
    if (view === "overview" || views[view] !== undefined) return;
    setProblem(undefined);
    LATER[view]().then(
      (found) => setViews((before) => ({ ...before, [view]: found })),
      () =>
        setProblem(
          new Error("this part of the page could not be loaded; it is tried again when Headroom is back"),
        ),
    );
  }, [view]);
  // A browser does not ask again for a part that failed once; loading the page again does.
  const born = useRef(generation.value);
  if (problem !== undefined && generation.value !== born.current) location.reload();
  const Shown = views[view];
  if (Shown !== undefined) return <Shown />;
  if (problem !== undefined) return <Failure error={problem} retry={() => location.reload()} />;
  return (
    <>
      <h1 class="unseen">{VIEWS.find(({ id }) => id === view)?.title}</h1>
      <Skeleton lines={8} tall />
    </>
  );
}

/** The link would change the address, which says the view. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#content")?.focus();
}

function useTitle(view: ViewId): void {
  const share = status.value?.useShare;
  const used = share === undefined ? "" : `${formatShare(share)} `;
  const name = status.value?.host.hostname ?? "Headroom";
  const title = `${used}${VIEWS.find(({ id }) => id === view)?.title ?? ""} · ${name}`;
  useEffect(() => {
    document.title = title;
  }, [title]);
}

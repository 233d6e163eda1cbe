/** What stands around every view. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { StatusJson } from "../../src/server/api-schema.ts";
import { connection, nowMs, retryNow, status } from "../state/connection.ts";
import { type ViewId, linkTo, VIEWS } from "../state/route.ts";
import { type Theme, chooseTheme, theme } from "../state/theme.ts";
import { formatShare, roughDuration } from "../words/figures.ts";
import { headlineOf, LEVEL_WORDS } from "../words/outlook.ts";
import { clockTime, zoneAt } from "../words/times.ts";
import { type IconName, Icon, LevelIcon } from "./icon.tsx";

export function Masthead(): JSX.Element {
  const known = status.value;
  return (
    <header class="masthead">
      <a class="brand" href={linkTo("overview")} aria-label="Headroom">
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
          <path class="cup" d="M8 7v18h16V7" />
          <path class="water" d="M11.400 21.600V16h9.200v5.600z" />
        </svg>
        <span>Headroom</span>
      </a>
      <div class="host">
        <span class="host-name">{known === undefined ? " " : hostName(known.host)}</span>
        {known !== undefined && (
          <span class={`host-level level-${known.level}`}>
            <LevelIcon level={known.level} />
            {LEVEL_WORDS[known.level]}
          </span>
        )}
        {known?.useShare !== undefined && (
          <span class="host-use">
            {formatShare(known.useShare)} <small>in use</small>
          </span>
        )}
      </div>
      <LiveSign />
      <ThemeSwitch />
    </header>
  );
}

/** The host, and the namespace where it is not the host's own. */
function hostName({ hostname = "this host", namespace }: StatusJson["host"]): JSX.Element {
  return namespace === undefined ? (
    <>{hostname}</>
  ) : (
    <>
      {hostname} <small>namespace {namespace}</small>
    </>
  );
}

function LiveSign(): JSX.Element {
  const { kind } = connection.value;
  const words = { live: "Live", connecting: "Connecting", gone: "No answer", locked: "Locked" }[kind];
  const at = status.value?.atMs;
  return (
    <div class={`live ${kind}`}>
      <span class="live-dot" aria-hidden="true" />
      <span>{words}</span>
      {at !== undefined && (
        <time class="live-time" dateTime={new Date(at).toISOString()}>
          {clockTime(at)} <small>{zoneAt(at)}</small>
        </time>
      )}
    </div>
  );
}

const THEMES: readonly (readonly [Theme, IconName, string])[] = [
  ["system", "screen", "As the system has it"],
  ["light", "sun", "Light"],
  ["dark", "moon", "Dark"],
];

function ThemeSwitch(): JSX.Element {
  return (
    <div class="segmented themes" role="group" aria-label="Colours">
      {THEMES.map(([id, icon, words]) => (
        <button
          key={id}
          type="button"
          aria-pressed={theme.value === id}
          aria-label={words}
          title={words}
          onClick={() => chooseTheme(id)}
        >
          <Icon name={icon} />
        </button>
      ))}
    </div>
  );
}

export function Navigation({ view }: { view: ViewId }): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const here = list.current?.querySelector<HTMLElement>("[aria-current]");
    list.current?.scrollTo({ left: (here?.offsetLeft ?? 0) - 60 });
  }, [view]);
  const firing = status.value?.alerts.filter(({ state }) => state === "firing").length ?? 0;
  return (
    <nav class="navigation" aria-label="Views">
      <ul ref={list}>
        {VIEWS.map(({ id, title }) => (
          <li key={id}>
            <a href={linkTo(id)} {...(id === view ? { "aria-current": "page" as const } : {})}>
              <Icon name={id} />
              {title}
              {id === "history" && firing > 0 && (
                <span class="badge">
                  {firing}
                  <span class="unseen"> firing</span>
                </span>
              )}
            </a>
          </li>
        ))}
      </ul>
      <HostFacts />
    </nav>
  );
}

function HostFacts(): JSX.Element | null {
  const known = status.value;
  if (known === undefined) return null;
  const { kernelRelease, cpus } = known.host;
  return (
    <p class="host-facts">
      Headroom {known.version}
      {kernelRelease !== undefined && <span>Linux {kernelRelease}</span>}
      {cpus !== undefined && <span>{cpus} processors</span>}
      <span>watching for {roughDuration((known.atMs - known.startedAtMs) / 1000)}</span>
    </p>
  );
}

/** Nobody answers: since when, how old the figures are, and when it is tried again. */
export function StaleBanner(): JSX.Element | null {
  const { value } = connection;
  if (value.kind !== "gone") return null;
  const at = status.value?.atMs;
  const seconds = Math.max(0, Math.ceil((value.retryAtMs - nowMs.value) / 1000));
  const age = at === undefined ? "" : roughDuration(Math.max(0, nowMs.value - at) / 1000);
  return (
    <section class="banner" aria-label="Connection">
      <Icon name="unplugged" />
      <p>
        <b role="alert">Headroom does not answer.</b>{" "}
        {at === undefined
          ? "Nothing was heard from it yet."
          : `The figures below are from ${clockTime(at)}, ${age} ago.`}{" "}
        <span class="banner-retry">{seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again."}</span>
      </p>
      <button type="button" class="button" onClick={retryNow}>
        Try now
      </button>
    </section>
  );
}

/** Tells a screen reader when the level changes. */
export function LevelNews(): JSX.Element {
  const known = status.value;
  const [words, setWords] = useState("");
  const before = useRef<string | undefined>(undefined);
  const level = known?.level;
  useEffect(() => {
    if (known === undefined || level === undefined) return;
    if (before.current !== undefined && before.current !== level)
      setWords(`${LEVEL_WORDS[level]}: ${headlineOf(known).title}`);
    before.current = level;
  }, [level]);
  return (
    <div class="unseen" role="status" aria-live="polite" data-news="level">
      {words}
    </div>
  );
}

/** A part of the page with a heading, and what it shows before, instead of, and without figures. */
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

import { Refused, Unreachable } from "../state/api.ts";
import { status } from "../state/connection.ts";
import type { Answer } from "../state/use-answer.ts";
import { Icon } from "./icon.tsx";

interface PanelProps {
  title: string;
  /** Beside the heading, on the right. */
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

export function Panel({ title, aside, class: more = "", children }: PanelProps): JSX.Element {
  const id = useId();
  return (
    <section class={`panel ${more}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {aside !== undefined && <div class="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** Grey lines where figures will be, of the same height, so that nothing jumps. */
export function Skeleton({ lines = 5, tall = false }: { lines?: number; tall?: boolean }): JSX.Element {
  return (
    <div class={tall ? "skeleton tall" : "skeleton"} role="status">
      <span class="unseen">Loading</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class="bone" />
      ))}
    </div>
  );
}

/** Nothing there, and that is fine; says why and what would change it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

/** Something could not be had: what, and what to do. */
export function Failure({ error, retry }: { error: Error; retry?: () => void }): JSX.Element {
  const isGone = error instanceof Unreachable;
  if (error instanceof Refused && error.code === "not-permitted")
    return <NotPermitted why={error.message} help={error.help} />;
  if (error instanceof Refused && error.code === "not-yet-known") return <NotYet error={error} />;
  const help = error instanceof Refused ? error.help : undefined;
  return (
    <div class="failure" role="alert">
      <Icon name={error instanceof Refused && error.status === 403 ? "lock" : "unplugged"} />
      <div>
        <p class="failure-title">{isGone ? "Headroom does not answer" : firstLine(error.message)}</p>
        {help !== undefined && <p>{help}</p>}
        {isGone && <p>This fills in by itself as soon as it is back.</p>}
        {retry !== undefined && !isGone && (
          <button type="button" class="button" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}

/** It comes by itself, unless Headroom may not look. */
function NotYet({ error }: { error: Refused }): JSX.Element {
  const sealed = status.value?.unseen.find(
    ({ what, cause }) => what === "flows" && cause === "not-permitted",
  );
  if (sealed !== undefined) return <NotPermitted why={sealed.why} help={sealed.help} />;
  const what = error.message.replace(/^Cannot give (?:an? )?/, "").replace(": there is none yet", "");
  return <Empty title={`No ${what} yet`}>{error.help}</Empty>;
}

function NotPermitted({ why, help }: { why: string; help: string | undefined }): JSX.Element {
  return (
    <div class="failure sealed" role="alert">
      <Icon name="lock" />
      <div>
        <p class="failure-title">Headroom is not permitted to read the flows</p>
        <p>{why}.</p>
        <p>
          {help ?? "Run headroom serve as root, or by its systemd unit, which gives it CAP_NET_ADMIN alone."}
        </p>
      </div>
    </div>
  );
}

function firstLine(message: string): string {
  const line = message.split("\n", 1)[0] ?? "";
  return line.charAt(0).toUpperCase() + line.slice(1);
}

/** Shows an answer: grey lines before the first, why there is none, else what `children` makes of it. */
export function Answered<Data>({
  answer,
  lines,
  children,
}: {
  answer: Answer<Data>;
  lines?: number;
  children: (data: Data) => ComponentChildren;
}): JSX.Element {
  const { data, error } = answer;
  if (data === undefined) {
    if (error === undefined) return <Skeleton {...(lines === undefined ? {} : { lines })} />;
    return <Failure error={error} />;
  }
  return (
    <>
      {error instanceof Refused && <Failure error={error} />}
      {children(data)}
    </>
  );
}

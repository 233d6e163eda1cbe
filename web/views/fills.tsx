/** What fills the table: counted, now or at an instant of the past, narrowed down term by term. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { CensusJson, CensusTimesJson } from "../../src/server/api-schema.ts";
import { FilterMistakeText } from "../parts/filter-mistake.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Failure, Skeleton } from "../parts/panel.tsx";
import { Refused } from "../state/api.ts";
import type { CensusFigures } from "../state/census-shape.ts";
import { censusNews, nowMs, status } from "../state/connection.ts";
import { goTo, linkTo, route } from "../state/route.ts";
import { type Answer, useAnswer } from "../state/use-answer.ts";
import { countOf, formatError, formatShare, roughDuration } from "../words/figures.ts";
import { joinTerms, withTerm } from "../words/terms.ts";
import { clockTime, pointInTime, toLocalInput, zoneAt } from "../words/times.ts";
import { CensusPanels } from "./census-panels.tsx";
import { censusTimesPath, countedHow } from "./census-rows.ts";

export function FillsView(): JSX.Element {
  const { query } = route.value;
  const terms = query.getAll("term");
  const at = query.get("at");
  const filter = joinTerms(terms);
  const answer = useAnswer<CensusJson>(pathOf(filter, at), {
    // A filter reads the table; what is counted anyway is shown as it comes.
    version: filter === "" && at === null ? censusNews.value : 0,
  });
  const isOld = answer.isLoading && answer.data !== undefined && answer.path !== pathOf(filter, at);
  const go = (next: readonly string[]): void => goTo(linkTo("fills", { term: next }));
  return (
    <div class="fills">
      <header class="view-head">
        <h1>What fills it</h1>
        <When at={at === null ? undefined : Number(at)} />
      </header>
      <Terms terms={terms} onChange={go} isPast={at !== null} error={answer.error} />
      <div class={isOld ? "answer old" : "answer"} aria-busy={isOld}>
        <Counted answer={answer} terms={terms} isPast={at !== null} onChange={go} />
      </div>
    </div>
  );
}

function pathOf(filter: string, at: string | null): string {
  if (at !== null) return `census?at=${at}`;
  return filter === "" ? "census" : `census?filter=${encodeURIComponent(filter)}`;
}

function Counted({
  answer,
  terms,
  isPast,
  onChange,
}: {
  answer: Answer<CensusJson>;
  terms: readonly string[];
  isPast: boolean;
  onChange: (terms: readonly string[]) => void;
}): JSX.Element {
  const { data, error } = answer;
  const isMistake = error instanceof Refused && error.code === "bad-filter";
  if (data === undefined) {
    if (isMistake) return <Empty title="Nothing counted">Mend the term first.</Empty>;
    return error === undefined ? <Skeleton lines={10} tall /> : <Failure error={error} />;
  }
  const census = data.census as unknown as CensusFigures;
  const onTerm = isPast ? undefined : (term: string) => onChange(withTerm(terms, term));
  return (
    <>
      {error !== undefined && !isMistake && <Failure error={error} />}
      <Total census={census} atMs={data.atMs} isNarrowed={terms.length > 0 && !isPast} />
      {census.flows === 0 ? (
        <Empty title={terms.length > 0 ? "No flow matches all of these" : "The table is empty"}>
          {terms.length > 0
            ? "Take a term away to widen it again."
            : "As soon as there are flows, they are counted."}
        </Empty>
      ) : (
        <CensusPanels census={census} {...(onTerm === undefined ? {} : { onTerm })} />
      )}
    </>
  );
}

function Total({
  census,
  atMs,
  isNarrowed,
}: {
  census: CensusFigures;
  atMs: number;
  isNarrowed: boolean;
}): JSX.Element {
  const error = formatError(census.standardErrorFlows);
  const whole = status.value?.occupancyFlows;
  const age = Math.max(0, (nowMs.value - atMs) / 1000);
  return (
    <p class="total">
      <b>{countOf(census.flows, "flow")}</b>
      {error !== "" && <span> {error}</span>}
      {isNarrowed && whole !== undefined && whole > 0 && (
        <span>, {formatShare(census.flows / whole)} of the table</span>
      )}
      <span class="quiet">
        {" "}
        · {countedHow(census)} · {age < 5 ? "just now" : `${clockTime(atMs)}, ${roughDuration(age)} ago`}
      </span>
    </p>
  );
}

function Terms({
  terms,
  onChange,
  isPast,
  error,
}: {
  terms: readonly string[];
  onChange: (terms: readonly string[]) => void;
  isPast: boolean;
  error: Error | undefined;
}): JSX.Element {
  const [typed, setTyped] = useState("");
  if (isPast)
    return <p class="quiet">A census of the past is kept as it was counted; it cannot be narrowed down.</p>;
  const add = (event: Event): void => {
    event.preventDefault();
    if (typed.trim() === "") return;
    setTyped("");
    onChange(withTerm(terms, typed.trim()));
  };
  return (
    <div class="terms">
      <ol class="crumbs" aria-label="Narrowed down to">
        <li>
          <button type="button" class="crumb" disabled={terms.length === 0} onClick={() => onChange([])}>
            all flows
          </button>
        </li>
        {terms.map((term) => (
          <li key={term}>
            <span class="crumb term">
              <code>{term}</code>
              <button
                type="button"
                aria-label={`Take away ${term}`}
                onClick={() => onChange(terms.filter((other) => other !== term))}
              >
                <Icon name="close" />
              </button>
            </span>
          </li>
        ))}
        <li>
          <form onSubmit={add}>
            <input
              class="term-input"
              aria-label="Add a term"
              placeholder="add a term: port 443"
              value={typed}
              spellcheck={false}
              autocomplete="off"
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </form>
        </li>
        {terms.length > 0 && (
          <li>
            <a href={linkTo("flows", { filter: joinTerms(terms) })}>see the entries</a>
          </li>
        )}
      </ol>
      {error instanceof Refused && error.code === "bad-filter" && (
        <FilterMistakeText error={error} filter={joinTerms(terms)} />
      )}
    </div>
  );
}

/** Now, or an instant of which there is a census. */
function When({ at }: { at: number | undefined }): JSX.Element {
  const now = Math.floor(nowMs.value / 60_000) * 60_000;
  const times = useAnswer<CensusTimesJson>(censusTimesPath(now));
  const oldest = times.data?.atMs[0];
  const choose = (event: Event): void => {
    const wanted = new Date((event.currentTarget as HTMLInputElement).value).getTime();
    if (!Number.isNaN(wanted)) goTo(linkTo("fills", { at: wanted }));
  };
  return (
    <div class="when">
      <div class="segmented" role="group" aria-label="When">
        <button type="button" aria-pressed={at === undefined} onClick={() => goTo(linkTo("fills"))}>
          now
        </button>
      </div>
      <label>
        <span>or at</span>
        <input
          type="datetime-local"
          value={toLocalInput(at ?? now)}
          max={toLocalInput(now)}
          {...(oldest === undefined ? {} : { min: toLocalInput(oldest) })}
          onChange={choose}
        />
      </label>
      <span class="quiet">
        {zoneAt(now)}
        {oldest !== undefined && `, kept since ${pointInTime(oldest, now)}`}
      </span>
    </div>
  );
}

/** Entries of the table, by the language of `headroom list`. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { FlowsJson } from "../../src/server/api-schema.ts";
import { Command } from "../parts/command.tsx";
import { FilterMistakeText } from "../parts/filter-mistake.tsx";
import { Empty, Failure, Skeleton } from "../parts/panel.tsx";
import { Refused } from "../state/api.ts";
import { status } from "../state/connection.ts";
import { goTo, linkTo, route } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { countOf, formatBytes, formatCount, roughDuration } from "../words/figures.ts";
import { quoted, shellWord } from "../words/shell.ts";
import { joinTerms } from "../words/terms.ts";
import { clockTime } from "../words/times.ts";
import { type FlowRow, rowOf, wordsOf } from "./flow-row.ts";

const SORTS = [
  ["", "as it comes"],
  ["idle", "silent longest"],
  ["remaining", "remaining longest"],
  ["bytes", "most bytes"],
  ["packets", "most packets"],
  ["age", "oldest"],
] as const;

const STEP = 100;
const MOST = 1000;

export function FlowsView(): JSX.Element {
  const { query } = route.value;
  const filter = query.get("filter") ?? "";
  const sort = query.get("sort") ?? "";
  const limit = Math.min(MOST, Number(query.get("limit") ?? STEP));
  const [again, setAgain] = useState(0);
  const order = sort === "" ? "" : `&sort=${sort}`;
  const path = `flows?limit=${limit}${order}&filter=${encodeURIComponent(filter)}`;
  const answer = useAnswer<FlowsJson>(path, { version: again });
  const { data, error } = answer;
  const mistake = error instanceof Refused && error.code === "bad-filter" ? error : undefined;
  const isOld = answer.isLoading && data !== undefined;
  const go = (next: { filter?: string; sort?: string; limit?: number }): void =>
    goTo(linkTo("flows", { filter, sort, ...next }));
  return (
    <div class="flows">
      <header class="view-head">
        <h1>Entries</h1>
        <button type="button" class="button" onClick={() => setAgain(again + 1)}>
          Read again
        </button>
      </header>
      <FilterForm key={filter} filter={filter} sort={sort} mistake={mistake} onChange={go} />
      {data === undefined && error === undefined && <Skeleton lines={12} tall />}
      {error !== undefined && mistake === undefined && <Failure error={error} />}
      {data !== undefined && (
        <div class={isOld || mistake !== undefined ? "answer old" : "answer"} aria-busy={isOld}>
          <Found data={data} />
          {data.flows.length === 0 ? (
            <Empty title={filter === "" ? "The table is empty" : "No flow matches"}>
              {filter === "" ? "As soon as there are flows they are listed here." : "Widen the filter."}
            </Empty>
          ) : (
            <FlowColumns flows={data.flows} onTerm={(term) => go({ filter: joinTerms([filter, term]) })} />
          )}
          {data.matchedFlows > data.flows.length && limit < MOST && (
            <button
              type="button"
              class="button"
              onClick={() => go({ limit: limit * 3 > MOST ? MOST : limit * 3 })}
            >
              Show more
            </button>
          )}
          <Command text={commandOf(filter, sort, limit)} />
        </div>
      )}
    </div>
  );
}

/** The same in a terminal. */
function commandOf(filter: string, sort: string, limit: number): string {
  const words = filter === "" ? [] : [quoted(filter)];
  const order = sort === "" ? [] : ["--sort", shellWord(sort)];
  const namespace = status.value?.host.namespace;
  const where = namespace === undefined ? [] : ["--netns", shellWord(namespace)];
  return ["headroom list", ...where, ...words, ...order, "--limit", limit].join(" ");
}

function FilterForm({
  filter,
  sort,
  mistake,
  onChange,
}: {
  filter: string;
  sort: string;
  mistake: Refused | undefined;
  onChange: (next: { filter?: string; sort?: string }) => void;
}): JSX.Element {
  const [typed, setTyped] = useState(filter);
  const submit = (event: Event): void => {
    event.preventDefault();
    onChange({ filter: typed.trim() });
  };
  return (
    <form class="filter-form" onSubmit={submit}>
      <label class="filter-label">
        <span>Filter</span>
        <input
          name="filter"
          value={typed}
          spellcheck={false}
          autocomplete="off"
          placeholder="tcp state established idle>1h source 10.0.0.0/8"
          aria-invalid={mistake !== undefined}
          {...(mistake === undefined ? {} : { "aria-describedby": "filter-mistake" })}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <label>
        <span>Order</span>
        <select value={sort} onChange={(event) => onChange({ sort: event.currentTarget.value })}>
          {SORTS.map(([id, words]) => (
            <option key={id} value={id}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="button primary">
        Show
      </button>
      {mistake !== undefined && <FilterMistakeText error={mistake} filter={filter} id="filter-mistake" />}
    </form>
  );
}

function Found({ data }: { data: FlowsJson }): JSX.Element {
  const { matchedFlows, lookedAtFlows, complete, atMs, flows } = data;
  return (
    <p class="total" role="status">
      <b>{countOf(matchedFlows, "flow")}</b> {matchedFlows === 1 ? "matches" : "match"}
      {flows.length < matchedFlows && `, ${formatCount(flows.length)} shown`}
      <span class="quiet">
        {" "}
        · {formatCount(lookedAtFlows)} looked at{complete ? "" : ", not all of the table"} · {clockTime(atMs)}
      </span>
    </p>
  );
}

interface ColumnsProps {
  flows: FlowsJson["flows"];
  onTerm: (term: string) => void;
}

function FlowColumns({ flows, onTerm }: ColumnsProps): JSX.Element {
  const rows = flows.map(rowOf);
  // Without nf_conntrack_acct nothing is counted.
  const isCounted = rows.some(({ packets, bytes }) => packets !== undefined || bytes !== undefined);
  return (
    <div class="scroller flow-scroller" tabIndex={0} role="region" aria-label="Entries">
      <table class="flow-table">
        <thead>
          <tr>
            <th scope="col">Protocol</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Silent
            </th>
            <th scope="col" class="number">
              Remains
            </th>
            <th scope="col">From</th>
            <th scope="col">To</th>
            {isCounted && (
              <>
                <th scope="col" class="number">
                  Packets
                </th>
                <th scope="col" class="number">
                  Bytes
                </th>
              </>
            )}
            <th scope="col">Status</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <FlowLine key={row.id ?? index} row={row} isCounted={isCounted} onTerm={onTerm} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LineProps {
  row: FlowRow;
  isCounted: boolean;
  onTerm: (term: string) => void;
}

function FlowLine({ row, isCounted, onTerm }: LineProps): JSX.Element {
  const words = wordsOf(row);
  const { state, idleSeconds, timeoutSeconds, packets, bytes } = row;
  return (
    <tr>
      <td>
        <Value words={row.protocol} term={`protocol ${row.protocol}`} onTerm={onTerm} />
      </td>
      <td class={state === undefined ? "none" : ""}>
        {state === undefined ? (
          <span class="quiet">–</span>
        ) : (
          <Value words={state} term={`state ${state.toLowerCase()}`} onTerm={onTerm} />
        )}
      </td>
      <td class="number" data-name="silent">
        {idleSeconds === undefined ? "–" : roughDuration(idleSeconds)}
      </td>
      <td class="number" data-name="remains">
        {timeoutSeconds === undefined ? "–" : roughDuration(timeoutSeconds)}
      </td>
      <td class={row.source.includes(":") ? "mono long" : "mono"}>
        <Address address={row.source} term={`source ${row.source}`} onTerm={onTerm} port={row.sourcePort} />
        {row.sourcePort !== undefined && <span class="quiet">:{row.sourcePort}</span>}
      </td>
      <td class={row.destination.includes(":") ? "mono to long" : "mono to"}>
        <Address
          address={row.destination}
          term={`destination ${row.destination}`}
          onTerm={onTerm}
          port={row.destinationPort}
        />
        {row.destinationPort !== undefined && (
          <>
            :
            <Value
              words={String(row.destinationPort)}
              term={`destination-port ${row.destinationPort}`}
              onTerm={onTerm}
            />
          </>
        )}
        {row.translated !== undefined && <span class="quiet block">as {row.translated}</span>}
      </td>
      {isCounted && (
        <>
          <td class="number" data-name="packets">
            {packets === undefined ? "–" : formatCount(packets)}
          </td>
          <td class="number">{bytes === undefined ? "–" : formatBytes(bytes)}</td>
        </>
      )}
      <td>{words}</td>
    </tr>
  );
}

/** Brackets tell an IPv6 address from the port behind it. */
function Address({
  address,
  port,
  term,
  onTerm,
}: {
  address: string;
  port: number | undefined;
  term: string;
  onTerm: (term: string) => void;
}): JSX.Element {
  const isBracketed = port !== undefined && address.includes(":");
  return <Value words={isBracketed ? `[${address}]` : address} term={term} onTerm={onTerm} />;
}

function Value({
  words,
  term,
  onTerm,
}: {
  words: string;
  term: string;
  onTerm: (term: string) => void;
}): JSX.Element {
  return (
    <button type="button" class="value" title={`Filter by ${term}`} onClick={() => onTerm(term)}>
      {words}
    </button>
  );
}

/** What if: other settings, and at once what the table would be, what it would cost and what would break. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { SettingsJson, WhatifJson } from "../../src/server/api-schema.ts";
import { Answered, Empty, Failure, Skeleton } from "../parts/panel.tsx";
import { Slider } from "../parts/slider.tsx";
import { route, goTo, linkTo } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { Breaks, Outcome } from "./whatif-outcome.tsx";
import {
  BUCKETS,
  ESTABLISHED,
  MAX,
  otherTimeouts,
  readWish,
  type SettingRow,
  shortName,
  stopsOf,
  whatifPath,
  type Wish,
  wished,
  wishSets,
} from "./whatif-wish.ts";

/** While a slider is dragged, one question at a time is enough. */
const PAUSE_MS = 120;

export function WhatifView(): JSX.Element {
  const [again, setAgain] = useState(0);
  const settings = useAnswer<SettingsJson>("settings", { version: again });
  return (
    <div class="whatif">
      <header class="view-head">
        <h1>What if</h1>
        <p class="quiet">
          Nothing is changed here: the table is worked out anew from how long its flows stay silent.
        </p>
      </header>
      <Answered answer={settings} lines={8}>
        {({ settings: rows }) => <Trial rows={rows} onApplied={() => setAgain(again + 1)} />}
      </Answered>
    </div>
  );
}

function Trial({ rows, onApplied }: { rows: readonly SettingRow[]; onApplied: () => void }): JSX.Element {
  const [wish, setWish] = useState<Wish>(() => readWish(route.value.query.getAll("set")));
  const path = whatifPath(wish, rows);
  const answer = useAnswer<WhatifJson>(path, { delayMs: PAUSE_MS });
  const isOld = answer.data !== undefined && (answer.path !== path || answer.error !== undefined);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (route.value.view === "whatif") goTo(linkTo("whatif", { set: wishSets(wish) }), true);
    }, 400);
    return () => clearTimeout(timer);
  }, [wish]);
  return (
    <div class="whatif-body">
      <div class="whatif-side">
        <Controls rows={rows} wish={wish} onWish={setWish} />
        {answer.data !== undefined && <Breaks answer={answer.data} isChange={wish.size > 0} isOld={isOld} />}
      </div>
      <div class={isOld ? "answer old" : "answer"} aria-busy={isOld}>
        {answer.error !== undefined && <Failure error={answer.error} />}
        {answer.data === undefined && answer.error === undefined && path !== undefined && (
          <Skeleton lines={6} tall />
        )}
        {path === undefined && (
          <Empty title="No settings could be read">Without them there is nothing to change.</Empty>
        )}
        {answer.data !== undefined && (
          <Outcome
            answer={answer.data}
            wish={wish}
            onApplied={() => {
              setWish(new Map());
              onApplied();
            }}
          />
        )}
      </div>
    </div>
  );
}

interface ControlsProps {
  rows: readonly SettingRow[];
  wish: Wish;
  onWish: (wish: Wish) => void;
}

function Controls({ rows, wish, onWish }: ControlsProps): JSX.Element {
  const [isCoupled, setCoupled] = useState(true);
  const find = (key: string): SettingRow | undefined => rows.find((row) => row.key === key);
  const buckets = find(BUCKETS);
  const slider = (row: SettingRow | undefined, label: string): JSX.Element | null => {
    if (row === undefined) return null;
    const value = wish.get(row.key) ?? row.value;
    return (
      <Slider
        key={row.key}
        label={label}
        row={row}
        value={value}
        stops={stopsOf(row, value)}
        onChange={(next) => onWish(wished(wish, row, next, { buckets, isCoupled }))}
      />
    );
  };
  const others = otherTimeouts(rows);
  const changed = others.filter(({ key }) => wish.has(key)).length;
  return (
    <section class="panel controls" aria-label="Settings to try">
      {slider(find(ESTABLISHED), "Established TCP flows live")}
      {slider(find(MAX), "Limit")}
      {buckets !== undefined && (
        <label class="check">
          <input
            type="checkbox"
            checked={isCoupled}
            onChange={(event) => setCoupled(event.currentTarget.checked)}
          />
          as many buckets as flows
        </label>
      )}
      {!isCoupled && slider(buckets, "Buckets")}
      {others.length > 0 && (
        <details class="more-sliders">
          <summary>More timeouts{changed > 0 && <span class="badge">{changed}</span>}</summary>
          {others.map((row) => slider(row, shortName(row.key)))}
        </details>
      )}
      <button type="button" class="button" disabled={wish.size === 0} onClick={() => onWish(new Map())}>
        Back to what is in force
      </button>
    </section>
  );
}

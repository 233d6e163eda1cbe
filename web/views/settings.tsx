/** Settings in force: value, default, and where each comes from. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { SettingsJson } from "../../src/server/api-schema.ts";
import { Answered } from "../parts/panel.tsx";
import { news } from "../state/connection.ts";
import { linkTo } from "../state/route.ts";
import { useAnswer } from "../state/use-answer.ts";
import { formatSetting } from "../words/figures.ts";
import { BUCKETS, MAX } from "./whatif-wish.ts";

/** No setting: what is in use. */
const COUNT = "nf_conntrack_count";

type Row = SettingsJson["settings"][number];

export function SettingsView(): JSX.Element {
  const answer = useAnswer<SettingsJson>("settings", { version: news.value, everyMs: 30_000 });
  const [onlyOwn, setOnlyOwn] = useState(false);
  return (
    <div class="settings">
      <header class="view-head">
        <h1>Settings</h1>
        <div class="segmented" role="group" aria-label="Shown">
          <button type="button" aria-pressed={!onlyOwn} onClick={() => setOnlyOwn(false)}>
            all
          </button>
          <button type="button" aria-pressed={onlyOwn} onClick={() => setOnlyOwn(true)}>
            not as the default
          </button>
        </div>
      </header>
      <Answered answer={answer} lines={12}>
        {({ settings }) => (
          <SettingRows rows={settings.filter((row) => row.key !== COUNT && (!onlyOwn || isOwn(row)))} />
        )}
      </Answered>
    </div>
  );
}

function isOwn({ value, defaultValue }: Row): boolean {
  return defaultValue !== undefined && value !== defaultValue;
}

function SettingRows({ rows }: { rows: readonly Row[] }): JSX.Element {
  if (rows.length === 0) return <p class="quiet">All settings are as this kernel has them by default.</p>;
  // Another namespace than the host's own has no boot.
  const hasBoot = rows.some(({ boot }) => boot !== undefined);
  return (
    <div class="scroller panel" tabIndex={0} role="region" aria-label="Settings">
      <table class="setting-table">
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col" class="number">
              In force
            </th>
            <th scope="col" class="number">
              Default
            </th>
            {hasBoot && <th scope="col">After a reboot</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <SettingLine key={row.key} row={row} hasBoot={hasBoot} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SettingLine({ row, hasBoot }: { row: Row; hasBoot: boolean }): JSX.Element {
  const canTry = row.unit === "seconds" || row.key === MAX || row.key === BUCKETS;
  return (
    <tr class={isOwn(row) ? "own" : ""}>
      <th scope="row">
        <code>{row.key}</code>
        <small>{row.about}</small>
      </th>
      <td class="number" data-name="in force">
        <b>{formatSetting(row.value, row.unit)}</b>
        {canTry && (
          <a
            class="try"
            href={linkTo("whatif", { set: `${row.key}=${row.value}` })}
            aria-label={`What if ${row.key}`}
          >
            what if
          </a>
        )}
      </td>
      <td class="number" data-name="default">
        {row.defaultValue === undefined ? (
          <span class="quiet">–</span>
        ) : (
          formatSetting(row.defaultValue, row.unit)
        )}
        {isOwn(row) && <small>differs</small>}
      </td>
      {hasBoot && (
        <td data-name="after a reboot">
          <AfterBoot row={row} />
        </td>
      )}
    </tr>
  );
}

/** What the next boot makes of it, and who says so. */
function AfterBoot({ row }: { row: Row }): JSX.Element {
  const { boot, value, unit } = row;
  if (boot === undefined) return <span class="quiet">not known</span>;
  const { place, others } = boot;
  const isOther = boot.value !== undefined && boot.value !== value;
  return (
    <>
      {boot.value === undefined && "cannot be told"}
      {boot.value !== undefined && (isOther ? <b>{formatSetting(boot.value, unit)}</b> : "the same")}
      <span class="quiet">
        {place === undefined ? ", nobody sets it" : ", set by "}
        {place !== undefined && <code>{place}</code>}
      </span>
      {others.length > 0 && <span class="quiet block">also named in {others.join(", ")}</span>}
    </>
  );
}

/** Findings and alerts: what is wrong, how it is known, what mends it. */
import type { JSX } from "preact";

import type { AlertJson, FindingJson } from "../../src/server/api-schema.ts";
import { LEVEL_WORDS } from "../words/outlook.ts";
import { evidenceRows } from "../words/evidence.ts";
import { roughDuration } from "../words/figures.ts";
import { pointInTime } from "../words/times.ts";
import { Command } from "./command.tsx";
import { LevelIcon } from "./icon.tsx";

type Judged = FindingJson | AlertJson;

/** One of them, opened or closed by its title. */
export function Judgement({
  judged,
  nowMs,
  isOpen = false,
}: {
  judged: Judged;
  nowMs: number;
  isOpen?: boolean;
}): JSX.Element {
  return (
    <details class={`judgement level-${judged.level}`} open={isOpen}>
      <summary>
        <LevelIcon level={judged.level} />
        <span class="unseen">{LEVEL_WORDS[judged.level]}: </span>
        <span class="judgement-title">{judged.title}</span>
        {"state" in judged && <span class="judgement-state">{stateWords(judged, nowMs)}</span>}
      </summary>
      <div class="judgement-body">
        <p>{judged.meaning}</p>
        {judged.remedy.map(({ text, command }) => (
          <div key={text} class="remedy">
            <p>{text}</p>
            {command !== undefined && <Command text={command} />}
          </div>
        ))}
        <Evidence evidence={judged.evidence} nowMs={nowMs} />
      </div>
    </details>
  );
}

function stateWords(alert: AlertJson, nowMs: number): string {
  const since = alert.firedAtMs ?? alert.sinceMs;
  if (alert.state === "resolved") return `resolved ${pointInTime(alert.resolvedAtMs ?? since, nowMs)}`;
  const age = roughDuration(Math.max(0, (nowMs - since) / 1000));
  return alert.state === "pending" ? `pending for ${age}` : `firing for ${age}`;
}

/** The figures it rests on: behind a word, as the text before has said what they mean. */
function Evidence({
  evidence,
  nowMs,
}: {
  evidence: FindingJson["evidence"];
  nowMs: number;
}): JSX.Element | null {
  const rows = evidenceRows(evidence, nowMs);
  if (rows.length === 0) return null;
  return (
    <details class="evidence-of">
      <summary>The figures behind it</summary>
      <dl class="evidence">
        {rows.map(({ name, words }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

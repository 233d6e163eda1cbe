/** What a census counted, as rankings; with `onTerm` each row narrows down. */
import type { JSX } from "preact";

import { Panel } from "../parts/panel.tsx";
import { type RankRow, Ranking } from "../parts/ranking.tsx";
import type { CensusFigures, Span } from "../state/census-shape.ts";
import { formatCount } from "../words/figures.ts";
import { idleTerm, spanWords } from "../words/terms.ts";
import { type Ranked, rankingsOf } from "./census-rows.ts";

interface PanelsProps {
  census: CensusFigures;
  onTerm?: (term: string) => void;
}

export function CensusPanels({ census, onTerm }: PanelsProps): JSX.Element {
  const ranked = rankingsOf(census).filter(({ rows }) => rows.length > 0);
  const idle = census.idleSeconds ?? [];
  return (
    <div class="census-grid">
      {idle.length > 0 && (
        <Panel title="Silent for" class="idle" aside={<span class="quiet">since the last packet</span>}>
          <IdleAges spans={idle} total={census.flows} onTerm={onTerm} />
          <IdleNote census={census} />
        </Panel>
      )}
      {ranked.map((one) => (
        <RankedPanel key={one.title} ranked={one} total={census.flows} onTerm={onTerm} />
      ))}
    </div>
  );
}

function RankedPanel({
  ranked,
  total,
  onTerm,
}: {
  ranked: Ranked;
  total: number;
  onTerm: PanelsProps["onTerm"];
}): JSX.Element {
  const { title, rows, isMono, distinct, isExact } = ranked;
  const shown = rows.slice(0, 10);
  const more = distinct === undefined ? 0 : distinct - shown.length;
  const aside = more > 0 ? `${isExact ? "" : "at least "}${formatCount(distinct ?? 0)} in all` : undefined;
  return (
    <Panel title={title} {...(aside === undefined ? {} : { aside: <span class="quiet">{aside}</span> })}>
      <Ranking rows={shown} total={total} onTerm={onTerm} isMono={isMono} />
    </Panel>
  );
}

function IdleAges({
  spans,
  total,
  onTerm,
}: {
  spans: readonly Span[];
  total: number;
  onTerm: PanelsProps["onTerm"];
}): JSX.Element {
  const rows = spans.map(({ fromSeconds, toSeconds, flows, standardErrorFlows }): RankRow => ({
    label: spanWords(fromSeconds, toSeconds),
    flows,
    standardErrorFlows,
    term: flows > 0 ? idleTerm(fromSeconds, toSeconds) : undefined,
  }));
  return <Ranking rows={rows} total={total} onTerm={onTerm} />;
}

function IdleNote({ census }: { census: CensusFigures }): JSX.Element | null {
  const unknown = (census.idleUnknown ?? []).reduce((sum, { flows }) => sum + flows, 0);
  if (unknown === 0) return null;
  return <p class="quiet">Of {formatCount(unknown)} more the silence cannot be told.</p>;
}

/** Figures from the greatest down, each with a bar; where it helps, each narrows down by a click. */
import type { JSX } from "preact";

import { formatCount, formatError, formatShare } from "../words/figures.ts";

export interface RankRow {
  label: string;
  /** A second, quieter word. */
  detail?: string;
  flows: number;
  standardErrorFlows?: number | undefined;
  /** The term that narrows down to this row; without one it is no button. */
  term?: string | undefined;
}

interface RankingProps {
  rows: readonly RankRow[];
  /** What 100 % is. */
  total: number;
  onTerm?: ((term: string) => void) | undefined;
  isMono?: boolean;
}

export function Ranking({ rows, total, onTerm, isMono = false }: RankingProps): JSX.Element {
  const most = Math.max(1, ...rows.map(({ flows }) => flows));
  return (
    <ul class={isMono ? "ranking mono" : "ranking"}>
      {rows.map((row) => (
        <li key={`${row.label} ${row.detail ?? ""}`}>
          <RankLine row={row} bar={row.flows / most} total={total} onTerm={onTerm} />
        </li>
      ))}
    </ul>
  );
}

function RankLine({
  row,
  bar,
  total,
  onTerm,
}: {
  row: RankRow;
  bar: number;
  total: number;
  onTerm: RankingProps["onTerm"];
}): JSX.Element {
  const error = formatError(row.standardErrorFlows);
  const body = (
    <>
      <span class="rank-bar" aria-hidden="true" style={{ "--share": String(bar) }} />
      <span class="rank-label">
        {row.label}
        {row.detail !== undefined && <small> {row.detail}</small>}
      </span>
      <span class="rank-flows">
        {formatCount(row.flows)}
        {error !== "" && <small> {error}</small>}
      </span>
      <span class="rank-share">{total > 0 ? formatShare(row.flows / total) : ""}</span>
    </>
  );
  const { term } = row;
  if (term === undefined || onTerm === undefined) return <div class="rank">{body}</div>;
  return (
    <button type="button" class="rank" title={`Narrow down: ${term}`} onClick={() => onTerm(term)}>
      {body}
    </button>
  );
}

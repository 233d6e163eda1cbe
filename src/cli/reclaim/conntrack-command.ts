/**
 * A filter in the words of conntrack(8), where one command of it says the same. It cannot choose by
 * silence, and it protects nothing.
 */
import type { Filter } from "../../table/filter.ts";
import {
  formatFilterValue,
  type FilterField,
  type FilterValue,
  filterFields,
} from "../../table/filter-fields.ts";

/** Options of conntrack(8) that take one value. */
const OPTIONS: Partial<Record<FilterField, string>> = {
  source: "-s",
  destination: "-d",
  "reply-source": "-r",
  "reply-destination": "-q",
  "source-port": "--sport",
  "destination-port": "--dport",
  protocol: "-p",
  mark: "-m",
  zone: "-w",
  state: "--state",
};

/** In the order in which they must stand: `-p tcp` comes before what belongs to TCP. */
const FIRST: readonly FilterField[] = ["family", "protocol"];

const STATUS_WORDS: Readonly<Record<string, string>> = {
  assured: "ASSURED",
  "seen-reply": "SEEN_REPLY",
  expected: "EXPECTED",
  "fixed-timeout": "FIXED_TIMEOUT",
};

/** The command, or undefined where there is none. */
export function conntrackCommand(filter: Filter, action: "-D" | "-L"): string | undefined {
  const parts = filter.kind === "and" ? filter.parts : [filter];
  const words: { field: FilterField; words: string }[] = [];
  for (const part of parts) {
    if (part.kind !== "compare" || part.operator !== "=" || part.values.length !== 1) return undefined;
    const said = wordsOf(part.field, part.values[0] as FilterValue);
    if (said === undefined || words.some(({ field }) => field === part.field)) return undefined;
    words.push({ field: part.field, words: said });
  }
  const has = (field: FilterField): boolean => words.some((each) => each.field === field);
  const needsProtocol = has("source-port") || has("destination-port") || has("state");
  if (words.length === 0 || (needsProtocol && !has("protocol"))) return undefined;
  const sorted = words.toSorted((left, right) => rank(left.field) - rank(right.field));
  return ["conntrack", action, ...sorted.map(({ words: said }) => said)].join(" ");
}

function rank(field: FilterField): number {
  const at = FIRST.indexOf(field);
  return at < 0 ? FIRST.length : at;
}

function wordsOf(field: FilterField, value: FilterValue): string | undefined {
  if (value.kind === "range" && value.from !== value.to) return undefined;
  const text = formatFilterValue(filterFields[field].kind, value);
  if (field === "family") return `-f ${text}`;
  if (field === "status") return STATUS_WORDS[text] === undefined ? undefined : `-u ${STATUS_WORDS[text]}`;
  const option = OPTIONS[field];
  return option === undefined ? undefined : `${option} ${text}`;
}

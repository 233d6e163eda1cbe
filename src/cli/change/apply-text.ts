/** What `headroom apply` says before and after it writes. Pure. */
import type { Change, NotLasting, Receipt } from "../../change/change.ts";
import { shellSteps } from "../../change/change.ts";
import type { SettingKey } from "../../table/settings.ts";
import { countOf } from "../figures.ts";
import { type Look, tone } from "../look.ts";
import { padLeft, padRight, visible, widthOf, wrap } from "../plain-text.ts";
import { settingName, settingValueText } from "../setting-words.ts";

export interface ChangeText {
  change: Change;
  subject?: string;
  /** What another size costs; empty when no size changes. */
  sizes: readonly string[];
  /** Further sentences, the most important first. */
  notes: readonly string[];
}

/** One line for each setting: what it is, what it will be. */
export function renderChange(text: ChangeText, look: Look): string[] {
  const { change, subject } = text;
  const where = subject === undefined ? "" : `${visible(subject)}: `;
  const lines = [tone(look, "bold", `${where}${headline(change)}`), ...settingLines(change, look)];
  const sentences = [
    ...change.notLasting.map(notLastingSentence),
    ...change.added.map(({ key, why }) => `${settingName(key)} was added: ${why}`),
    ...text.sizes,
    ...change.notes,
    ...text.notes,
  ];
  for (const sentence of sentences) lines.push(...bulletLines(visible(sentence), look));
  lines.push("");
  for (const command of shellSteps(change)) lines.push(...commandLines(command, look));
  return lines;
}

function headline(change: Change): string {
  const settings = keysOf(change).length;
  const files = change.files.length;
  const parts = [
    ...(settings === 0 ? [] : [countOf(settings, "setting")]),
    ...(files === 0 ? [] : [countOf(files, "file")]),
  ];
  const until = change.persist ? "" : ", until the next boot only";
  return `${parts.join(" and ")} to change${until}`;
}

function keysOf(change: Change): readonly SettingKey[] {
  return [...new Set(change.steps.map(({ key }) => key))];
}

function settingLines(change: Change, look: Look): readonly string[] {
  const rows = keysOf(change).map((key) => {
    const step = change.steps.find((each) => each.key === key);
    const from = step?.from === undefined ? "not loaded" : settingValueText(key, step.from);
    return { name: settingName(key), from, to: settingValueText(key, step?.to ?? 0) };
  });
  const nameWidth = Math.max(0, ...rows.map(({ name }) => widthOf(name)));
  const fromWidth = Math.max(0, ...rows.map(({ from }) => widthOf(from)));
  const arrow = look.unicode ? "→" : "->";
  return rows.map(
    ({ name, from, to }) =>
      `  ${padRight(name, nameWidth)}  ${padLeft(from, fromWidth)} ${arrow} ${tone(look, "bold", to)}`,
  );
}

/** `Does not last: kube-proxy sets nf_conntrack_max again ...`. */
export function notLastingSentence({ key, forecast, why, change }: NotLasting): string {
  const then = forecast === undefined ? "" : `, and it is ${settingValueText(key, forecast)} then`;
  const edit = change === undefined ? "" : `. To keep it, ${change}`;
  return `${settingName(key)} does not last: ${why}${then}${edit}`;
}

export function bulletLines(sentence: string, look: Look): readonly string[] {
  return wrap(sentence, look.columns - 2).map((line, index) => (index === 0 ? `- ${line}` : `  ${line}`));
}

/** A command to be typed. It may have several lines; only the first has a prompt. */
export function commandLines(command: string, look: Look): readonly string[] {
  return command
    .split("\n")
    .map((line, index) => tone(look, "cyan", `  ${index === 0 ? "$" : " "} ${visible(line)}`));
}

/** How to go on from a change that is made. */
export function appliedLines(
  receipt: Receipt,
  more: { sameOptions: string; withinSeconds?: string },
  look: Look,
): string[] {
  const { id } = receipt;
  const undo = `headroom rollback ${id}${more.sameOptions}`;
  if (more.withinSeconds === undefined) {
    return [tone(look, ["bold", "green"], `Done: change ${id}`), `Take it back: ${tone(look, "cyan", undo)}`];
  }
  const keep = `headroom confirm ${id}${more.sameOptions}`;
  return [
    tone(
      look,
      ["bold", "yellow"],
      `Done, for ${more.withinSeconds}: change ${id} is taken back unless you confirm it`,
    ),
    `Keep it:      ${tone(look, "cyan", keep)}`,
    `Take it back: ${tone(look, "cyan", undo)}`,
  ];
}

/** What the watcher tells, as lines of the log: alerts, settings that changed, what it notes of itself. */
import type { Alert, SettingChange, Watched, WatchNote } from "../../watch/watch.ts";
import { settingName, settingValueText } from "../setting-words.ts";
import type { ServeLog } from "./serve-log.ts";

/** Notes that somebody should look at. */
const TROUBLES: ReadonlySet<WatchNote["kind"]> = new Set(["gap", "clock-jump", "events-lost", "sight-lost"]);

/** Logs news until the returned function is called. */
export function logNews(watched: Watched, log: ServeLog): () => void {
  return watched.subscribe((news) => {
    if (news.kind === "alert") logAlert(log, news.alert);
    else if (news.kind === "setting") logChange(log, news.change);
    else if (news.kind === "note") logNote(log, news.note, watched);
  });
}

function logAlert(log: ServeLog, { code, subject, level, state, title }: Alert): void {
  const fields = { code, level, state, ...(subject === undefined ? {} : { subject }) };
  if (state === "firing") log.warn(title, fields);
  else if (state === "pending") log.debug(title, fields);
  else log.info(`over: ${title}`, fields);
}

function logChange(log: ServeLog, { key, from, to, suspects }: SettingChange): void {
  const text = (value: number | undefined): string =>
    value === undefined ? "not there" : settingValueText(key, value);
  const fields = suspects.length === 0 ? {} : { suspects: suspects.join("; ") };
  log.info(`${settingName(key)} was ${text(from)} and is ${text(to)}`, fields);
}

/** With what to do about it, where something can be done. */
function logNote(log: ServeLog, { kind, text }: WatchNote, watched: Watched): void {
  const { unseen } = watched.state().facts;
  const help = unseen.find(({ what, why }) => text.includes(what) && text.endsWith(why))?.help;
  const fields = { note: kind, ...(help === undefined || kind !== "sight-lost" ? {} : { help }) };
  if (TROUBLES.has(kind)) log.warn(text, fields);
  else log.info(text, { note: kind });
}

/**
 * Who may have changed a setting: what points to somebody, the likeliest first. Nothing the kernel keeps says
 * who wrote a sysctl, so each line says what it goes by.
 */
import type { ChangeRecord, Receipt } from "../../change/change.ts";
import { formatAddress } from "../../table/address.ts";
import type { BootDefinition, BootForecast } from "../../table/boot.ts";
import { roughDuration } from "../../table/duration.ts";
import type { Session } from "../../table/session.ts";
import type { SettingChange } from "../../watch/watch.ts";

/** What there is to go by, as it is when the change is seen. */
export interface Clues {
  /** What Headroom itself recorded. */
  records: readonly ChangeRecord[];
  boot?: BootForecast;
  /** When a file was written last; undefined when it cannot be seen. */
  writtenAtMs(path: string): number | undefined;
  sessions: readonly Session[];
}

/** A change of Headroom is recorded before its first write; it may wait for its lock. */
const RECORDED_WITHIN_MS = 120_000;
/** A file written so long ago at most was likely written for this. */
const WRITTEN_WITHIN_MS = 3_600_000;
const SESSIONS_SHOWN = 3;

/** One line each, for people. */
export function suspectsOf(change: Omit<SettingChange, "suspects">, clues: Clues): readonly string[] {
  const own = clues.records.flatMap((record) => (record.kind === "receipt" ? ofReceipt(change, record) : []));
  // What we wrote ourselves needs no other explanation.
  if (own.length > 0) return own;
  const places = placesOf(change, clues);
  return [...places, ...sessionLines(clues.sessions)];
}

function ofReceipt(
  { key, to, atMs }: Omit<SettingChange, "suspects">,
  { receipt }: { receipt: Receipt },
): readonly string[] {
  const step = receipt.steps.find((each) => each.key === key);
  if (step === undefined || to === undefined) return [];
  const { undo, by, id } = receipt;
  if (undo !== undefined && step.from === to && isJustBefore(undo.atMs, atMs)) {
    return [`headroom took back change ${id} (${undo.reason}), by ${undo.by.user}: ${undo.by.command}`];
  }
  if ((step.became ?? step.to) !== to || !isJustBefore(receipt.atMs, atMs)) return [];
  const behind = by.sudoUser === undefined ? by.user : `${by.sudoUser} as ${by.user}`;
  const where = by.tty === undefined ? "" : ` on ${by.tty}`;
  return [`headroom change ${id}, by ${behind}${where}: ${by.command}`];
}

function isJustBefore(madeAtMs: number, seenAtMs: number): boolean {
  return madeAtMs <= seenAtMs + 1000 && seenAtMs - madeAtMs <= RECORDED_WITHIN_MS;
}

/** Programs that set this value again and again, then files that say it, the last written first. */
function placesOf({ key, to, atMs }: Omit<SettingChange, "suspects">, clues: Clues): readonly string[] {
  const definitions = clues.boot?.settings.find((setting) => setting.key === key)?.definitions ?? [];
  const same = definitions.filter(({ definition }) => to !== undefined && definition.value === to);
  const programs = same.filter(({ fate }) => fate === "sets-again");
  const files = same
    .filter(({ fate }) => fate !== "sets-again" && fate !== "refused")
    .map((found) => ({ found, writtenAtMs: clues.writtenAtMs(found.definition.path) ?? 0 }))
    .toSorted((one, other) => other.writtenAtMs - one.writtenAtMs);
  return [
    ...programs.map(
      ({ definition }) => `${definition.reader}, which sets this value (${placeText(definition)})`,
    ),
    ...files.map(({ found, writtenAtMs }) => fileLine(found, atMs - writtenAtMs)),
  ];
}

function fileLine({ definition }: BootDefinition, agoMs: number): string {
  const place = `sysctl or a boot step reading ${placeText(definition)}, which says this value`;
  if (agoMs < 0 || agoMs > WRITTEN_WITHIN_MS) return place;
  return `${place} and was written ${roughDuration(agoMs / 1000)} before`;
}

function placeText({ path, line }: BootDefinition["definition"]): string {
  return line === undefined ? path : `${path}:${line}`;
}

/** Somebody who was logged in; nothing says that it was them. */
function sessionLines(sessions: readonly Session[]): readonly string[] {
  const from = [...new Set(sessions.flatMap(({ remote }) => remote?.address ?? []))].map(formatAddress);
  if (from.length === 0) return [];
  const shown = from.slice(0, SESSIONS_SHOWN).join(", ");
  const more = from.length - SESSIONS_SHOWN;
  return [`logged in at the time: ${more > 0 ? `${shown} and ${more} more` : shown}`];
}

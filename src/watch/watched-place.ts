/**
 * Of which table a history is. A state directory may have been used for another namespace before, or come
 * from another host: samples of that time must not be taken for those of this table.
 */
import type { HistoryWriter } from "./history.ts";

/** A table, as somebody can name it again. */
export interface WatchedPlace {
  hostname?: string;
  /** As the watcher was given it; absent: the namespace that it runs in. */
  namespace?: string;
  namespaceInode?: number;
  /** Since when the history is of it, epoch milliseconds. */
  sinceMs: number;
}

export type PlaceFacts = Omit<WatchedPlace, "sinceMs">;

const STATE_NAME = "watched-place";

/** Says in the history what is watched from now on. Throws StoreError as writing does. */
export function rememberPlace(
  store: Pick<HistoryWriter, "readState" | "writeState">,
  place: PlaceFacts,
  nowMs: number,
): void {
  const before = watchedPlaceOf(store);
  const isSame = before !== undefined && isSamePlace(before, place);
  store.writeState(STATE_NAME, { ...place, sinceMs: isSame ? before.sinceMs : nowMs });
}

/** Of which table a history is; undefined where it does not tell. */
export function watchedPlaceOf(history: Pick<HistoryWriter, "readState">): WatchedPlace | undefined {
  const found = history.readState(STATE_NAME);
  if (typeof found !== "object" || found === null) return undefined;
  const { hostname, namespace, namespaceInode, sinceMs } = found as Readonly<Record<string, unknown>>;
  if (typeof sinceMs !== "number") return undefined;
  return {
    ...(typeof hostname === "string" ? { hostname } : {}),
    ...(typeof namespace === "string" ? { namespace } : {}),
    ...(typeof namespaceInode === "number" ? { namespaceInode } : {}),
    sinceMs,
  };
}

/**
 * Whether both are one table. A namespace that has a name is known by it, as it has another inode each time
 * it is made; one without is known by its inode, and where that is not told, it is the host's own.
 */
export function isSamePlace(one: PlaceFacts, other: PlaceFacts): boolean {
  if (one.hostname !== undefined && other.hostname !== undefined && one.hostname !== other.hostname) {
    return false;
  }
  if (one.namespace !== undefined && other.namespace !== undefined) return one.namespace === other.namespace;
  if (one.namespaceInode !== undefined && other.namespaceInode !== undefined) {
    return one.namespaceInode === other.namespaceInode;
  }
  return one.namespace === other.namespace;
}

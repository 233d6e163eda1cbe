/**
 * Always on: reads a host again and again within a budget, remembers, and warns.
 *
 * It refuses to judge (plan does) and to touch the system: the host, the clock, the receivers of alerts are
 * arguments. Only here is history written.
 *
 * Invariants: a second is stored whole or not at all; what was skipped, lost or could not be seen is itself
 * stored; a subscriber that is slow or broken never delays a second.
 *
 * Read first: watch-state.ts (what is known now), history.ts (what is remembered), alert.ts.
 */
export type { AppliedSetting } from "./alert-boots.ts";
export type { AlertLevel, Impairment } from "./alert-condition.ts";
export { AlertKeeper, type AlertNews, type AlertStore, type KeeperOptions } from "./alert-keeper.ts";
export { byImportance } from "./alert-machine.ts";
export { type AlertOptions, type AlertRules, DEFAULT_ALERT_OPTIONS } from "./alert-options.ts";
export { type Alert, ALERT_CODES, type AlertCode, type Incident } from "./alert.ts";
export type {
  History,
  HistorySize,
  HistoryWriter,
  Second,
  SeriesQuery,
  SettingChange,
  StoredCensus,
  WatchNote,
} from "./history.ts";
export {
  type FilledBy,
  isOfMoment,
  type Notice,
  type NoticeKind,
  type Part,
  plainAlert,
  plainLine,
} from "./notice.ts";
export type { Delivery, ReceiverStanding, Subscription } from "./outbox.ts";
export type { EventWatch, FlowRate, Watched, WatchNews, WatchState } from "./watch-state.ts";
export { openHistory, openStore, type StoreParts } from "./store.ts";
export { StoreError, type StoreErrorCode } from "./store-error.ts";
export type { StoreOptions } from "./store-levels.ts";
export { namespaceLabel } from "./second.ts";
export {
  isSamePlace,
  type PlaceFacts,
  rememberPlace,
  type WatchedPlace,
  watchedPlaceOf,
} from "./watched-place.ts";
export type { SampledEvents, WatchedHost } from "./watched-host.ts";
export type { AlertEvaluator } from "./watcher-alerts.ts";
export { DEFAULT_CPU_SHARE, Watcher, type WatcherOptions } from "./watcher.ts";

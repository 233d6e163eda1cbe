/**
 * The levels of the history: each has points of one length, packed into blocks of one length, made of the
 * blocks of the level before it. Lengths divide each other and, in milliseconds since 1970, the clock.
 */
export interface Level {
  stepSeconds: number;
  /** A block has the points of so many seconds. */
  blockSeconds: number;
  /** Kept for so long when nothing else is said. */
  keepSeconds: number;
}

const HOUR = 3600;
const DAY = 86_400;

export const LEVELS = [
  { stepSeconds: 1, blockSeconds: 600, keepSeconds: 2 * DAY },
  { stepSeconds: 10, blockSeconds: HOUR, keepSeconds: 30 * DAY },
  { stepSeconds: 60, blockSeconds: 6 * HOUR, keepSeconds: 400 * DAY },
  { stepSeconds: 600, blockSeconds: DAY, keepSeconds: 400 * DAY },
  { stepSeconds: HOUR, blockSeconds: 10 * DAY, keepSeconds: 3660 * DAY },
] as const satisfies readonly Level[];

/** Censuses: all of the last hours, then one of each span, as long as they are kept. */
export const CENSUS_DENSITY = [
  { afterSeconds: 3 * HOUR, onePerSeconds: 600 },
  { afterSeconds: 2 * DAY, onePerSeconds: HOUR },
  { afterSeconds: 30 * DAY, onePerSeconds: Number.POSITIVE_INFINITY },
] as const;

/** Setting changes, notes and incidents with their censuses; and how many of each at most. */
export const EVENT_KEEP_SECONDS = 400 * DAY;
export const EVENTS_KEPT = { change: 20_000, note: 20_000, incident: 1000 } as const;

export interface StoreOptions {
  /** What the files of the history never exceed together, bytes. At least 32 MiB. */
  maxBytes?: number;
  /** How long seconds are kept, and roll-ups of 10 and 60 seconds. */
  keepSeconds?: { 1?: number; 10?: number; 60?: number };
}

export const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;
export const LEAST_MAX_BYTES = 32 * 1024 * 1024;
/** Of the bound, for the log of SQLite; one transaction and what readers hold up must fit. */
export const LOG_BYTES = 16 * 1024 * 1024;

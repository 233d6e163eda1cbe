/**
 * The live connection: what the daemon says as it happens, whether it is there at all, and coming back by
 * itself when it was gone. What was known stays on the page meanwhile, with its age.
 */
import { signal } from "@preact/signals";

import type { LiveSample, StatusJson } from "../../src/server/api-schema.ts";
import { get, openStream, Refused } from "./api.ts";
import { type StreamEvent, EventReader } from "./event-stream.ts";

export type Connection =
  | { kind: "connecting" }
  | { kind: "live" }
  /** `retryAtMs` is when the next attempt is made. */
  | { kind: "gone"; sinceMs: number; retryAtMs: number }
  /** It answers, but wants a token first. */
  | { kind: "locked"; message: string };

export const connection = signal<Connection>({ kind: "connecting" });
/** What is known of the host; kept when the daemon is gone. */
export const status = signal<StatusJson | undefined>(undefined);
export const statusProblem = signal<Error | undefined>(undefined);
/** The last samples, oldest first: what happened since the page was opened. */
export const recent = signal<readonly LiveSample[]>([]);
/** Grows whenever everything must be asked again: after a reconnection. */
export const generation = signal(0);
/** Grows when happenings, alerts or settings are new. */
export const news = signal(0);
/** Grows with each new census. */
export const censusNews = signal(0);
/** Ticks each second, for ages. */
export const nowMs = signal(Date.now());

const RECENT_SAMPLES = 1000;
/** A daemon that lives says something each second. */
const SILENCE_MS = 15_000;
const STATUS_EVERY_MS = 15_000;
const BACKOFF_SECONDS = [1, 2, 4, 8, 15];

let wake: () => void = () => undefined;
let statusTimer: ReturnType<typeof setTimeout> | undefined;

/** Connects, and stays connected for as long as the page is open. */
export function startConnection(): void {
  setInterval(() => (nowMs.value = Date.now()), 1000);
  setInterval(() => refreshStatus(0), STATUS_EVERY_MS);
  void keepConnected();
}

/** Tries again now instead of later. */
export function retryNow(): void {
  wake();
}

/** Asks for the status soon; several wishes at once are one request. */
export function refreshStatus(delayMs = 200): void {
  if (connection.value.kind !== "live") return;
  clearTimeout(statusTimer);
  statusTimer = setTimeout(() => void readStatus(), delayMs);
}

async function readStatus(): Promise<void> {
  try {
    status.value = await get<StatusJson>("status", AbortSignal.timeout(SILENCE_MS));
    statusProblem.value = undefined;
  } catch (error) {
    if (error instanceof Refused) statusProblem.value = error;
    // The stream notices when nobody is there.
  }
}

async function keepConnected(): Promise<void> {
  for (let failures = 0; ; failures += 1) {
    try {
      await stayLive(() => (failures = 0));
    } catch (error) {
      if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
        connection.value = { kind: "locked", message: error.message };
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
    }
    const seconds = BACKOFF_SECONDS[Math.min(failures, BACKOFF_SECONDS.length - 1)] ?? 15;
    const before = connection.value;
    const sinceMs = before.kind === "gone" ? before.sinceMs : Date.now();
    connection.value = { kind: "gone", sinceMs, retryAtMs: Date.now() + seconds * 1000 };
    await pause(seconds * 1000);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** One connection, until it ends. */
async function stayLive(onLive: () => void): Promise<void> {
  const attempt = new AbortController();
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(silence);
    silence = setTimeout(() => attempt.abort(), SILENCE_MS);
  };
  heard();
  try {
    const stream = await openStream("live", attempt.signal);
    const isReturn = connection.value.kind === "gone" || connection.value.kind === "locked";
    connection.value = { kind: "live" };
    onLive();
    if (isReturn) generation.value += 1;
    await readStatus();
    const reader = new EventReader();
    for await (const text of stream) {
      heard();
      for (const event of reader.push(text)) hear(event);
    }
  } finally {
    clearTimeout(silence);
    attempt.abort();
  }
}

function hear({ event, data }: StreamEvent): void {
  switch (event) {
    case "sample": {
      takeSample(JSON.parse(data) as LiveSample);
      break;
    }
    case "census": {
      censusNews.value += 1;
      break;
    }
    case "state": {
      refreshStatus();
      break;
    }
    case "alert":
    case "setting":
    case "note": {
      news.value += 1;
      refreshStatus();
      break;
    }
    default:
  }
}

function takeSample(sample: LiveSample): void {
  recent.value = [...recent.value.slice(-RECENT_SAMPLES + 1), sample];
  const { occupancyFlows, capacityFlows } = sample.values;
  const known = status.value;
  if (known === undefined || occupancyFlows === undefined) return;
  const capacity = capacityFlows ?? known.capacityFlows;
  status.value = {
    ...known,
    atMs: sample.atMs,
    occupancyFlows,
    ...(capacity === undefined ? {} : { capacityFlows: capacity, useShare: occupancyFlows / capacity }),
  };
}

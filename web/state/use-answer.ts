/** An answer of the API for as long as a part of the page wants it. */
import { useEffect, useState } from "preact/hooks";

import { get, Refused } from "./api.ts";
import { generation } from "./connection.ts";

export interface Answer<Data> {
  /** The last answer; stays while a new one is on its way, and when it fails. */
  data: Data | undefined;
  /** What the last answer was to. */
  path: string | undefined;
  error: Error | undefined;
  isLoading: boolean;
}

/**
 * Asks for `path` when it changes, after a pause of `delayMs`, again every `everyMs`, when `version` changes,
 * and when the daemon came back. The last question wins; undefined asks nothing.
 */
export function useAnswer<Data>(
  path: string | undefined,
  { everyMs, version = 0, delayMs = 0 }: { everyMs?: number; version?: number; delayMs?: number } = {},
): Answer<Data> {
  const [answer, setAnswer] = useState<Answer<Data>>({
    data: undefined,
    path: undefined,
    error: undefined,
    isLoading: path !== undefined,
  });
  const born = generation.value;
  useEffect(() => {
    if (path === undefined) return undefined;
    const asked = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function ask(): Promise<void> {
      if (path === undefined) return;
      setAnswer((before) => ({ ...before, isLoading: true }));
      try {
        const data = await patiently<Data>(path, asked.signal);
        if (!asked.signal.aborted) setAnswer({ data, path, error: undefined, isLoading: false });
      } catch (error) {
        if (asked.signal.aborted) return;
        setAnswer((before) => ({ ...before, error: error as Error, isLoading: false }));
      }
      if (everyMs !== undefined && !asked.signal.aborted) timer = setTimeout(() => void ask(), everyMs);
    }
    timer = setTimeout(() => void ask(), delayMs);
    return () => {
      asked.abort();
      clearTimeout(timer);
    };
  }, [path, everyMs, version, delayMs, born]);
  return answer;
}

/** Waits and asks again where the server says that it was asked too often. */
async function patiently<Data>(path: string, signal: AbortSignal): Promise<Data> {
  for (let again = 0; ; again += 1) {
    try {
      return await get<Data>(path, signal);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 429 || again === PATIENCE) throw error;
      await new Promise((resolve) => setTimeout(resolve, TOO_OFTEN_MS));
      signal.throwIfAborted();
    }
  }
}

const PATIENCE = 4;
const TOO_OFTEN_MS = 1200;

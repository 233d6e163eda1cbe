/**
 * What the outside tells a program that runs for long: end (SIGTERM, ^C) or read the file again (SIGHUP).
 */
export interface ProcessSignals {
  /** Aborts when it shall end. */
  readonly end: AbortSignal;
  /** Called at each SIGHUP, until `release`. */
  onReload(listener: () => void): void;
  /** From now on signals mean what they always do. */
  release(): void;
}

export function listenToSignals(): ProcessSignals {
  const controller = new AbortController();
  const end = (): void => controller.abort();
  let reload = (): void => {};
  const hangUp = (): void => reload();
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  process.on("SIGHUP", hangUp);
  return {
    end: controller.signal,
    onReload: (listener) => {
      reload = listener;
    },
    release: () => {
      process.off("SIGINT", end);
      process.off("SIGTERM", end);
      process.off("SIGHUP", hangUp);
    },
  };
}

/** Resolves after so many milliseconds, or at once when the signal aborts. */
export function waitOr(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

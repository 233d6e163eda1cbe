/** What this process costs, for /metrics. */
import { readdirSync, readFileSync } from "node:fs";

import type { OwnProcess } from "../../server/server.ts";

export function ownProcess(): OwnProcess {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const openFiles = orUndefined(() => readdirSync("/proc/self/fd").length);
  const mostFiles = orUndefined(mostOpenFiles);
  return {
    userCpuSeconds: user / 1e6,
    systemCpuSeconds: system / 1e6,
    startedAtMs: performance.timeOrigin,
    residentBytes: rss,
    heapUsedBytes: heapUsed,
    ...(openFiles === undefined ? {} : { openFiles }),
    ...(mostFiles === undefined ? {} : { mostFiles }),
  };
}

/** The soft limit (proc_pid_limits(5)); none where it is unlimited. */
function mostOpenFiles(): number | undefined {
  const found = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Where /proc is hidden, there is nothing to tell. */
function orUndefined(look: () => number | undefined): number | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/**
 * docker sets none of the tracker's values. But its rules need the tracker, so it loads it when it starts:
 * long after settings were read.
 *
 * Source: dockerd(8), daemon.json(5): `iptables` is on unless it is set to false.
 */
import { type BootInput, textAt } from "./boot-input.ts";
import type { OwnerReading } from "./owner.ts";
import { serviceStart } from "./unit-start.ts";

export function readDocker({ files }: BootInput): OwnerReading {
  if (serviceStart(files, "docker") !== "enabled") return { definitions: [] };
  const settings = textAt(files, "/etc/docker/daemon.json") ?? "";
  if (/"iptables"\s*:\s*false/.test(settings)) return { definitions: [] };
  return { definitions: [], loadsTracker: "rules of docker" };
}

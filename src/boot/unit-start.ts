/**
 * Whether an owner's service starts at boot, for people: why not, and whether it is there at all.
 */
import type { BootFiles } from "./boot-input.ts";
import { isMasked, startedBy, UNIT_DIRECTORIES } from "./units.ts";

/** `missing`: there is no such service, or nothing says that it starts. */
export type ServiceStart = "enabled" | "disabled" | "masked" | "missing";

/** By the service's name without `.service`. */
export function serviceStart(files: BootFiles, name: string): ServiceStart {
  if (isMasked(files, `${name}.service`)) return "masked";
  // A wish of a target counts though the saved tree may lack the unit it leads to.
  if (startedBy(files, name) !== undefined) return "enabled";
  const here = unitFile(files, name) !== undefined || files.look(`/etc/init.d/${name}`).kind === "file";
  return here ? "disabled" : "missing";
}

/** Why a service does not start at boot, for people; undefined when it does. */
export function startRefusal(files: BootFiles, name: string): string | undefined {
  const start = serviceStart(files, name);
  if (start === "enabled") return undefined;
  return start === "masked" ? `${name}.service is masked` : `${name}.service is not enabled`;
}

/** The unit's own file; undefined when there is none that systemd would read. */
export function unitFile(files: BootFiles, name: string): string | undefined {
  return UNIT_DIRECTORIES.map((directory) => `${directory}/${name}.service`).find(
    (path) => files.look(path).kind === "file",
  );
}

/** Services of a host: whether they come up at boot, by systemd, or by the start links of System V. */
import { type BootFiles, namesAt } from "./boot-input.ts";

/** Where systemd looks for units. */
export const UNIT_DIRECTORIES: readonly string[] = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
];

const START_LINKS = [
  "/etc/rcS.d",
  "/etc/rc2.d",
  "/etc/rc3.d",
  "/etc/rc5.d",
  "/etc/rc.d/rc3.d",
  "/etc/rc.d/rc5.d",
];

/**
 * The link that brings the service up, or undefined:
 * `/etc/systemd/system/multi-user.target.wants/x.service`. By the service's name with or without `.service`.
 */
export function startedBy(files: BootFiles, service: string): string | undefined {
  const name = service.replace(/\.service$/, "");
  const unit = `${name}.service`;
  if (isMasked(files, unit)) return undefined;
  for (const directory of UNIT_DIRECTORIES) {
    for (const target of namesAt(files, directory, /\.(wants|requires|upholds)$/)) {
      const wanted = files.list(`${directory}/${target}`);
      if ("names" in wanted && wanted.names.includes(unit)) return `${directory}/${target}/${unit}`;
    }
  }
  return startLink(files, name);
}

/** Masked: a link to /dev/null, or an empty file, in its place. */
export function isMasked(files: BootFiles, unit: string): boolean {
  return ["/etc/systemd/system", "/run/systemd/system"].some((directory) => {
    const { kind, bytes } = files.look(`${directory}/${unit}`);
    return kind === "null" || (kind === "file" && bytes === 0);
  });
}

function startLink(files: BootFiles, script: string): string | undefined {
  for (const directory of START_LINKS) {
    const found = namesAt(files, directory).find((name) => /^S\d\d/.test(name) && name.slice(3) === script);
    if (found !== undefined) return `${directory}/${found}`;
  }
  return undefined;
}

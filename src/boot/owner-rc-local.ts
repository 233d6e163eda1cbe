/**
 * rc.local: the script of the operator's that runs last of all, where it may be executed.
 *
 * Sources: systemd-rc-local-generator(8); rc.d of RHEL 5 and 6; shell-settings.ts for what is understood of a
 * script.
 */
import type { Definition, DefinitionReader } from "../table/boot.ts";
import type { BootFiles, BootInput } from "./boot-input.ts";
import { definitionOf, type OwnerDefinition, type OwnerReading } from "./owner.ts";
import { procpsLines, readProcpsSystem } from "./procps.ts";
import { shellSteps, type ShellStep } from "./shell-settings.ts";
import { serviceStart } from "./unit-start.ts";
import { isTrackerName, TrackerNames } from "./tracker-name.ts";

const SCRIPTS = ["/etc/rc.local", "/etc/rc.d/rc.local"] as const;

export function readRcLocal(input: BootInput): OwnerReading {
  const { files } = input;
  // Either is often a link to the other.
  const path = SCRIPTS.find((each) => files.look(each).kind === "file");
  return path === undefined ? { definitions: [] } : readScript(input, path, "rc-local");
}

/**
 * The network script of RHEL 4 to 6, which has sysctl(8) read /etc/sysctl.conf once more when the firewall's
 * rules have loaded the tracker already: what was too early before holds after all.
 */
export function readNetworkScript(input: BootInput): OwnerReading {
  const path = "/etc/rc.d/init.d/network";
  const { files } = input;
  if (files.look(path).kind !== "file" || serviceStart(files, "network") !== "enabled")
    return { definitions: [] };
  const { definitions } = readScript(input, path, "procps");
  return { definitions };
}

function readScript(input: BootInput, path: string, reader: DefinitionReader): OwnerReading {
  const look = input.files.look(path);
  const reading = input.files.read(path);
  if (!("text" in reading)) {
    const why = `${path}: ${reading.why}`;
    return { definitions: [], unseen: [{ what: "settings of boot scripts", why, cause: "unreadable" }] };
  }
  const place = look.path;
  const ends = endOf(reading.text);
  const never = look.executable === true ? undefined : `${place} may not be executed, so it is not run`;
  const definitions: OwnerDefinition[] = [];
  let loadsTracker: string | undefined;
  for (const step of shellSteps(reading.text)) {
    const behind = ends !== undefined && step.line > ends;
    const notRead = never ?? (behind ? `it stands behind the exit of line ${ends}` : undefined);
    if (step.does === "load" && /^(nf|ip)_conntrack/.test(step.module) && notRead === undefined) {
      loadsTracker = `${place}:${step.line}`;
    }
    for (const definition of definitionsOf(step, place, input)) {
      const own = { ...definition, reader };
      definitions.push({ definition: own, sets: "once", ...(notRead === undefined ? {} : { notRead }) });
    }
  }
  return { definitions, ...(loadsTracker === undefined ? {} : { loadsTracker }) };
}

/** The line of the first `exit` that is not inside of anything. */
function endOf(text: string): number | undefined {
  const at = text.split("\n").findIndex((line) => /^exit\b/.test(line));
  return at < 0 ? undefined : at + 1;
}

function definitionsOf(step: ShellStep, path: string, input: BootInput): readonly Definition[] {
  switch (step.does) {
    case "set":
      return isTrackerName(step.name) ? [setBy(step.name, step.text, path, step.line)] : [];
    case "read-file":
      return linesOf(input.files, step.path);
    case "read-all": {
      const { files, kernelRelease } = input;
      const { writes } = readProcpsSystem(files, new TrackerNames(files, kernelRelease).all());
      return writes
        .filter(({ target, dropped }) => dropped === undefined && isTrackerName(target))
        .map(({ target, line }) => setBy(target, line.text ?? "", line.path, line.line));
    }
    case "load":
      return step.options.flatMap((option) => {
        const [name = "", text = ""] = option.split("=");
        return [setBy(`${step.module}.${name}`, text, path, step.line, true)].filter(
          ({ key }) => key !== undefined,
        );
      });
  }
}

function linesOf(files: BootFiles, path: string): readonly Definition[] {
  const reading = files.read(path);
  if (!("text" in reading)) return [];
  return procpsLines(reading.text, path).flatMap(({ name, target, text, line }) =>
    text === undefined || !isTrackerName(target) ? [] : [setBy(name, text, path, line)],
  );
}

/** Written while the tracker runs, hashsize is the bucket count and leaves the capacity alone. */
function setBy(name: string, text: string, path: string, line: number, atLoad = false): Definition {
  const definition = definitionOf({ name, text, reader: "rc-local", path, line });
  return definition.key === "hashsize" && !atLoad
    ? { ...definition, key: "nf_conntrack_buckets" }
    : definition;
}

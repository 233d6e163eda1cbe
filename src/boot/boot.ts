/**
 * The door of src/boot: the next boot of a host, worked out from its files.
 *
 * A boot is a sequence of steps: the kernel takes its command line, the tracker's module is loaded (or is
 * there, or comes only later), a program reads the sysctl files, services set values of their own. Each part
 * says which steps it contributes, from files only; the timeline plays them and says who stands at the end.
 * Nothing is read but through BootFiles, and nothing is ever written: no program is run, no module asked for.
 *
 * Invariants: every place that names a setting of the tracker is in the forecast, also one that nobody reads;
 * what could not be looked at is in `unseen`; bad files never stop the forecast.
 *
 * Read first: timeline.ts, then systemd-sysctl.ts and procps.ts; docs/decisions/009-a-boot-from-files.md.
 */
import type { BootForecast, Definition, DefinitionReader } from "../table/boot.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import type { SettingKey } from "../table/settings.ts";
import type { Unseen } from "../table/unseen.ts";
import { type BootInput, type Closed, unseenOf } from "./boot-input.ts";
import { type CommandLineWord, nextCommandLine } from "./command-line.ts";
import { wholeNumber } from "./kernel-number.ts";
import { type ModuleOption, type Modprobe, readModprobe } from "./modprobe.ts";
import type { OwnerReading } from "./owner.ts";
import { ownerReaders } from "./owners.ts";
import { readProcpsFiles, readProcpsSystem } from "./procps.ts";
import { shellSteps, type ShellStep } from "./shell-settings.ts";
import type { SysctlLine, SysctlReading } from "./sysctl-line.ts";
import { expandPattern, isPattern, plainTarget, sysctlTarget } from "./sysctl-name.ts";
import { readAgain, readSysctlFiles, sysctlProgram, systemdVersion } from "./sysctl-program.ts";
import { readSystemdSysctl } from "./systemd-sysctl.ts";
import { type BootStep, BootTimeline } from "./timeline.ts";
import { trackerLoading, type TrackerLoading } from "./tracker-load.ts";
import { isTrackerName, keyOfTarget, TrackerNames } from "./tracker-name.ts";
import { udevRuns } from "./udev-rules.ts";
import { moduleName } from "./words.ts";

export {
  type BootFiles,
  type BootInput,
  type BootLook,
  type BootNames,
  type BootRefusal,
  type BootText,
} from "./boot-input.ts";

/** Who sets which setting of the tracker at the next boot, and who wins. Never throws. */
export function forecastBoot(input: BootInput): BootForecast {
  const boot = new Boot(input);
  return boot.forecast();
}

/** Parameters of the module that have no sysctl of the same name. */
const PARAMETER_KEYS: Readonly<Record<string, SettingKey>> = {
  hashsize: "hashsize",
  expect_hashsize: "expect_hashsize",
  acct: "nf_conntrack_acct",
  tstamp: "nf_conntrack_timestamp",
  nf_conntrack_helper: "nf_conntrack_helper",
};

class Boot {
  readonly #input: BootInput;
  readonly #names: TrackerNames;
  readonly #targets: readonly string[];
  readonly #commandLine: readonly CommandLineWord[];
  readonly #modprobe: Modprobe;
  /** Name of the tracker's module on this kernel. */
  readonly #module: "nf_conntrack" | "ip_conntrack";
  readonly #closed: Closed[] = [];

  constructor(input: BootInput) {
    this.#input = input;
    this.#names = new TrackerNames(input.files, input.kernelRelease);
    this.#targets = this.#names.all();
    this.#commandLine = nextCommandLine(input.files);
    const release = parseKernelRelease(input.kernelRelease ?? "");
    this.#module = release !== undefined && !isSince(release, "2.6.20") ? "ip_conntrack" : "nf_conntrack";
    this.#modprobe = readModprobe(input.files, release !== undefined && !isSince(release, "3.0"));
    this.#closed.push(...this.#modprobe.closed);
  }

  forecast(): BootForecast {
    const program = sysctlProgram(this.#input);
    const loading = trackerLoading(this.#input, this.#commandLine, this.#modprobe, program);
    const owners = ownerReaders.map((read) => read(this.#input));
    const tracker = loading.tracker.when === "unknown" ? loadedByOwner(owners) : loading.tracker;
    const reading = readSysctlFiles(this.#input, program, this.#targets, this.#commandLine);
    const reader = program === "procps" ? "procps" : "systemd-sysctl";
    const early = tooEarly(tracker.by);
    const load: BootStep = { does: "load", parameters: this.#parameters(tracker.when === "builtin") };
    const builtin = tracker.when === "builtin";
    const unused = this.#unusedOptions(builtin);
    const module = builtin ? unused : [...unused, load, ...this.#installSteps()];
    const { when } = tracker;
    const udev = builtin ? [] : this.#udevSteps();
    const timeline = new BootTimeline(this.#input);
    timeline.play([
      ...(builtin ? [load] : []),
      ...this.#commandLineSteps(),
      ...(when === "early" || builtin ? module : []),
      ...this.#sysctlSteps(reading, reader, early),
      ...(when === "late" ? module : []),
      ...(when === "unknown" ? [] : udev),
      ...this.#sysctlSteps(readAgain(this.#input, program, reading), reader, early),
      ...owners.flatMap((owner) => this.#ownerSteps(owner, "once", early)),
      ...owners.flatMap((owner) => this.#ownerSteps(owner, "again", early)),
      // Whoever needs it some day: after all that a boot does.
      ...(when === "unknown" ? [...module, ...udev] : []),
    ]);
    this.#closed.push(...reading.closed, ...loading.closed);
    const unseen = [...this.#unseen(loading, program), ...owners.flatMap((owner) => owner.unseen ?? [])];
    return {
      tracker,
      sysctlReader: program,
      settings: timeline.settings(),
      unknown: timeline.unknown(),
      unseen,
    };
  }

  /** Parameters the module is loaded with: its own lines first, then the command line, which wins. */
  #parameters(builtin: boolean): readonly Definition[] {
    const lines = builtin
      ? []
      : this.#modprobe.options.filter(
          ({ module, notRead }) => module === this.#module && notRead === undefined,
        );
    const asked = this.#commandLine
      .filter(({ notRead }) => notRead === undefined)
      .flatMap((word) => this.#wordParameter(word));
    return [...lines.map((option) => optionDefinition(option)), ...asked];
  }

  #wordParameter({ name, text = "", path, line }: CommandLineWord): readonly Definition[] {
    const [module, parameter] = name.split(".", 2);
    if (parameter === undefined || moduleName(module ?? "") !== this.#module) return [];
    const place = line === undefined ? { path } : { path, line };
    return [parameterDefinition(name, parameter, text, "kernel-command-line", place)];
  }

  /** Options that nobody uses: of another module's name, in a file nobody reads, of a built-in tracker. */
  #unusedOptions(builtin: boolean): readonly BootStep[] {
    return this.#modprobe.options.flatMap((option): readonly BootStep[] => {
      if (!/^(nf|ip)_conntrack$/.test(option.module)) return [];
      const other = option.module === this.#module ? undefined : `this kernel has no module ${option.module}`;
      const why = option.notRead ?? other ?? (builtin ? "the tracker is part of the kernel" : undefined);
      if (why === undefined) return [];
      return [{ does: "note", definition: optionDefinition(option), fate: "not-read", why }];
    });
  }

  /** `sysctl.net.netfilter.nf_conntrack_max=`: after the built-in parts are there, before any module is. */
  #commandLineSteps(): readonly BootStep[] {
    const release = parseKernelRelease(this.#input.kernelRelease ?? "");
    const old = release !== undefined && !isSince(release, "5.8");
    return this.#commandLine.flatMap(({ name, text = "", path, line, notRead }): readonly BootStep[] => {
      const place = line === undefined ? { path } : { path, line };
      const target = /^sysctl[./]/.test(name) ? plainTarget(sysctlTarget(name.slice("sysctl.".length))) : "";
      const [module, parameter] = name.split(".", 2);
      if (notRead !== undefined && parameter !== undefined && moduleName(module ?? "") === this.#module) {
        const definition = parameterDefinition(name, parameter, text, "kernel-command-line", place);
        return [{ does: "note", definition, fate: "not-read", why: notRead }];
      }
      if (!isTrackerName(target)) return [];
      const definition = this.#definition(name, target, text, "kernel-command-line", place);
      const why =
        notRead ?? (old ? "kernels before 5.8 do not know sysctl. on their command line" : undefined);
      if (why !== undefined) return [{ does: "note", definition, fate: "not-read", why }];
      return [
        this.#setStep(definition, target, "the kernel reads its command line before any module is loaded"),
      ];
    });
  }

  #sysctlSteps(reading: SysctlReading, reader: DefinitionReader, early: string): readonly BootStep[] {
    const skipped = reading.notRead.flatMap(({ line, why }) => this.#noteSteps(line, reader, why));
    const steps = reading.writes.flatMap(({ line, target, dropped }): readonly BootStep[] => {
      if (!isTrackerName(target)) return [];
      const definition = this.#lineDefinition(line, target, reader);
      if (dropped !== undefined) return [{ does: "note", definition, fate: "overridden", why: dropped }];
      return [this.#setStep(definition, target, early)];
    });
    return [...skipped, ...steps];
  }

  #noteSteps(line: SysctlLine, reader: DefinitionReader, why: string): readonly BootStep[] {
    if (line.text === undefined) return [];
    const target = plainTarget(line.target);
    const targets = isPattern(target) ? expandPattern(target, this.#targets) : [target];
    return targets.filter(isTrackerName).map((each) => {
      return { does: "note", definition: this.#lineDefinition(line, each, reader), fate: "not-read", why };
    });
  }

  /** What the module's install line and udev do once it is loaded. */
  #installSteps(): readonly BootStep[] {
    return this.#modprobe.installs
      .filter(({ module }) => module === this.#module)
      .flatMap(({ command, path, line }) => this.#shellSteps(shellSteps(command), path, line, "modprobe"));
  }

  #udevSteps(): readonly BootStep[] {
    const { runs, closed } = udevRuns(this.#input.files, this.#module);
    this.#closed.push(...closed);
    return runs.flatMap(({ steps, path, line }) => this.#shellSteps(steps, path, line, "systemd-sysctl"));
  }

  #shellSteps(
    steps: readonly ShellStep[],
    path: string,
    line: number,
    reader: DefinitionReader,
  ): readonly BootStep[] {
    return steps.flatMap((step): readonly BootStep[] => {
      if (step.does === "load") return [];
      if (step.does !== "set") return this.#readingSteps(step);
      const target = plainTarget(sysctlTarget(step.name));
      if (!isTrackerName(target) && !isTrackerName(step.name)) return [];
      const definition = this.#definition(step.name, target, step.text, reader, { path, line });
      return [this.#setStep(definition, target, "")];
    });
  }

  /** A command that reads sysctl files. */
  #readingSteps(step: ShellStep & { does: "read-file" | "read-all" }): readonly BootStep[] {
    const { files } = this.#input;
    const targets = this.#targets;
    if (step.does === "read-file") {
      return this.#sysctlSteps(readProcpsFiles(files, [{ path: step.path }], targets), "procps", "");
    }
    if (step.by === "procps") return this.#sysctlSteps(readProcpsSystem(files, targets), "procps", "");
    const reading = readSystemdSysctl(files, targets, systemdVersion(files));
    return this.#sysctlSteps(onlyUnder(reading, step.prefixes), "systemd-sysctl", "");
  }

  #ownerSteps(owner: OwnerReading, when: "once" | "again", early: string): readonly BootStep[] {
    return owner.definitions
      .filter(({ sets }) => sets === when)
      .map((each): BootStep => {
        const { definition, notRead, onlyRaises } = each;
        if (notRead !== undefined) return { does: "note", definition, fate: "not-read", why: notRead };
        const target = plainTarget(sysctlTarget(definition.name));
        // A field with a name of its own, or a parameter in /sys, has no path under /proc/sys.
        const known =
          keyOfTarget(target) !== undefined || (definition.key === undefined && isTrackerName(target));
        const refused = known ? this.#names.refusal(target, definition.text) : undefined;
        return {
          does: "set",
          definition,
          early,
          ...(refused === undefined ? {} : { refused }),
          ...(when === "again" ? { again: true } : {}),
          ...(onlyRaises === undefined ? {} : { onlyRaises }),
        };
      });
  }

  #setStep(definition: Definition, target: string, early: string): BootStep {
    // Parameters of the module are written in /sys, and have no path under /proc/sys.
    const refused =
      parameterKey(target) !== undefined ? undefined : this.#names.refusal(target, definition.text);
    return { does: "set", definition, early, ...(refused === undefined ? {} : { refused }) };
  }

  #lineDefinition(line: SysctlLine, target: string, reader: DefinitionReader): Definition {
    const { name, text = "", path, line: number, optional } = line;
    const definition = this.#definition(name, target, text, reader, { path, line: number });
    return optional ? { ...definition, optional: true } : definition;
  }

  #definition(
    name: string,
    target: string,
    text: string,
    reader: DefinitionReader,
    place: { path: string; line?: number },
  ): Definition {
    return definitionOf(keyOfTarget(target) ?? parameterKey(target), name, text, reader, place);
  }

  #unseen(loading: TrackerLoading, program: string): readonly Unseen[] {
    const unseen: Unseen[] = this.#closed.map(unseenOf);
    const options = this.#modprobe.options.some(({ module }) => module === this.#module);
    if (loading.inInitramfs && options) {
      unseen.push({
        what: "initramfs image",
        why: "the module is loaded from it, with the copy of /etc/modprobe.d of the day it was built",
        help: "build it again after a change: update-initramfs -u, dracut -f or mkinitcpio -P",
        cause: "unsupported",
      });
    }
    if (program === "unknown") {
      unseen.push({
        what: "program that reads sysctl files at boot",
        why: "neither systemd nor a boot script was found; worked out as systemd-sysctl would do it",
        cause: "missing",
      });
    }
    return unseen;
  }
}

/** Owners say whether their rules load the tracker. */
function loadedByOwner(owners: readonly OwnerReading[]): BootForecast["tracker"] {
  const by = owners.map(({ loadsTracker }) => loadsTracker).find((each) => each !== undefined);
  return by === undefined ? { when: "unknown" } : { when: "late", by };
}

function tooEarly(by: string | undefined): string {
  const later =
    by === undefined ? "nothing loads the tracker before" : `the tracker is loaded only later, by ${by}`;
  return `${later}; the name does not exist yet`;
}

function onlyUnder(reading: SysctlReading, prefixes: readonly string[]): SysctlReading {
  if (prefixes.length === 0) return reading;
  const under = prefixes.map((prefix) => plainTarget(prefix).replace(/^proc\/sys\//, ""));
  const writes = reading.writes.filter(({ target }) =>
    under.some((prefix) => target === prefix || target.startsWith(`${prefix}/`)),
  );
  return { ...reading, writes, notRead: [] };
}

/** A parameter of the module, as a script that writes to /sys names it: `nf_conntrack.hashsize`. */
function parameterKey(target: string): SettingKey | undefined {
  const [, parameter] = /^(?:nf|ip)_conntrack[./](\w+)$/.exec(target) ?? [];
  return parameter === undefined ? undefined : PARAMETER_KEYS[parameter];
}

function optionDefinition({ module, parameter, text, path, line }: ModuleOption): Definition {
  return parameterDefinition(`${module}.${parameter}`, parameter, text, "modprobe", { path, line });
}

function parameterDefinition(
  name: string,
  parameter: string,
  text: string,
  reader: DefinitionReader,
  place: { path: string; line?: number },
): Definition {
  return definitionOf(PARAMETER_KEYS[parameter.replaceAll("-", "_")], name, text, reader, place);
}

function definitionOf(
  key: SettingKey | undefined,
  name: string,
  text: string,
  reader: DefinitionReader,
  place: { path: string; line?: number },
): Definition {
  const value = wholeNumber(text);
  return {
    name,
    text,
    reader,
    ...place,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
  };
}

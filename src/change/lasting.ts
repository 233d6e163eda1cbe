/**
 * Making values hold at the next boot: which file each goes to, so that it is the one that wins. Nothing is
 * taken on trust: every attempt is laid over the host's files, the boot is simulated on it, and what the
 * forecast gives decides.
 */
import type { BootDefinition, BootForecast, BootSetting, Definition } from "../table/boot.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { HASHSIZE_FLOWS_PER_BUCKET } from "../table/sizes.ts";
import { settingOf, type SettingKey, type Settings } from "../table/settings.ts";
import type { ChangeHost } from "./change-host.ts";
import { Drafts } from "./drafts.ts";
import { dotted } from "./edit-line.ts";
import { bucketsByParameter, isRight, modulesOf, nameOfChoice } from "./run-steps.ts";
import { ownerEdit } from "./owner-edit.ts";
import type { ChangeFacts, FileEdit, NotLasting, OverlaidFile } from "./steps.ts";

export interface Lasting {
  files: readonly FileEdit[];
  notLasting: readonly NotLasting[];
  /** What the operator has to do besides. */
  notes: readonly string[];
  /** What does not last is in the files all the same: nothing more can be had of this boot. */
  isWritten: boolean;
}

const NOT_PROVED =
  "Nothing here tells which program reads sysctl files at boot, so that the next boot could not be proved: " +
  "look at the values after it";

const FOLLOWS = "the capacity follows from hashsize, 8 flows a bucket";

const HEADER = ["# Written by headroom apply. Taken back by headroom rollback. Checked by headroom verify."];

/** Where new lines go, the first that wins; the later ones for hosts where another file sorts behind. */
const SYSCTL_FILES = [
  "/etc/sysctl.d/90-headroom.conf",
  "/etc/sysctl.d/99-headroom.conf",
  "/etc/sysctl.d/99-zz-headroom.conf",
  "/etc/sysctl.d/zz-headroom.conf",
  "/etc/sysctl.conf",
];

/** Scripts that run at the end of a boot, where nothing else comes late enough; only if there is one. */
const LAST_SCRIPTS = ["/etc/rc.d/rc.local", "/etc/rc.local"];

const MODPROBE_FILES = ["/etc/modprobe.d/headroom.conf", "/etc/modprobe.conf"];

/**
 * systemd, Debian before it, RHEL before it (rc.sysinit runs what is executable there), other hosts with an
 * inittab as Debian. A file that only some distributions read is made where one of `signs` is there.
 */
const MODULE_FILES: readonly { path: string; signs?: readonly string[] }[] = [
  { path: "/etc/modules-load.d/headroom.conf" },
  { path: "/etc/modules", signs: ["/etc/modules", "/etc/debian_version"] },
  {
    path: "/etc/sysconfig/modules/conntrack.modules",
    signs: ["/etc/sysconfig", "/etc/redhat-release", "/etc/rc.d/rc.sysinit"],
  },
  { path: "/etc/modules", signs: ["/etc/inittab", "/etc/init.d"] },
];

/** Copies that we made before an edit. They are as they were, whoever reads them. */
const BACKUP = /\.org(\.\d+)?$/;

/** Works out the edits after which the next boot gives the wanted values, as far as that can be had. */
export function makeLasting(wanted: Settings, facts: ChangeFacts, host: ChangeHost): Lasting {
  const best = bestBoot(wanted, facts, host);
  const { nf_conntrack_buckets: buckets } = wanted;
  const fewer = buckets === undefined ? undefined : best.bucketsOfCapacity();
  if (buckets === undefined || fewer === undefined) {
    best.writeAllTheSame();
    return best.outcome();
  }
  // No line comes late enough to set the capacity: then it is what follows from hashsize.
  const other = bestBoot({ ...wanted, nf_conntrack_buckets: fewer }, facts, host);
  other.writeAllTheSame();
  const { notLasting, ...lasting } = other.outcome();
  const why = `${FOLLOWS}, and nothing here sets the capacity after the module is loaded`;
  const row: NotLasting = { key: "nf_conntrack_buckets", wanted: buckets, forecast: fewer, why };
  const others = notLasting.filter(({ key }) => key !== row.key);
  return { ...lasting, notLasting: [row, ...others] };
}

function bestBoot(wanted: Settings, facts: ChangeFacts, host: ChangeHost): Boot {
  const asIs = new Boot(wanted, facts, host);
  asIs.write();
  if (asIs.missing().length === 0) return asIs;
  // Perhaps only because the module is not there yet when the files are read.
  const loaded = new Boot(wanted, facts, host);
  if (!loaded.loadModule()) return asIs;
  loaded.write();
  return loaded.missing().length < asIs.missing().length ? loaded : asIs;
}

class Boot {
  readonly #wanted: Settings;
  readonly #facts: ChangeFacts;
  readonly #host: ChangeHost;
  #drafts: Drafts;
  /** Why files that would have been written could not be. */
  readonly #obstacles: string[] = [];

  constructor(wanted: Settings, facts: ChangeFacts, host: ChangeHost) {
    this.#wanted = wanted;
    this.#facts = facts;
    this.#host = host;
    this.#drafts = new Drafts(host);
  }

  write(): void {
    this.#editInPlace();
    this.#addHashsize();
    this.#addLines();
  }

  /** Edits what an operator's file gives already and what wins, or would if it did not come too early. */
  #editInPlace(): void {
    const forecast = this.#forecast(this.#drafts);
    // Where nobody knows who reads it, nothing else may stand in sysctl.conf.
    const unknown = forecast.sysctlReader === "unknown";
    const keys = unknown ? (Object.keys(this.#wanted) as SettingKey[]) : this.#missing(forecast);
    for (const key of keys) {
      const wanted = this.#wanted[key];
      const setting = settingIn(forecast, bootKeyOf(key, this.#facts));
      if (setting === undefined || wanted === undefined) continue;
      const more = unknown ? inSysctlConf(setting) : [];
      for (const definition of [...toEdit(setting), ...more]) this.#drafts.replace(definition, wanted);
    }
  }

  /** Has the module loaded before the settings are read; false: it is, or no way to was found. */
  loadModule(): boolean {
    const { when } = this.#forecast(this.#drafts).tracker;
    if (when === "builtin" || when === "early") return false;
    for (const file of MODULE_FILES) {
      if (file.signs?.every((sign) => this.#host.look(sign).kind === "missing") === true) continue;
      for (const module of modulesOf(this.#facts, this.#host)) {
        if (this.#loadIn(file.path, isScript(file.path) ? `/sbin/modprobe ${module}` : module)) return true;
      }
    }
    return false;
  }

  /** Keeps a line that loads the module, if it does. */
  #loadIn(path: string, line: string): boolean {
    const attempt = this.#drafts.copy();
    const header = isScript(path) ? ["#!/bin/sh", ...HEADER] : HEADER;
    const mode = isScript(path) ? 0o755 : 0o644;
    if (attempt.append(path, "modules-load", { header, lines: [line], mode }) !== undefined) return false;
    if (this.#forecast(attempt).tracker.when !== "early") return false;
    this.#drafts = attempt;
    return true;
  }

  /** Buckets of kernels that take them only as the module is loaded. */
  #addHashsize(): void {
    const buckets = this.#wanted.nf_conntrack_buckets;
    const missing = this.#missing(this.#forecast(this.#drafts));
    if (buckets === undefined || !bucketsByParameter(this.#facts)) return;
    if (!missing.includes("nf_conntrack_buckets")) return;
    const module = this.#facts.tracker === "ip_conntrack" ? "ip_conntrack" : "nf_conntrack";
    const lines = [`options ${module} hashsize=${buckets}`];
    this.#tryEach(MODPROBE_FILES, "modprobe", lines, ["nf_conntrack_buckets"]);
  }

  /** Adds lines for what is still missing, to the first file in which they win. */
  #addLines(): void {
    const byOption = bucketsByParameter(this.#facts) ? "nf_conntrack_buckets" : undefined;
    const missing = this.#missing(this.#forecast(this.#drafts)).filter((key) => key !== byOption);
    const assignments = inFileOrder(missing).map(
      (key) => [nameOfChoice(key, this.#facts, this.#host), this.#wanted[key]] as const,
    );
    if (assignments.length === 0) return;
    const plain = assignments.map(([name, value]) => `${name} = ${value}`);
    if (this.#tryEach(SYSCTL_FILES, "sysctl", plain, missing)) return;
    const scripts = LAST_SCRIPTS.filter((path) => this.#host.look(path).kind === "file");
    const commands = assignments.map(([name, value]) => `/sbin/sysctl -w ${name}=${value}`);
    this.#tryEach(scripts, "sysctl", commands, missing);
  }

  /**
   * How many buckets make the wanted capacity at load, where it follows from them and would be above it;
   * undefined otherwise.
   */
  bucketsOfCapacity(): number | undefined {
    const capacity = this.#wanted.nf_conntrack_max;
    const setting = settingIn(this.#forecast(this.#drafts), "nf_conntrack_max");
    if (capacity === undefined || setting?.because !== "hashsize") return undefined;
    if (!bucketsByParameter(this.#facts) || (setting.value ?? 0) <= capacity) return undefined;
    return Math.max(1, Math.floor(capacity / HASHSIZE_FLOWS_PER_BUCKET));
  }

  /** Where nothing brings the module before sysctl(8) runs: for whoever loads it first some day. */
  writeAllTheSame(): void {
    const forecast = this.#forecast(this.#drafts);
    const { when } = forecast.tracker;
    if (forecast.sysctlReader !== "procps" || when === "builtin" || when === "early") return;
    const byOption = bucketsByParameter(this.#facts) ? "nf_conntrack_buckets" : undefined;
    const keys = this.#missing(forecast).filter((key) => key !== byOption && !this.#isWritten(key, forecast));
    const lines = keys.map((key) => `${nameOfChoice(key, this.#facts, this.#host)} = ${this.#wanted[key]}`);
    if (lines.length > 0) this.#drafts.append("/etc/sysctl.conf", "sysctl", { header: HEADER, lines });
  }

  /** Whether a file of the host names the wanted value, to whatever effect. */
  #isWritten(key: SettingKey, forecast: BootForecast): boolean {
    const { definitions = [] } = settingIn(forecast, bootKeyOf(key, this.#facts)) ?? {};
    return definitions.some(
      ({ definition, fate }) =>
        (fate === "too-early" || fate === "wins") &&
        isEditable(definition) &&
        definition.value === this.#wanted[key],
    );
  }

  outcome(): Lasting {
    const forecast = this.#forecast(this.#drafts);
    const notLasting = this.#failing(bootValue, forecast).map((key) => this.#notLasting(key, forecast));
    const files = this.#drafts.edits((file) => this.#isRead(file));
    const options = files.some(({ purpose }) => purpose === "modprobe");
    const image = forecast.unseen.find(({ what }) => what === "initramfs image");
    const notes = options && image?.help !== undefined ? [`The initramfs has a copy: ${image.help}`] : [];
    if (forecast.sysctlReader === "unknown") notes.push(NOT_PROVED);
    const isWritten = notLasting.every(({ key }) => this.#isWritten(key, forecast));
    return { files, notLasting, notes, isWritten };
  }

  /** Wanted settings that this boot would not give, before programs set theirs again. */
  missing(): readonly SettingKey[] {
    return this.#missing(this.#forecast(this.#drafts));
  }

  /** Keeps the first attempt after which all `keys` hold, else the first that helps most; true: all do. */
  #tryEach(
    paths: readonly string[],
    purpose: FileEdit["purpose"],
    lines: readonly string[],
    keys: readonly SettingKey[],
  ): boolean {
    let fewest = keys.length;
    let best: Drafts | undefined;
    for (const path of paths) {
      const attempt = this.#drafts.copy();
      const obstacle = attempt.append(path, purpose, { header: HEADER, lines });
      if (obstacle !== undefined) {
        this.#obstacles.push(obstacle);
        continue;
      }
      const missing = this.#missing(this.#forecast(attempt)).filter((key) => keys.includes(key));
      if (missing.length >= fewest) continue;
      fewest = missing.length;
      best = attempt;
      if (fewest === 0) break;
    }
    this.#drafts = best ?? this.#drafts;
    return fewest === 0;
  }

  #isRead(file: OverlaidFile): boolean {
    const { settings, unknown } = this.#facts.forecast([...this.#drafts.overlay(), file]);
    return [...settings.flatMap(({ definitions }) => definitions), ...unknown].some(
      ({ definition, fate }) => definition.path === file.path && fate !== "not-read",
    );
  }

  #forecast(drafts: Drafts): BootForecast {
    return this.#facts.forecast(drafts.overlay() satisfies readonly OverlaidFile[]);
  }

  #missing(forecast: BootForecast): readonly SettingKey[] {
    return this.#failing(settledValue, forecast);
  }

  #failing(valueOf: typeof bootValue, forecast: BootForecast): readonly SettingKey[] {
    return (Object.keys(this.#wanted) as SettingKey[]).filter((key) => {
      const wanted = this.#wanted[key];
      const value = valueOf(key, forecast, this.#facts);
      return wanted !== undefined && (value === undefined || !isRight(key, value, wanted, this.#facts));
    });
  }

  #notLasting(key: SettingKey, forecast: BootForecast): NotLasting {
    const value = bootValue(key, forecast, this.#facts);
    const setting = settingIn(forecast, key) ?? settingIn(forecast, bootKeyOf(key, this.#facts));
    const wanted = this.#wanted[key] ?? 0;
    const found = value === undefined ? {} : { forecast: value };
    const again = ownerOf(setting);
    if (again === undefined)
      return { key, wanted, ...found, why: whyNot(setting, forecast, this.#obstacles) };
    const { reader, name, text } = again;
    const why = `${reader} sets it again when it starts (${name} ${text}, ${placeOf(again)})`;
    return { key, wanted, ...found, why, change: ownerEdit(again, wanted) };
  }
}

function isScript(path: string): boolean {
  return path.endsWith(".modules");
}

/** Buckets before the capacity, as at run time. */
function inFileOrder(keys: readonly SettingKey[]): readonly SettingKey[] {
  const first: SettingKey = "nf_conntrack_buckets";
  return keys.includes(first) ? [first, ...keys.filter((key) => key !== first)] : keys;
}

/** Under which key the forecast has what is wanted. */
function bootKeyOf(key: SettingKey, facts: ChangeFacts): SettingKey {
  return key === "nf_conntrack_buckets" && bucketsByParameter(facts) ? "hashsize" : key;
}

function settingIn(forecast: BootForecast, key: SettingKey): BootSetting | undefined {
  return forecast.settings.find((setting) => setting.key === key);
}

/**
 * The value after the next boot: of whoever sets it, else what the kernel chooses itself; undefined when it
 * is not known.
 */
export function bootValue(key: SettingKey, forecast: BootForecast, facts: ChangeFacts): number | undefined {
  const found = settingIn(forecast, key) ?? settingIn(forecast, bootKeyOf(key, facts));
  if (found?.value !== undefined) return found.value;
  if (found?.definitions.some(({ fate }) => fate === "wins" || fate === "sets-again") === true)
    return undefined;
  const own = found === undefined ? facts.ownSizes?.[key] : undefined;
  if (own !== undefined) return own;
  const release = facts.kernelRelease === undefined ? undefined : parseKernelRelease(facts.kernelRelease);
  if (release === undefined) return undefined;
  return settingOf(key).defaults?.findLast(({ since }) => isSince(release, since))?.value;
}

/**
 * The value that the boot leaves to programs which set theirs again; undefined when it is not known. It is
 * what files can decide.
 */
function settledValue(key: SettingKey, forecast: BootForecast, facts: ChangeFacts): number | undefined {
  const found = settingIn(forecast, key) ?? settingIn(forecast, bootKeyOf(key, facts));
  if (found === undefined || ownerOf(found) === undefined) return bootValue(key, forecast, facts);
  const before = found.definitions.findLast(({ fate }) => fate === "overridden" || fate === "wins");
  if (before !== undefined) return before.definition.value;
  const definitions = found.definitions.filter(({ fate }) => fate !== "sets-again");
  const settings = forecast.settings.filter(({ key: other }) => other !== found.key);
  return bootValue(key, { ...forecast, settings: [...settings, { key: found.key, definitions }] }, facts);
}

/** Who sets a value again at run time, whatever the boot made of it. */
function ownerOf(setting: BootSetting | undefined): Definition | undefined {
  const last = setting?.winner;
  return setting?.definitions.findLast(
    ({ fate, definition }) => fate === "sets-again" && (last === undefined || definition === last),
  )?.definition;
}

/** Lines of /etc/sysctl.conf that systemd would not read. */
function inSysctlConf({ definitions }: BootSetting): readonly Definition[] {
  return definitions
    .filter(({ fate, definition }) => fate === "not-read" && definition.path === "/etc/sysctl.conf")
    .map(({ definition }) => definition);
}

/** The last line under each name that is in force or would be: those of files that may be edited. */
function toEdit({ definitions }: BootSetting): readonly Definition[] {
  const byName = new Map<string, Definition>();
  const inForce = definitions.filter(isRead);
  for (const { definition } of inForce) byName.set(dotted(definition.name), definition);
  const last = inForce.findLast(({ fate }) => fate === "wins") ?? inForce.at(-1);
  if (last === undefined || !isEditable(last.definition)) return [];
  return [...byName.values()].filter(isEditable);
}

function isRead({ fate }: BootDefinition): boolean {
  return fate === "wins" || fate === "overridden" || fate === "too-early";
}

function isEditable({ reader, path }: Definition): boolean {
  const kind = ["systemd-sysctl", "procps", "ufw", "rc-local", "modprobe"].includes(reader);
  return kind && path.startsWith("/etc/") && !BACKUP.test(path);
}

function whyNot(
  setting: BootSetting | undefined,
  { tracker }: BootForecast,
  obstacles: readonly string[],
): string {
  const definitions = setting?.definitions ?? [];
  const wins = setting?.winner;
  if (wins !== undefined) return `${placeOf(wins)} sets it to ${wins.text}`;
  if (obstacles.length > 0) return [...new Set(obstacles)].join("; ");
  if (setting?.because === "hashsize") return "it follows from hashsize, 8 flows a bucket";
  const last = definitions.at(-1);
  if (last !== undefined) return last.why ?? `${placeOf(last.definition)} does not come to effect`;
  if (tracker.when === "late") return `the module is loaded only later${byWhom(tracker.by)}`;
  return "no file was found that this boot would read";
}

function byWhom(by: string | undefined): string {
  return by === undefined ? "" : `, by ${by}`;
}

export function placeOf({ path, line }: Definition): string {
  return line === undefined ? path : `${path}:${line}`;
}

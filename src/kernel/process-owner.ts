/**
 * Who a process is, in words an operator knows: its container, its unit of systemd, or its own name. From
 * /proc/PID/cgroup, whose paths every engine writes in its own way:
 *
 *   docker      /docker/<id>, /system.slice/docker-<id>.scope
 *   containerd  /kubepods/burstable/pod<uid>/<id>, .../cri-containerd-<id>.scope, ...:cri-containerd:<id>
 *   CRI-O       .../crio-<id>.scope
 *   podman      .../libpod-<id>.scope[/container], /libpod_parent/libpod-<id>
 *   LXC         /lxc/<name>, /lxc.payload/<name>, /lxc.payload.<name>
 *   nspawn      /machine.slice/systemd-nspawn@<name>.service, /machine.slice/machine-<name>.scope
 *
 * A line is `0::<path>` (version 2) or `<number>:<controllers>:<path>` (version 1, one per hierarchy).
 */
import type { Files } from "./files.ts";

export interface ProcessOwner {
  /** `docker:4f1c2a9b0d3e`: engine and the first twelve digits, or the name an engine gives. */
  container?: string;
  /** `nginx.service`, `session-3.scope`. */
  unit?: string;
}

const SHORT_ID = 12;
const id = "([0-9a-f]{64})";

/** How a path names a container; the first that fits wins. */
const containerForms: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`(?:^|/)docker[-/]${id}`), "docker"],
  [new RegExp(`[/:]cri-containerd[-:]${id}`), "containerd"],
  [new RegExp(`/crio-${id}`), "cri-o"],
  [new RegExp(`/libpod-${id}`), "podman"],
  [new RegExp(`/kubepods[^:]*/(?:pod[^/]+/)${id}`), "kubernetes"],
  [/\/lxc(?:\.payload)?[./]([^/]+)/, "lxc"],
  [/\/systemd-nspawn@([^/]+)\.service/, "nspawn"],
  [/\/machine\.slice\/machine-([^/]+)\.scope/, "machine"],
  [new RegExp(`[/:-]${id}(?:\\.scope)?$`), "container"],
];

/** Container and unit by the text of /proc/PID/cgroup; either or both may be missing. */
export function parseCgroup(text: string): ProcessOwner {
  const owner: ProcessOwner = {};
  for (const line of text.split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, controllers = "", path = ""] = match;
    const container = containerOf(path);
    if (container !== undefined) owner.container ??= container;
    const unit = controllers === "" || controllers === "name=systemd" ? unitOf(path) : undefined;
    if (unit !== undefined) owner.unit ??= unit;
  }
  // The scope an engine makes for a container says nothing that the container does not say better.
  if (owner.container !== undefined && owner.unit?.endsWith(".scope") === true) delete owner.unit;
  return owner;
}

function containerOf(path: string): string | undefined {
  for (const [form, engine] of containerForms) {
    const found = form.exec(path)?.[1];
    if (found === undefined) continue;
    return `${engine}:${/^[0-9a-f]{64}$/.test(found) ? found.slice(0, SHORT_ID) : unescapeUnit(found)}`;
  }
  return undefined;
}

/** The innermost unit of a path that is a service, a scope or a socket. */
function unitOf(path: string): string | undefined {
  const unit = path.split("/").findLast((part) => /\.(?:service|scope|socket|mount)$/.test(part));
  return unit === undefined ? undefined : unescapeUnit(unit);
}

/** systemd writes characters that a name of a unit may not have as `\x2d`. */
function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

/** What can be learned of process `pid`; its command name is absent when the process has ended. */
export function readProcessOwner(files: Files, pid: number): ProcessOwner & { command?: string } {
  const owner = parseCgroup(files.textOrNothing(`/proc/${pid}/cgroup`) ?? "");
  const command = files.textOrNothing(`/proc/${pid}/comm`)?.trimEnd();
  return command === undefined || command === "" ? owner : { ...owner, command };
}

/**
 * In one phrase: container, else unit, else `pid 812 (haproxy)`. A login session or init's scope names
 * nothing.
 */
export function ownerPhrase(pid: number, owner: ProcessOwner & { command?: string }): string {
  const telling = owner.unit !== undefined && !/^(?:init|session-.*)\.scope$/.test(owner.unit);
  if (owner.container !== undefined) return owner.container;
  if (telling && owner.unit !== undefined) return owner.unit;
  return owner.command === undefined ? `pid ${pid}` : `pid ${pid} (${owner.command})`;
}

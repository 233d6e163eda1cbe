/**
 * Doing something inside another network namespace. The thread goes in, does one synchronous thing, and
 * comes back whatever happens. A socket opened inside stays in that namespace afterwards, and so does a
 * child process; reading /proc/net and /proc/sys/net synchronously shows that namespace meanwhile.
 *
 * Nothing asynchronous may be begun inside: it would go on outside. setns(2), network_namespaces(7).
 */
import { closeSync, openSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { errnoError, errnoName, fileError, KernelError } from "./error.ts";
import { CLONE_NEWNET, systemCalls } from "./ffi.ts";
import type { Files } from "./files.ts";

/** Where `ip netns` and most container engines keep the names of namespaces. */
export const NAMED_NAMESPACES = "/run/netns";

/**
 * A namespace by its file, by a process that is in it, or by an open descriptor (which stays the caller's).
 */
export type NamespaceTarget = { path: string } | { pid: number } | { fd: number };

/** The file of a namespace that `ip netns` knows by `name`. */
export function namedNamespace(name: string): NamespaceTarget {
  return { path: `${NAMED_NAMESPACES}/${name}` };
}

/**
 * The namespace a person means: a name of `ip netns`, a process, or a path. Throws KernelError `not-found`.
 */
export function namedTarget(files: Files, text: string): NamespaceTarget {
  if (text.includes("/")) return { path: text };
  const path = `${NAMED_NAMESPACES}/${text}`;
  if (files.has(path)) return { path };
  if (/^\d{1,10}$/.test(text)) return { pid: Number(text) };
  const names = files.list(NAMED_NAMESPACES);
  const known = names.length === 0 ? "no namespace has a name here" : `there are ${names.join(", ")}`;
  throw new KernelError(
    "not-found",
    `Cannot enter network namespace ${text}: ${known}; a process number or a path does as well`,
  );
}

/**
 * Runs `work` inside `target` and gives its result. Throws KernelError when the namespace cannot be
 * entered: `not-found`, `not-permitted` (CAP_SYS_ADMIN is needed in it and here), `invalid` when it is no
 * network namespace.
 */
export function insideNamespace<Result>(target: NamespaceTarget, work: () => Result): Result {
  assert(isMainThread, "Namespaces are entered by the main thread, whose /proc/self is the process's");
  const calls = systemCalls();
  const home = openNamespace({ path: "/proc/self/ns/net" });
  let there: number | undefined;
  try {
    there = "fd" in target ? target.fd : openNamespace(target);
    const entered = calls.setns(there, CLONE_NEWNET);
    if (entered < 0) throw errnoError(-entered, `enter ${nameOf(target)}`, helpForEntering(-entered));
    try {
      const result = work();
      assert(!(result instanceof Promise), "What runs inside a namespace is synchronous");
      return result;
    } finally {
      comeBack(calls.setns(home, CLONE_NEWNET), target);
    }
  } finally {
    closeSync(home);
    if (there !== undefined && !("fd" in target)) closeSync(there);
  }
}

/** Staying in the wrong namespace would make every later figure wrong; nothing may go on from there. */
function comeBack(result: number, target: NamespaceTarget): void {
  if (result >= 0) return;
  const error = errnoError(-result, `come back from ${nameOf(target)}`);
  throw new KernelError("io", `${error.message}; this process must end`, { errno: -result });
}

function openNamespace(target: { path: string } | { pid: number }): number {
  const path = "path" in target ? target.path : `/proc/${target.pid}/ns/net`;
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw fileError(cause, `open ${nameOf(target)}`, helpForOpening(cause, target));
  }
}

function nameOf(target: NamespaceTarget): string {
  if ("path" in target) return `network namespace ${target.path}`;
  if ("pid" in target) return `the network namespace of process ${target.pid}`;
  return `the network namespace behind descriptor ${target.fd}`;
}

function helpForOpening(cause: unknown, target: NamespaceTarget): string | undefined {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") {
    return "pid" in target ? "no such process" : "`ip netns list` and `lsns -t net` show what there is";
  }
  if (code === "EACCES" || code === "EPERM") return "that needs root, with CAP_SYS_PTRACE over the process";
  return undefined;
}

function helpForEntering(errno: number): string | undefined {
  switch (errnoName(errno)) {
    case "EPERM":
      return "run as root or with CAP_SYS_ADMIN";
    case "EINVAL":
      return "it is not a network namespace";
    default:
      return undefined;
  }
}

/**
 * Whether what headroom.toml names is there and can be used: files, programs, and the network namespace.
 */
import { accessSync, constants, readFileSync, statSync } from "node:fs";

import type { Clock } from "../../base/clock.ts";
import { checkCertificate, ListenError } from "../../server/server.ts";
import type { KernelDoor } from "../context.ts";
import { isKernelError } from "../refusal.ts";
import {
  type BrokenRule,
  type NamedPath,
  namedPaths,
  optionName,
  type WrittenOptions,
} from "./configuration-rules.ts";
import { readTls, readToken, ServerFileError } from "./server-files.ts";
import type { KeyPath } from "./toml-places.ts";

/** What is named and cannot be used by this user, here and now. `searchPath` is $PATH. */
export function unusableFiles(written: WrittenOptions, searchPath: string): readonly BrokenRule[] {
  const unusable = namedPaths(written).flatMap((named) => {
    // A path that is none is a mistake already; the directory of the history is made.
    if (named.is === "directory" || (!named.named.startsWith("/") && named.is === "file")) return [];
    const why = whyNot(named, searchPath);
    return why === undefined ? [] : [broken(named.path, named.named, why)];
  });
  const isMistaken = (name: string): boolean =>
    unusable.some(({ paths }) => paths.some((path) => path[0] === "server" && path[1] === name));
  const { server } = written.configuration;
  if (!isMistaken("token_file"))
    unusable.push(...said(["server", "token_file"], () => void readToken(server, () => {})));
  const tls = ["tls_certificate", "tls_key", "client_ca"];
  const isWhole =
    (server.tls_certificate === "") === (server.tls_key === "") && server.tls_certificate !== "";
  if (isWhole && !tls.some(isMistaken)) {
    unusable.push(
      ...said(["server", "tls_certificate"], () => {
        const found = readTls(server);
        if (found !== undefined) checkCertificate(found);
      }),
    );
  }
  return unusable;
}

/** The namespace that is watched, when it is not there or may not be entered. */
export function unusableNamespace(
  { configuration }: WrittenOptions,
  { clock, kernel }: { clock: Clock; kernel: KernelDoor },
): readonly BrokenRule[] {
  const { namespace } = configuration.watch;
  if (namespace === "") return [];
  return said(["watch", "namespace"], () => kernel.openHost({ clock, namespace }).close());
}

/** What the look itself says, as a mistake of this option. */
function said(path: KeyPath, look: () => void): BrokenRule[] {
  try {
    look();
    return [];
  } catch (error) {
    const isExpected =
      error instanceof ServerFileError || error instanceof ListenError || isKernelError(error);
    if (!isExpected || !(error instanceof Error)) throw error;
    const [first = "", ...rest] = error.message.split("\n");
    const help = error instanceof ListenError && error.help !== undefined ? [error.help] : rest;
    return [{ paths: [path], text: [`${optionName(path)}: ${first}`, ...help].join("; ") }];
  }
}

function broken(path: KeyPath, named: string, why: string): BrokenRule {
  return { paths: [path], text: `${optionName(path)} cannot be ${JSON.stringify(named)}: ${why}` };
}

function whyNot({ named, is }: NamedPath, searchPath: string): string | undefined {
  if (is === "file") return attempt(() => void readFileSync(named));
  if (named.includes("/")) return attempt(() => runnable(named));
  const isFound = searchPath
    .split(":")
    .some((place) => attempt(() => runnable(`${place}/${named}`)) === undefined);
  return isFound ? undefined : "there is no such program in PATH";
}

function runnable(path: string): void {
  accessSync(path, constants.X_OK);
  if (statSync(path).isDirectory()) throw Object.assign(new Error(path), { code: "EISDIR" });
}

function attempt(look: () => void): string | undefined {
  try {
    look();
    return undefined;
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    return reasons[code] ?? message;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "it is not there",
  ENOTDIR: "it is not there",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};

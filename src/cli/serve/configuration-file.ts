/**
 * The options of `serve`: from the file that is named or found, and then from the command line.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { UsageError } from "../usage-error.ts";
import { ConfigurationError, type Examined, examine } from "./configuration.ts";
import type { BrokenRule, WrittenOptions } from "./configuration-rules.ts";
import type { Configuration } from "./configuration-schema.ts";
import { whyUnreadable } from "./file-reasons.ts";
import { parseListen } from "./option-values.ts";
import { ServeError } from "./serve-error.ts";

const CONFIGURATION_PATH = "/etc/headroom/headroom.toml";

/** What the command line says before the file. */
export interface ConfigurationWords {
  config?: string;
  listen?: string;
  state?: string;
  netns?: string;
}

export interface FoundConfiguration {
  configuration: Configuration;
  /** Absent: there is no file, and the defaults hold. */
  path?: string;
}

/** Looks at what the options name: files that are not there, and the like. */
export type LookAtNamed = (written: WrittenOptions) => readonly BrokenRule[];

/** Throws ConfigurationError where a file cannot be used, and UsageError for the words. */
export function loadConfiguration(words: ConfigurationWords): FoundConfiguration {
  const { examined, path } = examineConfiguration(words);
  // What the words say and cannot be is refused by whoever tries it.
  return withPath(examined.sound(examined.broken.filter((broken) => !isSpoken(broken, words))), path);
}

/** The same, with every mistake there is told at once. Throws ServeError for what the words say. */
export function checkConfiguration(words: ConfigurationWords, look: LookAtNamed): FoundConfiguration {
  const { examined, path } = examineConfiguration(words);
  const broken = [...examined.broken, ...look(examined.written)];
  const configuration = examined.sound(broken.filter((each) => !isSpoken(each, words)));
  const [spoken] = broken;
  if (spoken !== undefined) throw new ServeError("configuration", `Cannot serve: ${spoken.text}`);
  return withPath(configuration, path);
}

/** What `look` finds, each with its place: of what is no reason to refuse the file. */
export function placedMistakes(words: ConfigurationWords, look: LookAtNamed): readonly string[] {
  const { examined } = examineConfiguration(words);
  return look(examined.written).map((broken) => examined.placed(broken));
}

/** It is about what the command line said in place of the file. */
function isSpoken({ paths: [path = []] }: BrokenRule, { listen, netns }: ConfigurationWords): boolean {
  const name = path.join(".");
  return (
    (name === "server.listen" && listen !== undefined) || (name === "watch.namespace" && netns !== undefined)
  );
}

function withPath(configuration: Configuration, path: string | undefined): FoundConfiguration {
  return { configuration, ...(path === undefined ? {} : { path }) };
}

function examineConfiguration(words: ConfigurationWords): { examined: Examined; path?: string } {
  const { path, text } = textOf(words.config);
  const examined = examine(text ?? "", path, (configuration) => withWords(configuration, words));
  return text === undefined ? { examined } : { examined, path };
}

function textOf(named: string | undefined): { path: string; text?: string } {
  const path = named ?? CONFIGURATION_PATH;
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    if (error.code === "ENOENT" && named === undefined) return { path };
    throw new ConfigurationError(path, [], whyUnreadable(error), error.code);
  }
}

function withWords(configuration: Configuration, words: ConfigurationWords): Configuration {
  const { watch, history, server } = configuration;
  return {
    ...configuration,
    ...(words.netns === undefined ? {} : { watch: { ...watch, namespace: words.netns } }),
    ...(words.state === undefined ? {} : { history: { ...history, directory: resolve(words.state) } }),
    ...(words.listen === undefined ? {} : { server: { ...server, listen: listenOf(words.listen) } }),
  };
}

function listenOf(text: string): Configuration["server"]["listen"] {
  const listen = parseListen(text);
  if (listen === undefined) {
    throw new UsageError(
      `Cannot use \`--listen ${text}\`: wanted an address and a port, such as 127.0.0.1:9466 or [::1]:9466`,
    );
  }
  return listen;
}

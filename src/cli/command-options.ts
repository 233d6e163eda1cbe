/**
 * The options that several commands have, and the kinds of options commander does not know: words of a closed
 * list, several values, values with a unit in their name.
 */
import { type Command, Option } from "commander";

import { COLOUR_MODES, readChoice, readCount } from "./options.ts";

/** Commander's names of options whose values carry a unit. */
const renamed: Readonly<Record<string, string>> = {
  confirmWithin: "confirmWithinSeconds",
  for: "forSeconds",
  interval: "intervalSeconds",
  memory: "memoryBytes",
  pointer: "pointerBytes",
};

/** What commander collected, by its own names. */
export type Options = Record<string, unknown>;

/** An option that may be given more than once; all its values count. */
export function severalOption(
  flags: string,
  about: string,
  read: (text: string) => unknown,
  choices: readonly string[] = [],
): Option {
  const option = new Option(flags, about);
  if (choices.length > 0) option.argChoices = [...choices];
  return option.argParser((text, before: readonly unknown[] | undefined) => [...(before ?? []), read(text)]);
}

export function addHostOptions(
  command: Command,
  aboutRoot = "a directory that stands in for /: a saved host",
): Command {
  return command
    .option("--json", "machine output: one object (list: one a line)")
    .option("--root <dir>", aboutRoot)
    .addOption(choiceOption("--color <when>", "colour", COLOUR_MODES));
}

export function addFlowOptions(command: Command): Command {
  return command
    .option("--source <source>", "where flows come from (default: kernel); see headroom --help")
    .addOption(new Option("--netns <name|pid>", "look at this network namespace").conflicts("allNetns"))
    .option("--all-netns", "look at all network namespaces")
    .addOption(
      new Option("--sample <n>", "read only about this many flows; figures then carry their error").argParser(
        (text) => readCount("--sample", text, 100),
      ),
    );
}

/** An option with a closed list of words; completion offers them. */
export function choiceOption(flags: string, about: string, choices: readonly string[]): Option {
  const long = /--[a-z-]+/.exec(flags)?.[0] ?? flags;
  const option = new Option(flags, about);
  option.argChoices = [...choices];
  return option.argParser((text) => readChoice(long, text, choices));
}

export function withUnits(options: Options): unknown {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [renamed[name] ?? name, value]));
}

/**
 * The command tree as plain data: what completion and the manual page are written from, so that neither knows
 * commander.
 */
import { filterFields } from "../table/filter-fields.ts";
import { buildProgram } from "./command-tree.ts";
import { commandTopics, type Topic } from "./topics.ts";

export interface OptionPage {
  /** As help shows it: `-w, --warning <percent>`. */
  flags: string;
  long: string;
  short?: string;
  /** What stands for the value: `dir`, `n`; absent for a switch. */
  value?: string;
  choices: readonly string[];
  about: string;
}

export interface CommandPage {
  name: string;
  about: string;
  /** As usage shows them: `[filter...]`. */
  operands: readonly string[];
  /** Words an operand takes: a closed list, or the fields of a filter. */
  operandChoices: readonly string[];
  /** The operand is a file. */
  takesFile: boolean;
  options: readonly OptionPage[];
  topics: readonly Topic[];
}

/** All commands, in the order of help. */
export function commandPages(): CommandPage[] {
  return buildProgram(() => {}).commands.map((command) => ({
    name: command.name(),
    about: command.description(),
    operands: command.registeredArguments.map((operand) => {
      const text = `${operand.name()}${operand.variadic ? "..." : ""}`;
      return operand.required ? `<${text}>` : `[${text}]`;
    }),
    operandChoices:
      command.name() === "list"
        ? [...Object.keys(filterFields), "and", "or", "not"]
        : command.registeredArguments.flatMap((operand) => operand.argChoices ?? []),
    takesFile: command.registeredArguments.some((operand) => operand.name() === "capture"),
    options: [
      ...command.options.map(({ flags, long, short, argChoices, description }) => ({
        flags,
        long: long ?? "",
        ...(short === undefined ? {} : { short }),
        ...valueOf(flags),
        choices: argChoices ?? [],
        about: description,
      })),
      { flags: "-h, --help", long: "--help", short: "-h", choices: [], about: "print help" },
    ],
    topics: commandTopics[command.name()] ?? [],
  }));
}

function valueOf(flags: string): { value?: string } {
  const value = /<([^>]+)>/.exec(flags)?.[1];
  return value === undefined ? {} : { value };
}

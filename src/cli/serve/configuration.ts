/**
 * From the text of headroom.toml to options. All mistakes are told at once, each with its line and column.
 */
import { parse, TomlError } from "smol-toml";
import * as z from "zod/mini";

import { nearestWord } from "../../table/filter-words.ts";
import { type ReceiverOptions, receiverSchema } from "../alerts/alerts-options-schema.ts";
import { countOf } from "../figures.ts";
import { type BrokenRule, brokenRules, optionName, type WrittenOptions } from "./configuration-rules.ts";
import { type Configuration, configurationSchema } from "./configuration-schema.ts";
import { type KeyPath, type Place, TomlPlaces } from "./toml-places.ts";

/** One mistake in a file. */
export interface Mistake extends Place {
  text: string;
}

/**
 * The file cannot be used. `message` has a line for each mistake: `FILE:LINE:COLUMN: what is wrong`; or it
 * says why the file cannot be read, with the code of the system.
 */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
  readonly code: string;
  readonly mistakes: readonly Mistake[];

  constructor(file: string, mistakes: readonly Mistake[], unread?: string, code = "configuration") {
    const lines = mistakes.map(({ line, column, text }) => `${file}:${line}:${column}: ${text}`);
    super([`Cannot use ${file}: ${unread ?? countOf(mistakes.length, "mistake")}`, ...lines].join("\n"));
    this.code = code;
    this.mistakes = mistakes;
  }
}

/** The options of a file without a word: the defaults. */
export function defaultConfiguration(): Configuration {
  return z.parse(configurationSchema, {});
}

/** Reads the text of `file`. Throws ConfigurationError. */
export function readConfiguration(text: string, file: string): Configuration {
  const examined = examine(text, file);
  return examined.sound(examined.broken);
}

/** A file that was read, with its mistakes. */
export interface Examined {
  /** What stands in it, defaults in place of sections that have mistakes. */
  written: WrittenOptions;
  /** What its options must be to each other and are not. */
  broken: readonly BrokenRule[];
  /** The options. Throws ConfigurationError with its own mistakes and those that are given. */
  sound(broken: readonly BrokenRule[]): Configuration;
  /** With its place: `FILE:LINE:COLUMN: what is wrong`. */
  placed(broken: BrokenRule): string;
}

/**
 * Reads the text of `file` as far as it can be meant; `change` puts in what was said elsewhere. Throws
 * ConfigurationError where it is no TOML.
 */
export function examine(
  text: string,
  file: string,
  change: (configuration: Configuration) => Configuration = (configuration) => configuration,
): Examined {
  const found = parsed(text, file);
  const read = z.safeParse(configurationSchema, found);
  const places = new TomlPlaces(text);
  const meant = read.success
    ? { configuration: read.data, receivers: read.data.alerts.receivers }
    : soundParts(found);
  const written = { ...meant, configuration: change(meant.configuration) };
  const issues = read.success ? [] : read.error.issues;
  const own = issues.flatMap((issue) => mistakesOf(issue, found, places));
  const mistakeOf = ({ paths, text: said }: BrokenRule): Mistake => {
    const path = paths.find((one) => valueAt(found, one) !== undefined) ?? paths[0] ?? [];
    return { ...places.valueAt(path), text: said };
  };
  return {
    written,
    broken: brokenRules(written),
    sound: (broken) => {
      const mistakes = [...own, ...broken.map(mistakeOf)];
      if (mistakes.length === 0) return written.configuration;
      throw new ConfigurationError(
        file,
        mistakes.toSorted((one, other) => one.line - other.line || one.column - other.column),
      );
    },
    placed: (broken) => {
      const { line, column, text: said } = mistakeOf(broken);
      return `${file}:${line}:${column}: ${said}`;
    },
  };
}

/** The sections without a mistake, so that what is wrong between their options is told in the same breath. */
function soundParts(found: unknown): WrittenOptions {
  const parts: Record<string, unknown> = {};
  for (const name of Object.keys(configurationSchema.shape)) {
    const { receivers: _receivers, ...section } = tableAt(found, [name]);
    if (z.safeParse(configurationSchema, { [name]: section }).success) parts[name] = section;
  }
  const receivers = valueAt(found, ["alerts", "receivers"]);
  return {
    configuration: z.parse(configurationSchema, parts),
    receivers: Array.isArray(receivers) ? receivers.map(soundReceiver) : [],
  };
}

function soundReceiver(found: unknown): ReceiverOptions | undefined {
  const read = z.safeParse(receiverSchema, found);
  return read.success ? read.data : undefined;
}

function tableAt(found: unknown, path: KeyPath): Readonly<Record<string, unknown>> {
  const value = valueAt(found, path);
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function parsed(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column } = error;
    const [said = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
    throw new ConfigurationError(file, [{ line, column, text: said }]);
  }
}

type Issue = z.core.$ZodIssue;

function mistakesOf(issue: Issue, found: unknown, places: TomlPlaces): Mistake[] {
  const path = issue.path as KeyPath;
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path, found);
    return issue.keys.map((key) => ({
      ...places.keyAt([...path, key]),
      text: unknownKeyText(key, path, known),
    }));
  }
  const value = valueAt(found, path);
  if (value === undefined) {
    const place = path.length > 1 ? places.keyAt(path.slice(0, -1)) : places.keyAt(path);
    return [{ ...place, text: `${optionName(path)} is missing: ${wantedText(issue)}` }];
  }
  return [
    { ...places.valueAt(path), text: `${optionName(path)} cannot be ${shown(value)}: ${wantedText(issue)}` },
  ];
}

function unknownKeyText(key: string, path: KeyPath, known: readonly string[]): string {
  const what = path.length === 0 ? "section" : "option";
  const name = optionName([...path, key]);
  const near = nearestWord(key, known);
  if (near !== undefined) return `there is no ${what} ${name}; did you mean ${near}?`;
  return known.length === 0
    ? `there is no ${what} ${name}`
    : `there is no ${what} ${name}; there are ${known.join(", ")}`;
}

function wantedText(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return `wanted ${typeNames[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `wanted ${alternatives(issue.values.map((value) => JSON.stringify(value)))}`;
    case "too_small":
      return `wanted at least ${issue.minimum}`;
    case "too_big":
      return `wanted at most ${issue.maximum}`;
    case "invalid_union":
      return unionText(issue);
    default:
      return issue.message;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text in quotes",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list in brackets",
  object: "a table",
};

function unionText(issue: Extract<Issue, { code: "invalid_union" }>): string {
  const options = "options" in issue && Array.isArray(issue.options) ? issue.options : [];
  if (options.length > 0) return `wanted ${alternatives(options.map((option) => JSON.stringify(option)))}`;
  const wanted = issue.errors.flatMap((errors) => errors.slice(0, 1)).map((error) => wantedText(error));
  return wanted.length === 0 ? issue.message : `wanted ${alternatives(wanted.map(withoutWanted))}`;
}

function withoutWanted(text: string): string {
  return text.replace(/^wanted /, "");
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

const SHOWN_CHARACTERS = 40;

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a table";
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function valueAt(found: unknown, path: KeyPath): unknown {
  let value = found;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[key];
  }
  return value;
}

/** What a JSON schema says of the keys of a table. */
interface Shape {
  properties?: Readonly<Record<string, Shape & { const?: unknown }>>;
  items?: Shape;
  oneOf?: readonly Shape[];
  anyOf?: readonly Shape[];
}

/** Keys the schema has at `path`. Of several kinds of a table, those of the kind that is written there. */
function knownKeys(path: KeyPath, found: unknown): readonly string[] {
  const whole = z.toJSONSchema(configurationSchema, { io: "input", unrepresentable: "any" });
  let shapes: readonly Shape[] = [whole as Shape];
  for (const [index, key] of path.entries()) {
    const value = valueAt(found, path.slice(0, index + 1));
    shapes = shapes
      .flatMap((shape) => (typeof key === "number" ? shape.items : shape.properties?.[key]) ?? [])
      .flatMap((shape) => kindsOf(shape, value));
  }
  return [...new Set(shapes.flatMap(({ properties }) => Object.keys(properties ?? {})))];
}

function kindsOf(shape: Shape, value: unknown): readonly Shape[] {
  const kinds = shape.oneOf ?? shape.anyOf;
  if (kinds === undefined) return [shape];
  return kinds.filter(({ properties = {} }) =>
    Object.entries(properties).every(
      ([key, property]) => property.const === undefined || valueAt(value, [key]) === property.const,
    ),
  );
}

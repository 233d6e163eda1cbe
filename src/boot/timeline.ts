/**
 * The boot as a sequence of steps, played from the first to the last: who sets which variable, whether it is
 * there yet, and whose value stands at the end.
 */
import type { BootDefinition, BootSetting, Definition, DefinitionFate } from "../table/boot.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type SettingKey, settingOf } from "../table/settings.ts";
import { defaultSizes, HASHSIZE_FLOWS_PER_BUCKET, roundedBuckets } from "../table/sizes.ts";
import type { BootInput } from "./boot-input.ts";

/** Since then a module is loaded with a parameter it does not know (kernel/module.c). */
const UNKNOWN_PARAMETERS_PASS_SINCE = "3.11";

export type BootStep =
  /** The tracker appears, with these parameters of its module. */
  | { does: "load"; parameters: readonly Definition[] }
  | {
      does: "set";
      definition: Definition;
      /** The kernel does not take it, and why. */
      refused?: string;
      /** Set at run time as well. */
      again?: true;
      onlyRaises?: true;
      /** Why it is too early when the tracker is not there. */
      early: string;
    }
  /** Nothing happens: the place is only shown. */
  | { does: "note"; definition: Definition; fate: DefinitionFate; why: string };

/** A key's variable: buckets have two names with a key each. */
type Variable = string;

interface Standing {
  value?: number;
  winner?: Definition;
  because?: "hashsize";
}

interface Played {
  definition: Definition;
  fate: DefinitionFate;
  why?: string;
}

export class BootTimeline {
  readonly #input: BootInput;
  readonly #standing = new Map<Variable, Standing>();
  readonly #played = new Map<string, Played>();
  #loaded = false;

  constructor(input: BootInput) {
    this.#input = input;
  }

  play(steps: readonly BootStep[]): void {
    for (const step of steps) {
      if (step.does === "load") this.#load(step.parameters);
      else if (step.does === "note") this.#record(step.definition, step.fate, step.why);
      else this.#set(step);
    }
  }

  /** Settings that anybody names or that follow from one that is named, in the order of the registry. */
  settings(): readonly BootSetting[] {
    const all = [...this.#played.values()];
    return SETTING_KEYS.flatMap((key) => {
      const definitions = all.filter(({ definition }) => definition.key === key).map(withoutKey);
      const standing = this.#standing.get(variableOf({ key, name: key }));
      // A consequence of hashsize is shown for the buckets by the name that was given.
      if (definitions.length === 0 && (standing?.because === undefined || key === "nf_conntrack_buckets"))
        return [];
      return [{ key, ...standing, definitions }];
    });
  }

  unknown(): readonly BootDefinition[] {
    return [...this.#played.values()].filter(({ definition }) => definition.key === undefined);
  }

  #load(parameters: readonly Definition[]): void {
    if (this.#loaded) return;
    this.#loaded = true;
    for (const definition of parameters) {
      const { key, value } = definition;
      if (key === undefined) {
        this.#record(definition, "refused", this.#unknownParameter());
      } else if (value === undefined) {
        this.#record(definition, "refused", `${definition.text} is not a whole number`);
      } else if (key === "hashsize" && value <= 0) {
        this.#record(definition, "refused", "the kernel chooses the buckets itself then");
      } else this.#win(definition, value);
    }
    const buckets = this.#standing.get("nf_conntrack_buckets")?.value;
    if (buckets === undefined) return;
    const value = buckets * HASHSIZE_FLOWS_PER_BUCKET;
    this.#standing.set("nf_conntrack_max", { value, because: "hashsize" });
  }

  #unknownParameter(): string {
    const release = parseKernelRelease(this.#input.kernelRelease ?? "");
    const strict = release !== undefined && !isSince(release, UNKNOWN_PARAMETERS_PASS_SINCE);
    return strict
      ? `the module has no such parameter; before ${UNKNOWN_PARAMETERS_PASS_SINCE} it is not loaded then`
      : "the module has no such parameter; the kernel passes over it";
  }

  #set(step: BootStep & { does: "set" }): void {
    const { definition, refused, early } = step;
    const { value } = definition;
    if (refused !== undefined) {
      this.#record(definition, "refused", refused);
      return;
    }
    if (!this.#loaded) {
      this.#record(definition, "too-early", early);
      return;
    }
    if (step.again === true) this.#setAgain(definition, step.onlyRaises === true);
    else if (value === undefined)
      this.#record(definition, "refused", `${definition.text} is not a whole number`);
    else this.#win(definition, value);
  }

  #setAgain(definition: Definition, onlyRaises: boolean): void {
    const { key, value } = definition;
    const before = this.#standing.get(variableOf(definition))?.value ?? this.#defaultOf(key);
    if (value !== undefined && onlyRaises && before !== undefined && before >= value) {
      this.#record(definition, "sets-again", `only where the value is lower; ${before} is not`);
      return;
    }
    this.#win(definition, value, "sets-again");
  }

  /** Puts a value in force; who stood there before is overridden. */
  #win(definition: Definition, given: number | undefined, fate: "wins" | "sets-again" = "wins"): void {
    const variable = variableOf(definition);
    const before = this.#standing.get(variable)?.winner;
    if (before !== undefined && !isSame(before, definition)) {
      const played = this.#played.get(identityOf(before));
      const why = `${placeOf(definition)} sets it later`;
      if (played?.fate === "wins")
        this.#played.set(identityOf(before), { ...played, fate: "overridden", why });
    }
    const value = given === undefined ? undefined : this.#inForce(definition.key, given);
    this.#standing.set(variable, { ...(value === undefined ? {} : { value }), winner: definition });
    this.#record(definition, fate);
  }

  #inForce(key: SettingKey | undefined, value: number): number {
    if (isBuckets(key)) return roundedBuckets(value, this.#input);
    // Kernels that take a negative capacity take it for a very large one.
    return key === "nf_conntrack_max" && value < 0 ? value + 2 ** 32 : value;
  }

  #defaultOf(key: SettingKey | undefined): number | undefined {
    const { memoryBytes, kernelRelease } = this.#input;
    const { defaults } = key === undefined ? {} : settingOf(key);
    if (defaults !== undefined) {
      const release = parseKernelRelease(kernelRelease ?? "");
      return defaults.findLast(({ since }) => release === undefined || isSince(release, since))?.value;
    }
    if (memoryBytes === undefined || kernelRelease === undefined) return undefined;
    const sizes = defaultSizes({ ...this.#input, memoryBytes, kernelRelease });
    if (key === "nf_conntrack_max") return sizes?.capacityFlows;
    return isBuckets(key) ? sizes?.buckets : undefined;
  }

  /** A place that is read twice (too early, and again by a rule of udev) counts as it ended. */
  #record(definition: Definition, fate: DefinitionFate, why?: string): void {
    const identity = identityOf(definition);
    this.#played.delete(identity);
    this.#played.set(identity, why === undefined ? { definition, fate } : { definition, fate, why });
  }
}

/** By its setting; a name the registry does not know is a variable of its own. */
function variableOf({ key, name }: Pick<Definition, "key" | "name">): Variable {
  return isBuckets(key) ? "nf_conntrack_buckets" : (key ?? name);
}

function isBuckets(key: SettingKey | undefined): boolean {
  return key === "hashsize" || key === "nf_conntrack_buckets";
}

function identityOf({ reader, path, line, name, key, text }: Definition): string {
  return [reader, path, line ?? "", name, key ?? "", text].join("\0");
}

function isSame(one: Definition, other: Definition): boolean {
  return identityOf(one) === identityOf(other);
}

function placeOf({ path, line }: Definition): string {
  return line === undefined ? path : `${path}:${line}`;
}

function withoutKey({ definition, fate, why }: Played): BootDefinition {
  return why === undefined ? { definition, fate } : { definition, fate, why };
}

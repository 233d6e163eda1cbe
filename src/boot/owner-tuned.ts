/**
 * tuned: sets what its active profile says whenever it starts or the profile is changed, then writes the
 * host's own sysctl files over it, unless reapply_sysctl is off.
 *
 * Sources: tuned-main.conf(5), tuned-adm(8); the plugins sysctl, net and modules of tuned 2.20.
 */
import type { Definition } from "../table/boot.ts";
import { type BootFiles, type BootInput, byName, namesAt, textAt } from "./boot-input.ts";
import { definitionOf, type OwnerDefinition, type OwnerReading } from "./owner.ts";
import { serviceStart, startRefusal } from "./unit-start.ts";
import { isTrackerName } from "./tracker-name.ts";
import { tunedProfile, type TunedOption, type TunedSection } from "./tuned-profile.ts";

const ACTIVE = "/etc/tuned/active_profile";
const MAIN = "/etc/tuned/tuned-main.conf";
/** Earlier directories go before later ones where both have a file of one name. */
const SYSCTL_DIRECTORIES = ["/run/sysctl.d", "/etc/sysctl.d"] as const;

export function readTuned({ files }: BootInput): OwnerReading {
  const names = (textAt(files, ACTIVE) ?? "").split(/\s+/).filter((name) => name !== "");
  if (names.length === 0 || serviceStart(files, "tuned") === "missing") return { definitions: [] };
  const off = startRefusal(files, "tuned");
  const { sections, missing } = tunedProfile(files, names);
  const own = [...sections.values()].filter(({ enabled }) => enabled).flatMap(optionsOf);
  const appliesSysctl = [...sections.values()].some(({ type, enabled }) => type === "sysctl" && enabled);
  const again = appliesSysctl && reapplies(files) ? reapplied(files) : [];
  const definitions = [
    ...own,
    ...again.map((definition): OwnerDefinition => ({ definition, sets: "again" })),
  ];
  return {
    definitions: off === undefined ? definitions : own.map((each) => ({ ...each, notRead: off })),
    ...(missing.length === 0
      ? {}
      : {
          unseen: [
            {
              what: "some settings of tuned",
              why: `the profile ${missing.join(", ")} is not among the files here`,
              cause: "incomplete",
            },
          ],
        }),
  };
}

/** What the options of one section set, in their order. */
function optionsOf({ type, options }: TunedSection): readonly OwnerDefinition[] {
  return [...options].flatMap(([name, option]): readonly OwnerDefinition[] => {
    if (type === "sysctl" && isTrackerName(name)) return [sysctlOption(name, option)];
    // Written while the tracker runs: the capacity stays as it is.
    if (type === "net" && name === "nf_conntrack_hashsize") {
      return [{ definition: defined(name, option, { key: "nf_conntrack_buckets" }), sets: "again" }];
    }
    if (type === "modules" && /^(nf|ip)_conntrack$/.test(name)) return moduleOptions(name, option);
    return [];
  });
}

/** `>N` only raises; with `<N` the value cannot be told. */
function sysctlOption(name: string, option: TunedOption): OwnerDefinition {
  const raises = /^>(.+)$/.exec(option.text);
  if (raises === null) return { definition: defined(name, option), sets: "again" };
  const bare = defined(name, { ...option, text: raises[1] ?? "" });
  return { definition: { ...bare, text: option.text }, sets: "again", onlyRaises: true };
}

/** Kept in /etc/modprobe.d/tuned.conf, where modprobe finds them: they are counted there. */
function moduleOptions(module: string, option: TunedOption): readonly OwnerDefinition[] {
  return option.text
    .replace(/^\s*\+r\s*,?\s*/, "")
    .split(/\s+/)
    .flatMap((word) => {
      const [name = "", text = ""] = word.split("=");
      const definition = defined(`${module}.${name}`, { ...option, text });
      const notRead = "it is kept in /etc/modprobe.d/tuned.conf, for the next load of the module";
      return definition.key === undefined ? [] : [{ definition, sets: "again" as const, notRead }];
    });
}

function defined(
  name: string,
  { text, path, line }: TunedOption,
  more: Partial<Definition> = {},
): Definition {
  return definitionOf({ name, text, reader: "tuned", path, line }, more);
}

function reapplies(files: BootFiles): boolean {
  const found = /^\s*reapply_sysctl\s*=\s*(\S+)/m.exec(textAt(files, MAIN) ?? "")?.[1];
  return found === undefined || /^(1|true|yes|on)$/i.test(found);
}

/** Every line of the host's own files, but not of the distribution's: tuned leaves /usr/lib out. */
function reapplied(files: BootFiles): readonly Definition[] {
  const directoryOf = new Map<string, string>();
  for (const directory of SYSCTL_DIRECTORIES) {
    for (const name of namesAt(files, directory)) {
      if (name.endsWith(".conf") && !directoryOf.has(name)) directoryOf.set(name, directory);
    }
  }
  const ordered = [...directoryOf].toSorted(([one], [other]) => byName(one, other));
  const paths = [...ordered.map(([name, directory]) => `${directory}/${name}`), "/etc/sysctl.conf"];
  return paths.flatMap((path) =>
    (textAt(files, path) ?? "").split("\n").flatMap((raw, index) => {
      const match = /^([^#;=][^=]*?)\s*=\s*(.*)$/.exec(raw.trim());
      const name = match?.[1] ?? "";
      // Its own rule of names: every dot is a slash, and a minus in front is part of the name.
      if (match === null || name.startsWith("-") || !isTrackerName(name)) return [];
      return [definitionOf({ name, text: match[2] ?? "", reader: "tuned", path, line: index + 1 })];
    }),
  );
}

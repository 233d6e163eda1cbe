/**
 * Lines of files that say what they should not: two values for one setting, names that no kernel has, names
 * of kernels long gone.
 */
import type { BootDefinition } from "../../table/boot.ts";
import type { Finding } from "../../table/finding.ts";
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";
import { SETTING_KEYS, settingOf } from "../../table/settings.ts";
import { contradictions, type OutlookRow } from "../boot-outlook.ts";
import type { Facts } from "../facts.ts";
import { amountOf, groupDigits } from "../wording.ts";
import { lookAtBoot, outlookOf, placeOf, shortName, valueText } from "./lasting.ts";
import { evidenceOf } from "./rule.ts";

/** `contradicting-definitions`: files give one setting several values; the last one read wins. */
export function contradictingDefinitions(facts: Facts): readonly Finding[] {
  const rows = (outlookOf(facts)?.rows ?? []).filter((row) => contradictions(row).length > 1);
  const [first] = rows;
  if (first === undefined) return [];
  const places = contradictions(first);
  const values = places.map(({ value = 0 }) => valueText(first.key, value));
  const said = places.map((place, index) => `${values[index] ?? ""} in ${placeOf(place)}`);
  const more = rows.length > 1 ? `, and ${rows.length - 1} more` : "";
  const after = first.after === undefined ? "" : ` (${valueText(first.key, first.after)})`;
  return [
    {
      code: "contradicting-definitions",
      level: "ok",
      title: `Files disagree on ${shortName(first.key)}: ${values.slice(0, 3).join(", ")}${more}`,
      evidence: evidenceOf({
        settings: rows.length,
        key: first.key,
        values: places.length,
        afterBoot: first.after,
        places: places.map(placeOf).join(" "),
      }),
      meaning:
        `They say ${said.slice(0, 4).join(", ")}. ` +
        `The last one that is read while the tracker is there wins${after}. Leave one definition.`,
      remedy: [lookAtBoot(facts)],
    },
  ];
}

/**
 * `unknown-key`: settings of the tracker on this host that Headroom does not know, or whose value is no
 * number; and lines of files that the kernel will not take.
 */
export function unknownKey(facts: Facts): readonly Finding[] {
  return [...unknownOnHost(facts), ...unknownInFiles(facts)];
}

function unknownOnHost(facts: Facts): readonly Finding[] {
  const { unknownKeys, unreadable } = facts.settings;
  const names = [...unknownKeys, ...unreadable.map(({ name }) => name)];
  if (names.length === 0) return [];
  const some = names.length > 3 ? `${names.slice(0, 3).join(", ")}, ...` : names.join(", ");
  return [
    {
      code: "unknown-key",
      level: "ok",
      title: `${amountOf(names.length, "setting")} that Headroom cannot judge: ${some}`,
      evidence: evidenceOf({
        unknownKeys: unknownKeys.length,
        unreadableKeys: unreadable.length,
        names: names.join(" "),
      }),
      meaning:
        "The kernel is newer than this release of Headroom, or was changed. The settings it knows are " +
        "judged as usual.",
      remedy: [],
    },
  ];
}

function unknownInFiles(facts: Facts): readonly Finding[] {
  const rows = outlookOf(facts)?.rows ?? [];
  const refused = rows.flatMap((row) =>
    row.definitions.filter((each) => each.fate === "refused" && !isGoneName(facts, row, each)),
  );
  const lines = [...(facts.boot?.unknown ?? []).filter(({ fate }) => fate !== "not-read"), ...refused];
  const [first] = lines;
  if (first === undefined) return [];
  const { definition, why = "no kernel has this name" } = first;
  return [
    {
      code: "unknown-key",
      level: "ok",
      title: `${amountOf(lines.length, "line")} of files without effect: ${definition.name.slice(0, 60)}`,
      evidence: evidenceOf({
        linesWithoutEffect: lines.length,
        name: definition.name,
        text: definition.text,
        places: lines.map((each) => placeOf(each.definition)).join(" "),
      }),
      meaning: `${placeOf(definition)}: ${why}. Whoever wrote it believes something set that is not.`,
      remedy: [
        {
          text: "Correct or remove the line.",
          command: `grep -n conntrack ${definition.path}`,
        },
      ],
    },
  ];
}

/** A name that some kernel had, and this one has no more. */
function isGoneName(facts: Facts, row: OutlookRow, { definition }: BootDefinition): boolean {
  const { legacy = [], until } = settingOf(row.key);
  if (legacy.includes(definition.name.replaceAll("/", "."))) return true;
  const release = parseKernelRelease(facts.host.kernelRelease ?? "");
  return until !== undefined && release !== undefined && isSince(release, until);
}

/**
 * `legacy-key`: files that use names this kernel has no more, and values that were read by the names of
 * ip_conntrack, which kernels from 4.9 on do not have.
 */
export function legacyKey(facts: Facts): readonly Finding[] {
  const gone = goneNames(facts);
  return gone.length > 0 ? gone : legacyValues(facts);
}

function goneNames(facts: Facts): readonly Finding[] {
  const lines = (outlookOf(facts)?.rows ?? []).flatMap((row) =>
    row.definitions
      .filter((each) => each.fate === "refused" && isGoneName(facts, row, each))
      .map((each) => ({ row, ...each })),
  );
  const missed = lines.filter(
    ({ row, definition }) => definition.value !== row.after && row.after !== undefined,
  );
  const [first] = [...missed, ...lines];
  if (first === undefined) return [];
  const { definition, row } = first;
  const more = lines.length > 1 ? `, and ${lines.length - 1} more` : "";
  const modern = settingOf(row.key).sysctl;
  const instead = definition.name.includes("ip_conntrack") && modern !== undefined;
  return [
    {
      code: "legacy-key",
      level: missed.length > 0 && instead ? "warning" : "ok",
      title: `Gone from this kernel: ${definition.name.slice(0, 60)}${more}`,
      evidence: evidenceOf({
        legacyKeys: lines.length,
        withoutEffect: missed.length,
        first: definition.name,
        places: lines.map((each) => placeOf(each.definition)).join(" "),
      }),
      meaning: `${placeOf(definition)} still uses the name: the line fails in silence and sets nothing.`,
      remedy: instead
        ? [
            {
              text: `Write ${modern} instead.`,
              command: `grep -n ip_conntrack ${definition.path}`,
            },
          ]
        : [{ text: "Remove the line.", command: `grep -n conntrack ${definition.path}` }],
    },
  ];
}

function legacyValues(facts: Facts): readonly Finding[] {
  const legacy = SETTING_KEYS.filter((key) => {
    const origin = (facts.settings.origins[key] ?? "").replaceAll("/", ".");
    return (settingOf(key).legacy ?? []).some((name) => endsWithName(origin, name));
  });
  const [first] = legacy;
  if (first === undefined) return [];
  const { kernelRelease } = facts.host;
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const onlyNames =
    facts.host.tracker === "ip_conntrack" || (release !== undefined && !isSince(release, "2.6.20"));
  return [
    {
      code: "legacy-key",
      level: "ok",
      title: `${groupDigits(legacy.length)} settings have the old names of ip_conntrack`,
      evidence: evidenceOf({ legacyKeys: legacy.length, first: settingOf(first).legacy?.[0] ?? first }),
      meaning: onlyNames
        ? "This kernel has no others: commands of recent guides (net.netfilter...) fail on it."
        : "Kernels from 4.9 on lack these names: what sets them fails in silence after an upgrade.",
      remedy: onlyNames
        ? []
        : [
            {
              text: "Find the files with old names, and write net.netfilter.nf_conntrack_... instead.",
              command: "grep -rns ip_conntrack /etc/sysctl.conf /etc/sysctl.d",
            },
          ],
    },
  ];
}

/** Whether an origin, its slashes made dots, is this sysctl name or a path that ends in it. */
function endsWithName(origin: string, name: string): boolean {
  return origin === name || origin.endsWith(`.${name}`) || origin.includes(`${name} `);
}

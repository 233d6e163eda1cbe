/** What npm is told: exact versions, and a lock that `npm ci` accepts on every machine. */
import type { Project, Rule } from "./project.ts";

function json(project: Project, path: string): Readonly<Record<string, unknown>> {
  const file = project.files.find((candidate) => candidate.path === path);
  return file === undefined ? {} : (JSON.parse(file.text) as Record<string, unknown>);
}

function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

const GROUPS = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

const exactVersions: Rule = {
  name: "package.json names exact versions",
  check: (project) => {
    const found = json(project, "package.json");
    return GROUPS.flatMap((group) => entries(found[group])).flatMap(([name, version]) =>
      typeof version === "string" && /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)
        ? []
        : [`package.json:1: ${name} is "${String(version)}"; write the exact version`],
    );
  },
  examples: [
    {
      files: { "package.json": '{"dependencies":{"zod":"^4.6.7"},"devDependencies":{"oxfmt":"latest"}}' },
      says: [
        'package.json:1: zod is "^4.6.7"; write the exact version',
        'package.json:1: oxfmt is "latest"; write the exact version',
      ],
    },
    { files: { "package.json": '{"dependencies":{"zod":"4.6.7"}}' }, says: [] },
  ],
};

/**
 * An optional platform package that the registry lacked leaves an entry like this, and `npm ci` then refuses
 * all.
 */
const completeLock: Rule = {
  name: "every entry of the lock has a version and an integrity",
  check: (project) =>
    entries(json(project, "package-lock.json")["packages"]).flatMap(([path, entry]) => {
      if (path === "") return [];
      const known = new Map(entries(entry));
      const lacking = ["version", "integrity"].filter((key) => typeof known.get(key) !== "string");
      if (lacking.length === 0) return [];
      return [`package-lock.json:1: ${path} has no ${lacking.join(" and no ")}; npm ci refuses such a lock`];
    }),
  examples: [
    {
      files: { "package-lock.json": '{"packages":{"":{},"node_modules/a":{"optional":true}}}' },
      says: [
        "package-lock.json:1: node_modules/a has no version and no integrity; npm ci refuses such a lock",
      ],
    },
    {
      files: {
        "package-lock.json":
          '{"packages":{"":{},"node_modules/a":{"version":"1.0.0","integrity":"sha512-x"}}}',
      },
      says: [],
    },
  ],
};

const neutralLock: Rule = {
  name: "the lock names no host",
  check: (project) =>
    entries(json(project, "package-lock.json")["packages"]).flatMap(([path, entry]) =>
      entries(entry).some(([key]) => key === "resolved")
        ? [`package-lock.json:1: ${path} has "resolved"; .npmrc says omit-lockfile-registry-resolved`]
        : [],
    ),
  examples: [
    {
      files: {
        "package-lock.json": '{"packages":{"node_modules/a":{"resolved":"https://example.org/a.tgz"}}}',
      },
      says: [
        'package-lock.json:1: node_modules/a has "resolved"; .npmrc says omit-lockfile-registry-resolved',
      ],
    },
    { files: { "package-lock.json": '{"packages":{"node_modules/a":{"version":"1.0.0"}}}' }, says: [] },
  ],
};

export const packageRules: readonly Rule[] = [exactVersions, completeLock, neutralLock];

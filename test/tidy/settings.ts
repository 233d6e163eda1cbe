/** The registry of settings against the fixtures: a setting that no fixture holds has never been read. */
import type { Setting } from "../../src/table/settings.ts";
import type { Project } from "./project.ts";

/** Returns what is wrong, one line each. */
export function checkSettings(
  settings: Readonly<Record<string, Setting>>,
  project: Project,
): readonly string[] {
  const fixtures = project.files.filter(({ path }) => /^test\/(fixtures|scripts)\//.test(path));
  const inFixture = (name: string): boolean => {
    const path = `/${name.replaceAll(".", "/")}`;
    return fixtures.some(
      (file) => file.path.endsWith(path) || file.text.includes(name) || file.text.includes(path),
    );
  };
  return Object.entries(settings).flatMap(([key, setting]) => {
    const names = [
      setting.sysctl,
      ...(setting.legacy ?? []),
      setting.moduleParameter?.path.replace(/^\//, ""),
    ];
    const known = names.filter((name) => name !== undefined);
    const computed = setting.unit === "flows" || setting.unit === "buckets";
    const hasDefault = (setting.defaults?.length ?? 0) > 0 || setting.readOnly === true || computed;
    return [
      ...(setting.about === "" ? ["has no sentence for people"] : []),
      ...(setting.min <= setting.max ? [] : ["has an empty range"]),
      ...(hasDefault ? [] : ["has no default"]),
      ...(known.length > 0 ? [] : ["has no name in the kernel"]),
      ...(known.some(inFixture) ? [] : ["is in no fixture"]),
    ].map((what) => `src/table/settings.ts: ${key} ${what}`);
  });
}

/**
 * The forecast of a boot held against the programs that read the files: systemd-sysctl and `sysctl --system`
 * of Debian 12 on seeded random trees, the same winner for every setting.
 *
 * HEADROOM_TREES=N compares N trees, HEADROOM_SEED=S begins with another one.
 */
import assert from "node:assert/strict";
import { rmSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { forecastBoot } from "../../src/boot/boot.ts";
import { TrackerNames } from "../../src/boot/tracker-name.ts";
import { HostFiles } from "../../src/kernel/host-files.ts";
import type { BootForecast } from "../../src/table/boot.ts";
import { settingOf, settings, type SettingKey } from "../../src/table/settings.ts";
import { memoryFiles } from "../support/boot-memory.ts";
import {
  cannotRun,
  ChrootRig,
  PROCPS_SYSCTL,
  randomTree,
  SYSTEMD_SYSCTL,
  type Tree,
  treeText,
  UNTOUCHED,
} from "../support/boot-trees.ts";

const RELEASE = "6.1.0";
const TREES = Number(process.env["HEADROOM_TREES"] ?? 400);
const FIRST_SEED = Number(process.env["HEADROOM_SEED"] ?? 1);

/** Every name of the tracker on this kernel, as paths under /proc/sys. */
const targets = new TrackerNames(memoryFiles({}), RELEASE).all();

/** Settings that take any number of six digits; the fake files take everything. */
function isWide(key: SettingKey): boolean {
  const { readOnly, max, sysctl } = settingOf(key);
  return readOnly !== true && max >= 900_000 && sysctl !== undefined;
}

/** What the forecast puts in force, by path under /proc/sys. */
function winners(forecast: BootForecast): ReadonlyMap<string, string> {
  return new Map(
    forecast.settings
      .filter(({ key }) => isWide(key))
      .flatMap(({ key, winner }): [string, string][] => {
        const path = settingOf(key).sysctl?.replaceAll(".", "/");
        return path === undefined || winner === undefined ? [] : [[path, winner.text.slice(0, 6)]];
      }),
  );
}

/** Names of wide settings that are their own: an alias is the same file. */
const compared = targets.filter((target) => {
  const key = target.slice(target.lastIndexOf("/") + 1);
  return isSettingKey(key) && settingOf(key).sysctl === target.replaceAll("/", ".") && isWide(key);
});

function isSettingKey(text: string): text is SettingKey {
  return Object.hasOwn(settings, text);
}

function differences(forecast: BootForecast, real: ReadonlyMap<string, string>): readonly string[] {
  const expected = winners(forecast);
  return compared.flatMap((target) => {
    const found = real.get(target);
    const said = expected.get(target) ?? UNTOUCHED;
    return found === said ? [] : [`${target}: the program says ${found}, the forecast ${said}`];
  });
}

function forecastOf(root: string): BootForecast {
  return forecastBoot({ files: new HostFiles(root), kernelRelease: RELEASE, trackerBuiltin: true });
}

/** What each program does differently from its forecast. */
function compare(rig: ChrootRig, tree: Tree): { systemd: readonly string[]; procps: readonly string[] } {
  const root = rig.put(tree, targets);
  const systemd = differences(forecastOf(root), rig.run(root, [SYSTEMD_SYSCTL], targets));
  rig.remove(root);
  const other = rig.put(withoutReturns(tree), targets);
  rmSync(join(other, "usr/lib/systemd"), { recursive: true });
  mkdirSync(join(other, "etc/init.d"));
  writeFileSync(join(other, "etc/init.d/procps"), "sysctl -q --system\n");
  const procps = differences(forecastOf(other), rig.run(other, [PROCPS_SYSCTL, "--system"], targets));
  rig.remove(other);
  return { systemd, procps };
}

/**
 * A carriage return alone ends a line for systemd-sysctl; to sysctl(8) it is part of the value, which the
 * kernel then refuses and the fake files do not.
 */
function withoutReturns(tree: Tree): Tree {
  return new Map(
    [...tree].map(([path, what]) => {
      const plain = typeof what === "object" && "text" in what;
      return [path, plain ? { text: what.text.replaceAll(/(?<!\n)\r(?!\n)/g, "\n") } : what];
    }),
  );
}

const reason = cannotRun(SYSTEMD_SYSCTL, PROCPS_SYSCTL);

test(
  `${TREES} random trees: the forecast names the winners of the real programs`,
  { skip: reason ?? false },
  (t) => {
    const rig = new ChrootRig([SYSTEMD_SYSCTL, PROCPS_SYSCTL]);
    try {
      const wrong: string[] = [];
      let count = 0;
      for (let seed = FIRST_SEED; seed < FIRST_SEED + TREES; seed++) {
        const tree = randomTree(seed);
        const { systemd, procps } = compare(rig, tree);
        count += compared.length * 2;
        if (systemd.length + procps.length === 0) continue;
        wrong.push(
          `seed ${seed}\n${treeText(tree)}\n` +
            `systemd-sysctl:\n  ${systemd.join("\n  ")}\nsysctl --system:\n  ${procps.join("\n  ")}`,
        );
      }
      t.diagnostic(`${TREES - wrong.length} of ${TREES} trees agree, ${count} settings compared`);
      assert.equal(wrong.length, 0, `${wrong.length} trees differ; the first:\n${wrong[0]}`);
    } finally {
      rig.close();
    }
  },
);

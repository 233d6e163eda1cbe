/**
 * Lines of modprobe held against the program: what `modprobe --showconfig` of Debian 12 says of seeded random
 * trees, the same parameters in the same order.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Random, seededRandom } from "../../src/base/random.ts";
import { forecastBoot } from "../../src/boot/boot.ts";
import { readModprobe } from "../../src/boot/modprobe.ts";
import { HostFiles } from "../../src/kernel/host-files.ts";
import { cannotRun, ChrootRig, type Tree, treeText } from "../support/boot-trees.ts";

const MODPROBE = "/usr/sbin/modprobe";
const TREES = 150;
const DIRECTORIES = [
  "/etc/modprobe.d",
  "/run/modprobe.d",
  "/usr/local/lib/modprobe.d",
  "/lib/modprobe.d",
] as const;

function pick<Value>(random: Random, values: readonly [Value, ...Value[]]): Value {
  return values[random.below(values.length)] ?? values[0];
}

function randomLine(random: Random): string {
  const value = random.below(100_000);
  const module = pick(random, ["nf_conntrack", "nf-conntrack", "nf_conntrack", "ip_conntrack"]);
  const parameter = pick(random, ["hashsize", "hashsize", "acct", "tstamp", "unheard"]);
  const blank = pick(random, [" ", "\t", "  "]);
  return pick(random, [
    `options${blank}${module}${blank}${parameter}=${value}`,
    `options ${module} ${parameter}=${value}${blank}expect_hashsize=${value}`,
    `${blank}options ${module} ${parameter}="${value}"`,
    `options ${module} \\\n${blank}${parameter}=${value}`,
    `# options ${module} ${parameter}=${value}`,
    `blacklist other`,
    `option ${module} ${parameter}=${value}`,
    "",
  ]);
}

function randomTree(seed: number): Tree {
  const random = seededRandom(seed);
  const tree = new Map<string, { text: string } | { link: string } | "directory">();
  for (const directory of DIRECTORIES) {
    for (const name of ["a.conf", "b.conf", "B.conf", "c.conf", "d", ".e.conf", "f.conf.bak"]) {
      if (random.below(3) > 0) continue;
      const text = Array.from({ length: random.below(4) }, () => randomLine(random)).join("\n");
      tree.set(`${directory}/${name}`, random.below(6) === 0 ? { link: "/dev/null" } : { text: `${text}\n` });
    }
  }
  const words = [
    "quiet",
    `nf_conntrack.hashsize=${random.below(9999)}`,
    `nf-conntrack.acct=${random.below(2)}`,
  ];
  tree.set("/proc/cmdline", { text: `${words.filter(() => random.below(2) === 0).join(" ")}\n` });
  return tree;
}

/** `module parameter=value`, in the order in which they are given to the module. */
function printed(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const [command, module, ...options] = line.split(/\s+/);
    if (command !== "options") return [];
    return options.filter((word) => word !== "").map((word) => `${module} ${word.replaceAll('"', "")}`);
  });
}

function forecast(root: string): readonly string[] {
  const files = new HostFiles(root);
  const { options } = readModprobe(files, false);
  const read = options
    .filter(({ notRead }) => notRead === undefined)
    .map(({ module, parameter, text }) => `${module} ${parameter}=${text}`);
  const asked = forecastBoot({ files, kernelRelease: "6.1.0", trackerBuiltin: true })
    .settings.flatMap(({ definitions }) => definitions.map(({ definition }) => definition))
    .filter(({ path }) => path === "/proc/cmdline")
    .map(({ name, text }) => `nf_conntrack ${name.split(".")[1]}=${text}`);
  return [...read, ...asked];
}

const reason = cannotRun(MODPROBE);

test(`${TREES} random trees: the same parameters as modprobe`, { skip: reason ?? false }, () => {
  const rig = new ChrootRig([MODPROBE]);
  try {
    for (let seed = 1; seed <= TREES; seed++) {
      const tree = randomTree(seed);
      const root = rig.put(tree, []);
      const real = printed(rig.output(root, [MODPROBE, "--showconfig"]));
      assert.deepEqual(forecast(root), real, `seed ${seed}\n${treeText(tree)}`);
      rig.remove(root);
    }
  } finally {
    rig.close();
  }
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { commandPages } from "./command-pages.ts";
import { completionScript } from "./completion.ts";
import { manualPage } from "./manual.ts";
import { SHELLS } from "./options.ts";

/** What bash offers for a line whose last word is being typed. */
function offered(line: string): string[] {
  const words = line.split(" ");
  const script = `${completionScript("bash")}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
compopt() { :; }
_headroom; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" });
  assert.deepEqual({ stderr, status }, { stderr: "", status: 0 });
  return stdout.split("\n").filter((word) => word !== "");
}

const completions: readonly [string, readonly string[]][] = [
  ["headroom ex", ["explain"]],
  ["headroom --js", ["--json"]],
  ["headroom list --so", ["--source", "--sort"]],
  ["headroom list --sort b", ["bytes"]],
  ["headroom check --format n", ["nagios"]],
  ["headroom list --format k", ["kernel"]],
  ["headroom explain --source net", ["netlink"]],
  ["headroom completion f", ["fish"]],
  ["headroom help de", ["defaults"]],
  ["headroom rep", ["replay"]],
  ["headroom replay --kernel 6.1", ["6.1", "6.12", "6.18"]],
  ["headroom replay --set nf_conntrack_ma", ["nf_conntrack_max="]],
  ["headroom replay /proc/self/statu", ["/proc/self/status"]],
  ["headroom replay --zo", ["--zone-by-vlan"]],
  ["headroom list desti", ["destination", "destination-port", "destination-key"]],
];
for (const [line, words] of completions) {
  test(`completion of bash offers ${words.join(" ")} for "${line}"`, () =>
    assert.deepEqual(offered(line), words));
}

for (const shell of SHELLS) {
  test(`completionScript("${shell}") knows every command and option`, () => {
    const script = completionScript(shell);
    for (const page of commandPages()) {
      assert.ok(script.includes(page.name), page.name);
      for (const { long } of page.options)
        assert.ok(script.includes(shell === "fish" ? `-l ${long.slice(2)}` : long));
    }
  });

  test(`completionScript("${shell}") is read by its shell without complaint`, (context) => {
    const { stderr, status, error } = spawnSync(shell, ["-n"], {
      input: completionScript(shell),
      encoding: "utf8",
    });
    if (error !== undefined) {
      context.skip(`${shell} is not installed`);
      return;
    }
    assert.deepEqual({ stderr, status }, { stderr: "", status: 0 });
  });
}

test("manualPage() names every command and option, and roff has nothing to complain about", (context) => {
  const page = manualPage("1.2.3");
  for (const command of commandPages()) {
    for (const { flags } of command.options) assert.ok(page.includes(flags.replaceAll("-", "\\-")), flags);
  }
  for (const line of page.split("\n"))
    assert.ok(!line.startsWith(".") || /^\.[A-Z]{1,2}\b|^\.(nf|fi|br)$/.test(line), line);
  const { stderr, error } = spawnSync("man", ["--warnings", "-l", "-"], { input: page, encoding: "utf8" });
  if (error !== undefined) context.diagnostic("man is not installed; the page was not formatted");
  else assert.equal(stderr, "");
});

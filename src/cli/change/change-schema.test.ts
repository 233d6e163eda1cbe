import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ZodMiniType } from "zod/mini";

import { FakeTerminal } from "../../../test/support/terminal.ts";
import { systemClock } from "../../base/clock.ts";
import * as kernel from "../../kernel/kernel.ts";
import { main } from "../cli.ts";
import { applySchema } from "./apply-schema.ts";
import { confirmSchema } from "./confirm-schema.ts";
import { historySchema } from "./history-schema.ts";
import { rollbackSchema } from "./rollback-schema.ts";

const hosts = fileURLToPath(new URL("../../../test/fixtures/hosts/", import.meta.url));
const place = mkdtempSync(join(tmpdir(), "hr-schema-"));
after(() => rmSync(place, { recursive: true }));

/** Runs a command and holds what it prints to its schema: nothing may be dropped or changed. */
async function conforming(schema: ZodMiniType, code: number, ...words: readonly string[]): Promise<unknown> {
  const terminal = new FakeTerminal();
  const ended = await main(words, terminal, { clock: systemClock, kernel: async () => kernel });
  assert.equal(ended, code, terminal.err);
  const value: unknown = JSON.parse(terminal.out);
  assert.deepEqual(schema.parse(value), value);
  return value;
}

for (const host of ["debian-12", "ubuntu-ufw", "rhel-9-tuned", "kube-proxy-node", "linux-2.6"]) {
  test(`what apply, history, rollback and confirm print of ${host} conforms to their schemas`, async () => {
    const root = `${place}/${host}`;
    cpSync(hosts + host, root, { recursive: true, verbatimSymlinks: true });
    const where = ["--root", root, "--json"];
    const set = ["--set", "udp_timeout=20s", "--set", "nf_conntrack_buckets=2000000"];
    await conforming(applySchema, 0, "apply", ...where, ...set, "--dry-run");
    await conforming(applySchema, 0, "apply", ...where, ...set, "--yes");
    await conforming(applySchema, 0, "apply", ...where, ...set, "--yes");
    await conforming(historySchema, 0, "history", ...where);
    await conforming(confirmSchema, 5, "confirm", ...where);
    await conforming(rollbackSchema, 0, "rollback", ...where, "--yes");
    await conforming(rollbackSchema, 5, "rollback", ...where, "--yes");
    const history = await conforming(historySchema, 0, "history", ...where);
    assert.equal((history as { changes: readonly unknown[] }).changes.length, 1);
  });
}

test("what is refused conforms to the schema of apply", async () => {
  const root = `${place}/refused`;
  cpSync(`${hosts}kube-proxy-node`, root, { recursive: true, verbatimSymlinks: true });
  const plan = `${place}/plan.json`;
  writeFileSync(plan, JSON.stringify({ settings: [{ key: "nf_conntrack_udp_timeout", from: 31, to: 20 }] }));
  const where = ["--root", root, "--json", "--yes"];
  await conforming(applySchema, 2, "apply", ...where, "--set", "nf_conntrack_max=0");
  await conforming(applySchema, 5, "apply", ...where, "--plan", plan);
});

test("what will not last conforms to the schema of apply", async () => {
  const root = `${place}/owned`;
  cpSync(`${hosts}kube-proxy-node`, root, { recursive: true, verbatimSymlinks: true });
  const where = ["--root", root, "--json", "--yes", "--set", "tcp_timeout_established=2h"];
  for (const outcome of ["applied", "nothing-to-do"]) {
    const said = (await conforming(applySchema, 0, "apply", ...where)) as {
      outcome: string;
      notLasting: readonly unknown[];
    };
    assert.deepEqual([said.outcome, said.notLasting.length], [outcome, 1]);
  }
});

test("a receipt that cannot be read is a row of the history", async () => {
  const root = `${place}/torn`;
  cpSync(`${hosts}debian-12`, root, { recursive: true, verbatimSymlinks: true });
  await conforming(applySchema, 0, "apply", "--root", root, "--json", "--yes", "--set", "udp_timeout=20s");
  const { changes } = (await conforming(historySchema, 0, "history", "--root", root, "--json")) as {
    changes: readonly { id: string }[];
  };
  writeFileSync(`${root}/var/lib/headroom/changes/${changes[0]?.id ?? ""}/receipt.json`, "{");
  const torn = await conforming(historySchema, 0, "history", "--root", root, "--json");
  assert.equal((torn as { changes: { unreadable: string }[] }).changes[0]?.unreadable, "it is not JSON");
});

/**
 * Text that is compared with a stored file under test/golden. UPDATE=1 rewrites the file; a missing file
 * fails.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const DIRECTORY = fileURLToPath(new URL("../golden/", import.meta.url));

/** Fails unless `lines` are what test/golden/`name` holds. */
export function assertGolden(name: string, lines: readonly string[]): void {
  const path = `${DIRECTORY}${name}`;
  const found = `${lines.join("\n")}\n`;
  if (process.env["UPDATE"] === "1") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, found);
  }
  assert.equal(found, readFileSync(path, "utf8"));
}

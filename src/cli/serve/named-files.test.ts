import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { examine } from "./configuration.ts";
import { unusableFiles } from "./named-files.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-named-"));
after(() => rmSync(directory, { recursive: true }));
const program = join(directory, "page");
writeFileSync(program, "");
chmodSync(program, 0o755);
const plain = join(directory, "plain");
writeFileSync(plain, "no word of PEM, and short\n", { mode: 0o600 });

const receiver = (text: string): string => `[[alerts.receivers]]\nname = "a"\n${text}`;

for (const [text, ...said] of [
  ["", ""],
  ['server.token_file = "/no"', '1:21: server.token_file cannot be "/no": it is not there'],
  [
    `server.token_file = "${directory}"`,
    `1:21: server.token_file cannot be "${directory}": it is a directory`,
  ],
  [`server.token_file = "${plain}"`, "1:21: server.token_file: Cannot use token_file"],
  [
    `server.tls_certificate = "${plain}"\nserver.tls_key = "${plain}"`,
    "1:26: server.tls_certificate: Cannot use the certificate",
  ],
  [receiver('kind = "command"\ncommand = ["page", "x"]'), ""],
  [
    receiver('kind = "command"\ncommand = ["pigeon"]'),
    '4:11: alerts.receivers[0].command cannot be "pigeon": there is no such program in PATH',
  ],
  [
    receiver(`kind = "command"\ncommand = ["${directory}"]`),
    `4:11: alerts.receivers[0].command cannot be "${directory}": it is a directory`,
  ],
  [
    receiver('kind = "mail"\nto = ["a@example.org"]\nsendmail = "/no"'),
    '5:12: alerts.receivers[0].sendmail cannot be "/no": it is not there',
  ],
  [
    receiver('kind = "webhook"\nurl = "http://127.0.0.1"\nsecret_file = "/no"\nca = "/none"'),
    '5:15: alerts.receivers[0].secret_file cannot be "/no": it is not there',
    '6:6: alerts.receivers[0].ca cannot be "/none": it is not there',
  ],
] as const) {
  test(`unusableFiles() of ${JSON.stringify(text)}`, () => {
    const examined = examine(text, "f");
    const found = unusableFiles(examined.written, `/nowhere:${directory}`).map((one) => examined.placed(one));
    const wanted = said.filter((start) => start !== "");
    assert.equal(found.length, wanted.length, found.join("\n"));
    for (const [index, start] of wanted.entries()) {
      assert.ok(found[index]?.startsWith(`f:${start}`), `${found[index]}\nshould begin with ${start}`);
    }
  });
}

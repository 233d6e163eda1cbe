import assert from "node:assert/strict";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { KernelError } from "./error.ts";
import { FollowedFile } from "./followed-file.ts";

const directory = mkdtempSync(join(tmpdir(), "headroom-follow-"));
after(() => rmSync(directory, { recursive: true }));
let files = 0;

/** A file with old lines, followed; `text` is what came since. */
function follow(before = "old line\n"): { path: string; file: FollowedFile; text: () => string } {
  files += 1;
  const place = join(directory, String(files));
  mkdirSync(place);
  const path = join(place, "kern.log");
  writeFileSync(path, before);
  let text = "";
  const decoder = new TextDecoder();
  const file = new FollowedFile(path, {
    chunk: (bytes) => {
      text += decoder.decode(bytes, { stream: true });
    },
    endLine: () => {
      if (text !== "" && !text.endsWith("\n")) text += "\n";
    },
  });
  const read = (): string => {
    file.read();
    return text;
  };
  return { path, file, text: read };
}

test("what was there before is not read, what is appended is read once", () => {
  const { path, text } = follow();
  assert.equal(text(), "");
  appendFileSync(path, "one\n");
  assert.equal(text(), "one\n");
  assert.equal(text(), "one\n");
  appendFileSync(path, "two\nthr");
  appendFileSync(path, "ee\n");
  assert.equal(text(), "one\ntwo\nthree\n");
});

test("a file that is renamed is read to its end, and on while its writer still has it", () => {
  const { path, text } = follow();
  appendFileSync(path, "one\n");
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, "two\n");
  assert.equal(text(), "one\ntwo\n");
  writeFileSync(path, "");
  assert.equal(text(), "one\ntwo\n");
  appendFileSync(`${path}.1`, "three\n");
  assert.equal(text(), "one\ntwo\nthree\n");
  appendFileSync(path, "four\n");
  assert.equal(text(), "one\ntwo\nthree\nfour\n");
});

test("a rename and a new file with lines between two readings loses none", () => {
  const { path, text } = follow();
  appendFileSync(path, "one\n");
  renameSync(path, `${path}.1`);
  writeFileSync(path, "two\n");
  assert.equal(text(), "one\ntwo\n");
});

test("a file that is copied and cut short loses none, whatever was unread", () => {
  const { path, text, file } = follow();
  appendFileSync(path, "one\n");
  assert.equal(text(), "one\n");
  appendFileSync(path, "two\n");
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
  appendFileSync(path, "three\n");
  assert.equal(text(), "one\ntwo\nthree\n");
  assert.equal(file.losses, 0);
});

test("one that grew beyond our place after it was cut is told by its text, also with a dated copy", () => {
  const { path, text, file } = follow("");
  appendFileSync(path, "one\n");
  assert.equal(text(), "one\n");
  appendFileSync(path, "two\n");
  copyFileSync(path, `${path}-20261122`);
  truncateSync(path);
  appendFileSync(path, "three is a longer line than all before\n");
  assert.equal(text(), "one\ntwo\nthree is a longer line than all before\n");
  assert.equal(file.losses, 0);
});

test("one that is cut short without a copy counts as a loss and is read from its beginning", () => {
  const { path, text, file } = follow();
  truncateSync(path);
  appendFileSync(path, "new\n");
  assert.equal(text(), "new\n");
  assert.equal(file.losses, 1);
});

test("a file that is gone and comes back is read from its beginning", () => {
  const { path, text, file } = follow();
  rmSync(path);
  assert.equal(text(), "");
  assert.equal(file.refused, undefined);
  writeFileSync(path, "again\n");
  assert.equal(text(), "again\n");
});

test("a name that leads to no file is told, and followed when it does again", () => {
  const { path, text, file } = follow();
  rmSync(path);
  mkdirSync(path);
  assert.equal(text(), "");
  assert.equal(file.refused?.code, "invalid");
  rmSync(path, { recursive: true });
  writeFileSync(path, "again\n");
  assert.equal(text(), "again\n");
  assert.equal(file.refused, undefined);
});

test("what cannot be read at the beginning throws, and a closed one stays silent", () => {
  assert.throws(() => new FollowedFile(join(directory, "none"), { chunk() {}, endLine() {} }), KernelError);
  const { path, text, file } = follow();
  file.close();
  appendFileSync(path, "late\n");
  assert.equal(text(), "");
});

test("any order of writing, rotating and reading gives every line once and in order", () => {
  const step = fc.constantFrom("write", "write", "read", "rename", "copytruncate");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { path, text, file } = follow();
      let lines = 0;
      let readLines = 0;
      let wanted = "";
      // A second rotation before it is asked again is more than the names of files can tell, and a copy of
      // which nothing was read is not known as one.
      let isRotated = false;
      let isRead = true;
      for (const each of steps) {
        if (each === "write") {
          lines += 1;
          appendFileSync(path, `line ${lines}\n`);
          wanted += `line ${lines}\n`;
        }
        if (each === "read") {
          assert.equal(text(), wanted);
          isRead ||= !isRotated && lines > readLines;
          isRotated = false;
          readLines = lines;
        }
        if (
          isRotated ||
          (each === "copytruncate" && !isRead) ||
          (each !== "rename" && each !== "copytruncate")
        )
          continue;
        isRotated = true;
        isRead = false;
        if (existsSync(`${path}.1`)) renameSync(`${path}.1`, `${path}.2`);
        if (each === "rename") renameSync(path, `${path}.1`);
        if (each === "copytruncate") copyFileSync(path, `${path}.1`);
        if (each === "rename") writeFileSync(path, "");
        else truncateSync(path);
      }
      assert.equal(text(), wanted);
      assert.equal(file.losses, 0);
      file.close();
    }),
    { numRuns: 150 },
  );
});

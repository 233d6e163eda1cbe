import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { insideNamespace, namedNamespace } from "./namespace-enter.ts";

test("insideNamespace() says that a namespace is not there", () => {
  assert.throws(() => insideNamespace(namedNamespace("hr-nl-none"), () => 1), {
    code: "not-found",
    message:
      "Cannot open network namespace /run/netns/hr-nl-none: no such file or directory (ENOENT); " +
      "`ip netns list` and `lsns -t net` show what there is",
  });
  assert.throws(() => insideNamespace({ pid: 2 ** 30 }, () => 1), {
    code: "not-found",
    message: /^Cannot open the network namespace of process 1073741824: .*; no such process$/,
  });
});

test("insideNamespace() says that a file is no namespace and leaves no descriptor open", () => {
  const open = readdirSync("/proc/self/fd").length;
  const path = "/proc/self/status";
  // Without CAP_SYS_ADMIN the kernel may say so before it looks at the file.
  assert.throws(() => insideNamespace({ path }, () => 1), {
    message:
      /^Cannot enter network namespace \/proc\/self\/status: .*(is not a network namespace|CAP_SYS_ADMIN)$/,
  });
  assert.equal(readdirSync("/proc/self/fd").length, open);
});

test("insideNamespace() leaves a descriptor it was given to its owner", () => {
  const fd = openSync("/proc/self/status", "r");
  assert.throws(() => insideNamespace({ fd }, () => 1), /behind descriptor/);
  closeSync(fd);
});

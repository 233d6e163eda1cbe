import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { test } from "node:test";
import { textTable } from "../../test/support/text-table.ts";
import { codeOfErrno, errnoError, fileError, KernelError } from "./error.ts";

const codes = textTable(
  ["errno", "code"],
  `
  errno            code
  EPERM            not-permitted
  EACCES           not-permitted
  ENOENT           not-found
  ESRCH            not-found
  EEXIST           already-exists
  EBUSY            busy
  EINVAL           invalid
  EINTR            interrupted
  EROFS            read-only
  EDQUOT           disk-full
  EAGAIN           timed-out
  ENOBUFS          no-buffer-space
  ENOMEM           out-of-memory
  ENOSPC           chain-too-long
  EOPNOTSUPP       unsupported
  ENOSYS           unsupported
  EPROTONOSUPPORT  module-missing
  EIO              io
  EMFILE           io
  `,
);

for (const { errno = "", code } of codes) {
  test(`codeOfErrno() takes ${errno} for ${code}`, () => {
    const number = constants.errno[errno as keyof typeof constants.errno];
    assert.equal(codeOfErrno(number), code);
  });
}

test("errnoError() says what was tried, what the kernel said, and what helps", () => {
  const error = errnoError(1, "read the table", "run as root");
  assert.ok(error instanceof KernelError);
  assert.equal(error.code, "not-permitted");
  assert.equal(error.errnoName, "EPERM");
  assert.equal(error.message, "Cannot read the table: operation not permitted (EPERM); run as root");
});

test("errnoError() keeps a number that has no name", () => {
  const error = errnoError(524, "read the table");
  assert.equal(error.message, "Cannot read the table: error number 524 (errno 524)");
  assert.equal(error.code, "io");
});

test("fileError() turns what node:fs throws into a KernelError and keeps the cause", () => {
  let cause: unknown;
  try {
    readFileSync("/proc/no such file");
  } catch (thrown) {
    cause = thrown;
  }
  const error = fileError(cause, "read /proc/no such file");
  assert.equal(error.code, "not-found");
  assert.equal(error.message, "Cannot read /proc/no such file: no such file or directory (ENOENT)");
  assert.equal(error.cause, cause);
});

test("fileError() gives a KernelError back as it is and anything else as io", () => {
  const known = new KernelError("busy", "Cannot do it");
  assert.equal(fileError(known, "do something else"), known);
  assert.equal(fileError(new Error("odd"), "do it").message, "Cannot do it: odd");
  assert.equal(fileError("text", "do it").code, "io");
});

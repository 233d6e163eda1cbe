/** Who types this command, for the receipt. */
import { readlinkSync } from "node:fs";
import { userInfo } from "node:os";

import type { Who } from "../../change/change.ts";
import { shellWord } from "../../table/shell-word.ts";
import type { Terminal } from "../terminal.ts";

/** The user of this process, the one behind sudo, the terminal, and the command line as it was typed. */
export function whoIsHere(terminal: Terminal, words = process.argv.slice(2)): Who {
  const sudoUser = terminal.environment["SUDO_USER"];
  const tty = terminalName();
  return {
    user: userName(),
    ...(sudoUser === undefined || sudoUser === "" ? {} : { sudoUser }),
    ...(tty === undefined ? {} : { tty }),
    command: ["headroom", ...words.map(shellWord)].join(" "),
  };
}

/** A user without a line in the password file has a number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

function terminalName(): string | undefined {
  try {
    const path = readlinkSync("/proc/self/fd/0");
    return /^\/dev\/(pts\/|tty)/.test(path) ? path.slice("/dev/".length) : undefined;
  } catch {
    return undefined;
  }
}

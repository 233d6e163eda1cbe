/**
 * Freeing flows with somebody at a terminal: the questions, and every answer to them. The terminal is a
 * real one, made by script(1).
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { reclaimSchema } from "../../src/cli/reclaim/reclaim-schema.ts";
import type { FlowColumns } from "../../src/table/columns.ts";
import { TCP, UDP } from "../../src/table/protocol.ts";
import { TcpState } from "../../src/table/state.ts";
import { Status } from "../../src/table/status.ts";
import { columnsOf } from "../support/columns.ts";
import { injectFlows, injectTable } from "../support/inject.ts";

const headroom = fileURLToPath(new URL("../../bin/headroom", import.meta.url));
const CLOSED_FLOWS = 40;
const ASKED_FLOWS = 10;
const FLOWS = CLOSED_FLOWS + ASKED_FLOWS;

const directory = mkdtempSync(join(tmpdir(), "hr-reclaim-terminal-"));
const table = injectTable({ flows: 0, capacityFlows: 1, prefix: "hr-recl-tty" });
const { name } = table;
after(() => {
  table.close();
  rmSync(directory, { recursive: true });
});

/** Connections that are closed, then questions of UDP that nobody answered. */
function make(columns: FlowColumns, index: number): void {
  const closed = index < CLOSED_FLOWS;
  const row = closed
    ? {
        protocol: TCP,
        state: TcpState.TIME_WAIT,
        status: Status.CONFIRMED | Status.SEEN_REPLY | Status.ASSURED,
      }
    : { protocol: UDP, status: Status.CONFIRMED };
  columns.clear();
  columns.append(columnsOf([{ ...row, first: index + 1, second: 53, timeoutSeconds: closed ? 90 : 20 }]), 0);
}

function refill(): void {
  spawnSync("ip", ["netns", "exec", name, "conntrack", "-F"]);
  injectFlows(name, FLOWS, make);
}

function flowsLeft(): number {
  const count = ["netns", "exec", name, "conntrack", "-C"];
  return Number(spawnSync("ip", count, { encoding: "utf8" }).stdout);
}

let files = 0;
function removedFile(): string {
  files += 1;
  return join(directory, `${files}.txt`);
}

interface Talk {
  code: number | null;
  /** All that stood on the terminal. */
  screen: string;
}

/** Types each answer when a question stands there. */
function talk(args: readonly string[], answers: readonly string[], file: string): Promise<Talk> {
  const command = [headroom, "reclaim", "--netns", name, "--removed", file, ...args]
    .map((word) => `'${word}'`)
    .join(" ");
  const child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  const left = [...answers];
  let screen = "";
  let answered = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    screen += text;
    const asked = screen.slice(answered);
    if (!/\[(y\/N|1-\d, nothing for none)\] $/.test(asked)) return;
    answered = screen.length;
    child.stdin.write(left.shift() ?? "");
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, screen })));
}

interface Row {
  name: string;
  args: readonly string[];
  answers: readonly string[];
  code: number;
  left: number;
  says: RegExp;
}

const closed = ["state=TIME_WAIT"];
const emergency = ["--emergency"];
const AFTER_CLOSED = FLOWS - CLOSED_FLOWS;
const CTRL_C = "\x03";
const CTRL_D = "\x04";

const rows: readonly Row[] = [
  { name: "yes", args: closed, answers: ["y\r"], code: 0, left: AFTER_CLOSED, says: /Removed 40 flows/ },
  { name: "Yes", args: closed, answers: ["Yes\r"], code: 0, left: AFTER_CLOSED, says: /Removed 40 flows/ },
  { name: "no", args: closed, answers: ["n\r"], code: 5, left: FLOWS, says: /nothing was removed\r\n$/ },
  { name: "nothing", args: closed, answers: ["\r"], code: 5, left: FLOWS, says: /nothing was removed\r\n$/ },
  { name: "yesterday", args: closed, answers: ["yesterday\r"], code: 5, left: FLOWS, says: /nothing was/ },
  { name: "^D", args: closed, answers: [CTRL_D], code: 5, left: FLOWS, says: /N\] .*\r\n.*nothing was/s },
  { name: "^C", args: closed, answers: [CTRL_C], code: 130, left: FLOWS, says: /N\] \^C/ },
  { name: "a number", args: emergency, answers: ["1\r"], code: 0, left: AFTER_CLOSED, says: /Removed 40/ },
  { name: "a name", args: emergency, answers: ["closed\r"], code: 0, left: AFTER_CLOSED, says: /Removed 40/ },
  {
    name: "no cut",
    args: emergency,
    answers: ["\r"],
    code: 5,
    left: FLOWS,
    says: /nothing was removed\r\n$/,
  },
  {
    name: "^D to which",
    args: emergency,
    answers: [CTRL_D],
    code: 5,
    left: FLOWS,
    says: /none\] .*\r\n.*nothing/s,
  },
  { name: "^C to which", args: emergency, answers: [CTRL_C], code: 130, left: FLOWS, says: /none\] \^C/ },
  {
    name: "a wrong number, then none",
    args: emergency,
    answers: ["7\r", "0\r", "-1\r", "\r"],
    code: 5,
    left: FLOWS,
    says: /There is no 7\.\r\n.*There is no 0\..*There is no -1\./s,
  },
  {
    name: "a wrong number, then a right one",
    args: emergency,
    answers: ["7\r", "1\r"],
    code: 0,
    left: AFTER_CLOSED,
    says: /There is no 7\.\r\n.*Removed 40 flows/s,
  },
  {
    name: "a cut by name is asked about, no",
    args: [...emergency, "--cut", "closed"],
    answers: ["n\r"],
    code: 5,
    left: FLOWS,
    says: /Make the cut closed\? \[y\/N\]/,
  },
  {
    name: "a cut by name is asked about, yes",
    args: [...emergency, "--cut", "closed"],
    answers: ["y\r"],
    code: 0,
    left: AFTER_CLOSED,
    says: /Removed 40 flows/,
  },
  {
    name: "--yes without a cut still asks which",
    args: [...emergency, "--yes"],
    answers: ["closed\r"],
    code: 0,
    left: AFTER_CLOSED,
    says: /Which\?/,
  },
];

for (const { name: answer, args, answers, code, left, says } of rows) {
  test(`at a terminal: ${answer}`, async () => {
    refill();
    const file = removedFile();
    const ended = await talk(args, answers, file);
    assert.match(ended.screen, says);
    assert.deepEqual([ended.code, flowsLeft()], [code, left], ended.screen);
    const lines = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").length : 0;
    assert.equal(lines, FLOWS - left);
  });
}

/* ---- Nobody there ---- */

const unasked: readonly { args: readonly string[]; code: number; left: number; says: string; out: RegExp }[] =
  [
    {
      args: [],
      code: 2,
      left: FLOWS,
      says: "nothing was removed: --yes is needed where nobody can be asked, with --cut NAME",
      out: /^1 +40/m,
    },
    {
      args: ["--yes"],
      code: 2,
      left: FLOWS,
      says: "nothing was removed: choose with --cut NAME",
      out: /^1 +40/m,
    },
    {
      args: ["--cut", "closed"],
      code: 2,
      left: FLOWS,
      says: "nothing was removed: --yes is needed where nobody can be asked",
      out: /^1 +40/m,
    },
    {
      args: ["--yes", "--dry-run"],
      code: 0,
      left: FLOWS,
      says: "nothing was removed: --dry-run only looks",
      out: /^1/m,
    },
    {
      args: ["--cut", "silent", "--yes"],
      code: 0,
      left: FLOWS,
      says: "Removing established",
      out: /^Removed 0 flows/,
    },
    {
      args: ["--cut", "oldest", "--yes"],
      code: 2,
      left: FLOWS,
      says:
        "cannot make the cut oldest: wanted unanswered-source, closed, unanswered-tcp, unanswered-other, " +
        "answered-udp, half-closed, silent or a number up to 2",
      out: /^$/,
    },
  ];

for (const { args, code, left, says, out } of unasked) {
  test(`an emergency where nobody can be asked: ${args.join(" ") || "no word"}`, () => {
    refill();
    const all = ["reclaim", "--emergency", "--netns", name, "--removed", removedFile(), ...args];
    const ended = spawnSync(headroom, all, { encoding: "utf8" });
    assert.match(ended.stdout, out);
    assert.ok(ended.stderr.includes(says), ended.stderr);
    assert.deepEqual([ended.status, flowsLeft()], [code, left]);
  });
}

for (const { args, code, says } of [
  { args: [], code: 2, says: "--yes is needed where nobody can be asked" },
  { args: ["--json"], code: 2, says: "--yes is needed where nobody can be asked" },
  { args: ["--dry-run"], code: 0, says: "--dry-run only looks" },
]) {
  test(`flows to remove where nobody can be asked: ${args.join(" ") || "no word"}`, () => {
    refill();
    const ended = spawnSync(headroom, ["reclaim", ...closed, "--netns", name, ...args], { encoding: "utf8" });
    assert.equal(ended.stderr, `headroom: nothing was removed: ${says}\n`);
    assert.deepEqual([ended.status, flowsLeft()], [code, FLOWS]);
  });
}

test("an emergency as JSON is the offer, whatever else is asked for without a choice", () => {
  refill();
  for (const [args, code] of [
    [["--json"], 2],
    [["--json", "--dry-run"], 0],
    [["--json", "--yes"], 2],
    [["--json", "--cut", "closed"], 2],
  ] as const) {
    const ended = spawnSync(headroom, ["reclaim", "--emergency", "--netns", name, ...args], {
      encoding: "utf8",
    });
    const offer = reclaimSchema.parse(JSON.parse(ended.stdout));
    assert.deepEqual([offer.outcome, ended.status, flowsLeft()], ["offered", code, FLOWS]);
  }
});

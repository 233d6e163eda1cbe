import assert from "node:assert/strict";
import { test } from "node:test";

import { Telling } from "./telling.ts";

function tell(
  moves: boolean,
  columns = 40,
): { telling: Telling; seconds: (value: number) => void; text: () => string } {
  let [text, now] = ["", 0];
  const write = (chunk: string): void => void (text += chunk);
  const telling = new Telling({ write, columns, moves, colours: false }, () => now);
  return { telling, seconds: (value) => (now = value), text: () => text };
}

test("a line has its time and how full the table is, and goes on below itself", () => {
  const { telling, seconds, text } = tell(false);
  seconds(4.9);
  telling.say("Normal traffic");
  telling.use(409, 4096);
  seconds(65);
  telling.say("A client opens connections and closes none");
  telling.command("headroom explain");
  assert.equal(
    text(),
    ` 0:04         Normal traffic
 1:05    9 %  A client opens connections
              and closes none
              $ headroom explain
`,
  );
});

test("a full table is full, and one that is nearly full is not", () => {
  const { telling, text } = tell(false);
  telling.use(4095, 4096);
  telling.say("nearly");
  telling.use(4096, 4096);
  telling.say("full");
  assert.equal(text(), " 0:00   99 %  nearly\n 0:00  100 %  full\n");
});

test("on a terminal the bar stays below what is said, and goes at the end", () => {
  const { telling, text } = tell(true, 100);
  telling.use(2049, 4096);
  const bar = ` 0:00   50 %  ${"█".repeat(16)}${"·".repeat(16)} 2,049 of 4,096 flows`;
  telling.say("half");
  telling.close();
  telling.plain("end");
  const again = "\r\u001b[K";
  assert.equal(text(), `${again}${bar}${again} 0:00   50 %  half\n${bar}${again}end\n`);
});

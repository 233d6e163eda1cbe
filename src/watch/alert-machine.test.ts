import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { NOW_MS } from "../../test/support/alert-samples.ts";
import { AlertMachine, type MachineNews } from "./alert-machine.ts";
import type { Condition } from "./alert-condition.ts";
import { type AlertOptions, DEFAULT_ALERT_OPTIONS } from "./alert-options.ts";
import type { AlertCode } from "./alert.ts";

const { rules } = DEFAULT_ALERT_OPTIONS;
const OPTIONS: AlertOptions = {
  cooldownSeconds: 60,
  repeatSeconds: 600,
  rules: { ...rules, "near-full": { ...rules["near-full"], forSeconds: 3, clearSeconds: 5 } },
};
const SEEN: ReadonlySet<AlertCode> = new Set(["near-full"]);

/** One letter a second: what holds by the upper marks, and by the lower ones. */
const WORDS: Readonly<Record<string, readonly [Condition["level"], Condition["level"]] | undefined>> = {
  ".": ["ok", "ok"],
  // Between the marks of warning.
  "-": ["ok", "warning"],
  w: ["warning", "warning"],
  // Between the marks of critical.
  W: ["warning", "critical"],
  c: ["critical", "critical"],
};

function condition(letter: string, more: Partial<Condition> = {}): Condition[] {
  const [level, keeps] = WORDS[letter] ?? ["ok", "ok"];
  if (keeps === "ok") return [];
  return [{ code: "near-full", level, keeps, title: "t", evidence: {}, meaning: "m", remedy: [], ...more }];
}

/** Runs `letters`, a second each (`?`: the facts do not tell), and gives what happened: `2 fired warning`. */
function run(letters: string, machine = new AlertMachine(OPTIONS), fromMs = NOW_MS): string[] {
  return [...letters].flatMap((letter, second) => {
    const seen = letter === "?" ? new Set<AlertCode>() : SEEN;
    return said(machine.step(condition(letter), seen, fromMs + second * 1000), second);
  });
}

function said({ telling, resolved, fired }: MachineNews, second: number): string[] {
  const quiet = [...fired, ...resolved].filter(({ id }) => !telling.some(({ alert }) => alert.id === id));
  return [
    ...telling.map(({ kind, alert }) => `${second} ${kind} ${alert.level}`),
    ...quiet.map(({ state }) => `${second} ${state} in silence`),
  ];
}

for (const [letters, wanted, about] of [
  ["ww.www", [], "what does not last is not told"],
  ["wwww", ["3 fired warning"], "fires when it has held for 3 s"],
  ["--------", [], "between the marks nothing begins"],
  ["wwww---------", ["3 fired warning"], "and nothing ends"],
  ["wwww......", ["3 fired warning", "8 resolved warning"], "over when it was clear for 5 s"],
  ["wwww....w....w", ["3 fired warning"], "a short clear moment ends nothing"],
  ["wwwwc", ["3 fired warning", "4 worse critical"], "a higher level is told at once"],
  ["wccc", ["3 fired critical"], "a pending alert takes the level it has when it fires"],
  ["ccccWWWW", ["3 fired critical"], "a level falls only below its lower mark"],
  ["ccccwwcwwc", ["3 fired critical"], "up and down again is told once"],
  ["wwww?????????", ["3 fired warning"], "what cannot be seen ends nothing"],
  ["wwww.?.?.?.?.", ["3 fired warning", "12 resolved warning"], "nor counts as clear"],
  ["w?w?w?w", ["6 fired warning"], "nor for the time it holds"],
  [
    "wwww.....wwww.....",
    ["3 fired warning", "8 resolved warning", "12 firing in silence", "17 resolved in silence"],
    "within the cooldown the same is not told again",
  ],
  ["wwww.....cccc", ["3 fired warning", "8 resolved warning", "12 fired critical"], "unless it is worse"],
] as const) {
  test(`${letters}: ${about}`, () => assert.deepEqual(run(letters), wanted));
}

test("an alert that goes on firing through the cooldown is told then", () => {
  const machine = new AlertMachine(OPTIONS);
  assert.deepEqual(run("wwww.....", machine).length, 2);
  const later = run("w".repeat(70), machine, NOW_MS + 9000);
  assert.deepEqual(later, ["3 firing in silence", "54 fired warning"]);
});

test("while it fires it is told again after the repeat interval, and not when that is 0", () => {
  const long = "w".repeat(1300);
  assert.deepEqual(run(long), ["3 fired warning", "603 reminder warning", "1203 reminder warning"]);
  assert.deepEqual(run(long, new AlertMachine({ ...OPTIONS, repeatSeconds: 0 })), ["3 fired warning"]);
});

test("what happens once more is told again, after the cooldown", () => {
  const machine = new AlertMachine(OPTIONS);
  const kinds = (happenedMs: number, atMs: number): string[] =>
    machine.step(condition("w", { happenedMs }), SEEN, atMs).telling.map(({ kind }) => kind);
  for (let second = 0; second < 3; second += 1) kinds(1, NOW_MS + second * 1000);
  assert.deepEqual(kinds(1, NOW_MS + 3000), ["fired"]);
  assert.deepEqual(kinds(2, NOW_MS + 4000), []);
  for (let second = 5; second < 63; second += 1) assert.deepEqual(kinds(2, NOW_MS + second * 1000), []);
  assert.deepEqual(kinds(2, NOW_MS + 63_000), ["again"]);
  assert.deepEqual(kinds(2, NOW_MS + 64_000), []);
});

test("a restart neither fires again nor forgets, and ends what is over", () => {
  const before = new AlertMachine(OPTIONS);
  run("wwww", before);
  const [alert] = before.alerts();
  const after = new AlertMachine(OPTIONS);
  after.restore(structuredClone(before.state()), NOW_MS + 30_000);
  assert.deepEqual(after.alerts(), [alert]);
  assert.deepEqual(run("wwwww......", after, NOW_MS + 30_000), ["9 resolved warning"]);
  assert.deepEqual(run("wwww", after, NOW_MS + 42_000), ["3 firing in silence"]);
});

test("a restart after hours counts them for the reminder", () => {
  const before = new AlertMachine(OPTIONS);
  run("wwww", before);
  const after = new AlertMachine(OPTIONS);
  after.restore(before.state(), NOW_MS + 7_200_000);
  assert.deepEqual(run("w", after, NOW_MS + 7_200_000), ["0 reminder warning"]);
});

for (const [name, jumpMs] of [
  ["an hour back", -3_600_000],
  ["an hour ahead", 3_600_000],
] as const) {
  test(`a clock set ${name} fires nothing, resolves nothing, and keeps times in order`, () => {
    const machine = new AlertMachine(OPTIONS);
    machine.step(condition("w"), SEEN, NOW_MS);
    const pending = machine.step(condition("w"), SEEN, NOW_MS + 1000);
    assert.equal(pending.fired.length, 0);
    const at = NOW_MS + 1000 + jumpMs;
    let fired: MachineNews["fired"] = [];
    for (let second = 0; fired.length === 0; second += 1) {
      fired = machine.step(condition("w"), SEEN, at + second * 1000).fired;
    }
    const [alert] = fired;
    assert.ok(alert?.firedAtMs !== undefined && alert.firedAtMs >= alert.sinceMs);
    const later = (alert.firedAtMs ?? 0) - jumpMs;
    assert.deepEqual(machine.step([], SEEN, Math.min(later, at)).resolved, []);
  });
}

test("a jump of an hour counts as 10 s, no more", () => {
  const options = {
    ...OPTIONS,
    rules: { ...OPTIONS.rules, "near-full": { ...rules["near-full"], forSeconds: 60 } },
  };
  const machine = new AlertMachine(options);
  machine.step(condition("w"), SEEN, NOW_MS);
  assert.equal(machine.step(condition("w"), SEEN, NOW_MS + 3_600_000).fired.length, 0);
});

test("what is too late otherwise fires before its rule would", () => {
  const options = {
    ...OPTIONS,
    rules: { ...OPTIONS.rules, "near-full": { ...rules["near-full"], forSeconds: 60 } },
  };
  const firesAt = (firesAfterSeconds: number): number => {
    const machine = new AlertMachine(options);
    const urgent = condition("w", { firesAfterSeconds });
    for (let second = 0; second <= 100; second += 1) {
      if (machine.step(urgent, SEEN, NOW_MS + second * 1000).fired.length > 0) return second;
    }
    return Infinity;
  };
  assert.deepEqual([firesAt(0), firesAt(6), firesAt(6000)], [0, 6, 60]);
});

test("alerts are sorted: firing first, then by level, then by code", () => {
  const options = {
    ...OPTIONS,
    rules: { ...OPTIONS.rules, "table-full": { ...rules["table-full"], forSeconds: 0 } },
  };
  const machine = new AlertMachine(options);
  const other = (code: AlertCode, level: "warning" | "critical"): Condition => ({
    code,
    level,
    keeps: level,
    title: "",
    evidence: {},
    meaning: "",
    remedy: [],
  });
  const all = [
    other("near-full", "critical"),
    other("setting-changed", "warning"),
    other("table-full", "critical"),
  ];
  const { alerts } = machine.step(all, new Set(all.map(({ code }) => code)), NOW_MS);
  assert.deepEqual(
    alerts.map(({ code }) => code),
    ["table-full", "setting-changed", "near-full"],
  );
});

test("never two open alerts of one subject, no end of what was not told, and flapping is bounded", () => {
  const letter = fc.constantFrom(...".-wWc?");
  const second = fc.record({ one: letter, two: letter, seconds: fc.constantFrom(1, 1, 1, 2, 7, 40) });
  fc.assert(
    fc.property(fc.array(second, { maxLength: 400 }), (seconds) => {
      const machine = new AlertMachine(OPTIONS);
      let nowMs = NOW_MS;
      const told = new Map<string, { kind: string; atMs: number; subject: string; id: string }>();
      const tellings: { kind: string; atMs: number; subject: string; id: string }[] = [];
      for (const { one, two, seconds: passed } of seconds) {
        nowMs += passed * 1000;
        const conditions = [...condition(one, { subject: "1" }), ...condition(two, { subject: "2" })];
        const news = machine.step(conditions, one === "?" ? new Set() : SEEN, nowMs);
        const subjects = news.alerts.map(({ code, subject }) => `${code} ${subject ?? ""}`);
        assert.equal(new Set(subjects).size, subjects.length);
        for (const { kind, alert } of news.telling) {
          const telling = { kind, atMs: nowMs, subject: alert.subject ?? "", id: alert.id };
          if (kind === "fired") {
            assert.equal(told.has(alert.id), false);
            told.set(alert.id, telling);
          } else assert.ok(told.has(alert.id));
          tellings.push(telling);
        }
      }
      // A step counts as 10 s at most: the cooldown is at least as long by the wall clock.
      for (const subject of ["1", "2"]) {
        const loud = tellings.filter((each) => each.subject === subject && each.kind !== "resolved");
        for (const [index, { atMs }] of loud.entries()) {
          const near = loud.slice(index).filter((each) => each.atMs - atMs < 60_000);
          // Warning, then critical: no more within one cooldown.
          assert.ok(near.length <= 2, JSON.stringify(near));
        }
      }
    }),
  );
});

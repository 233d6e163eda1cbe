import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { Verdict, verdictText } from "../../model/model.ts";
import { PacketColumns } from "../../packet/packet.ts";
import { VerdictWriter } from "./verdict-writer.ts";

/** One record: its verdict, and the datagram it is a fragment of. */
interface Row {
  verdict: number;
  datagram?: number;
}

/** The lines written for batches of rows, and datagrams that are given up with a batch. */
function written(batches: readonly { rows: readonly Row[]; lost?: readonly number[] }[]): string[] {
  let text = "";
  const decoder = new TextDecoder();
  const writer = new VerdictWriter({
    write: (chunk) => void (text += typeof chunk === "string" ? chunk : decoder.decode(chunk)),
  });
  const columns = new PacketColumns(64);
  let firstRecord = 1;
  for (const { rows, lost = [] } of batches) {
    columns.clear(firstRecord);
    columns.count = rows.length;
    for (const [row, { datagram = 0 }] of rows.entries()) columns.datagram[row] = datagram;
    columns.lost.set(lost);
    columns.lostCount = lost.length;
    writer.add(
      columns,
      Uint8Array.from(rows, ({ verdict }) => verdict),
    );
    firstRecord += rows.length;
  }
  writer.end();
  return text === "" ? [] : text.trimEnd().split("\n");
}

const { NONE, NEW, ESTABLISHED, INVALID, HELD, DROP } = Verdict;

test("VerdictWriter numbers records from 1", () => {
  const rows = [NONE, NEW, NEW | DROP, INVALID].map((verdict) => ({ verdict }));
  assert.deepEqual(written([{ rows }, { rows: [{ verdict: ESTABLISHED }] }]), [
    "1 none",
    "2 new",
    "3 new drop",
    "4 invalid",
    "5 established",
  ]);
  assert.deepEqual(written([]), []);
});

test("VerdictWriter gives a fragment the verdict of its datagram, over batches", () => {
  const held = { verdict: HELD, datagram: 7 };
  const whole = { verdict: NEW | DROP, datagram: 7 };
  assert.deepEqual(
    written([{ rows: [held, { verdict: NONE }] }, { rows: [held, whole, { verdict: NEW }] }]),
    ["1 new drop", "2 none", "3 new drop", "4 new drop", "5 new"],
  );
});

test("VerdictWriter says untracked drop of datagrams that were given up, at once or at the end", () => {
  const rows = [{ verdict: HELD, datagram: 1 }, { verdict: NEW }, { verdict: HELD, datagram: 2 }];
  assert.deepEqual(written([{ rows, lost: [1] }]), ["1 untracked drop", "2 new", "3 untracked drop"]);
  assert.deepEqual(written([{ rows }, { rows: [], lost: [2, 1] }]), [
    "1 untracked drop",
    "2 new",
    "3 untracked drop",
  ]);
});

test("VerdictWriter counts over every carry and every filling of its room", () => {
  const rows = Array.from({ length: 50 }, () => ({ verdict: ESTABLISHED }));
  const lines = written(Array.from({ length: 2100 }, () => ({ rows })));
  assert.equal(lines.length, 105_000);
  for (const [index, line] of lines.entries()) assert.equal(line, `${index + 1} established`);
});

/** The same, with all of it in memory. */
function expected(batches: readonly { rows: readonly Row[] }[]): string[] {
  const rows = batches.flatMap((batch) => batch.rows);
  return rows.map(({ verdict, datagram }, index) => {
    if (verdict !== HELD) return `${index + 1} ${verdictText(verdict)}`;
    const whole = rows.slice(index).find((row) => row.datagram === datagram && row.verdict !== HELD);
    return `${index + 1} ${whole === undefined ? "untracked drop" : verdictText(whole.verdict)}`;
  });
}

test("VerdictWriter agrees with a plain one on every sequence of fragments", () => {
  const row = fc.oneof(
    fc.constantFrom<Row>({ verdict: NEW }, { verdict: NONE }, { verdict: INVALID | DROP }),
    fc.nat(5).map((datagram): Row => ({ verdict: HELD, datagram: datagram + 1 })),
    fc.nat(5).map((datagram): Row => ({ verdict: ESTABLISHED, datagram: datagram + 1 })),
  );
  const batches = fc.array(fc.array(row, { maxLength: 60 }), { maxLength: 200 });
  fc.assert(
    fc.property(batches, (lists) => {
      // A datagram is whole once; its number is not used again.
      const whole = new Set<number>();
      const cleaned = lists.map((rows) => ({
        rows: rows.filter(({ verdict, datagram = 0 }) => {
          if (whole.has(datagram)) return false;
          if (datagram !== 0 && verdict !== HELD) whole.add(datagram);
          return true;
        }),
      }));
      assert.deepEqual(written(cleaned), expected(cleaned));
    }),
    { numRuns: 50 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PAGE_SHIFT, SparseCounts } from "./sparse-counts.ts";

function counted(places: readonly number[], size: number): SparseCounts {
  const sparse = new SparseCounts(size);
  for (const place of places) {
    sparse.counts[place] = (sparse.counts[place] as number) + 1;
    sparse.pages[place >>> PAGE_SHIFT] = 1;
  }
  return sparse;
}

function listed(sparse: SparseCounts): [number, number][] {
  const found: [number, number][] = [];
  sparse.forEach((flows, place) => found.push([place, flows]));
  return found;
}

test("SparseCounts gives every counted place in order, and merges", () => {
  const places = fc.array(fc.nat(999));
  fc.assert(
    fc.property(places, places, (first, second) => {
      const sparse = counted(first, 1000);
      sparse.merge(counted(second, 1000));
      const truth = new Map<number, number>();
      for (const place of [...first, ...second]) truth.set(place, (truth.get(place) ?? 0) + 1);
      assert.deepEqual(
        listed(sparse),
        [...truth].sort(([left], [right]) => left - right),
      );
    }),
  );
});

test("SparseCounts has its last place on a page that is not full", () => {
  assert.deepEqual(listed(counted([0, 256, 256], 257)), [
    [0, 1],
    [256, 2],
  ]);
});

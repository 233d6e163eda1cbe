import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textTable } from "../../test/support/text-table.ts";
import { defaultFlowsPerBucket, defaultSizes, recommendedBuckets } from "./sizes.ts";

const MIB = 1_048_576;
const GIB = 1024 * MIB;

/**
 * Sizes that real kernels chose on virtual machines: `memory` is what the machine was given in MiB,
 * `memTotal` the MemTotal it showed in kB where that was noted; elsewhere some 40 MB less than given, as on
 * all of them.
 */
const measured = textTable(
  ["memory", "memTotal", "5.10", "6.1", "6.12", "6.16", "7.3"],
  `
  memory  memTotal              5.10          6.1           6.12          6.16          7.3
  512     472360,466396         4096/16384    4096/4096     4096/4096     4096/4096     4096/4096
  1024    987688,981724,988764  8192/32768    7680/7680     8192/8192     8192/8192     7680/7680
  1280    -                     16384/65536   65536/65536   65536/65536   65536/65536   65536/65536
  2048    -                     16384/65536   65536/65536   65536/65536   65536/65536   65536/65536
  4096    -                     16384/65536   65536/65536   65536/65536   65536/65536   65536/65536
  4608    -                     65536/262144  262144/262144  262144/262144  262144/262144  262144/262144
  8192    -                     65536/262144  262144/262144  262144/262144  262144/262144  262144/262144
  `,
);

for (const row of measured) {
  for (const [index, release] of (["5.10", "6.1", "6.12", "6.16", "7.3"] as const).entries()) {
    test(`defaultSizes() gives what ${release} chose with ${row.memory} MiB`, () => {
      const noted = row.memTotal?.split(",")[index] ?? notedByChoice(row.memory, release);
      const memoryBytes = noted === undefined ? (Number(row.memory) - 40) * MIB : Number(noted) * 1024;
      const sizes = defaultSizes({ memoryBytes, kernelRelease: `${release}.1` });
      assert.equal(`${sizes?.buckets}/${sizes?.capacityFlows}`, row[release]);
    });
  }
}

/** 7.3 chose 7,680 with 1,024 MiB, so it saw less than 983,040 kB, as 6.1 did; 6.16 saw more, as 6.12 did. */
function notedByChoice(memory: string | undefined, release: string): number | undefined {
  if (memory !== "1024") return undefined;
  return release === "7.3" ? 982_000 : 988_000;
}

const computed = textTable(
  ["memory", "old32", "old64", "mid32", "mid64", "four64", "new32", "new64"],
  `
  memory  old32        old64        mid32        mid64        four64        new32        new64
  0.5     4096/32768   2048/16384   8192/32768   4096/16384   4096/16384    8192/8192    4096/4096
  1       8192/65536   4096/32768   16384/65536  8192/32768   8192/32768    16384/16384  8192/8192
  0.94    7700/61600   3850/30800   16384/65536  8192/32768   8192/32768    16384/16384  8192/8192
  0.96    7864/62912   3932/31456   16384/65536  8192/32768   8192/32768    16384/16384  8192/8192
  2       8192/65536   8192/65536   16384/65536  16384/65536  16384/65536   65536/65536  65536/65536
  4       8192/65536   8192/65536   16384/65536  16384/65536  16384/65536   65536/65536  65536/65536
  8       8192/65536   8192/65536   16384/65536  16384/65536  65536/262144  65536/65536  262144/262144
  16      8192/65536   8192/65536   16384/65536  16384/65536  65536/262144  65536/65536  262144/262144
  64      8192/65536   8192/65536   16384/65536  16384/65536  65536/262144  65536/65536  262144/262144
  `,
);

const columns = {
  old32: ["2.6.18", 4],
  old64: ["2.6.18-274.el5", 8],
  mid32: ["2.6.32", 4],
  mid64: ["3.10.0-1160.el7.x86_64", 8],
  four64: ["4.4.155", 8],
  new32: ["5.15", 4],
  new64: ["6.1.0-21-amd64", 8],
} as const;

for (const row of computed) {
  for (const [column, [kernelRelease, pointerBytes]] of Object.entries(columns)) {
    test(`defaultSizes() of ${kernelRelease}, ${pointerBytes * 8} bits, ${row.memory} GiB`, () => {
      const memoryBytes = Math.round(Number(row.memory) * GIB);
      const sizes = defaultSizes({ memoryBytes, kernelRelease, pointerBytes });
      assert.equal(`${sizes?.buckets}/${sizes?.capacityFlows}`, row[column as keyof typeof columns]);
    });
  }
}

test("defaultSizes() says how it reckons", () => {
  assert.deepEqual(defaultSizes({ memoryBytes: 987_688 * 1024, kernelRelease: "5.10.262" }), {
    buckets: 8192,
    capacityFlows: 32_768,
    generation: "4.0 to 5.14",
    formula: [
      "memory of 1,011,392,512 bytes / 16,384 / 8 bytes a bucket = 7,716 buckets",
      "rounded up to whole pages, a multiple of 512: 8,192 buckets",
      "capacity is 4 x 8,192 buckets = 32,768 flows",
    ],
  });
  assert.deepEqual(defaultSizes({ memoryBytes: 8 * GIB, kernelRelease: "6.1" })?.formula, [
    "memory of 8,589,934,592 bytes is above 4 GiB on a 64-bit kernel: 262,144 buckets",
    "capacity is 1 x 262,144 buckets = 262,144 flows",
  ]);
});

const hashsizes = [
  ["6.1", 2000, 2048, 16_384],
  ["4.4", 65_536, 65_536, 524_288],
  ["2.6.18", 5000, 5000, 40_000],
  ["2.4.20", 100, 100, 800],
] as const;

for (const [kernelRelease, hashsize, buckets, capacityFlows] of hashsizes) {
  test(`defaultSizes() of ${kernelRelease} with hashsize=${hashsize}`, () => {
    const sizes = defaultSizes({ memoryBytes: GIB, kernelRelease, hashsize });
    assert.deepEqual([sizes?.buckets, sizes?.capacityFlows], [buckets, capacityFlows]);
  });
}

test("defaultSizes() ignores hashsize where the kernel has none, and says so", () => {
  const sizes = defaultSizes({ memoryBytes: GIB / 2, kernelRelease: "2.4.2", pointerBytes: 4, hashsize: 9 });
  assert.equal(sizes?.buckets, 4096);
  assert.match(sizes?.formula[0] ?? "", /no hashsize/);
});

const floors = [
  ["2.4.2", 0],
  ["2.6.18", 16],
  ["2.6.32", 512],
  ["6.1", 1024],
] as const;

for (const [kernelRelease, buckets] of floors) {
  test(`defaultSizes() of ${kernelRelease} has a floor of ${buckets} buckets`, () => {
    assert.equal(defaultSizes({ memoryBytes: 1, kernelRelease })?.buckets, buckets);
  });
}

for (const kernelRelease of ["", "unknown", "2.2.26", "linux 6.1"]) {
  test(`defaultSizes() does not guess for ${JSON.stringify(kernelRelease)}`, () => {
    assert.equal(defaultSizes({ memoryBytes: GIB, kernelRelease }), undefined);
  });
}

test("defaultSizes() rounds to the pages of the machine", () => {
  const sizes = defaultSizes({ memoryBytes: GIB / 2, kernelRelease: "6.1", pageBytes: 65_536 });
  assert.equal(sizes?.buckets, 8192);
});

const anyRelease = fc.constantFrom(
  "2.4.0",
  "2.4.20",
  "2.6.9",
  "2.6.22",
  "2.6.32",
  "3.10",
  "4.4",
  "5.10",
  "5.15",
  "6.18",
);

test("more memory never lowers the default capacity", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 40 }),
      fc.integer({ min: 0, max: 2 ** 40 }),
      anyRelease,
      fc.constantFrom<4 | 8>(4, 8),
      fc.constantFrom(4096, 16_384, 65_536),
      (memoryBytes, more, kernelRelease, pointerBytes, pageBytes) => {
        const machine = { kernelRelease, pointerBytes, pageBytes };
        const before = defaultSizes({ memoryBytes, ...machine });
        const after = defaultSizes({ memoryBytes: memoryBytes + more, ...machine });
        assert.ok((after?.capacityFlows ?? 0) >= (before?.capacityFlows ?? Infinity));
      },
    ),
  );
});

test("recommendedBuckets() gives every flow a bucket, in whole pages", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      fc.constantFrom<4 | 8>(4, 8),
      (capacity, pointerBytes) => {
        const buckets = recommendedBuckets(capacity, { pointerBytes });
        assert.ok(buckets >= capacity && buckets < capacity + 1024 && buckets > 0);
        assert.equal(buckets % (4096 / pointerBytes), 0);
      },
    ),
  );
  assert.equal(recommendedBuckets(1_210_856), 1_210_880);
});

test("defaultFlowsPerBucket() by generation", () => {
  const found = ["2.6.18", "3.10", "5.14", "5.15", "junk", undefined].map(defaultFlowsPerBucket);
  assert.deepEqual(found, [8, 4, 4, 1, undefined, undefined]);
});

/** Filters for tests: of any shape that the parser can give. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parsePrefix } from "../../src/table/address-text.ts";
import type { Filter } from "../../src/table/filter.ts";
import {
  type FieldKind,
  type FilterField,
  filterFields,
  type FilterValue,
  isOrdered,
} from "../../src/table/filter-fields.ts";

const amounts: Readonly<Record<string, fc.Arbitrary<number>>> = {
  port: fc.oneof(fc.nat(65_535), fc.constantFrom(0, 22, 80, 443)),
  number: fc.oneof(fc.nat(), fc.nat(10)),
  seconds: fc.oneof(fc.nat(1_000_000), fc.nat(400)),
  size: fc.oneof(fc.nat(Number.MAX_SAFE_INTEGER), fc.nat(2000)),
};

function valueOf(kind: FieldKind, ordered: boolean): fc.Arbitrary<FilterValue> {
  const name = (...names: string[]): fc.Arbitrary<FilterValue> =>
    fc.constantFrom(...names).map((text) => ({ kind: "name", name: text }));
  switch (kind) {
    case "address":
      return fc
        .oneof(fc.ipV4(), fc.constantFrom("2001:db8::/32", "::/0", "0.0.0.0/0", "10.0.0.0/9", "fe80::1"))
        .map((text) => {
          const prefix = parsePrefix(text);
          assert.ok(prefix !== undefined);
          return { kind: "prefix", prefix };
        });
    case "mark":
      return fc
        .tuple(fc.nat(0xffff_ffff), fc.constantFrom(0xffff_ffff, 0xff, 0, 0xf000_0000))
        .map(([word, mask]) => ({
          kind: "masked",
          value: (word & mask) >>> 0,
          mask,
        }));
    case "protocol":
      return fc
        .oneof(fc.nat(255), fc.constantFrom(1, 6, 17, 50))
        .map((number) => ({ kind: "range", from: number, to: number }));
    case "state":
      return name("ESTABLISHED", "SYN_SENT2", "SHUTDOWN_ACK_SENT", "OPEN", "NONE");
    case "status":
      return name("assured", "unreplied", "hw-offload", "src-nat", "helper");
    case "family":
      return name("ipv4", "ipv6");
    case "nat":
      return name("none", "any", "both");
    case "helper":
      return name("ftp", "two words", "and", "a,b", "(x)", "");
    default:
      return fc.tuple(amounts[kind] as fc.Arbitrary<number>, fc.nat(9)).map(([from, more]) => ({
        kind: "range",
        from,
        to: ordered || from + more > 65_535 ? from : from + more,
      }));
  }
}

const comparison: fc.Arbitrary<Filter> = fc
  .constantFrom(...(Object.keys(filterFields) as FilterField[]))
  .chain((field): fc.Arbitrary<Filter> => {
    const { kind } = filterFields[field];
    const listed = fc.record(
      {
        kind: fc.constant("compare" as const),
        field: fc.constant(field),
        operator: fc.constantFrom("=" as const, "!=" as const),
        values: fc.array(valueOf(kind, false), { minLength: 1, maxLength: 3 }),
      },
      { noNullPrototype: true },
    );
    const ordered = fc.record(
      {
        kind: fc.constant("compare" as const),
        field: fc.constant(field),
        operator: fc.constantFrom("<" as const, "<=" as const, ">" as const, ">=" as const),
        values: fc.array(valueOf(kind, true), { minLength: 1, maxLength: 1 }),
      },
      { noNullPrototype: true },
    );
    return isOrdered(kind) ? fc.oneof(listed, ordered) : listed;
  })
  .filter(
    (filter) =>
      filter.kind !== "compare" || filter.values.every((value) => value.kind !== "name" || value.name !== ""),
  );

/** Any filter, conditions on every field among them. */
export const anyFilter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    comparison,
    fc.constant<Filter>({ kind: "all" }),
    tie("filter").map((part): Filter => ({ kind: "not", part })),
    ...(["and", "or"] as const).map((kind) =>
      fc.array(tie("filter"), { minLength: 2, maxLength: 3 }).map((parts): Filter => ({
        kind,
        parts: parts.flatMap((part) => (part.kind === kind ? part.parts : [part])),
      })),
    ),
  ),
})).filter;

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Definition, DefinitionReader } from "../table/boot.ts";
import { appendLine, replaceValue } from "./edit-line.ts";

const encoder = new TextEncoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function textOf(of: Uint8Array | undefined): string | undefined {
  return of === undefined ? undefined : new TextDecoder().decode(of);
}

function definition(
  name: string,
  value: string,
  line: number,
  reader: DefinitionReader = "systemd-sysctl",
): Definition {
  return { name, text: value, reader, path: "/etc/x", line };
}

const MAX = "net.netfilter.nf_conntrack_max";

/** Each: what it is, the file, the definition, the file afterwards (undefined: left alone). */
const replacements: readonly [string, string, Definition, string | undefined][] = [
  ["blanks around", "a=1\n  net.x  =  5\n", definition("net.x", "5", 2), "a=1\n  net.x  =  9\n"],
  ["no blanks, no last newline", "net.x=5", definition("net.x", "5", 1), "net.x=9"],
  ["a leading minus", "-net.x = 5\n", definition("net.x", "5", 1), "-net.x = 9\n"],
  ["a minus and a blank", "- net.x = 5\n", definition("net.x", "5", 1), "- net.x = 9\n"],
  ["DOS line ends", "a=1\r\nnet.x = 5\r\n", definition("net.x", "5", 2), "a=1\r\nnet.x = 9\r\n"],
  [
    "slashes",
    "net/netfilter/nf_conntrack_max=5\n",
    definition(MAX, "5", 1),
    "net/netfilter/nf_conntrack_max=9\n",
  ],
  ["words behind the value", "net.x = 5  # why\n", definition("net.x", "5  # why", 1), "net.x = 9  # why\n"],
  ["no value", "net.x =\n", definition("net.x", "", 1), "net.x =9\n"],
  ["only the line that decides", "net.x=5\nnet.x=6\n", definition("net.x", "6", 2), "net.x=5\nnet.x=9\n"],
  ["a pattern", "net.*=5\n", definition("net.x", "5", 1), undefined],
  ["another line than expected", "net.y=5\n", definition("net.x", "5", 1), undefined],
  ["a line that is not there", "net.x=5\n", definition("net.x", "5", 7), undefined],
  [
    "a module option among others",
    "options nf_conntrack acct=5 hashsize=5 tstamp=1\n",
    definition("nf_conntrack.hashsize", "5", 1, "modprobe"),
    "options nf_conntrack acct=5 hashsize=9 tstamp=1\n",
  ],
  [
    "an option on the next line",
    "options nf_conntrack \\\n  hashsize=5\n",
    definition("nf_conntrack.hashsize", "5", 1, "modprobe"),
    "options nf_conntrack \\\n  hashsize=9\n",
  ],
  [
    "not an option whose name ends so",
    "options nf_conntrack expect_hashsize=5\n",
    definition("nf_conntrack.hashsize", "5", 1, "modprobe"),
    undefined,
  ],
  [
    "a command of a script",
    `/sbin/sysctl -q -w ${MAX}=5 >/dev/null\n`,
    definition(MAX, "5", 1, "rc-local"),
    `/sbin/sysctl -q -w ${MAX}=9 >/dev/null\n`,
  ],
  [
    "a command in quotes",
    `sysctl -w "${MAX}=5"\n`,
    definition(MAX, "5", 1, "rc-local"),
    `sysctl -w "${MAX}=9"\n`,
  ],
  [
    "an echo",
    "echo 5 > /proc/sys/net/netfilter/nf_conntrack_max\n",
    definition("net/netfilter/nf_conntrack_max", "5", 1, "rc-local"),
    "echo 9 > /proc/sys/net/netfilter/nf_conntrack_max\n",
  ],
  ["a variable", `sysctl -w ${MAX}=$MAX\n`, definition(MAX, "5", 1, "rc-local"), undefined],
  ["a program's own file", "max: 5\n", definition("max", "5", 1, "kube-proxy"), undefined],
];

for (const [name, before, where, after] of replacements) {
  test(`replaces a value: ${name}`, () => {
    const edited = replaceValue(bytes(before), where, 9);
    assert.equal(textOf(edited?.bytes), after);
  });
}

test("bytes that are no UTF-8 stay, on the line itself and around it", () => {
  const before = Uint8Array.of(0xff, 0x0a, ...bytes("net.x = 5 "), 0xe4, 0xfc, 0x0a, 0x00, 0xc3);
  const edited = replaceValue(before, definition("net.x", "5 \ufffd\ufffd", 2), 9);
  assert.deepEqual(
    edited?.bytes,
    Uint8Array.of(0xff, 0x0a, ...bytes("net.x = 9 "), 0xe4, 0xfc, 0x0a, 0x00, 0xc3),
  );
  assert.deepEqual(edited.edit, {
    kind: "replace",
    line: 2,
    from: "net.x = 5 \ufffd\ufffd",
    to: "net.x = 9 \ufffd\ufffd",
  });
});

test("replacing and replacing back gives every byte back", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 1, max: 10_000_000 }),
      (head, tail, value) => {
        const start = head.filter((byte) => byte !== 0x0a);
        const end = tail.length === 0 ? tail : Uint8Array.of(0x0a, ...tail);
        const before = Uint8Array.of(...start, 0x0a, ...bytes("net.x = 5"), ...end);
        const there = replaceValue(before, definition("net.x", "5", 2), value);
        const back = replaceValue(there?.bytes ?? before, definition("net.x", String(value), 2), 5);
        assert.deepEqual(back?.bytes, before);
      },
    ),
  );
});

const appended: readonly [string, string, string][] = [
  ["an empty file", "", "b\n"],
  ["a last newline", "a\n", "a\nb\n"],
  ["no last newline", "a", "a\nb\n"],
  ["DOS line ends", "a\r\nc", "a\r\nc\r\nb\r\n"],
];

for (const [name, before, after] of appended) {
  test(`appends a line: ${name}`, () => {
    assert.equal(textOf(appendLine(bytes(before), "b").bytes), after);
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyFilter } from "../../test/support/filters.ts";
import { FilterError, filterFieldsOf, formatFilter, parseFilter } from "./filter.ts";
import { nearestWord } from "./filter-words.ts";

/** Filters that mean the same, the plainest form first. */
const sames: readonly (readonly string[])[] = [
  ["all", "", "  ", "ALL", "(all)"],
  [
    "state=ESTABLISHED and idle>1h and not source=10.0.0.0/8",
    "state=established AND idle > 60m and NOT src=10.0.0.0/8",
    "state=ESTABLISHED idle>3600 !src=10.1.2.3/8",
    "established && (idle>1h && ! source in 10.0.0.0/8)",
    "state established idle>1h not source 10.0.0.0/8",
  ],
  [
    "protocol=tcp and destination-port=443",
    "tcp dport=443",
    "proto=6 dport 443",
    "protocol tcp dst port 443",
  ],
  ["unreplied", "UNREPLIED", "status=unreplied", "status in unreplied", "(((unreplied)))"],
  ["seen-reply", "seen_reply", "replied", "status=seen-reply"],
  ["hw-offload or offload", "hw_offload | offload", "status=HW_OFFLOAD||OFFLOAD"],
  [
    "(port=80,443 or port=8000-8999) and bytes<1000",
    "(port in 80,443 or port=8000-8999) and bytes<1k",
    "(port=80, 443 || port 8000-8999) bytes<1kB",
  ],
  ["state=SYN_SENT2", "state=LISTEN", "listen", "syn-sent2"],
  [
    "source!=2001:db8::/32",
    "src not in 2001:db8::/32",
    "source<>2001:DB8:0::/32",
    "src!=2001:db8:ffff::1/32",
  ],
  ["address=10.0.0.1", "host 10.0.0.1", "net=10.0.0.1/32", "ADDR in 10.0.0.1"],
  ["source=10.0.0.1", "src host 10.0.0.1", "src net 10.0.0.1"],
  ["mark=0x10/0xff", "mark=16/255", "ctmark=0x110/0xff"],
  ["mark=0x5", "mark=5", "mark==5/0xffffffff"],
  ["bytes>=1024", "bytes>=1Ki", "bytes>=1.0kib"],
  ["bytes>1500000", "bytes>1.5M"],
  ["remaining<=129600", "timeout<=1d12h"].map((text) => text.replace("129600", "1d12h")),
  ["idle=1h-2h", "idle in 60m-120m"],
  ["age<2m and packets=1", "delta-time<120 pkts=1"],
  ["nat=any", "nat any"],
  ["nat=source,both", "nat in snat,both"],
  ["family=ipv6", "ipv6", "IPv6", "family=6", "inet6"],
  ["helper=ftp", 'helper="ftp"', "helper in ftp"],
  ['helper="two words"'],
  ["helper", "status=helper"],
  ["not not assured", "! not assured", "!!assured"],
  ["not (assured or offload)", "!(assured|offload)"],
  ["zone=7 and original-zone=8 and reply-zone!=9", "zone=7 zone-orig=8 zone-reply!=9"],
  ["protocol=50 or icmp-type=8", "protocol=50|icmp-type=8"],
  ["protocol=tcp,udp,sctp", "proto in tcp,17,SCTP"],
  ["assured and offload or dying", "(assured offload) or dying"],
  ["id=4294967295 and use>1", "id=0xffffffff use>1"],
];

for (const [plain = "", ...others] of sames) {
  test(`formatFilter() gives ${plain}`, () => {
    const filter = parseFilter(plain);
    assert.equal(formatFilter(filter), plain);
    for (const text of others) assert.deepEqual(parseFilter(text), filter, text);
  });
}

interface Wrong {
  text: string;
  code: FilterError["code"];
  message: readonly string[];
}

const wrongs: readonly Wrong[] = [
  {
    text: "stat=ESTABLISHED",
    code: "unknown-word",
    message: [
      'Cannot read the filter: "stat" is not a field',
      "  stat=ESTABLISHED",
      "  ^^^^",
      "Did you mean state?",
    ],
  },
  {
    text: "idle>1h and state=ESTABLISHD",
    code: "bad-value",
    message: [
      'Cannot read the filter: "ESTABLISHD" is no value of state',
      "  idle>1h and state=ESTABLISHD",
      "                    ^^^^^^^^^^",
      "Expected a state such as ESTABLISHED or TIME_WAIT; did you mean ESTABLISHED?",
    ],
  },
  {
    text: "unrepleid",
    code: "unknown-word",
    message: [
      'Cannot read the filter: "unrepleid" is not a field or the name of a status, protocol or state',
      "  unrepleid",
      "  ^^^^^^^^^",
      "Did you mean unreplied?",
    ],
  },
  {
    text: "src=10.1",
    code: "bad-value",
    message: [
      'Cannot read the filter: "10.1" is no value of source',
      "  src=10.1",
      "      ^^^^",
      "Expected an address or a prefix such as 10.0.0.0/8 or 2001:db8::1",
    ],
  },
  {
    text: "(assured or offload",
    code: "syntax",
    message: [
      "Cannot read the filter: a parenthesis is still open here",
      "  (assured or offload",
      "                     ^",
      "Expected ) for the ( at 1",
    ],
  },
  {
    text: "assured)",
    code: "syntax",
    message: [
      "Cannot read the filter: this parenthesis was never opened",
      "  assured)",
      "         ^",
      "Drop it, or open it before",
    ],
  },
  {
    text: "idle>",
    code: "syntax",
    message: [
      "Cannot read the filter: a value of idle is missing",
      "  idle>",
      "       ^",
      "Expected a duration such as 90s, 12h or 1d12h",
    ],
  },
  {
    text: "idle and assured",
    code: "syntax",
    message: [
      "Cannot read the filter: idle is compared with nothing",
      "  idle and assured",
      "       ^^^",
      "Expected = and a duration such as 90s, 12h or 1d12h",
    ],
  },
  {
    text: "state>ESTABLISHED",
    code: "syntax",
    message: [
      "Cannot read the filter: state cannot be compared with >",
      "  state>ESTABLISHED",
      "       ^",
      "Expected = or != or in, for state has no order",
    ],
  },
  {
    text: "port<80,443",
    code: "syntax",
    message: [
      "Cannot read the filter: < takes one value",
      "  port<80,443",
      "         ^",
      "Expected one value, or = with a list or a range",
    ],
  },
  {
    text: "port<80-90",
    code: "syntax",
    message: [
      "Cannot read the filter: < takes one value",
      "  port<80-90",
      "       ^^^^^",
      "Expected one value, or = with a list or a range",
    ],
  },
  {
    text: "assured and",
    code: "syntax",
    message: [
      "Cannot read the filter: the end is no condition",
      "  assured and",
      "             ^",
      "Expected a condition such as state=ESTABLISHED, idle>1h or unreplied",
    ],
  },
  {
    text: "or assured",
    code: "syntax",
    message: [
      'Cannot read the filter: "or" is no condition',
      "  or assured",
      "  ^^",
      "Expected a condition such as state=ESTABLISHED, idle>1h or unreplied",
    ],
  },
  {
    text: 'helper="ftp',
    code: "syntax",
    message: [
      "Cannot read the filter: a value of helper is missing",
      '  helper="ftp',
      "         ^",
      "Expected the name of a helper such as ftp",
    ],
  },
  {
    text: "assured\tand\nport=80 81",
    code: "unknown-word",
    message: [
      'Cannot read the filter: "81" is not a field or the name of a status, protocol or state',
      "  assured and port=80 81",
      "                      ^^",
      "",
    ],
  },
  { text: "port=65536", code: "bad-value", message: [] },
  { text: "port=9-1", code: "bad-value", message: [] },
  { text: "port=1-2-3", code: "bad-value", message: [] },
  { text: "port=1-", code: "bad-value", message: [] },
  { text: "port=-1", code: "bad-value", message: [] },
  { text: "protocol=256", code: "bad-value", message: [] },
  { text: "source=10.0.0.0/33", code: "bad-value", message: [] },
  { text: "source=fe80::1%eth0", code: "bad-value", message: [] },
  { text: "source=010.0.0.1", code: "bad-value", message: [] },
  { text: "mark=0x1ffffffff", code: "bad-value", message: [] },
  { text: "mark=1/2/3", code: "bad-value", message: [] },
  { text: "bytes<1ik", code: "bad-value", message: [] },
  { text: "bytes<0.5", code: "bad-value", message: [] },
  { text: "bytes<99999999T", code: "bad-value", message: [] },
  { text: "idle>1h30", code: "bad-value", message: [] },
  { text: "idle>1.5h", code: "bad-value", message: [] },
  { text: "status=constructor", code: "bad-value", message: [] },
  { text: "family=toString", code: "bad-value", message: [] },
  { text: "nat=__proto__", code: "bad-value", message: [] },
  { text: "toString=1", code: "unknown-word", message: [] },
  { text: "assured ^", code: "unknown-word", message: [] },
  { text: "assured =", code: "unknown-word", message: [] },
  { text: "()", code: "syntax", message: [] },
  { text: "not", code: "syntax", message: [] },
  { text: "port=", code: "syntax", message: [] },
  { text: "port=80,", code: "syntax", message: [] },
  { text: "=80", code: "syntax", message: [] },
  { text: '"assured"', code: "syntax", message: [] },
  { text: `${"(".repeat(101)}assured${")".repeat(101)}`, code: "too-deep", message: [] },
  { text: `${"not ".repeat(101)}assured`, code: "too-deep", message: [] },
];

for (const { text, code, message } of wrongs) {
  test(`parseFilter() refuses ${text.slice(0, 40).replaceAll(/\s/g, " ")}`, () => {
    assert.throws(
      () => parseFilter(text),
      (error) => {
        assert.ok(error instanceof FilterError);
        assert.equal(error.code, code);
        const lines = error.message.split("\n");
        assert.equal(lines.length, 4);
        assert.ok(lines.every((line) => !line.endsWith(".")));
        message.filter((line) => line !== "").forEach((line, index) => assert.equal(lines[index], line));
        return true;
      },
    );
  });
}

test("parseFilter() reads back what formatFilter() writes", () => {
  fc.assert(
    fc.property(anyFilter, (filter) => {
      assert.deepEqual(parseFilter(formatFilter(filter)), filter);
    }),
    { numRuns: 500 },
  );
});

test("parseFilter() of any text gives a filter or points into the text", () => {
  const word = fc.constantFrom(
    "port",
    "=",
    "80",
    "and",
    "or",
    "not",
    "in",
    "(",
    ")",
    ",",
    "assured",
    '"',
    "<",
    "!",
    "10.0.0.1",
    "x",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
  );
  fc.assert(
    fc.property(text, (typed) => {
      try {
        const filter = parseFilter(typed);
        assert.deepEqual(parseFilter(formatFilter(filter)), filter);
      } catch (error) {
        assert.ok(error instanceof FilterError, String(error));
        assert.ok(error.at >= 0 && error.at <= typed.length);
        assert.ok(error.length >= 1 && error.at + error.length <= typed.length + 1);
      }
    }),
    { numRuns: 2000 },
  );
});

test("filterFieldsOf() names every field once", () => {
  const filter = parseFilter("idle>1h and not (src=10.0.0.1 or idle<2h) or unreplied");
  assert.deepEqual([...filterFieldsOf(filter)], ["idle", "source", "status"]);
  assert.deepEqual([...filterFieldsOf(parseFilter(""))], []);
});

for (const [typed, meant] of [
  ["stat", "state"],
  ["destiantion", "destination"],
  ["dprot", "dport"],
  ["zzzzzzz", undefined],
  ["remain", "remaining"],
  ["x", undefined],
] as const) {
  test(`nearestWord() takes ${typed} for ${meant}`, () => {
    assert.equal(nearestWord(typed, ["state", "destination", "dport", "remaining", "port"]), meant);
  });
}

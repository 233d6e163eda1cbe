import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration, roughDuration } from "./duration.ts";
import { isSince, parseKernelRelease } from "./kernel-release.ts";
import { addOddities, countOddity, type Oddities, oddityText } from "./oddities.ts";
import { discriminatorOf, kernelProtocolName, protocolName, protocolNumber } from "./protocol.ts";
import { hasStates, stateName, stateNumber } from "./state.ts";
import { Status, statusBit, statusNames } from "./status.ts";

const durations = [
  ["43200", 43_200],
  ["12h", 43_200],
  ["90s", 90],
  ["1d12h", 129_600],
  ["2w", 1_209_600],
  ["0", 0],
  [" 5m ", 300],
] as const;

for (const [text, seconds] of durations) {
  test(`parseDuration() reads ${JSON.stringify(text)} as ${seconds} seconds`, () => {
    assert.equal(parseDuration(text), seconds);
  });
}

for (const text of ["", "12 hours", "h", "1.5h", "-5", "5y", "1h30", "12H"]) {
  test(`parseDuration() refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseDuration(text), undefined);
  });
}

test("formatDuration() is exact and reads back", () => {
  assert.equal(formatDuration(432_000), "5d");
  assert.equal(formatDuration(129_661), "1d12h1m1s");
  assert.equal(formatDuration(0), "0s");
  fc.assert(fc.property(fc.nat(1e9), (seconds) => parseDuration(formatDuration(seconds)) === seconds));
});

test("roughDuration() names at most two units", () => {
  fc.assert(
    fc.property(fc.nat(1e8), (seconds) => {
      const units = roughDuration(seconds).match(/[dhms]/g) ?? [];
      assert.ok(units.length >= 1 && units.length <= 2, `${seconds}: ${roughDuration(seconds)}`);
      assert.ok(Math.abs((parseDuration(roughDuration(seconds)) ?? NaN) - seconds) <= seconds * 0.11 + 1);
    }),
  );
});

const releases = [
  ["6.1.0-21-amd64", "6.1", true],
  ["2.6.18-274.el5", "2.6.18", true],
  ["2.6.18", "2.6.23", false],
  ["5.4.273", "5.15", false],
  ["5.15", "5.15", true],
  ["7.3.4+deb13", "6.18", true],
  ["3.10.0-1160.el7.x86_64", "4.4", false],
] as const;

for (const [text, since, expected] of releases) {
  test(`isSince() says ${expected} of ${text} and ${since}`, () => {
    const release = parseKernelRelease(text);
    assert.ok(release !== undefined);
    assert.equal(isSince(release, since), expected);
  });
}

test("parseKernelRelease() refuses what does not begin with a release", () => {
  assert.equal(parseKernelRelease("linux"), undefined);
});

test("oddities add up and each has a sentence", () => {
  const into: Oddities = { skippedLines: 1 };
  addOddities(into, { skippedLines: 2, overruns: 1 });
  countOddity(into, "saturated", 5);
  assert.deepEqual(into, { skippedLines: 3, overruns: 1, saturated: 5 });
  for (const name of Object.keys(into)) assert.ok(oddityText[name as keyof Oddities].length > 0);
});

test("protocol names keep the number of what has no name", () => {
  assert.equal(kernelProtocolName(50), "unknown");
  assert.equal(protocolName(50), "50");
  assert.equal(protocolNumber("50"), 50);
  assert.equal(protocolNumber("TCP"), 6);
  assert.equal(protocolNumber("256"), undefined);
  assert.equal(protocolNumber("esp"), undefined);
  for (let number = 0; number < 256; number++) assert.equal(protocolNumber(protocolName(number)), number);
});

test("discriminatorOf() says what tells flows of a protocol apart", () => {
  const found = [6, 17, 132, 33, 136, 1, 58, 47, 50].map(discriminatorOf);
  assert.deepEqual(found, ["ports", "ports", "ports", "ports", "ports", "icmp", "icmp", "keys", "none"]);
});

test("state names and numbers are each other's inverse, LISTEN is the old name of slot 9", () => {
  for (const protocol of [6, 132, 33]) {
    assert.ok(hasStates(protocol));
    for (let state = 0; state < 10; state++) {
      assert.equal(stateNumber(protocol, stateName(protocol, state)), state);
    }
  }
  assert.equal(stateName(6, 3), "ESTABLISHED");
  assert.equal(stateName(6, 77), "77");
  assert.equal(stateNumber(6, "LISTEN"), 9);
  assert.equal(stateNumber(17, "ESTABLISHED"), undefined);
  assert.ok(!hasStates(17));
});

test("status names cover every bit, unnamed ones as a number", () => {
  assert.deepEqual(statusNames(Status.SEEN_REPLY | Status.ASSURED), ["seen-reply", "assured"]);
  assert.deepEqual(statusNames(0x8001_0000), ["0x80010000"]);
  for (const name of statusNames(0xffff)) assert.equal(statusNames(statusBit(name) ?? 0)[0], name);
  assert.equal(statusBit("hw-offload"), Status.HW_OFFLOAD);
  assert.equal(statusBit("nothing"), undefined);
});

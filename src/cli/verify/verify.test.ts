import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

import { memoryFiles } from "../../../test/support/boot-memory.ts";
import { FakeTerminal } from "../../../test/support/terminal.ts";
import { ManualClock } from "../../base/clock.ts";
import { forecastBoot } from "../../boot/boot.ts";
import * as kernel from "../../kernel/kernel.ts";
import { bootOutlook } from "../../plan/plan.ts";
import type { Host, SettingsReading } from "../../table/host.ts";
import { main } from "../cli.ts";
import { outputSchema } from "../schemas.ts";
import { widthOf } from "../plain-text.ts";
import type { VerifyReport } from "./verify-report.ts";
import { verifySchema } from "./verify-schema.ts";
import { renderVerify } from "./verify-text.ts";

const hosts = fileURLToPath(new URL("../../../test/fixtures/hosts/", import.meta.url));

async function verify(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = new FakeTerminal();
  const clock = new ManualClock(Date.UTC(2026, 10, 24));
  const code = await main(["verify", ...argv], terminal, { clock, kernel: async () => kernel });
  return { code, out: terminal.out, err: terminal.err };
}

for (const entry of readdirSync(hosts, { withFileTypes: true }).filter((each) => each.isDirectory())) {
  test(`verify --json of ${entry.name} conforms to its schema, and agrees with the exit code`, async () => {
    const { code, out, err } = await verify("--json", "--root", hosts + entry.name);
    const value: unknown = JSON.parse(out);
    assert.deepEqual(verifySchema.parse(value), value);
    assert.equal(err, "");
    assert.equal(code, verifySchema.parse(value).holds ? 0 : 1);
  });
}

test("verify of this host changes nothing and ends with 0 or 1", async () => {
  const { code, out } = await verify("--json");
  assert.ok(code === 0 || code === 1);
  verifySchema.parse(JSON.parse(out));
});

test("the JSON schema of verify can be printed", () => {
  assert.ok(outputSchema("verify") !== undefined);
});

const host: Host = {
  tracker: "nf_conntrack",
  kernelRelease: "6.1.0",
  memoryBytes: 8e9,
  initialNamespace: true,
};
const reading: SettingsReading = {
  values: { nf_conntrack_max: 500_000, nf_conntrack_tcp_timeout_established: 86_400 },
  origins: {},
  unknownKeys: [],
  unreadable: [],
};

/** The report of a host with these values and files. */
function reportOf(
  files: Readonly<Record<string, string>>,
  more: Partial<VerifyReport> = {},
  facts: Host = host,
): VerifyReport {
  const boot = forecastBoot({ files: memoryFiles(files), kernelRelease: "6.1.0", memoryBytes: 8e9 });
  return {
    ...bootOutlook({ host: facts, settings: reading, boot }),
    boot,
    detail: "all",
    trackerLoaded: true,
    ownNamespace: true,
    rootOption: "",
    netnsOption: "",
    unseen: boot.unseen,
    ...more,
  };
}

const busy = {
  "/usr/lib/systemd/systemd-sysctl": "",
  "/etc/modules-load.d/nf.conf": "nf_conntrack",
  "/etc/sysctl.d/a-file-with-a-very-long-name-that-no-terminal-is-wide-enough-for.conf":
    "net.netfilter.nf_conntrack_max = 1\nnet.netfilter.nf_conntrack_tcp_timeout_established = \u001b[31mx\n" +
    "net.netfilter.nf_conntrack_\u202enothing = 3\n",
  "/etc/sysctl.d/b.conf": "net.nf_conntrack_max = 400000\n",
};

for (const columns of [40, 60, 80, 120]) {
  test(`renderVerify() keeps to ${columns} columns, but for commands and places`, () => {
    const lines = renderVerify(reportOf(busy), { columns, colour: true, unicode: true });
    for (const line of lines.map((each) => stripVTControlCharacters(each))) {
      const long = / \$ |\/etc\/|SET BY|headroom verify/.test(line);
      assert.ok(long || columns < 80 || widthOf(line) <= columns, line);
      assert.ok(!/[\p{Cc}\u202e]/u.test(line), JSON.stringify(line));
    }
  });
}

const look = { columns: 100, colour: false, unicode: false };
const systemd = { "/usr/lib/systemd/systemd-sysctl": "" };
const headlines: readonly [string, VerifyReport, string][] = [
  [
    "what is lost",
    reportOf(systemd),
    "LOST  2 of the 2 values in force are not the same after the next boot",
  ],
  [
    "one setting that nobody names",
    reportOf({}, { key: "nf_conntrack_udp_timeout", rows: [] }),
    "OK  nothing sets nf_conntrack_udp_timeout: the kernel's default stays",
  ],
  [
    "a tracker that is not loaded",
    reportOf({}, { rows: [], settingsInForce: 0, settingsUnknown: 0, trackerLoaded: false }),
    "OK  the tracker is not loaded now; the next boot sets 0 settings",
  ],
  [
    "values that cannot be told",
    reportOf({ "/etc/sysctl.conf": "net.netfilter.nf_conntrack_max = 500000\n" }),
    "UNKNOWN  what 2 of the 2 values in force are after the next boot cannot be told",
  ],
  [
    "that a tracker nobody loads has no values, whatever services want",
    reportOf({
      ...systemd,
      "/etc/systemd/system/multi-user.target.wants/tuned.service": "",
      "/etc/tuned/active_profile": "mine",
      "/etc/tuned/mine/tuned.conf":
        "[sysctl]\nnet.netfilter.nf_conntrack_max=500000\n" +
        "net.netfilter.nf_conntrack_tcp_timeout_established=86400\n",
    }),
    "LOST  2 of the 2 values in force are not the same after the next boot",
  ],
  [
    "that values of another namespace end with it",
    reportOf(
      {
        ...systemd,
        "/etc/modules-load.d/nf.conf": "nf_conntrack",
        "/etc/sysctl.d/a.conf":
          "net.netfilter.nf_conntrack_tcp_timeout_established = 86400\n" +
          "net.netfilter.nf_conntrack_max = 500000\n",
      },
      {},
      { ...host, initialNamespace: false },
    ),
    "UNKNOWN  what 1 of the 2 values in force is after the next boot cannot be told",
  ],
];

for (const [name, report, expected] of headlines) {
  test(`renderVerify() says first: ${name}`, () => {
    assert.equal(renderVerify(report, look)[0], expected);
  });
}

test("renderVerify() says of another namespace that a boot does not decide it", () => {
  const text = renderVerify(reportOf({}, { ownNamespace: false }), look).join("\n");
  assert.match(text, /not the initial network namespace/);
});

test("renderVerify() knows that a size is lost that no file and no kernel gives", () => {
  const conf = { ...systemd, "/etc/sysctl.conf": "net.netfilter.nf_conntrack_max = 131072\n" };
  const { memoryBytes: _, ...unknown } = host;
  const text = renderVerify(reportOf(conf, {}, unknown), look).join("\n");
  assert.match(text, /^LOST/);
  assert.match(text, /No file sets the 500,000 in force, and no kernel chooses it by itself/);
});

test("renderVerify() names the edit where a service sets a value again", () => {
  const tuned = {
    ...systemd,
    "/etc/modules-load.d/nf.conf": "nf_conntrack\n",
    "/etc/tuned/active_profile": "nat\n",
    "/etc/tuned/nat/tuned.conf": "[sysctl]\nnet.netfilter.nf_conntrack_max=300000\n",
    "/etc/systemd/system/multi-user.target.wants/tuned.service": "[Service]\n",
  };
  const text = renderVerify(reportOf(tuned, {}), look).join(" ").replaceAll(/\s+/g, " ");
  assert.match(text, /set net\.netfilter\.nf_conntrack_max=500000 in \/etc\/tuned\/nat\/tuned\.conf:2/);
  assert.doesNotMatch(text, /--set nf_conntrack_max=/);
});

test("verify of one setting agrees with the whole outlook", async () => {
  const root = `${hosts}ubuntu-ufw`;
  const { out } = await verify("--json", "--root", root);
  const whole = verifySchema.parse(JSON.parse(out));
  assert.ok(whole.settings.length > 0);
  for (const setting of whole.settings) {
    const one = await verify(setting.name, "--json", "--root", root);
    const { settings, level } = verifySchema.parse(JSON.parse(one.out));
    assert.deepEqual(settings, [setting]);
    assert.equal(one.code, level === "ok" ? 0 : 1);
  }
  const other = await verify("icmp_timeout", "--root", root);
  assert.match(other.out, /^OK {2}.*the kernel's default of 30s stays\n/);
});

test("verify refuses namespaces of a saved host", async () => {
  const { code, err } = await verify("--root", `${hosts}debian-12`, "--netns", "blue");
  assert.equal(code, 2);
  assert.match(err, /its files tell of one namespace/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryFiles } from "../../test/support/boot-memory.ts";
import { textTable } from "../../test/support/text-table.ts";
import { forecastBoot } from "../boot/boot.ts";
import { type SettingKey, settingKeyFor } from "../table/settings.ts";
import { bootOutlook, type OutlookRow } from "./boot-outlook.ts";

const GIB = 1_073_741_824;
const prefix = "net.netfilter.nf_conntrack_";
const files = {
  "/usr/lib/systemd/systemd-sysctl": "",
  "/etc/modules-load.d/nf.conf": "nf_conntrack\n",
};

/** `max=1 udp_timeout=20` as values by key. */
function valuesOf(words: string): Partial<Record<SettingKey, number>> {
  const pairs = words.split(" ").map((word): [SettingKey, number] => {
    const [name = "", value = ""] = word.split("=");
    const key = settingKeyFor(name) ?? settingKeyFor(`nf_conntrack_${name}`);
    assert.ok(key !== undefined, name);
    return [key, Number(value)];
  });
  return Object.fromEntries(pairs);
}

/** `udp_timeout 20>30 default lost`: what is now, after the boot, where from, and what is wrong. */
function rowText({ key, now, after, from, troubles }: OutlookRow): string {
  const name = key.replace(/^nf_conntrack_/, "");
  return [name, `${now ?? "-"}>${after ?? "?"}`, from, ...troubles].join(" ");
}

/** Values in force, lines of /etc/sysctl.d/a.conf (names without prefix) or of modprobe.d, and the rows. */
const cases = textTable(
  ["kernel", "memory", "now", "lines", "rows"],
  `
  kernel   | memory | now                       | lines           | rows
  6.1.0    | 8      | max=262144 buckets=262144 | -               | -
  6.1.0    | 8      | max=500000 buckets=262144 | -               | max 500000>262144 default lost
  # Defaults that distributions carry back are defaults: RHEL 9's 5.14, the SCTP timeout of 5.15.100.
  5.14.0   | 8      | max=262144 buckets=262144 | -               | -
  5.14.0   | 8      | max=262144 buckets=65536  | -               | -
  5.15.100 | 8      | sctp_timeout_established=210 | -               | -
  5.15.0 | 8 | sctp_timeout_established=211 | - | sctp_timeout_established 211>432000 default lost
  # A capacity that is only some other kernel's was set by somebody.
  6.1.0    | 2      | max=262144 buckets=65536  | -               | max 262144>65536 default lost
  6.1.0    | 8      | expect_max=4096           | -               | -
  6.1.0    | 8      | expect_max=9999           | -               | expect_max 9999>4096 default lost
  # A later kernel's sizes may have been carried back; an earlier one's are not carried forward.
  6.1.0 | 8 | max=65536 buckets=65536 | - | max 65536>262144 default lost, buckets 65536>262144 default lost
  # Lines of files.
  6.1.0    | 8      | udp_timeout=20            | udp_timeout=20  | udp_timeout 20>20 set
  6.1.0    | 8      | udp_timeout=20            | udp_timeout=40  | udp_timeout 20>40 set changes
  6.1.0    | 8      | udp_timeout=30            | udp_timeout=x   | udp_timeout 30>30 default refused
  6.1.0    | 8      | udp_timeout=20            | udp_timeout=x   | udp_timeout 20>30 default lost refused
  6.1.0 | 8 | udp_timeout=20 | udp_timeout=10; udp_timeout=20 | udp_timeout 20>20 set contradicting
  6.1.0    | 8      | udp_timeout=20            | udp_timeout=20; udp_timeout=20 | udp_timeout 20>20 set
  6.1.0 | 8 | max=7 buckets=512 | hashsize=512 | max 7>4096 hashsize changes, buckets 512>512 set
  6.1.0    | 8      | max=7 buckets=512         | hashsize=512; max=7 | max 7>7 set, buckets 512>512 set
  # Not there to be read now.
  6.1.0    | 8      | max=262144                | udp_timeout=20  | udp_timeout ->20 set
  `,
);

for (const row of cases) {
  test(`bootOutlook() ${row.kernel} of ${row.memory} GiB: ${row.now}; ${row.lines ?? "no lines"}`, () => {
    const lines = row.lines?.split("; ") ?? [];
    const options = lines.filter((line) => line.startsWith("hashsize"));
    const sysctls = lines.filter((line) => !line.startsWith("hashsize"));
    const host = {
      kernelRelease: row.kernel ?? "",
      memoryBytes: Number(row.memory) * GIB - GIB / 16,
      tracker: "nf_conntrack" as const,
    };
    const boot = forecastBoot({
      ...host,
      trackerBuiltin: false,
      files: memoryFiles({
        ...files,
        "/etc/sysctl.d/a.conf": sysctls.map((line) => `${prefix}${line}\n`).join(""),
        "/etc/modprobe.d/a.conf": options.map((option) => `options nf_conntrack ${option}\n`).join(""),
      }),
    });
    const values = valuesOf(row.now ?? "");
    const settings = { values, origins: {}, unknownKeys: [], unreadable: [] };
    const { rows, holds, settingsInForce } = bootOutlook({ host, settings, boot });
    assert.equal(rows.map(rowText).join(", "), row.rows ?? "");
    assert.equal(holds, !/lost|changes/.test(row.rows ?? ""));
    assert.equal(settingsInForce, Object.keys(values).length);
  });
}

test("bootOutlook() cannot tell what memory or kernel decide when they are not known", () => {
  const boot = forecastBoot({ files: memoryFiles(files) });
  const values = { nf_conntrack_max: 5, nf_conntrack_udp_timeout_stream: 77, nf_conntrack_udp_timeout: 77 };
  const settings = { values, origins: {}, unknownKeys: [], unreadable: [] };
  const outlook = bootOutlook({ host: { tracker: "nf_conntrack" }, settings, boot });
  // One default on every kernel is known all the same.
  assert.deepEqual(outlook.rows.map(rowText), [
    "max 5>? unknown unknown",
    "udp_timeout 77>30 default lost",
    "udp_timeout_stream 77>? unknown unknown",
  ]);
  assert.equal(outlook.settingsUnknown, 2);
});

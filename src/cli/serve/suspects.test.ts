import assert from "node:assert/strict";
import { test } from "node:test";

import type { Receipt } from "../../change/change.ts";
import { addressFromBytes } from "../../table/address.ts";
import type { BootDefinition } from "../../table/boot.ts";
import { type Clues, suspectsOf } from "./suspects.ts";

const AT_MS = 1_700_000_000_000;
const change = { atMs: AT_MS, key: "nf_conntrack_max", from: 65_536, to: 262_144 } as const;

const nothing: Clues = { records: [], writtenAtMs: () => undefined, sessions: [] };

const receipt: Receipt = {
  schema: "headroom/receipt/v1",
  id: "20231114-221318",
  state: "applied",
  atMs: AT_MS - 2000,
  by: { user: "root", sudoUser: "ada", tty: "pts/3", command: "headroom apply --plan p.json" },
  steps: [
    {
      key: "nf_conntrack_max",
      name: "net.netfilter.nf_conntrack_max",
      path: "/proc/sys/net/netfilter/nf_conntrack_max",
      from: 65_536,
      to: 262_144,
    },
  ],
  files: [],
  persist: false,
};

function definition(
  path: string,
  value: number,
  more: Partial<BootDefinition> = {},
  reader: BootDefinition["definition"]["reader"] = "systemd-sysctl",
): BootDefinition {
  return {
    definition: {
      name: "net.netfilter.nf_conntrack_max",
      key: "nf_conntrack_max",
      text: String(value),
      value,
      reader,
      path,
      line: 2,
    },
    fate: "wins",
    ...more,
  };
}

function boot(...definitions: BootDefinition[]): Pick<Clues, "boot"> {
  return {
    boot: {
      tracker: { when: "unknown" },
      sysctlReader: "systemd-sysctl",
      settings: [{ key: "nf_conntrack_max", definitions }],
      unknown: [],
      unseen: [],
    },
  };
}

const remote = { address: addressFromBytes(new Uint8Array([192, 0, 2, 7])), port: 50_000 };

for (const [name, clues, ...said] of [
  ["nothing points to nobody", nothing],
  [
    "our own change is named with who made it, and nothing else",
    { ...nothing, records: [{ kind: "receipt", receipt }], ...boot(definition("/etc/sysctl.conf", 262_144)) },
    "headroom change 20231114-221318, by ada as root on pts/3: headroom apply --plan p.json",
  ],
  [
    "a change of long ago made nothing now",
    { ...nothing, records: [{ kind: "receipt", receipt: { ...receipt, atMs: AT_MS - 86_400_000 } }] },
  ],
  [
    "a change of another value made nothing of this",
    {
      ...nothing,
      records: [
        {
          kind: "receipt",
          receipt: { ...receipt, steps: receipt.steps.map((step) => ({ ...step, to: 131_072 })) },
        },
      ],
    },
  ],
  [
    "taking back is named as that",
    {
      ...nothing,
      records: [
        {
          kind: "receipt",
          receipt: {
            ...receipt,
            steps: receipt.steps.map((step) => ({ ...step, from: 262_144, to: 65_536 })),
            undo: {
              reason: "asked",
              atMs: AT_MS - 500,
              by: { user: "root", command: "headroom rollback 20231114-221318" },
            },
          },
        },
      ],
    },
    "headroom took back change 20231114-221318 (asked), by root: headroom rollback 20231114-221318",
  ],
  [
    "files that say the value, the last written first; programs before them",
    {
      ...nothing,
      ...boot(
        definition("/etc/sysctl.conf", 262_144),
        definition("/etc/sysctl.d/90-a.conf", 262_144),
        definition("/etc/sysctl.d/91-b.conf", 131_072),
        definition("/etc/tuned/x/tuned.conf", 262_144, { fate: "sets-again" }, "tuned"),
      ),
      writtenAtMs: (path: string) => AT_MS - (path.includes("90-a") ? 12_000 : 1e10),
    },
    "tuned, which sets this value (/etc/tuned/x/tuned.conf:2)",
    "sysctl or a boot step reading /etc/sysctl.d/90-a.conf:2, which says this value " +
      "and was written 12s before",
    "sysctl or a boot step reading /etc/sysctl.conf:2, which says this value",
  ],
  [
    "whoever is logged in comes last",
    { ...nothing, sessions: [{ protocol: 6, localPort: 22, remote }] },
    "logged in at the time: 192.0.2.7",
  ],
] as unknown as readonly [string, Clues, ...string[]][]) {
  test(`suspectsOf(): ${name}`, () => {
    assert.deepEqual(suspectsOf(change, clues), said);
  });
}

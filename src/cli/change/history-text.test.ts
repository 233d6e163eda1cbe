import assert from "node:assert/strict";
import { test } from "node:test";

import type { ChangeRecord, Receipt } from "../../change/change.ts";
import type { Look } from "../look.ts";
import { changeSummary, renderHistory } from "./history-text.ts";

const look: Look = { columns: 80, colour: false, unicode: false };
const NOW = Date.UTC(2026, 10, 22, 18, 0, 0);

function receipt(id: string, secondsAgo: number, more: Partial<Receipt>): Receipt {
  return {
    schema: "headroom/receipt/v1",
    id,
    state: "applied",
    atMs: NOW - secondsAgo * 1000,
    by: { user: "root", command: "headroom apply" },
    steps: [
      {
        key: "nf_conntrack_tcp_timeout_established",
        name: "net.netfilter.nf_conntrack_tcp_timeout_established",
        path: "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established",
        from: 432_000,
        to: 43_200,
      },
    ],
    files: [],
    persist: true,
    ...more,
  };
}

const who = { user: "headroom", command: "" };

test("renderHistory() has a row for each change with its end, and fits 80 columns", () => {
  const records: ChangeRecord[] = [
    receipt("20261122-175950", 10, { state: "awaiting-confirmation", confirmByMs: NOW + 34_000 }),
    receipt("20261122-175900", 60, {
      undo: { reason: "not-confirmed", atMs: NOW, by: who },
      state: "undone",
    }),
    receipt("20261122-160000", 7200, { state: "running", by: { ...who, sudoUser: "amelie" } }),
    receipt("20261121-160000", 93_600, { confirmed: { atMs: NOW, by: who }, persist: false }),
    receipt("20261101-160000", 1_800_000, { state: "stuck" }),
  ].map((each) => ({ kind: "receipt", receipt: each }));
  records.push({ kind: "unreadable", id: "20261001-000000", path: "/a", why: "it is empty" });
  assert.deepEqual(renderHistory(records, NOW, look), [
    "Change           Ago   Who     Outcome          What",
    "20261122-175950  10s   root    waits, 34s left  tcp_timeout_established 5d -> 12h",
    "20261122-175900  60s   root    not confirmed    tcp_timeout_established 5d -> 12h",
    "20261122-160000  2h    amelie  interrupted      tcp_timeout_established 5d -> 12h",
    "20261121-160000  1d2h  root    confirmed        tcp_timeout_established 5d -> 12h",
    "                                                until the next boot",
    "20261101-160000  20d   root    stuck            tcp_timeout_established 5d -> 12h",
    "20261001-000000                unreadable       /a: it is empty",
    "",
    "not confirmed: everything was taken back",
  ]);
});

test("renderHistory() says which changes ended by themselves", () => {
  const records: ChangeRecord[] = [
    { kind: "receipt", receipt: receipt("20261122-175900", 60, { persist: false }), ended: "boot" },
    { kind: "receipt", receipt: receipt("20261122-175800", 60, {}), ended: "namespace" },
  ];
  const outcomes = renderHistory(records, NOW, look).map((line) => line.slice(28, 43).trim());
  assert.deepEqual(outcomes, ["Outcome", "ended by a boot", "", "namespace ended"]);
});

test("renderHistory() says so when there is nothing", () => {
  assert.deepEqual(renderHistory([], NOW, look), ["No changes: headroom has changed nothing here"]);
});

test("changeSummary() names the first and counts the rest", () => {
  const steps = receipt("a", 0, {}).steps;
  const more = { key: "nf_conntrack_max", name: "", path: "", to: 5 } as const;
  assert.equal(changeSummary(receipt("a", 0, {}), look), "tcp_timeout_established 5d -> 12h");
  assert.equal(
    changeSummary(receipt("a", 0, { steps: [...steps, more] }), look),
    "tcp_timeout_established 5d -> 12h and 1 more",
  );
});

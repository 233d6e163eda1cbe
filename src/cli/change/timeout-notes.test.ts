import assert from "node:assert/strict";
import { test } from "node:test";

import { timeoutNotes } from "./timeout-notes.ts";

const now = { nf_conntrack_tcp_timeout_established: 432_000, nf_conntrack_udp_timeout_stream: 120 };

test("timeoutNotes() says which floor is left, and that 0 ends flows at once", () => {
  assert.deepEqual(timeoutNotes(now, { nf_conntrack_tcp_timeout_established: 0 }), [
    "With nf_conntrack_tcp_timeout_established = 0 flows end at once",
  ]);
  assert.deepEqual(timeoutNotes(now, { nf_conntrack_udp_timeout_stream: 60 }), [
    "nf_conntrack_udp_timeout_stream is below the 120 s that RFC 4787 asks of a NAT",
  ]);
});

test("timeoutNotes() is silent where nothing gets shorter than a floor", () => {
  assert.deepEqual(timeoutNotes(now, { nf_conntrack_tcp_timeout_established: 86_400 }), []);
  assert.deepEqual(timeoutNotes({ ...now, nf_conntrack_acct: 1 }, { nf_conntrack_acct: 0 }), []);
});

import assert from "node:assert/strict";
import { test } from "node:test";

import { columnsOf } from "../../test/support/columns.ts";
import { type HostAccess, KernelError } from "../kernel/kernel.ts";
import { formatFlow } from "../listing/listing.ts";
import { flowAt } from "../table/flow.ts";
import { DCCP } from "../table/protocol.ts";
import { DccpState } from "../table/state.ts";
import { netlinkLineStyle } from "./line-style.ts";

type Asked = Pick<HostAccess, "host" | "settings" | "flows">;

/** A host of this kernel without the file that would show its lines. */
function hostOf(kernelRelease: string | undefined): HostAccess {
  const access: Asked = {
    host: () => ({ tracker: "nf_conntrack", ...(kernelRelease === undefined ? {} : { kernelRelease }) }),
    settings: () => ({ values: {}, origins: {}, unknownKeys: [], unreadable: [] }),
    flows: () => {
      throw new KernelError("not-found", "Cannot read /proc/net/nf_conntrack");
    },
  };
  return access as HostAccess;
}

/** A flow of protocol 33 as netlink gives it: with a tracker, state and ports; without one, neither. */
const tracked = { protocol: DCCP, timeoutSeconds: 5, state: DccpState.OPEN, use: 1 };
const { state: _state, ...untracked } = tracked;

const lines = [
  ["6.16.12", tracked, /^ipv4 {5}2 dccp {5}33 5 OPEN src=\S+ dst=\S+ sport=40000 dport=80 /],
  ["6.17.0", untracked, /^ipv4 {5}2 unknown {2}33 5 src=\S+ dst=\S+ src=\S+ dst=\S+ zone=0 use=2$/],
  ["7.3.4", untracked, /^ipv4 {5}2 unknown {2}33 5 src=\S+ dst=\S+ src=\S+ dst=\S+ zone=0 use=2$/],
  ["2.6.29", tracked, / use=1$/],
  [undefined, tracked, /^ipv4 {5}2 dccp {5}33 .* use=2$/],
] as const;

for (const [release, row, wanted] of lines) {
  test(`a flow of DCCP over netlink is printed as ${release ?? "an unknown kernel"} does`, () => {
    const flow = flowAt(columnsOf([row]), 0);
    assert.match(formatFlow(flow, netlinkLineStyle(hostOf(release), 0)), wanted);
  });
}

/** The running kernel, held to what every source of flows must give of the same flows. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after } from "node:test";
import { writeCreate } from "../../src/kernel/ctnetlink-encode.ts";
import { netlinkFlows } from "../../src/kernel/ctnetlink-dump.ts";
import { insideNamespace, namedNamespace } from "../../src/kernel/namespace-enter.ts";
import { Exchange, NETLINK_NETFILTER, openNetlink } from "../../src/kernel/netlink-socket.ts";
import { Flag, MessageWriter } from "../../src/kernel/netlink.ts";
import { conformanceTests, type HoldingSource, sampleFlows } from "../conformance/source-suite.ts";
import { columnsOf } from "../support/columns.ts";
import { startGuard } from "../support/inject.ts";

const name = `hr-conform-${process.pid}`;
execFileSync("ip", ["netns", "add", name]);
const guard = startGuard(name);
after(() => {
  execFileSync("ip", ["netns", "del", name]);
  guard.stdin?.end("done\n");
});

function inside<Result>(work: () => Result): Result {
  return insideNamespace(namedNamespace(name), work);
}

/** Creates the sample's flows over netlink. */
function fill(): void {
  const socket = inside(() => openNetlink(NETLINK_NETFILTER));
  const columns = columnsOf(sampleFlows.map(({ row }) => row));
  try {
    for (let row = 0; row < columns.count; row++) {
      const writer = new MessageWriter(4096);
      writeCreate(writer, row + 1, columns, row, Flag.EXCL | Flag.ACK);
      const exchange = new Exchange(socket, writer.bytes(), row + 1, { tried: `create flow ${row}` });
      while (exchange.state === "running") {
        exchange.receive();
        assert.ok(!exchange.next(), "Creating flows gives acknowledgements only");
      }
    }
  } finally {
    socket.close();
  }
}

fill();

function kernelSource(): HoldingSource {
  return {
    name: "ctnetlink",
    read: () => inside(() => netlinkFlows({})),
    style: { zones: true, useAdded: 1 },
  };
}

conformanceTests("the running kernel", kernelSource);

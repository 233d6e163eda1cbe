import assert from "node:assert/strict";
import { test } from "node:test";

import { type MemoryFile, memoryFiles } from "../../test/support/boot-memory.ts";
import { type ProcpsVersion, readProcpsSystem } from "./procps.ts";

const A = "net/netfilter/nf_conntrack_udp_timeout";
const B = "net/netfilter/nf_conntrack_icmp_timeout";

/** What is written to names that are there, in order. */
function written(files: Readonly<Record<string, MemoryFile>>, version: ProcpsVersion): readonly string[] {
  return readProcpsSystem(memoryFiles(files), [A, B], version)
    .writes.filter(({ target, dropped }) => dropped === undefined && [A, B].includes(target))
    .map(({ target, line }) => `${target.split("_").at(-2)}=${line.text}`);
}

const rows: readonly {
  name: string;
  files: Readonly<Record<string, MemoryFile>>;
  says: Partial<Record<ProcpsVersion, readonly string[]>>;
}[] = [
  {
    name: "sysctl.conf comes last, and every line is written",
    files: { "/etc/sysctl.d/z.conf": `${A}=1\n${A}=2\n`, "/etc/sysctl.conf": `${A}=3\n` },
    says: { "3.3": ["udp=1", "udp=2", "udp=3"], "4.0.4": ["udp=1", "udp=2", "udp=3"] },
  },
  {
    name: "sysctl.conf is read twice where a link leads to it",
    files: { "/etc/sysctl.d/99-sysctl.conf": { link: "../sysctl.conf" }, "/etc/sysctl.conf": `${A}=3\n` },
    says: { "4.0.4": ["udp=3", "udp=3"] },
  },
  {
    name: "of the same name, /run went before /etc until 3.3",
    files: { "/etc/sysctl.d/a.conf": `${A}=1`, "/run/sysctl.d/a.conf": `${A}=2` },
    says: { "3.3": ["udp=2"], "4.0.2": ["udp=1"], "4.0.4": ["udp=1"] },
  },
  {
    name: "a file with a dot in front is read",
    files: { "/etc/sysctl.d/.a.conf": `${A}=1` },
    says: { "3.3": ["udp=1"], "4.0.4": ["udp=1"] },
  },
  {
    name: "patterns are expanded since 4.0, but not over a name of its own",
    files: { "/etc/sysctl.conf": `net.netfilter.nf_conntrack_*_timeout = 5\n${A} = 6\n` },
    says: { "3.3": ["udp=6"], "4.0.2": ["icmp=5", "udp=6"], "4.0.4": ["icmp=5", "udp=6"] },
  },
  {
    name: "a doubled slash does not keep a pattern away",
    files: { "/etc/sysctl.conf": `net/netfilter/nf_conntrack_*_timeout = 5\n-${A.replace("/", "//")}` },
    says: { "4.0.4": ["icmp=5", "udp=5"] },
  },
  {
    name: "a name is kept out by a pattern since 4.0.4",
    files: { "/etc/sysctl.conf": `net.netfilter.nf_conntrack_*_timeout = 5\n-net.*.nf_conntrack_udp*\n` },
    says: { "4.0.2": ["icmp=5", "udp=5"], "4.0.4": ["icmp=5"] },
  },
  {
    name: "a blank behind the minus belongs to the name",
    files: { "/etc/sysctl.conf": `- ${A} = 5\n-${A} = 6\n` },
    says: { "4.0.4": ["udp=6"] },
  },
  {
    name: "blanks, comments, lines that say nothing, carriage returns",
    files: { "/etc/sysctl.conf": ` # x\n;y\n\n=\na\n${A}\n\t${A} =\t7 \r\n` },
    says: { "3.3": ["udp=7"], "4.0.4": ["udp=7"] },
  },
];

for (const { name, files, says } of rows) {
  for (const [version, expected] of Object.entries(says)) {
    test(`sysctl ${version}: ${name}`, () => {
      assert.deepEqual(written(files, version as ProcpsVersion), expected);
    });
  }
}

/**
 * Lowers what all namespaces of the host share, the limit and the buckets, and puts both back: by
 * `restore`, or by a shell that outlives this process when it ends without a word.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const CAPACITY_FILE = "/proc/sys/net/netfilter/nf_conntrack_max";
const BUCKETS_FILE = "/proc/sys/net/netfilter/nf_conntrack_buckets";

export interface HostLimits {
  set(capacityFlows: number, buckets: number): void;
  restore(): void;
}

export function guardHostLimits(): HostLimits {
  const capacity = readFileSync(CAPACITY_FILE, "utf8").trim();
  const buckets = readFileSync(BUCKETS_FILE, "utf8").trim();
  const undo = `echo ${buckets} > ${BUCKETS_FILE}; echo ${capacity} > ${CAPACITY_FILE}`;
  const script = `read -r word; [ "$word" = done ] && exit; ${undo}`;
  const guard = spawn("sh", ["-c", script], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  guard.unref();
  return {
    set: (capacityFlows, wanted) => {
      writeFileSync(BUCKETS_FILE, String(wanted));
      writeFileSync(CAPACITY_FILE, String(capacityFlows));
    },
    restore: () => {
      writeFileSync(CAPACITY_FILE, capacity);
      writeFileSync(BUCKETS_FILE, buckets);
      guard.stdin?.end("done\n");
    },
  };
}

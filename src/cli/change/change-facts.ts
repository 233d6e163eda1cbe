/** What a change is composed from, gathered from a host. */
import { forecastBoot } from "../../boot/boot.ts";
import { type ChangeFacts, overlayFiles } from "../../change/change.ts";
import type { HostAccess } from "../../kernel/kernel.ts";
import { defaultSizesOf, recommendedBuckets } from "../../table/sizes.ts";

/** The facts of the host, and of its boot with edits that are not written yet. */
export function changeFactsOf(access: HostAccess): ChangeFacts {
  const host = access.host();
  const files = access.bootFiles();
  const { kernelRelease, tracker, initialNamespace, pointerBytes, pageBytes, memoryBytes, cpus } = host;
  const release = kernelRelease === undefined ? {} : { kernelRelease };
  const machine = {
    ...(pointerBytes === undefined ? {} : { pointerBytes }),
    ...(pageBytes === undefined ? {} : { pageBytes }),
  };
  const own = defaultSizesOf(host);
  return {
    ...release,
    tracker,
    ...(initialNamespace === undefined ? {} : { initialNamespace }),
    savedTree: host.root !== undefined,
    ...(own === undefined
      ? {}
      : { ownSizes: { nf_conntrack_max: own.capacityFlows, nf_conntrack_buckets: own.buckets } }),
    bucketsFor: (capacityFlows) => recommendedBuckets(capacityFlows, machine),
    forecast: (edits) =>
      forecastBoot({
        ...release,
        ...machine,
        files: overlayFiles(files, edits),
        ...(memoryBytes === undefined ? {} : { memoryBytes }),
        ...(cpus === undefined ? {} : { cpus }),
      }),
  };
}

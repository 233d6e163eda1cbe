/**
 * How the running kernel prints a flow where netlink alone does not tell: seen in the first lines of its own
 * file, where it has one with something in it.
 */
import type { HostAccess } from "../kernel/kernel.ts";
import { type LineStyle, unnamedProtocols } from "../listing/listing.ts";
import { isSince, parseKernelRelease } from "../table/kernel-release.ts";
import { isKernelError } from "./refusal.ts";

/**
 * The style of lines for flows that came over netlink from this host. `nowMs` turns start stamps into ages.
 */
export function netlinkLineStyle(access: HostAccess, nowMs: number): LineStyle {
  const { kernelRelease } = access.host();
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  const { nf_conntrack_gre_timeout: single, nf_conntrack_gre_timeout_stream: stream } =
    access.settings().values;
  return {
    nowMs,
    zones: printsZones(access) ?? true,
    // The reader of the file holds a reference of its own since 2.6.30.
    useAdded: release === undefined || isSince(release, "2.6.30") ? 1 : 0,
    ...(release === undefined ? {} : { unnamed: unnamedProtocols(release) }),
    ...(single === undefined || stream === undefined
      ? {}
      : { greTimeouts: { timeoutSeconds: single, streamTimeoutSeconds: stream } }),
  };
}

/** Whether the kernel's own lines name zones; undefined when there is no line to see. */
function printsZones(access: HostAccess): boolean | undefined {
  try {
    const flows = access.flows({ source: "procfs" });
    if (flows.kind !== "listing") return undefined;
    for (const chunk of flows.bytes()) {
      const [line = ""] = new TextDecoder().decode(chunk).split("\n", 1);
      return line === "" ? undefined : / zone(-orig|-reply)?=/.test(line);
    }
  } catch (error) {
    // Without the file there is nothing to be identical to.
    if (!isKernelError(error)) throw error;
  }
  return undefined;
}

/** Services that set values again and again: what to call them, and where to change what they set. */
import type { Definition, DefinitionReader } from "../../table/boot.ts";
import type { Remedy } from "../../table/finding.ts";

/** Readers as people call them. */
export function ownerName(reader: DefinitionReader): string {
  if (reader === "rke") return "rke2";
  if (reader === "rc-local") return "rc.local";
  return reader;
}

/** Where a service is told another value. */
export function ownerRemedy({ reader, path, name }: Definition): Remedy {
  switch (reader) {
    case "kube-proxy": {
      const where = path.startsWith("/var/lib/kubelet/pods/") ? "its ConfigMap" : path;
      const text = `Set ${name} in ${where}; maxPerCore: 0 and timeouts of 0s leave values alone.`;
      return { text, command: "kubectl -n kube-system get configmap kube-proxy -o yaml" };
    }
    case "k3s":
    case "rke":
      return {
        text: `Give it with kube-proxy-arg in ${path}; conntrack-max-per-core=0 leaves the capacity alone.`,
        command: `grep -n -A5 kube-proxy-arg ${path}`,
      };
    case "tuned":
      return {
        text: `Change it in a profile of your own that includes the active one (now ${path}).`,
        command: "tuned-adm active",
      };
    default:
      return { text: `Change it in ${path}.`, command: `grep -n conntrack ${path}` };
  }
}

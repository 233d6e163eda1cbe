/**
 * What to change where a program sets a value again at run time, so that it sets the wanted one or leaves it
 * alone.
 *
 * Sources: kube-proxy(8): `0 to leave the limit as-is and ignore conntrack-min`, `0 to leave as-is`;
 * tuned.conf(5), section [sysctl]; durations as time.ParseDuration() of Go takes them.
 */
import type { Definition } from "../table/boot.ts";

/** Begins with a verb: `set conntrack.maxPerCore: 0 in /var/lib/kube-proxy/config.conf:17`. */
export function ownerEdit(definition: Definition, wanted: number): string {
  return `${editOf(definition, wanted)} in ${definition.path}${lineOf(definition)}`;
}

function editOf({ name, reader }: Definition, wanted: number): string {
  if (reader === "tuned") return `set ${name}=${wanted}`;
  const set = reader === "k3s" || reader === "rke" ? `set kube-proxy-arg: ${name.slice(2)}` : `set ${name}`;
  const equals = name.startsWith("--") ? "=" : ": ";
  if (/timeout/i.test(name)) return `${set}${equals}${wanted}s`;
  // It reckons the capacity from the processors of each node: to leave it alone holds on all of them.
  const perCore = set
    .replace(/(?<=conntrack\.)min$/, "maxPerCore")
    .replace(/(?<=conntrack-)min$/, "max-per-core");
  return /max-?per-?core$/i.test(perCore) ? `${perCore}${equals}0` : `change ${name}`;
}

function lineOf({ line }: Definition): string {
  return line === undefined ? "" : `:${line}`;
}

/** What a report is about, for its first line. */
import type { Host } from "../table/host.ts";

/** `web-3`, `web-3, namespace k1`, `/srv/sosreport-web3`; undefined when nothing tells. */
export function subjectOf(host: Host | undefined, options: { netns?: string }): string | undefined {
  const { hostname, root } = host ?? {};
  const parts: string[] = [];
  const place = hostname ?? root;
  if (place !== undefined) parts.push(place);
  if (options.netns !== undefined) parts.push(`namespace ${options.netns}`);
  return parts.length === 0 ? undefined : parts.join(", ");
}

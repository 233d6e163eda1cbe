/** What is watched, as people and notices call it. */
import type { Host } from "../../table/host.ts";
import { subjectOf } from "../subject.ts";
import type { Configuration } from "./configuration-schema.ts";

/** The host, and the namespace where it is not the host's own: `gw1`, `gw1, namespace blue`. */
export function instanceName(host: Host, { namespace }: Configuration["watch"]): string {
  return subjectOf(host, namespace === "" ? {} : { netns: namespace }) ?? "this host";
}

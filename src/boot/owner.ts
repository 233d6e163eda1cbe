/**
 * The contract of owners: services that set the tracker's values themselves, after the boot has read its
 * files (ufw, rc.local, tuned, kube-proxy, k3s, rke, docker). One file per owner, owner-<name>.ts, exports
 * one OwnerReader; owners.ts lists them in the order in which they come up.
 *
 * A reader looks only at files, never throws, and answers an empty reading when its program is not on this
 * host. A file that is there and cannot be read is a line of `unseen`. What is configured but will not
 * happen (the service is disabled, the field is zero and means "leave alone") is still a definition, with
 * `notRead` saying why, so that people find it.
 */
import type { Definition, DefinitionReader } from "../table/boot.ts";
import { settingKeyFor } from "../table/settings.ts";
import type { Unseen } from "../table/unseen.ts";
import type { BootInput } from "./boot-input.ts";
import { wholeNumber } from "./kernel-number.ts";

/** One value that an owner sets. */
export interface OwnerDefinition {
  definition: Definition;
  /**
   * `once`: during the boot, and never again (rc.local, ufw's own sysctl file): it wins or is overridden like
   * a line of a file. `again`: whenever the service starts or feels like it (kube-proxy, tuned): its fate is
   * `sets-again`, and it decides the value after the boot as well.
   */
  sets: "once" | "again";
  /** Sets it only where the present value is lower (kube-proxy's capacity). */
  onlyRaises?: true;
  /** It never happens, and why: `ufw is not enabled (ENABLED=no in /etc/ufw/ufw.conf)`. */
  notRead?: string;
}

export interface OwnerReading {
  /** In the order in which they are set. */
  definitions: readonly OwnerDefinition[];
  /** The owner loads the tracker before it sets anything, by its rules or by modprobe; for people. */
  loadsTracker?: string;
  unseen?: readonly Unseen[];
}

export type OwnerReader = (input: BootInput) => OwnerReading;

/**
 * A definition with its key and value found out from the name and the text: `net.netfilter.nf_conntrack_max`,
 * with slashes, or `nf_conntrack.hashsize`. For a field with a name of its own (`conntrack.maxPerCore`) give
 * `key` and `value` in `more`.
 */
export function definitionOf(
  what: { name: string; text: string; reader: DefinitionReader; path: string; line?: number },
  more: Partial<Definition> = {},
): Definition {
  const key = settingKeyFor(what.name);
  const value = wholeNumber(what.text);
  return {
    ...what,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    ...more,
  };
}

/** The host of a change, to look at and to write to. */
import type { HostAccess, WritableHost } from "../../kernel/kernel.ts";
import { assert } from "../../base/assert.ts";
import type { Context, KernelDoor } from "../context.ts";
import type { HostOptions } from "../options.ts";
import { shellWord } from "../../table/shell-word.ts";

export interface Places {
  access: HostAccess;
  host: WritableHost;
}

/** Opens both. Throws KernelError when the root or the namespace is not there. */
export async function openPlaces(
  context: Context,
  kernel: KernelDoor,
  options: HostOptions & { netns?: string },
): Promise<Places> {
  const { root, netns } = options;
  const where = {
    ...(root === undefined ? {} : { root }),
    ...(netns === undefined ? {} : { namespace: netns }),
  };
  const host = await openToWrite(context, options);
  const access = kernel.openHost({ ...where, clock: context.deps.clock });
  return { access, host };
}

/** The host to write to. Throws KernelError as above. */
export async function openToWrite(
  context: Context,
  { root, netns }: HostOptions & { netns?: string },
): Promise<WritableHost> {
  const { openWritableHost } = await context.deps.kernel();
  assert(openWritableHost !== undefined, "Commands that change something are given a kernel to write to");
  return openWritableHost({
    ...(root === undefined ? {} : { root }),
    ...(netns === undefined ? {} : { namespace: netns }),
  });
}

/** Options that lead another command to the same host, with a blank in front. */
export function sameOptionsText({ root }: HostOptions): string {
  return root === undefined ? "" : ` --root ${shellWord(root)}`;
}

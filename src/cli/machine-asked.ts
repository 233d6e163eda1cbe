/**
 * The machine a question is about: as the command line describes it, and for the rest the host looked at.
 */
import type { PresentHost } from "../plan/plan.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./usage-error.ts";

/** What may be said of a machine that is not there. */
export interface MachineWords {
  memoryBytes?: number;
  kernel?: string;
  pointerBytes?: 4 | 8;
}

/** Host and settings, of this machine or of a saved tree. Throws KernelError. */
export async function lookAtHost(context: Context, root: string | undefined): Promise<PresentHost> {
  const { clock } = context.deps;
  const kernel = await context.deps.kernel();
  const access = kernel.openHost({ clock, ...(root === undefined ? {} : { root }) });
  try {
    return { host: access.host(), settings: access.settings().values };
  } finally {
    access.close();
  }
}

/** What was said before what was seen. Throws UsageError where neither tells. */
export function machineAsked(
  words: MachineWords,
  seen: PresentHost | undefined,
): { memoryBytes: number; kernelRelease: string; pointerBytes: 4 | 8 } {
  const memoryBytes = words.memoryBytes ?? seen?.host.memoryBytes;
  const kernelRelease = words.kernel ?? seen?.host.kernelRelease;
  if (memoryBytes === undefined) {
    throw new UsageError("Cannot tell how much memory this host has", "Give it: --memory 4G");
  }
  if (kernelRelease === undefined) {
    throw new UsageError("Cannot tell which kernel this host runs", "Give it: --kernel 6.1");
  }
  return { memoryBytes, kernelRelease, pointerBytes: words.pointerBytes ?? seen?.host.pointerBytes ?? 8 };
}

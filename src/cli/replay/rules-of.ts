/** Which kernel's rules the model runs under for a host. */
import { type Generation, GENERATIONS } from "../../model/model.ts";
import { isSince, parseKernelRelease } from "../../table/kernel-release.ts";

/** Where nobody says which kernel it is. */
export const USUAL_GENERATION: Generation = "6.18";

/** The newest of the known kernels that is not newer than this release; the oldest where all are newer. */
export function generationOf(kernelRelease: string | undefined): Generation | undefined {
  const release = kernelRelease === undefined ? undefined : parseKernelRelease(kernelRelease);
  if (release === undefined) return undefined;
  return GENERATIONS.findLast((known) => isSince(release, known)) ?? GENERATIONS[0];
}

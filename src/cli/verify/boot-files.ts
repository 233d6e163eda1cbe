/**
 * The way from a host to the forecast of its next boot: files, kernel and memory of one host put together.
 */
import type { HostAccess } from "../../kernel/kernel.ts";
import type { BootForecast } from "../../table/boot.ts";
import type { Unseen } from "../../table/unseen.ts";

/** One of these is on every host that boots; a saved tree without any tells nothing of a boot. */
const BOOT_PLACES = [
  "/etc/sysctl.d",
  "/etc/sysctl.conf",
  "/usr/lib/sysctl.d",
  "/etc/modprobe.d",
  "/etc/modprobe.conf",
];

/** A support bundle has the files its plugins chose, and lacks those of other programs. */
const bundleLacks: Unseen = {
  what: "files of other programs",
  why: "a sosreport holds only some of the files that may set values at boot",
  help: "run headroom verify on the host itself",
  cause: "incomplete",
};

/** Undefined where no files of a boot are to be seen. */
export async function forecastOf(access: HostAccess): Promise<BootForecast | undefined> {
  const files = access.bootFiles();
  if (!BOOT_PLACES.some((path) => files.look(path).kind !== "none")) return undefined;
  const { forecastBoot } = await import("../../boot/boot.ts");
  const { kernelRelease, memoryBytes, pointerBytes, pageBytes, cpus, root } = access.host();
  const forecast = forecastBoot({
    files,
    ...(kernelRelease === undefined ? {} : { kernelRelease }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(pointerBytes === undefined ? {} : { pointerBytes }),
    ...(pageBytes === undefined ? {} : { pageBytes }),
    ...(cpus === undefined ? {} : { cpus }),
  });
  const bundle = root !== undefined && files.look("/sos_commands").kind === "directory";
  return bundle ? { ...forecast, unseen: [...forecast.unseen, bundleLacks] } : forecast;
}

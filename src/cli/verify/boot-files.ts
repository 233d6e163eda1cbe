/**
 * The way from a host to the forecast of its next boot: files, kernel and memory of one host put together.
 */
import type { forecastBoot as forecast } from "../../boot/boot.ts";
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
  if (!hasBootFiles(files)) return undefined;
  const { forecastBoot } = await import("../../boot/boot.ts");
  return forecastBy(forecastBoot, access, files);
}

function hasBootFiles(files: BootFiles): boolean {
  return BOOT_PLACES.some((path) => files.look(path).kind !== "none");
}

/** As `forecastOf`, for whoever has loaded src/boot already and asks again and again. */
export function forecastWith(forecastBoot: typeof forecast, access: HostAccess): BootForecast | undefined {
  const files = access.bootFiles();
  return hasBootFiles(files) ? forecastBy(forecastBoot, access, files) : undefined;
}

type BootFiles = ReturnType<HostAccess["bootFiles"]>;

function forecastBy(forecastBoot: typeof forecast, access: HostAccess, files: BootFiles): BootForecast {
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

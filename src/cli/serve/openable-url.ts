/** An address that people can open, where the server listens on all there are. */
import type { NetworkInterfaceInfo } from "node:os";

/** `0.0.0.0` is no place to go to: this is the first address that others reach, else the own one. */
export function openableUrl(
  url: string,
  address: string,
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): string {
  if (address !== "0.0.0.0" && address !== "::") return url;
  const found = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address: one }) => !internal && !one.toLowerCase().startsWith("fe80:"));
  // On :: those of IPv4 are answered as well, and are easier to type.
  const first = found.find(({ family }) => family === "IPv4") ?? (address === "::" ? found[0] : undefined);
  const host = first?.address ?? "127.0.0.1";
  return url.replace(/\/\/(?:0\.0\.0\.0|\[::\])/, `//${host.includes(":") ? `[${host}]` : host}`);
}

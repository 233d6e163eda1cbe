/**
 * ufw: its rules load the tracker, and right after them it has sysctl(8) read a file of its own, long after
 * everybody else's were read.
 *
 * Source: ufw-init-functions and ufw-init of ufw 0.36: `sysctl -e -q -p $IPT_SYSCTL` behind the rules, only
 * where ufw is enabled.
 */
import { type BootInput, textAt } from "./boot-input.ts";
import { definitionOf, type OwnerReading } from "./owner.ts";
import { procpsLines } from "./procps.ts";
import { startRefusal } from "./unit-start.ts";
import { isTrackerName } from "./tracker-name.ts";

const CONF = "/etc/ufw/ufw.conf";
const DEFAULTS = "/etc/default/ufw";

export function readUfw({ files }: BootInput): OwnerReading {
  const conf = textAt(files, CONF);
  if (conf === undefined) return { definitions: [] };
  const enabled = /^yes$/i.test(variable(conf, "ENABLED") ?? "");
  const off = enabled ? startRefusal(files, "ufw") : `ufw is not enabled (ENABLED in ${CONF})`;
  const path = variable(textAt(files, DEFAULTS) ?? "", "IPT_SYSCTL");
  const reading = path?.startsWith("/") === true ? files.read(path) : undefined;
  const lines = reading !== undefined && "text" in reading ? procpsLines(reading.text, path ?? "") : [];
  const definitions = lines.flatMap((line) => {
    if (line.text === undefined || !isTrackerName(line.target)) return [];
    const { name, text } = line;
    const definition = definitionOf({ name, text, reader: "ufw", path: line.path, line: line.line });
    return [{ definition, sets: "once" as const, ...(off === undefined ? {} : { notRead: off }) }];
  });
  const closed =
    reading !== undefined && "refused" in reading && reading.refused !== "none"
      ? [{ what: "settings of ufw", why: `${path ?? ""}: ${reading.why}`, cause: "unreadable" } as const]
      : [];
  return {
    definitions,
    ...(off === undefined ? { loadsTracker: "iptables rules of ufw" } : {}),
    ...(closed.length === 0 ? {} : { unseen: closed }),
  };
}

/** The last value of a variable in a file that a shell sources. */
function variable(text: string, name: string): string | undefined {
  const found = [...text.matchAll(new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}=(.*)$`, "gm"))].at(-1)?.[1];
  return found
    ?.trim()
    .replace(/^(["'])(.*?)\1.*$/, "$2")
    .replace(/[ \t]+#.*$/, "");
}

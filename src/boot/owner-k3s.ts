/**
 * k3s and rke2: both set what kube-proxy would set before they start it, and pass on the arguments of
 * `kube-proxy-arg`. Without kube-proxy they set it all the same.
 *
 * Sources: k3s and rke2 documentation of config.yaml; pkg/agent/syssetup/setup.go of k3s 1.21 and later.
 */
import type { DefinitionReader } from "../table/boot.ts";
import { type BootInput, namesAt } from "./boot-input.ts";
import { fieldsOfFlags, type KubeField, kubeDefinitions } from "./kube-conntrack.ts";
import type { OwnerReading } from "./owner.ts";
import { serviceStart } from "./unit-start.ts";
import { yamlFields } from "./yaml-fields.ts";

interface Distribution {
  reader: DefinitionReader;
  /** Its directory under /etc/rancher. */
  name: string;
  services: readonly string[];
}

export function readK3s(input: BootInput): OwnerReading {
  return readDistribution(input, { reader: "k3s", name: "k3s", services: ["k3s", "k3s-agent"] });
}

export function readRke(input: BootInput): OwnerReading {
  return readDistribution(input, { reader: "rke", name: "rke2", services: ["rke2-server", "rke2-agent"] });
}

function readDistribution(input: BootInput, { reader, name, services }: Distribution): OwnerReading {
  const { files } = input;
  const states = services.map((service) => ({ service, state: serviceStart(files, service) }));
  const installed = states.filter(({ state }) => state !== "missing");
  const [first] = installed;
  if (first === undefined) return { definitions: [] };
  const starts = installed.some(({ state }) => state === "enabled");
  const main = `/etc/rancher/${name}/config.yaml`;
  const more = namesAt(files, `${main}.d`).filter((file) => /\.ya?ml$/.test(file));
  const paths = [main, ...more.map((file) => `${main}.d/${file}`)];
  let words: readonly KubeField[] = [];
  const unseen = [];
  for (const path of paths) {
    const reading = files.read(path);
    if (!("text" in reading)) {
      if (reading.refused === "none") continue;
      unseen.push({
        what: `settings of ${name}`,
        why: `${path}: ${reading.why}`,
        cause: "unreadable",
      } as const);
      continue;
    }
    const { fields } = yamlFields(reading.text);
    const own = fields.get("kube-proxy-arg")?.map((scalar) => ({ ...scalar, path }));
    // A later file replaces the list; `kube-proxy-arg+` adds to it.
    const added = fields.get("kube-proxy-arg+")?.map((scalar) => ({ ...scalar, path })) ?? [];
    words = [...(own ?? words), ...added];
  }
  const definitions = kubeDefinitions(fieldsOfFlags(words), {
    reader,
    path: main,
    naming: "flags",
    raises: "nothing",
    ceiling: false,
    ...(input.cpus === undefined ? {} : { cpus: input.cpus }),
    ...(starts ? {} : { notRead: `${first.service}.service is not enabled` }),
  });
  return {
    definitions,
    ...(starts ? { loadsTracker: name } : {}),
    ...(unseen.length === 0 ? {} : { unseen }),
  };
}

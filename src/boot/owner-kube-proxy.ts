/**
 * kube-proxy as a service of its own, a static pod, or a pod of a DaemonSet: whichever of them this host's
 * files tell of.
 *
 * Sources: kubeadm's and kops' layout, kube-proxy(8), and kube-conntrack.ts for what it sets.
 */
import { type BootFiles, type BootInput, namesAt, textAt } from "./boot-input.ts";
import {
  fieldsOfFlags,
  hasCeiling,
  KUBE_FIELDS,
  type KubeField,
  kubeDefinitions,
  type KubeFieldName,
  type KubeFields,
  raisedBy,
} from "./kube-conntrack.ts";
import type { OwnerReading } from "./owner.ts";
import { serviceStart, unitFile } from "./unit-start.ts";
import { type YamlFields, yamlFields } from "./yaml-fields.ts";

/** Only where one of these is, processes and manifests are looked at. */
const SIGNS = [
  "/var/lib/kubelet",
  "/etc/kubernetes",
  "/var/lib/kube-proxy",
  "/var/lib/kube-proxy-config",
] as const;

/** Where configuration usually is, for what is started with a path that only its container has. */
const CONFIG_PATHS = [
  "/var/lib/kube-proxy/config.conf",
  "/var/lib/kube-proxy/kube-proxy-config.yaml",
  "/var/lib/kube-proxy/config.yaml",
  "/var/lib/kube-proxy-config/config",
  "/etc/kubernetes/kube-proxy-config.yaml",
  "/etc/kubernetes/kube-proxy.yaml",
] as const;

const PODS = "/var/lib/kubelet/pods";
const MANIFESTS = "/etc/kubernetes/manifests";
/** Processes and pods looked at. */
const LOOKED_AT_MAX = 4096;

/** How kube-proxy is started here. */
interface Start {
  words: readonly KubeField[];
  /** The file or process that says so. */
  path: string;
  /** `v1.20.4` of a container's image. */
  version?: readonly [number, number];
  notRead?: string;
}

export function readKubeProxy(input: BootInput): OwnerReading {
  const { files } = input;
  const none: OwnerReading = { definitions: [] };
  if (!SIGNS.some((path) => files.look(path).kind === "directory")) return none;
  const start = ofManifests(files) ?? ofUnit(files) ?? ofProcesses(files);
  const config = configPath(files, start);
  if (start === undefined && config === undefined) return none;
  const reading = settingsOf(input, start, config);
  return start?.notRead === undefined ? { ...reading, loadsTracker: "the rules of kube-proxy" } : reading;
}

function settingsOf(input: BootInput, start: Start | undefined, config: string | undefined): OwnerReading {
  const version = start?.version;
  const ceiling = hasCeiling(version);
  const common = {
    reader: "kube-proxy",
    raises: raisedBy(version),
    ...(ceiling === undefined ? {} : { ceiling }),
    ...(input.cpus === undefined ? {} : { cpus: input.cpus }),
    ...(start?.notRead === undefined ? {} : { notRead: start.notRead }),
  } as const;
  const flags = fieldsOfFlags(start?.words ?? []);
  const asked = flagOf(start?.words ?? [], "config");
  if (config !== undefined) {
    const reading = input.files.read(config);
    if ("text" in reading) {
      const read = yamlFields(reading.text);
      const definitions = kubeDefinitions(fieldsOfConfig(read, config), {
        ...common,
        path: config,
        naming: "fields",
      });
      return { definitions, ...oddLines(read, config) };
    }
    return unreadable(`${config}: ${reading.why}`);
  }
  if (asked !== undefined) return unreadable(`${asked} is not among the files here`);
  return { definitions: kubeDefinitions(flags, { ...common, path: start?.path ?? "", naming: "flags" }) };
}

function unreadable(why: string): OwnerReading {
  return {
    definitions: [],
    unseen: [
      {
        what: "settings of kube-proxy",
        why: `its configuration could not be read: ${why}`,
        help: "kubectl -n kube-system get configmap kube-proxy -o yaml shows it",
        cause: "incomplete",
      },
    ],
  };
}

function oddLines({ odd }: YamlFields, path: string): Pick<OwnerReading, "unseen"> {
  const [first] = odd;
  if (first === undefined) return {};
  const why = `${path}:${first}: this form of YAML is not understood, so what it says is not reckoned with`;
  return { unseen: [{ what: "some settings of kube-proxy", why, cause: "unsupported" }] };
}

function fieldsOfConfig({ fields }: YamlFields, path: string): KubeFields {
  const found: { [name in KubeFieldName]?: KubeField } = {};
  for (const name of Object.keys(KUBE_FIELDS) as KubeFieldName[]) {
    const [scalar] = fields.get(`conntrack.${name}`) ?? [];
    if (scalar !== undefined) found[name] = { ...scalar, path };
  }
  return found;
}

/** The file `--config` names, or where such files are; nothing when it is started with flags alone. */
function configPath(files: BootFiles, start: Start | undefined): string | undefined {
  const asked = flagOf(start?.words ?? [], "config");
  if (start !== undefined && asked === undefined) return undefined;
  const pods = podConfigs(files);
  // In a pod the path is that of the container: the kubelet keeps the file itself.
  const usual = [...pods, ...CONFIG_PATHS];
  const process = /^\/proc\/\d+\//.exec(start?.path ?? "")?.[0];
  const inside = process === undefined || asked === undefined ? [] : [`${process}root${asked}`];
  const candidates = asked === undefined ? usual : [asked, ...usual, ...inside];
  return candidates.find((path) => files.look(path).kind === "file");
}

/** What the kubelet put into pods of kubeadm's DaemonSet. */
function podConfigs(files: BootFiles): readonly string[] {
  return namesAt(files, PODS)
    .slice(0, LOOKED_AT_MAX)
    .map((pod) => `${PODS}/${pod}/volumes/kubernetes.io~configmap/kube-proxy/config.conf`)
    .filter((path) => files.look(path).kind === "file");
}

function ofManifests(files: BootFiles): Start | undefined {
  for (const name of namesAt(files, MANIFESTS)) {
    if (!/proxy/.test(name) || !/\.(ya?ml|manifest|json)$/.test(name)) continue;
    const path = `${MANIFESTS}/${name}`;
    const start = startOfManifest(textAt(files, path) ?? "", path);
    if (start !== undefined) return start;
  }
  return undefined;
}

/** The command and arguments of a static pod. */
export function startOfManifest(text: string, path: string): Start | undefined {
  const { fields } = yamlFields(text);
  const scalars = ["command", "args"].flatMap((name) => [...(fields.get(`spec.containers.${name}`) ?? [])]);
  // One string may be a whole line for the shell.
  const words = scalars.flatMap(({ text: said, line }) =>
    said.split(/\s+/).map((word) => ({ text: word, path, line })),
  );
  if (!words.some(({ text: word }) => /(^|\/)kube-proxy$/.test(word))) return undefined;
  const [image] = fields.get("spec.containers.image") ?? [];
  const match = /:v(\d+)\.(\d+)\./.exec(image?.text ?? "");
  if (match === null) return { words, path };
  return { words, path, version: [Number(match[1]), Number(match[2])] };
}

function ofUnit(files: BootFiles): Start | undefined {
  const state = serviceStart(files, "kube-proxy");
  const path = state === "missing" || state === "masked" ? undefined : unitFile(files, "kube-proxy");
  if (path === undefined) return undefined;
  const lines = (textAt(files, path) ?? "").split("\n");
  const first = lines.findIndex((line) => /^\s*ExecStart\s*=/.test(line));
  if (first < 0) return undefined;
  const words: KubeField[] = [];
  for (let at = first; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const content = line.replace(/^\s*ExecStart\s*=/, "").replace(/\\\s*$/, "");
    for (const word of content.split(/\s+/)) if (word !== "") words.push({ text: word, path, line: at + 1 });
    if (!/\\\s*$/.test(line)) break;
  }
  const notRead = state === "disabled" ? { notRead: "kube-proxy.service is not enabled" } : {};
  return { words, path, ...notRead };
}

function ofProcesses(files: BootFiles): Start | undefined {
  const processes = namesAt(files, "/proc").filter((name) => /^\d+$/.test(name));
  for (const process of processes.slice(0, LOOKED_AT_MAX)) {
    const path = `/proc/${process}/cmdline`;
    const words = (textAt(files, path) ?? "").split("\0").filter((word) => word !== "");
    if (!/(^|\/)kube-proxy$/.test(words[0] ?? "")) continue;
    return { words: words.map((text) => ({ text, path })), path };
  }
  return undefined;
}

function flagOf(words: readonly KubeField[], name: string): string | undefined {
  for (const [index, { text }] of words.entries()) {
    if (text.startsWith(`--${name}=`)) return text.slice(name.length + 3);
    if (text === `--${name}`) return words[index + 1]?.text;
  }
  return undefined;
}

/**
 * What kube-proxy makes of its conntrack settings, wherever they were given: its own configuration, its
 * flags, or the arguments k3s and rke2 pass on to it.
 *
 * Sources: cmd/kube-proxy/app/conntrack.go and server_linux.go of Kubernetes 1.18 to 1.37, its component
 * configuration v1alpha1; pkg/agent/syssetup/setup.go of k3s.
 */
import type { DefinitionReader } from "../table/boot.ts";
import type { SettingKey } from "../table/settings.ts";
import type { OwnerDefinition } from "./owner.ts";
import { wholeNumber } from "./kernel-number.ts";

/** One value as somebody wrote it, and where. */
export interface KubeField {
  text: string;
  path: string;
  line?: number;
}

/** The fields by the names of the configuration file, without `conntrack.`. */
export const KUBE_FIELDS = {
  maxPerCore: "conntrack-max-per-core",
  min: "conntrack-min",
  tcpEstablishedTimeout: "conntrack-tcp-timeout-established",
  tcpCloseWaitTimeout: "conntrack-tcp-timeout-close-wait",
  tcpBeLiberal: "conntrack-tcp-be-liberal",
  udpTimeout: "conntrack-udp-timeout",
  udpStreamTimeout: "conntrack-udp-timeout-stream",
} as const;

export type KubeFieldName = keyof typeof KUBE_FIELDS;
export type KubeFields = { readonly [name in KubeFieldName]?: KubeField };

/** What is used where a field is not given. */
const DEFAULTS: { readonly [name in KubeFieldName]?: string } = {
  maxPerCore: "32768",
  min: "131072",
  tcpEstablishedTimeout: "24h",
  tcpCloseWaitTimeout: "1h",
};

/** Since 1.36 a core count that asks for more gets this, whatever the floor says (pull request 137002). */
const CAPACITY_CEILING = 1_048_576;

/** It makes the hash this many times smaller than the capacity, where the hash is smaller still. */
const FLOWS_PER_BUCKET = 4;

const timeouts: readonly [KubeFieldName, SettingKey][] = [
  ["tcpEstablishedTimeout", "nf_conntrack_tcp_timeout_established"],
  ["tcpCloseWaitTimeout", "nf_conntrack_tcp_timeout_close_wait"],
  ["udpTimeout", "nf_conntrack_udp_timeout"],
  ["udpStreamTimeout", "nf_conntrack_udp_timeout_stream"],
];

export type KubeRaises = "nothing" | "capacity" | "everything";

/**
 * What kube-proxy only raises: from 1.23 to 1.28 everything (pull requests 103174 and 120448), from 1.37 on
 * the capacity (142035), else nothing. Without a version, as most do it.
 */
export function raisedBy(version: readonly [number, number] | undefined): KubeRaises {
  const [major = 1, minor = 29] = version ?? [];
  if (major > 1 || minor >= 37) return "capacity";
  return minor >= 23 && minor <= 28 ? "everything" : "nothing";
}

/** Whether this version has the ceiling; undefined without one. */
export function hasCeiling(version: readonly [number, number] | undefined): boolean | undefined {
  return version === undefined ? undefined : version[0] > 1 || version[1] >= 36;
}

export interface KubeSetter {
  reader: DefinitionReader;
  /** Where the fields that are not given would be. */
  path: string;
  /** How fields are called there: `conntrack.` and a field, or its flag. */
  naming: "fields" | "flags";
  cpus?: number;
  /** What is only ever raised, never lowered. */
  raises: KubeRaises;
  /** Whether a capacity has a ceiling; absent when the version is not known. */
  ceiling?: boolean;
  /** It never happens, and why. */
  notRead?: string;
}

/** What it sets, in the order in which it does. */
export function kubeDefinitions(fields: KubeFields, setter: KubeSetter): readonly OwnerDefinition[] {
  return [
    ...sizes(fields, setter),
    ...timeouts.flatMap(([name, key]) => timeoutOf(fields, setter, name, key)),
    ...liberal(fields, setter),
  ];
}

function sizes(fields: KubeFields, setter: KubeSetter): readonly OwnerDefinition[] {
  const perCore = given(fields, setter, "maxPerCore");
  const min = given(fields, setter, "min");
  const each = wholeNumber(perCore.text);
  if (each !== undefined && each <= 0) {
    return [defined(setter, perCore, "nf_conntrack_max", { notRead: "0 leaves the value alone" })];
  }
  const least = wholeNumber(min.text) ?? 0;
  const { cpus } = setter;
  const flows = each === undefined || cpus === undefined ? undefined : capacityOf(each * cpus, least, setter);
  // Where the floor decides, that is the line to change.
  const decides =
    flows !== undefined && flows === least && least !== (each ?? 0) * (cpus ?? 0) ? min : perCore;
  const raises = setter.raises === "nothing" ? {} : ({ onlyRaises: true } as const);
  const capacity = defined(setter, decides, "nf_conntrack_max", {
    ...(flows === undefined ? {} : { value: flows }),
    ...raises,
  });
  // k3s leaves the hash to kube-proxy, which it runs itself with the same arguments.
  const buckets = defined(setter, decides, "nf_conntrack_buckets", {
    ...(flows === undefined ? {} : { value: Math.floor(flows / FLOWS_PER_BUCKET) }),
    onlyRaises: true,
  });
  return [capacity, buckets];
}

/** Undefined where the version decides and is not known. */
function capacityOf(ofCores: number, least: number, { ceiling }: KubeSetter): number | undefined {
  if (ofCores <= CAPACITY_CEILING || ceiling === false) return Math.max(least, ofCores);
  return ceiling === true ? CAPACITY_CEILING : undefined;
}

function timeoutOf(
  fields: KubeFields,
  setter: KubeSetter,
  name: KubeFieldName,
  key: SettingKey,
): readonly OwnerDefinition[] {
  if (fields[name] === undefined && DEFAULTS[name] === undefined) return [];
  const field = given(fields, setter, name);
  const seconds = goSeconds(field.text);
  if (seconds === 0) {
    // Zero is what the two of UDP are unless somebody sets them: nobody wants to read that.
    if (DEFAULTS[name] === undefined) return [];
    return [defined(setter, field, key, { notRead: "0 leaves the value alone" })];
  }
  const raises = setter.raises === "everything" ? ({ onlyRaises: true } as const) : {};
  return [defined(setter, field, key, seconds === undefined ? {} : { value: seconds, ...raises })];
}

function liberal(fields: KubeFields, setter: KubeSetter): readonly OwnerDefinition[] {
  const field = fields.tcpBeLiberal;
  if (field === undefined || field.text !== "true") return [];
  return [
    defined(setter, { ...field, name: nameOf(setter, "tcpBeLiberal") }, "nf_conntrack_tcp_be_liberal", {
      value: 1,
    }),
  ];
}

type NamedField = KubeField & { name: string };

/** The field as given, or its default. A null or empty one is not given. */
function given(fields: KubeFields, setter: KubeSetter, name: KubeFieldName): NamedField {
  const field = fields[name];
  if (field !== undefined && !/^(null|~)?$/.test(field.text)) {
    return { ...field, name: nameOf(setter, name) };
  }
  const place = field ?? { path: setter.path };
  return { ...place, text: `${DEFAULTS[name] ?? "0"} (default)`, name: nameOf(setter, name) };
}

function nameOf(setter: KubeSetter, name: KubeFieldName): string {
  return setter.naming === "fields" ? `conntrack.${name}` : `--${KUBE_FIELDS[name]}`;
}

function defined(
  setter: KubeSetter,
  field: NamedField,
  key: SettingKey,
  more: { value?: number; onlyRaises?: true; notRead?: string },
): OwnerDefinition {
  const { value, ...rest } = more;
  const notRead = setter.notRead ?? rest.notRead;
  return {
    definition: {
      name: field.name,
      key,
      text: field.text,
      ...(value === undefined ? {} : { value }),
      reader: setter.reader,
      path: field.path,
      ...(field.line === undefined ? {} : { line: field.line }),
    },
    sets: "again",
    ...(rest.onlyRaises === true ? { onlyRaises: true as const } : {}),
    ...(notRead === undefined ? {} : { notRead }),
  };
}

const goUnits: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};

/** `24h0m0s`, `90s`, `0`: a duration of Go in whole seconds; undefined when it is none. */
export function goSeconds(text: string): number | undefined {
  const word = text.replace(/ \(default\)$/, "").trim();
  if (/^\+?0+$/.test(word)) return 0;
  if (!/^\+?(\d+(\.\d+)?(h|ms|m|s|us|µs|ns))+$/.test(word)) return undefined;
  let seconds = 0;
  for (const [, amount = "", unit = ""] of word.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)) {
    seconds += Number(amount) * (goUnits[unit] ?? 0);
  }
  return Math.floor(seconds);
}

/** Fields given by flags: `--conntrack-min=1`, `--conntrack-min 1`, or k3s's `conntrack-min=1`. */
export function fieldsOfFlags(words: readonly KubeField[]): KubeFields {
  const fields: { [name in KubeFieldName]?: KubeField } = {};
  for (const [index, word] of words.entries()) {
    for (const name of Object.keys(KUBE_FIELDS) as KubeFieldName[]) {
      const match = new RegExp(`^(?:--?)?${KUBE_FIELDS[name]}(?:=(.*))?$`).exec(word.text);
      if (match === null) continue;
      const next = words[index + 1];
      const text = match[1] ?? (name === "tcpBeLiberal" ? "true" : next?.text);
      if (text !== undefined) fields[name] = { ...word, text };
    }
  }
  return fields;
}

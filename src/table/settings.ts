/**
 * The registry of every knob of the tracker: both generations, every alias, unit, default, range, scope and
 * the kernels that have it. One row per setting; everything else (reading, judging, changing, documents) goes
 * by this.
 *
 * Sources: Documentation/networking/nf_conntrack-sysctl.rst, net/netfilter/nf_conntrack_standalone.c and the
 * protocol files of 2.4.20 to 7.3; what a default was on which kernel is in `defaults`, newest last.
 */

export type SettingUnit = "flows" | "buckets" | "seconds" | "flag" | "count";

/** Where a setting lives: one value for the whole host, or one per network namespace. */
export type SettingScope = "host" | "namespace";

export interface Setting {
  /** Full sysctl name; `/proc/sys/` plus this with slashes is its file. Absent for module parameters. */
  sysctl?: string;
  /** Other sysctl names for the same variable on modern kernels. */
  aliases?: readonly string[];
  /** ip_conntrack names: 2.4 to 2.6.21, and as compatibility aliases until 4.8. */
  legacy?: readonly string[];
  /** File under /sys for module parameters, and the parameter's name in /etc/modprobe.d. */
  moduleParameter?: { path: string; module: string; parameter: string; legacyPath?: string };
  unit: SettingUnit;
  scope: SettingScope;
  readOnly?: true;
  /**
   * The default by kernel: the last row whose `since` is not newer than the kernel. Absent: computed
   * (table/sizes.ts).
   */
  defaults?: readonly { since: string; value: number }[];
  min: number;
  max: number;
  /** First kernel with it, and the first without it. */
  since: string;
  until?: string;
  /** One sentence for people. */
  about: string;
}

const INT_MAX = 2_147_483_647;
/** The kernel refuses more than INT_MAX/HZ seconds; with HZ=100, the slowest tick there is, that is this. */
const TIMEOUT_MAX = 21_474_836;

const legacyPath = "net.ipv4.netfilter.ip_conntrack_";

function timeout(
  suffix: string,
  since: string,
  value: number,
  about: string,
  more: Partial<Setting> = {},
): Setting {
  return {
    sysctl: `net.netfilter.nf_conntrack_${suffix}`,
    unit: "seconds",
    scope: "namespace",
    defaults: [{ since, value }],
    min: 0,
    max: TIMEOUT_MAX,
    since,
    about,
    ...more,
  };
}

/** A timeout that already had a name in ip_conntrack. */
function oldTimeout(suffix: string, value: number, about: string, more: Partial<Setting> = {}): Setting {
  return timeout(suffix, "2.6.0", value, about, { legacy: [`${legacyPath}${suffix}`], ...more });
}

function flag(
  suffix: string,
  since: string,
  value: number,
  about: string,
  more: Partial<Setting> = {},
): Setting {
  return {
    sysctl: `net.netfilter.nf_conntrack_${suffix}`,
    unit: "flag",
    scope: "namespace",
    defaults: [{ since, value }],
    min: 0,
    max: 1,
    since,
    about,
    ...more,
  };
}

/** Memory for IPv6 packets waiting to be put together; the marks were raised with 3.9. */
function fragmentMemory(mark: "low" | "high", oldValue: number, value: number): Setting {
  return flag(`frag6_${mark}_thresh`, "2.6.15", value, `Bytes of memory for IPv6 fragments, ${mark} mark`, {
    unit: "count",
    max: INT_MAX,
    defaults: [
      { since: "2.6.15", value: oldValue },
      { since: "3.9", value },
    ],
  });
}

export const settings = {
  nf_conntrack_max: {
    sysctl: "net.netfilter.nf_conntrack_max",
    aliases: ["net.nf_conntrack_max"],
    legacy: [`${legacyPath}max`, "net.ipv4.ip_conntrack_max"],
    unit: "flows",
    scope: "host",
    min: 0,
    max: INT_MAX,
    since: "2.4.0",
    about: "Flows each network namespace may hold before new ones are dropped (capacity)",
  },
  nf_conntrack_count: {
    sysctl: "net.netfilter.nf_conntrack_count",
    legacy: [`${legacyPath}count`],
    unit: "flows",
    scope: "namespace",
    readOnly: true,
    min: 0,
    max: INT_MAX,
    since: "2.6.9",
    about: "Flows held now, expired ones not yet collected included (occupancy)",
  },
  nf_conntrack_buckets: {
    sysctl: "net.netfilter.nf_conntrack_buckets",
    legacy: [`${legacyPath}buckets`],
    unit: "buckets",
    scope: "host",
    min: 1,
    max: INT_MAX,
    since: "2.6.0",
    about: "Hash buckets of the table; read-only before 4.7, where hashsize sets it",
  },
  hashsize: {
    moduleParameter: {
      path: "/sys/module/nf_conntrack/parameters/hashsize",
      module: "nf_conntrack",
      parameter: "hashsize",
      legacyPath: "/sys/module/ip_conntrack/parameters/hashsize",
    },
    unit: "buckets",
    scope: "host",
    min: 1,
    max: INT_MAX,
    since: "2.4.4",
    about: "Hash buckets as a module parameter; given at load it also makes the capacity 8 times as large",
  },
  expect_hashsize: {
    moduleParameter: {
      path: "/sys/module/nf_conntrack/parameters/expect_hashsize",
      module: "nf_conntrack",
      parameter: "expect_hashsize",
    },
    unit: "buckets",
    scope: "host",
    readOnly: true,
    min: 1,
    max: INT_MAX,
    since: "2.6.23",
    about: "Hash buckets of expected flows; only at load",
  },
  nf_conntrack_expect_max: {
    sysctl: "net.netfilter.nf_conntrack_expect_max",
    unit: "flows",
    scope: "host",
    min: 1,
    max: INT_MAX,
    since: "2.6.23",
    about: "Expected flows (of helpers such as FTP or SIP) the host may hold",
  },
  nf_conntrack_acct: flag("acct", "2.6.27", 0, "Count packets and bytes of flows created from now on", {
    defaults: [{ since: "2.6.27", value: 0 }],
  }),
  nf_conntrack_timestamp: flag("timestamp", "2.6.39", 0, "Stamp flows created from now on with their start"),
  nf_conntrack_events: flag(
    "events",
    "2.6.31",
    1,
    "Send flow events: 0 never, 1 always, 2 to listeners only",
    {
      max: 2,
      defaults: [
        { since: "2.6.31", value: 1 },
        { since: "5.19", value: 2 },
      ],
    },
  ),
  nf_conntrack_events_retry_timeout: timeout(
    "events_retry_timeout",
    "2.6.31",
    15,
    "Retry of undelivered events",
    {
      until: "3.19",
    },
  ),
  nf_conntrack_checksum: flag(
    "checksum",
    "2.6.18",
    1,
    "Verify checksums of incoming packets; bad ones are invalid",
    {
      legacy: [`${legacyPath}checksum`],
    },
  ),
  nf_conntrack_log_invalid: flag(
    "log_invalid",
    "2.6.9",
    0,
    "Log invalid packets of this protocol (255: of all)",
    {
      unit: "count",
      max: 255,
      legacy: [`${legacyPath}log_invalid`],
    },
  ),
  nf_conntrack_helper: flag("helper", "3.5", 0, "Assign helpers by port, without a rule", {
    defaults: [
      { since: "3.5", value: 1 },
      { since: "4.7", value: 0 },
    ],
    until: "6.0",
  }),
  nf_conntrack_default_on: flag("default_on", "4.10", 1, "Track in new namespaces", {
    scope: "host",
    until: "4.14",
  }),
  nf_conntrack_frag6_timeout: timeout(
    "frag6_timeout",
    "2.6.15",
    60,
    "Seconds to wait for the rest of an IPv6 packet",
  ),
  nf_conntrack_frag6_low_thresh: fragmentMemory("low", 196_608, 3_145_728),
  nf_conntrack_frag6_high_thresh: fragmentMemory("high", 262_144, 4_194_304),

  nf_conntrack_tcp_timeout_syn_sent: oldTimeout("tcp_timeout_syn_sent", 120, "TCP: after a SYN"),
  ip_conntrack_tcp_timeout_syn_sent2: {
    legacy: [`${legacyPath}tcp_timeout_syn_sent2`],
    unit: "seconds",
    scope: "namespace",
    defaults: [{ since: "2.6.31", value: 120 }],
    min: 0,
    max: TIMEOUT_MAX,
    since: "2.6.31",
    until: "4.9",
    about: "TCP: SYNs from both sides; only ever had a name of the old generation",
  },
  nf_conntrack_tcp_timeout_syn_recv: oldTimeout("tcp_timeout_syn_recv", 60, "TCP: after the SYN/ACK"),
  nf_conntrack_tcp_timeout_established: oldTimeout(
    "tcp_timeout_established",
    432_000,
    "TCP: connected and silent",
  ),
  nf_conntrack_tcp_timeout_fin_wait: oldTimeout("tcp_timeout_fin_wait", 120, "TCP: after the first FIN"),
  nf_conntrack_tcp_timeout_close_wait: oldTimeout(
    "tcp_timeout_close_wait",
    60,
    "TCP: first FIN acknowledged",
  ),
  nf_conntrack_tcp_timeout_last_ack: oldTimeout("tcp_timeout_last_ack", 30, "TCP: after the second FIN"),
  nf_conntrack_tcp_timeout_time_wait: oldTimeout("tcp_timeout_time_wait", 120, "TCP: closed by both sides"),
  nf_conntrack_tcp_timeout_close: oldTimeout("tcp_timeout_close", 10, "TCP: after a RST"),
  nf_conntrack_tcp_timeout_max_retrans: timeout(
    "tcp_timeout_max_retrans",
    "2.6.9",
    300,
    "TCP: cap while the same packet is sent again and again, or the window is zero",
    { legacy: [`${legacyPath}tcp_timeout_max_retrans`] },
  ),
  nf_conntrack_tcp_timeout_unacknowledged: timeout(
    "tcp_timeout_unacknowledged",
    "2.6.27",
    300,
    "TCP: cap while data is not acknowledged",
  ),
  nf_conntrack_tcp_max_retrans: flag(
    "tcp_max_retrans",
    "2.6.9",
    3,
    "TCP: repeats that count as retransmission",
    {
      unit: "count",
      max: 255,
      legacy: [`${legacyPath}tcp_max_retrans`],
    },
  ),
  nf_conntrack_tcp_loose: flag("tcp_loose", "2.6.9", 1, "TCP: pick up flows in mid-stream", {
    defaults: [
      { since: "2.6.9", value: 3 },
      { since: "2.6.16", value: 1 },
    ],
    legacy: [`${legacyPath}tcp_loose`],
  }),
  nf_conntrack_tcp_be_liberal: flag("tcp_be_liberal", "2.6.9", 0, "TCP: accept packets out of window", {
    legacy: [`${legacyPath}tcp_be_liberal`],
  }),
  nf_conntrack_tcp_ignore_invalid_rst: flag(
    "tcp_ignore_invalid_rst",
    "5.14",
    0,
    "TCP: let RSTs of the wrong sequence pass",
  ),
  nf_flowtable_tcp_timeout: timeout("", "5.14", 30, "TCP flows in a flow table, silent", {
    sysctl: "net.netfilter.nf_flowtable_tcp_timeout",
  }),
  nf_flowtable_udp_timeout: timeout("", "5.14", 30, "UDP flows in a flow table, silent", {
    sysctl: "net.netfilter.nf_flowtable_udp_timeout",
  }),

  nf_conntrack_udp_timeout: oldTimeout("udp_timeout", 30, "UDP: one-way, or a single exchange"),
  nf_conntrack_udp_timeout_stream: oldTimeout(
    "udp_timeout_stream",
    180,
    "UDP: two-way for more than two seconds",
    {
      defaults: [
        { since: "2.6.0", value: 180 },
        { since: "5.0", value: 120 },
      ],
    },
  ),
  nf_conntrack_udplite_timeout: timeout("udplite_timeout", "2.6.24", 30, "UDP-Lite: one-way", {
    until: "4.14",
  }),
  nf_conntrack_udplite_timeout_stream: timeout("udplite_timeout_stream", "2.6.24", 180, "UDP-Lite: two-way", {
    until: "4.14",
  }),
  nf_conntrack_icmp_timeout: oldTimeout("icmp_timeout", 30, "ICMP: an echo or another request"),
  nf_conntrack_icmpv6_timeout: timeout("icmpv6_timeout", "2.6.15", 30, "ICMPv6: an echo or another request"),
  nf_conntrack_generic_timeout: oldTimeout(
    "generic_timeout",
    600,
    "Protocols without a tracker of their own",
  ),
  nf_conntrack_gre_timeout: timeout("gre_timeout", "5.0", 30, "GRE: one-way"),
  nf_conntrack_gre_timeout_stream: timeout("gre_timeout_stream", "5.0", 180, "GRE: two-way"),

  nf_conntrack_sctp_timeout_closed: oldTimeout("sctp_timeout_closed", 10, "SCTP: closed"),
  nf_conntrack_sctp_timeout_cookie_wait: oldTimeout("sctp_timeout_cookie_wait", 3, "SCTP: after INIT_ACK"),
  nf_conntrack_sctp_timeout_cookie_echoed: oldTimeout(
    "sctp_timeout_cookie_echoed",
    3,
    "SCTP: after COOKIE_ECHO",
  ),
  nf_conntrack_sctp_timeout_established: oldTimeout("sctp_timeout_established", 432_000, "SCTP: connected", {
    defaults: [
      { since: "2.6.0", value: 432_000 },
      { since: "6.2", value: 210 },
    ],
  }),
  nf_conntrack_sctp_timeout_shutdown_sent: oldTimeout(
    "sctp_timeout_shutdown_sent",
    0,
    "SCTP: shutdown sent",
    {
      defaults: [
        { since: "2.6.0", value: 0 },
        { since: "6.2", value: 3 },
      ],
    },
  ),
  nf_conntrack_sctp_timeout_shutdown_recd: oldTimeout(
    "sctp_timeout_shutdown_recd",
    0,
    "SCTP: shutdown received",
    {
      defaults: [
        { since: "2.6.0", value: 0 },
        { since: "6.2", value: 3 },
      ],
    },
  ),
  nf_conntrack_sctp_timeout_shutdown_ack_sent: oldTimeout(
    "sctp_timeout_shutdown_ack_sent",
    3,
    "SCTP: shutdown acknowledged",
  ),
  nf_conntrack_sctp_timeout_heartbeat_sent: timeout(
    "sctp_timeout_heartbeat_sent",
    "4.4",
    30,
    "SCTP: heartbeat seen first",
  ),
  nf_conntrack_sctp_timeout_heartbeat_acked: timeout(
    "sctp_timeout_heartbeat_acked",
    "4.4",
    210,
    "SCTP: heartbeat answered",
    {
      until: "6.2",
    },
  ),

  nf_conntrack_dccp_loose: flag("dccp_loose", "2.6.26", 1, "DCCP: pick up flows in mid-stream", {
    until: "6.17",
  }),
  nf_conntrack_dccp_timeout_request: timeout("dccp_timeout_request", "2.6.26", 240, "DCCP: request", {
    until: "6.17",
  }),
  nf_conntrack_dccp_timeout_respond: timeout("dccp_timeout_respond", "2.6.26", 480, "DCCP: respond", {
    until: "6.17",
  }),
  nf_conntrack_dccp_timeout_partopen: timeout("dccp_timeout_partopen", "2.6.26", 480, "DCCP: part open", {
    until: "6.17",
  }),
  nf_conntrack_dccp_timeout_open: timeout("dccp_timeout_open", "2.6.26", 43_200, "DCCP: open", {
    until: "6.17",
  }),
  nf_conntrack_dccp_timeout_closereq: timeout(
    "dccp_timeout_closereq",
    "2.6.26",
    64,
    "DCCP: close requested",
    {
      until: "6.17",
    },
  ),
  nf_conntrack_dccp_timeout_closing: timeout("dccp_timeout_closing", "2.6.26", 64, "DCCP: closing", {
    until: "6.17",
  }),
  nf_conntrack_dccp_timeout_timewait: timeout("dccp_timeout_timewait", "2.6.26", 240, "DCCP: time wait", {
    until: "6.17",
  }),
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof settings;

/** All keys, in the order of the registry. */
export const SETTING_KEYS = Object.keys(settings) as SettingKey[];

/** Values by key. A missing key means: this kernel lacks it (when read), or leave it alone (in a plan). */
export type Settings = { readonly [key in SettingKey]?: number };

/** The registry row of a key, with its optional fields. */
export function settingOf(key: SettingKey): Setting {
  return settings[key];
}

const keyBySysctl = new Map<string, SettingKey>(
  SETTING_KEYS.flatMap((key) => sysctlNames(settingOf(key)).map((name): [string, SettingKey] => [name, key])),
);

/**
 * `sys.module.nf_conntrack.parameters.hashsize` and `nf_conntrack.hashsize` (as on the kernel's command
 * line).
 */
const keyByParameter = new Map<string, SettingKey>(
  SETTING_KEYS.flatMap((key) =>
    parameterNames(settingOf(key)).map((name): [string, SettingKey] => [name, key]),
  ),
);

function parameterNames({ moduleParameter }: Setting): readonly string[] {
  if (moduleParameter === undefined) return [];
  const { path, module, parameter, legacyPath: old } = moduleParameter;
  const paths = old === undefined ? [path] : [path, old];
  return [`${module}.${parameter}`, ...paths.map((name) => name.slice(1).replaceAll("/", "."))];
}

/** Every sysctl name of a setting, the canonical one first, legacy ones last. */
export function sysctlNames(setting: Setting): readonly string[] {
  const own = setting.sysctl === undefined ? [] : [setting.sysctl];
  return [...own, ...(setting.aliases ?? []), ...(setting.legacy ?? [])];
}

/** The name people know a setting by: its sysctl file, without the path. */
export function settingName(key: SettingKey): string {
  const [name = key] = sysctlNames(settingOf(key));
  return name.replace(/^.*\./, "");
}

/** `net.netfilter.nf_conntrack_max` to `/proc/sys/net/netfilter/nf_conntrack_max`. */
export function sysctlPath(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}

/**
 * The setting a person means: a key of the registry, any sysctl name with dots or slashes, or a legacy name
 * with or without its path (`ip_conntrack_max`), a module parameter by its file or as
 * `nf_conntrack.hashsize`. Undefined when there is none.
 */
export function settingKeyFor(text: string): SettingKey | undefined {
  const name = text
    .trim()
    .replace(/^\/proc\/sys\/|^\//, "")
    .replaceAll("/", ".");
  if (Object.hasOwn(settings, name)) return name as SettingKey;
  const known = keyBySysctl.get(name) ?? keyByParameter.get(name);
  if (known !== undefined) return known;
  return name.includes(".") ? undefined : keyBySysctl.get(`net.ipv4.netfilter.${name}`);
}

/**
 * The settings of a tracker as its hot path reads them: plain numbers, timeouts in jiffies and by state. They
 * come in and change by their sysctl names (table/settings.ts), under the rules by which the kernel takes a
 * write (Documentation/networking/nf_conntrack-sysctl.rst, net/netfilter/nf_conntrack_standalone.c; limits
 * and error codes measured on 6.18).
 */
import { assert } from "../base/assert.ts";
import { isSince, type KernelRelease, parseKernelRelease } from "../table/kernel-release.ts";
import { SETTING_KEYS, type SettingKey, settingOf, type Settings } from "../table/settings.ts";
import { DccpState, SctpState } from "../table/state.ts";
import type { Generation, KernelRules } from "./generation.ts";
import { type TcpSettings, tcpSettingsOf } from "./tcp-settings.ts";

export type SettingErrorCode = "unknown-to-kernel" | "read-only" | "not-a-number" | "out-of-range";

/** A value the kernel would refuse (EINVAL, EACCES) or a setting this generation does not have (ENOENT). */
export class SettingError extends Error {
  override name = "SettingError";
  readonly code: SettingErrorCode;
  readonly key: SettingKey;

  constructor(code: SettingErrorCode, key: SettingKey, found: string) {
    super(`Cannot set ${settingOf(key).sysctl ?? key}: ${found}`);
    this.code = code;
    this.key = key;
  }
}

/** What a host of more than 4 GiB chooses: nf_conntrack_init_start() since 5.15, and before. */
const NEW_SIZES = { buckets: 262_144, capacityFlows: 262_144 };
const OLD_SIZES = { buckets: 65_536, capacityFlows: 262_144 };
const NEW_SIZES_SINCE = "5.15";

/** Buckets are allocated in whole pages of pointers. */
const BUCKETS_PER_PAGE = 512;
const INT_MAX = 2_147_483_647;
/** Flags take 0 and 1 only since they are bytes of their own. */
const STRICT_FLAGS_SINCE = "5.13";
/** As if of this release are SCTP's settings in a kernel that has its states by backport. */
const SCTP_STATES_SINCE = "6.2";
/** SHUTDOWN_SENT and SHUTDOWN_RECD were three tenths of a second, which sysctl shows as 0. */
const OLD_SHUTDOWN_MS = 300;

/** Slots of the arrays by state: the kernel's state numbers. */
const STATES = 16;

const sctpStates: Readonly<Partial<Record<SettingKey, number>>> = {
  nf_conntrack_sctp_timeout_closed: SctpState.CLOSED,
  nf_conntrack_sctp_timeout_cookie_wait: SctpState.COOKIE_WAIT,
  nf_conntrack_sctp_timeout_cookie_echoed: SctpState.COOKIE_ECHOED,
  nf_conntrack_sctp_timeout_established: SctpState.ESTABLISHED,
  nf_conntrack_sctp_timeout_shutdown_sent: SctpState.SHUTDOWN_SENT,
  nf_conntrack_sctp_timeout_shutdown_recd: SctpState.SHUTDOWN_RECD,
  nf_conntrack_sctp_timeout_shutdown_ack_sent: SctpState.SHUTDOWN_ACK_SENT,
  nf_conntrack_sctp_timeout_heartbeat_sent: SctpState.HEARTBEAT_SENT,
  nf_conntrack_sctp_timeout_heartbeat_acked: SctpState.HEARTBEAT_ACKED,
};

const dccpStates: Readonly<Partial<Record<SettingKey, number>>> = {
  nf_conntrack_dccp_timeout_request: DccpState.REQUEST,
  nf_conntrack_dccp_timeout_respond: DccpState.RESPOND,
  nf_conntrack_dccp_timeout_partopen: DccpState.PARTOPEN,
  nf_conntrack_dccp_timeout_open: DccpState.OPEN,
  nf_conntrack_dccp_timeout_closereq: DccpState.CLOSEREQ,
  nf_conntrack_dccp_timeout_closing: DccpState.CLOSING,
  nf_conntrack_dccp_timeout_timewait: DccpState.TIMEWAIT,
};

export class TrackerSettings {
  readonly hz: number;
  readonly generation: Generation;
  readonly rules: KernelRules;

  /** nf_conntrack_max. */
  capacityFlows: number;
  /** nf_conntrack_buckets, in whole pages. */
  buckets: number;
  /** nf_conntrack_expect_max. */
  expectedFlowsMax: number;
  accounting = false;
  timestamps = false;
  verifiesChecksums = true;

  tcp: TcpSettings;
  /** Jiffies by state number (table/state.ts). */
  readonly sctpTimeouts = new Int32Array(STATES);
  readonly dccpTimeouts = new Int32Array(STATES);
  dccpLoose = 0;

  /** Jiffies. */
  udpTimeout = 0;
  udpStreamTimeout = 0;
  icmpTimeout = 0;
  icmpv6Timeout = 0;
  genericTimeout = 0;
  greTimeout = 0;
  greStreamTimeout = 0;

  readonly #release: KernelRelease;
  readonly #values: { -readonly [key in SettingKey]?: number } = {};

  /** Defaults of the generation, then `given` over them. Throws SettingError. */
  constructor(given: Settings, rules: KernelRules, hz: number) {
    const release = parseKernelRelease(rules.generation);
    assert(release !== undefined, "A generation is a kernel release");
    this.hz = hz;
    this.rules = rules;
    this.generation = rules.generation;
    this.#release = release;
    const sizes = isSince(release, NEW_SIZES_SINCE) ? NEW_SIZES : OLD_SIZES;
    this.capacityFlows = sizes.capacityFlows;
    this.buckets = sizes.buckets;
    this.expectedFlowsMax = 0;
    this.#values.nf_conntrack_max = sizes.capacityFlows;
    this.#values.nf_conntrack_buckets = sizes.buckets;
    for (const key of SETTING_KEYS) {
      const value = this.#has(key) ? this.#defaultOf(key) : undefined;
      if (value !== undefined) this.#keep(key, value);
    }
    this.#shortenOldShutdown();
    for (const key of SETTING_KEYS) {
      const value = given[key];
      if (value === undefined) continue;
      this.#check(key, value);
      this.#keep(key, value);
    }
    if (given.nf_conntrack_expect_max === undefined) this.#expectBy(this.buckets);
    this.tcp = this.#tcpSettings();
  }

  /** Values in force by their sysctl names; those the generation does not have are absent. */
  get values(): Settings {
    return this.#values;
  }

  /**
   * One setting by its name, as a write to its file: existing flows are not touched. Buckets are rounded up
   * to whole pages; the owner of the table moves its flows. Throws SettingError and changes nothing where
   * the kernel would refuse.
   */
  set(key: SettingKey, value: number): void {
    this.#check(key, value);
    this.#keep(key, value);
    this.tcp = this.#tcpSettings();
  }

  #tcpSettings(): TcpSettings {
    return tcpSettingsOf((key) => this.#values[key] ?? 0, this.hz);
  }

  #has(key: SettingKey): boolean {
    const { since, until } = settingOf(key);
    const release = this.#releaseFor(key);
    return isSince(release, since) && (until === undefined || !isSince(release, until));
  }

  /** SCTP's new timeouts went back to 5.10 and 6.1 together with its new states (measured on both). */
  #releaseFor(key: SettingKey): KernelRelease {
    if (!(key in sctpStates) || !this.rules.sctpInitIsClosed) return this.#release;
    if (isSince(this.#release, SCTP_STATES_SINCE)) return this.#release;
    return { ...this.#release, major: 6, minor: 2 };
  }

  #defaultOf(key: SettingKey): number | undefined {
    const release = this.#releaseFor(key);
    return settingOf(key).defaults?.findLast(({ since }) => isSince(release, since))?.value;
  }

  #check(key: SettingKey, value: number): void {
    const setting = settingOf(key);
    if (!this.#has(key)) {
      throw new SettingError("unknown-to-kernel", key, `kernel ${this.generation} does not have it`);
    }
    if (setting.readOnly === true) throw new SettingError("read-only", key, "it can only be read");
    if (!Number.isInteger(value)) {
      throw new SettingError("not-a-number", key, `${value} is not a whole number (EINVAL)`);
    }
    const [least, most] = this.#range(key);
    if (value < least || value > most) {
      throw new SettingError("out-of-range", key, `${value} is not within ${least} and ${most} (EINVAL)`);
    }
  }

  /** What the kernel takes: negative timeouts too, which are then over at once. */
  #range(key: SettingKey): readonly [least: number, most: number] {
    const setting = settingOf(key);
    if (setting.unit === "seconds") {
      const most = Math.floor(INT_MAX / this.hz);
      return [-most, most];
    }
    if (setting.unit === "flag" && !isSince(this.#release, STRICT_FLAGS_SINCE)) return [0, INT_MAX];
    if (key === "nf_conntrack_max" && !this.rules.zeroMeansUnlimited) return [1, INT_MAX];
    return [setting.min, setting.max];
  }

  #keep(key: SettingKey, value: number): void {
    this.#values[key] = value;
    const jiffies = value * this.hz;
    const sctp = sctpStates[key];
    const dccp = dccpStates[key];
    if (sctp !== undefined) this.sctpTimeouts[sctp] = jiffies;
    else if (dccp !== undefined) this.dccpTimeouts[dccp] = jiffies;
    else this.#keepOne(key, value, jiffies);
  }

  #keepOne(key: SettingKey, value: number, jiffies: number): void {
    switch (key) {
      case "nf_conntrack_max":
        this.capacityFlows = value;
        break;
      case "nf_conntrack_buckets":
      case "hashsize":
        this.buckets = Math.ceil(value / BUCKETS_PER_PAGE) * BUCKETS_PER_PAGE;
        this.#values.nf_conntrack_buckets = this.buckets;
        break;
      case "nf_conntrack_expect_max":
        this.expectedFlowsMax = value;
        break;
      case "nf_conntrack_acct":
        this.accounting = value !== 0;
        break;
      case "nf_conntrack_timestamp":
        this.timestamps = value !== 0;
        break;
      case "nf_conntrack_checksum":
        this.verifiesChecksums = value !== 0;
        break;
      case "nf_conntrack_dccp_loose":
        this.dccpLoose = value;
        break;
      default:
        this.#keepTimeout(key, jiffies);
    }
  }

  #keepTimeout(key: SettingKey, jiffies: number): void {
    switch (key) {
      case "nf_conntrack_udp_timeout":
        this.udpTimeout = jiffies;
        break;
      case "nf_conntrack_udp_timeout_stream":
        this.udpStreamTimeout = jiffies;
        break;
      case "nf_conntrack_icmp_timeout":
        this.icmpTimeout = jiffies;
        break;
      case "nf_conntrack_icmpv6_timeout":
        this.icmpv6Timeout = jiffies;
        break;
      case "nf_conntrack_generic_timeout":
        this.genericTimeout = jiffies;
        break;
      case "nf_conntrack_gre_timeout":
        this.greTimeout = jiffies;
        break;
      case "nf_conntrack_gre_timeout_stream":
        this.greStreamTimeout = jiffies;
        break;
      default:
      // Those of TCP are in `tcp`; the rest does not change what the tracker says of a packet (logs,
      // events, flow tables).
    }
  }

  /** 4 expected flows for 256 buckets, at least 4 (nf_conntrack_expect_init). */
  #expectBy(buckets: number): void {
    this.expectedFlowsMax = Math.max(1, Math.floor(buckets / 256)) * 4;
    this.#values.nf_conntrack_expect_max = this.expectedFlowsMax;
  }

  #shortenOldShutdown(): void {
    const jiffies = Math.floor((OLD_SHUTDOWN_MS * this.hz) / 1000);
    if (this.#values.nf_conntrack_sctp_timeout_shutdown_sent !== 0) return;
    this.sctpTimeouts[SctpState.SHUTDOWN_SENT] = jiffies;
    this.sctpTimeouts[SctpState.SHUTDOWN_RECD] = jiffies;
  }
}

/**
 * How long a NAT must remember what is silent, as the RFCs ask for it: RFC 5382 (REQ-5: established 2 h
 * 4 min, transitory 4 min), RFC 4787 (REQ-5: UDP 2 min) and RFC 5508 (REQ-2: ICMP 1 min). Linux stays below
 * several by default. The timeout of one-way UDP is not among them: a mapping in use is the two-way one.
 */
import type { SettingKey, Settings } from "../table/settings.ts";

export interface RfcFloor {
  key: SettingKey;
  seconds: number;
  rfc: string;
  /**
   * Below it breaks what works by default. The others are below the RFC by Linux's own choice, only more so.
   */
  breaks?: true;
}

/**
 * One-way UDP has a mapping as well. Linux is far below by default, so nothing is judged by it; who shortens
 * it further is told.
 */
const oneWayFloor: RfcFloor = { key: "nf_conntrack_udp_timeout", seconds: 120, rfc: "RFC 4787" };

export const rfcFloors: readonly RfcFloor[] = [
  { key: "nf_conntrack_tcp_timeout_established", seconds: 7440, rfc: "RFC 5382", breaks: true },
  { key: "nf_conntrack_udp_timeout_stream", seconds: 120, rfc: "RFC 4787", breaks: true },
  { key: "nf_conntrack_tcp_timeout_syn_sent", seconds: 240, rfc: "RFC 5382" },
  { key: "nf_conntrack_tcp_timeout_syn_recv", seconds: 240, rfc: "RFC 5382" },
  { key: "nf_conntrack_tcp_timeout_fin_wait", seconds: 240, rfc: "RFC 5382" },
  { key: "nf_conntrack_tcp_timeout_close_wait", seconds: 240, rfc: "RFC 5382" },
  { key: "nf_conntrack_tcp_timeout_last_ack", seconds: 240, rfc: "RFC 5382" },
  { key: "nf_conntrack_tcp_timeout_time_wait", seconds: 240, rfc: "RFC 5382" },
  { key: "nf_conntrack_icmp_timeout", seconds: 60, rfc: "RFC 5508" },
  { key: "nf_conntrack_icmpv6_timeout", seconds: 60, rfc: "RFC 5508" },
];

/** A floor that a change goes below, with a sentence. */
export interface CrossedFloor {
  key: SettingKey;
  /** Seconds wanted. */
  to: number;
  why: string;
}

/** Floors that a change goes below, or further below, each with a sentence. */
export function floorsCrossed(now: Settings, wanted: Settings): readonly CrossedFloor[] {
  return [...rfcFloors, oneWayFloor].flatMap(({ key, seconds, rfc }) => {
    const to = wanted[key];
    const from = now[key];
    if (to === undefined || to >= seconds || (from !== undefined && to >= from)) return [];
    const further = from !== undefined && from < seconds ? "further " : "";
    return [{ key, to, why: `${key} is ${further}below the ${seconds} s that ${rfc} asks of a NAT` }];
  });
}

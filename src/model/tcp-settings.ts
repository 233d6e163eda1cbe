/**
 * The settings of TCP as the tracker needs them for each packet: timeouts in jiffies, found by the state's
 * number.
 */
import type { SettingKey } from "../table/settings.ts";
import { TcpState } from "../table/state.ts";

export interface TcpSettings {
  /** Jiffies by the number of the state (table/state.ts); NONE has 0 and is never left with it. */
  readonly timeouts: Int32Array;
  /** Jiffies: the cap while the same packet comes again and again, or a window is shut. */
  readonly retransmissionTimeout: number;
  /** Jiffies: the cap while data is not acknowledged. */
  readonly unacknowledgedTimeout: number;
  /** Jiffies that must be left for a misplaced close to shorten them; no setting of the kernel's. */
  readonly shortenedFrom: number;
  /** Repeats from which the retransmission cap holds. */
  readonly maxRetransmissions: number;
  /** Flows may be picked up in mid-stream. */
  readonly loose: boolean;
  /** Packets out of window are accepted. */
  readonly beLiberal: boolean;
  /** RSTs below the window are accepted. */
  readonly ignoreInvalidReset: boolean;
}

/** SYN_SENT2 is always two minutes: the one name it had, of ip_conntrack, went with 4.9. */
const SYN_SENT2_SECONDS = 120;
/** What must be left of a timeout for a misplaced close to shorten it (tcp-reset.ts). */
const SHORTENED_FROM_SECONDS = 120;

const LONGEST_JIFFIES = 0x7fff_ffff;

const keyOfState: readonly (readonly [number, SettingKey])[] = [
  [TcpState.SYN_SENT, "nf_conntrack_tcp_timeout_syn_sent"],
  [TcpState.SYN_RECV, "nf_conntrack_tcp_timeout_syn_recv"],
  [TcpState.ESTABLISHED, "nf_conntrack_tcp_timeout_established"],
  [TcpState.FIN_WAIT, "nf_conntrack_tcp_timeout_fin_wait"],
  [TcpState.CLOSE_WAIT, "nf_conntrack_tcp_timeout_close_wait"],
  [TcpState.LAST_ACK, "nf_conntrack_tcp_timeout_last_ack"],
  [TcpState.TIME_WAIT, "nf_conntrack_tcp_timeout_time_wait"],
  [TcpState.CLOSE, "nf_conntrack_tcp_timeout_close"],
];

/**
 * The settings of TCP out of all settings: `valueOf` gives each in its own unit (seconds for a timeout), and
 * a jiffy is a second divided by `jiffiesPerSecond`.
 */
export function tcpSettingsOf(valueOf: (key: SettingKey) => number, jiffiesPerSecond: number): TcpSettings {
  const jiffies = (seconds: number): number => Math.min(seconds * jiffiesPerSecond, LONGEST_JIFFIES);
  const timeouts = new Int32Array(TcpState.SYN_SENT2 + 1);
  for (const [state, key] of keyOfState) timeouts[state] = jiffies(valueOf(key));
  timeouts[TcpState.SYN_SENT2] = jiffies(SYN_SENT2_SECONDS);
  return {
    timeouts,
    retransmissionTimeout: jiffies(valueOf("nf_conntrack_tcp_timeout_max_retrans")),
    unacknowledgedTimeout: jiffies(valueOf("nf_conntrack_tcp_timeout_unacknowledged")),
    shortenedFrom: jiffies(SHORTENED_FROM_SECONDS),
    maxRetransmissions: valueOf("nf_conntrack_tcp_max_retrans"),
    loose: valueOf("nf_conntrack_tcp_loose") !== 0,
    beLiberal: valueOf("nf_conntrack_tcp_be_liberal") !== 0,
    ignoreInvalidReset: valueOf("nf_conntrack_tcp_ignore_invalid_rst") !== 0,
  };
}

/**
 * Talks between a TCP client and a server, with what Linux 6.18.44 said of every segment: the class, and the
 * flow's state, seconds left and ASSURED afterwards. Where another generation differs, `otherwise` has the
 * rows that come out differently there.
 */
import type { Generation } from "../../src/model/generation.ts";

export interface TcpScenario {
  name: string;
  settings?: Readonly<Record<string, number>>;
  /** Rows for `play` (tcp-talk.ts); `OPEN` stands for the three rows of a handshake. */
  talk: string;
  /** By generation: segments, counted from 0 without `wait`, that give something else, and what. */
  otherwise?: readonly { since?: Generation; until?: Generation; rows: Readonly<Record<number, string>> }[];
}

/** The handshake: the client begins at 1000, the server at 5000. */
export const OPEN = `from    segment            verdict      flow
client  SYN 1000           new          SYN_SENT 120
server  SYN+ACK 5000:1001  established  SYN_RECV 60
client  ACK 1001:5001      established  ESTABLISHED 432000 assured`;

const HEAD = "from    segment  verdict  flow";

export const TCP_SCENARIOS: readonly TcpScenario[] = [
  {
    name: "data waits for its acknowledgment at most 300 s",
    talk: `${OPEN}
client  ACK+PSH 1001:5001 10B     established  ESTABLISHED 300 assured
wait    10                        -            -
server  ACK 5001:1011             established  ESTABLISHED 432000 assured
server  ACK 5001:1011 20B         established  ESTABLISHED 300 assured
client  ACK 1011:5010             established  ESTABLISHED 300 assured
client  ACK 1011:5021             established  ESTABLISHED 432000 assured`,
  },
  {
    name: "an orderly close, begun by the client, and the next SYN opens anew",
    talk: `${OPEN}
client  FIN+ACK 1001:5001  established  FIN_WAIT 120 assured
server  ACK 5001:1002      established  CLOSE_WAIT 60 assured
server  FIN+ACK 5001:1002  established  LAST_ACK 30 assured
client  ACK 1002:5002      established  TIME_WAIT 120 assured
client  ACK 1002:5002      established  TIME_WAIT 120 assured
client  SYN 90000          new          SYN_SENT 120`,
  },
  {
    name: "a SYN of the server reopens TIME_WAIT with the roles exchanged",
    talk: `${OPEN}
server  FIN+ACK 5001:1001  established  FIN_WAIT 120 assured
client  FIN+ACK 1001:5002  established  LAST_ACK 30 assured
server  ACK 5002:1002      established  TIME_WAIT 120 assured
server  SYN 70000          new          SYN_SENT 120
client  SYN+ACK 90000:70001  established  SYN_RECV 60
server  ACK 70001:90001    established  ESTABLISHED 432000 assured`,
  },
  {
    name: "after a RST of the client its next SYN opens anew",
    talk: `${OPEN}
client  RST 1001           established  CLOSE 10 assured
client  SYN 90000          new          SYN_SENT 120`,
  },
  {
    name: "after a RST of the server a SYN of the client is only noted, until its SYN/ACK comes",
    talk: `${OPEN}
server  RST 5001           established  CLOSE 10 assured
wait    4                  -            -
client  SYN 90000          established  CLOSE 6 assured
server  SYN+ACK 70000:90001  established  SYN_RECV 60 assured
client  ACK 90001:70001    established  ESTABLISHED 432000 assured`,
  },
  {
    name: "an ignored SYN that is answered takes the flow over; the flow stays ASSURED",
    talk: `${OPEN}
wait    7                  -            -
client  SYN 90000 win=3    established  ESTABLISHED 431993 assured
server  SYN+ACK 70000:90001  established  SYN_RECV 60 assured
client  ACK 90001:70001    established  ESTABLISHED 432000 assured
client  ACK 90001:70001 5B  established  ESTABLISHED 300 assured`,
  },
  {
    name: "a SYN/ACK that does not answer the ignored SYN is ignored too",
    talk: `${OPEN}
client  SYN 90000          established  ESTABLISHED 432000 assured
server  SYN+ACK 70000:90002  established  ESTABLISHED 432000 assured`,
  },
  {
    name: "a challenge ACK in LAST_ACK is let by once",
    talk: `${OPEN}
server  FIN+ACK 5001:1001  established  FIN_WAIT 120 assured
client  ACK 1001:5002      established  CLOSE_WAIT 60 assured
client  FIN+ACK 1001:5002  established  LAST_ACK 30 assured
wait    5                  -            -
client  SYN 90000          established  LAST_ACK 25 assured
server  ACK 5002:1002      established  LAST_ACK 25 assured
server  ACK 5002:1002      established  TIME_WAIT 120 assured`,
  },
  {
    name: "a challenge ACK in SYN_SENT, and the RST that answers it",
    talk: `${HEAD}
client  SYN 1000           new          SYN_SENT 120
wait    3                  -            -
server  ACK 5001:77        established  SYN_SENT 117
client  RST 77             established  CLOSE 10`,
  },
  {
    name: "a RST answering an ignored SYN closes, whatever its number",
    talk: `${OPEN}
server  ACK 5001:1001 10B  established  ESTABLISHED 300 assured
client  ACK 1001:5011      established  ESTABLISHED 432000 assured
client  SYN 90000          established  ESTABLISHED 432000 assured
server  RST+ACK 0:90001    established  CLOSE 10 assured`,
    otherwise: [{ until: "5.10", rows: { 6: "invalid ESTABLISHED 432000 assured" } }],
  },
  {
    name: "a simultaneous open",
    talk: `${HEAD}
client  SYN 1000             new          SYN_SENT 120
wait    3                    -            -
server  SYN 5000             established  SYN_SENT2 117
client  SYN+ACK 1000:5001    established  SYN_RECV 60
server  SYN+ACK 5000:1001    established  SYN_RECV 60
server  ACK 5001:1001        established  ESTABLISHED 432000 assured`,
    otherwise: [{ until: "4.19", rows: { 1: "established SYN_SENT2 120" } }],
  },
  {
    name: "a repeated SYN without an answer does not renew",
    talk: `${HEAD}
client  SYN 1000           new          SYN_SENT 120
wait    20                 -            -
client  SYN 1000           new          SYN_SENT 100
client  SYN 3000           new          SYN_SENT 100
server  SYN+ACK 5000:3001  established  SYN_RECV 60`,
    otherwise: [{ until: "4.19", rows: { 1: "new SYN_SENT 120", 2: "new SYN_SENT 120" } }],
  },
  {
    name: "what the server says before the third packet keeps SYN_RECV, and does not assure",
    talk: `${HEAD}
client  SYN 1000               new          SYN_SENT 120
server  SYN+ACK 5000:1001      established  SYN_RECV 60
server  ACK+PSH 5001:1001 20B  established  SYN_RECV 60
client  ACK 1001:5001          established  ESTABLISHED 300 assured
client  ACK 1001:5021          established  ESTABLISHED 432000 assured`,
    otherwise: [{ until: "5.10", rows: { 3: "established ESTABLISHED 432000 assured" } }],
  },
  {
    name: "a flow picked up in mid-stream is assured by its third packet",
    talk: `${HEAD}
client  ACK 1001:5001      new          ESTABLISHED 300
server  ACK 5001:1001      established  ESTABLISHED 300
client  ACK 1001:5001      established  ESTABLISHED 432000 assured`,
  },
  {
    name: "data of a flow picked up in mid-stream is unacknowledged too",
    talk: `${HEAD}
client  ACK 1001:5001 10B  new          ESTABLISHED 300
server  ACK 5001:1011 10B  established  ESTABLISHED 300
client  ACK 1011:5001 10B  established  ESTABLISHED 300 assured
server  ACK 5011:1021      established  ESTABLISHED 432000 assured
client  ACK 1021:5011      established  ESTABLISHED 432000 assured`,
  },
  {
    name: "whoever speaks first after the pickup is the original side",
    talk: `${HEAD}
server  ACK+PSH 5001:1001 100B  new          ESTABLISHED 300
client  ACK 1001:5101           established  ESTABLISHED 300
server  ACK 5101:1001           established  ESTABLISHED 432000 assured`,
  },
  {
    name: "nothing is picked up when tcp_loose is 0",
    settings: { tcp_loose: 0 },
    talk: `${HEAD}
client  ACK 1001:5001      invalid      -
client  SYN 1000           new          SYN_SENT 120`,
  },
  {
    name: "the fourth identical ACK counts as a retransmission",
    talk: `${OPEN}
server  ACK 5001:1001      established  ESTABLISHED 432000 assured
server  ACK 5001:1001      established  ESTABLISHED 432000 assured
server  ACK 5001:1001      established  ESTABLISHED 432000 assured
server  ACK 5001:1001      established  ESTABLISHED 300 assured
client  ACK 1001:5001      established  ESTABLISHED 432000 assured`,
  },
  {
    name: "retransmissions count from tcp_max_retrans on",
    settings: { tcp_max_retrans: 1 },
    talk: `${OPEN}
server  ACK 5001:1001      established  ESTABLISHED 432000 assured
server  ACK 5001:1001      established  ESTABLISHED 300 assured`,
  },
  {
    name: "with tcp_max_retrans 0 every packet is a retransmission",
    settings: { tcp_max_retrans: 0 },
    talk: `${HEAD}
client  SYN 1000           new          SYN_SENT 120
server  SYN+ACK 5000:1001  established  SYN_RECV 60
client  ACK 1001:5001      established  ESTABLISHED 300 assured
server  ACK 5001:1001      established  ESTABLISHED 300 assured`,
  },
  {
    name: "a shut window counts as much as retransmissions",
    talk: `${OPEN}
server  ACK 5001:1001 win=0  established  ESTABLISHED 300 assured
client  ACK 1001:5001        established  ESTABLISHED 432000 assured`,
  },
  {
    name: "before the first ACK the window counts as shut",
    settings: { tcp_timeout_syn_sent: 1000, tcp_timeout_syn_recv: 1000, tcp_timeout_time_wait: 1000 },
    talk: `${HEAD}
client  SYN 1000           new          SYN_SENT 300
server  SYN+ACK 5000:1001  established  SYN_RECV 300
client  ACK 1001:5001      established  ESTABLISHED 432000 assured
client  FIN+ACK 1001:5001  established  FIN_WAIT 120 assured
server  FIN+ACK 5001:1002  established  LAST_ACK 30 assured
client  ACK 1002:5002      established  TIME_WAIT 1000 assured`,
  },
  {
    name: "the shorter of two timeouts wins",
    settings: { tcp_timeout_established: 100, tcp_timeout_unacknowledged: 300 },
    talk: `${HEAD}
client  SYN 1000           new          SYN_SENT 120
server  SYN+ACK 5000:1001  established  SYN_RECV 60
client  ACK 1001:5001 9B   established  ESTABLISHED 100 assured`,
  },
];

/** Resets, and what else closes a flow without fitting it. */
export const TCP_RESETS: readonly TcpScenario[] = [
  {
    name: "a RST of exactly the acknowledged number closes",
    talk: `${OPEN}
client  ACK 1001:5001 100B  established  ESTABLISHED 300 assured
server  ACK 5001:1101       established  ESTABLISHED 432000 assured
client  RST 1101            established  CLOSE 10 assured
client  ACK 1101:5001       established  CLOSE 10 assured`,
  },
  {
    name: "a RST above the acknowledged number is doubted: the state stays, its timeout does not",
    talk: `${OPEN}
server  ACK 5001:1001       established  ESTABLISHED 432000 assured
client  RST 1500            established  ESTABLISHED 10 assured
client  ACK 1001:5001       established  ESTABLISHED 300 assured`,
    otherwise: [
      { since: "6.12", until: "6.12", rows: { 4: "established ESTABLISHED 300 assured" } },
      { since: "7.3", rows: { 4: "established ESTABLISHED 300 assured" } },
    ],
  },
  {
    name: "a RST right behind its sender's own data closes",
    talk: `${OPEN}
server  ACK 5001:1001       established  ESTABLISHED 432000 assured
client  ACK 1001:5001 100B  established  ESTABLISHED 300 assured
client  RST 1101            established  CLOSE 10 assured`,
  },
  {
    name: "a RST below the acknowledged number is INVALID",
    talk: `${OPEN}
server  ACK 5001:1001       established  ESTABLISHED 432000 assured
client  RST 1000            invalid      ESTABLISHED 432000 assured
client  RST+ACK 1000:5001   invalid      ESTABLISHED 432000 assured`,
  },
  {
    name: "tcp_ignore_invalid_rst lets a RST below the acknowledged number through to the windows",
    settings: { tcp_ignore_invalid_rst: 1 },
    talk: `${OPEN}
server  ACK 5001:1001       established  ESTABLISHED 432000 assured
client  RST 1000            established  ESTABLISHED 10 assured`,
    otherwise: [
      { until: "5.10", rows: { 4: "invalid ESTABLISHED 432000 assured" } },
      { since: "6.12", until: "6.12", rows: { 4: "established ESTABLISHED 300 assured" } },
      { since: "7.3", rows: { 4: "established ESTABLISHED 300 assured" } },
    ],
  },
  {
    name: "tcp_be_liberal does not protect from a RST below the acknowledged number",
    settings: { tcp_be_liberal: 1 },
    talk: `${OPEN}
server  ACK 5001:1001       established  ESTABLISHED 432000 assured
client  RST 1000            invalid      ESTABLISHED 432000 assured
client  RST 900000          established  ESTABLISHED 10 assured`,
    otherwise: [
      { since: "6.12", until: "6.12", rows: { 5: "established ESTABLISHED 300 assured" } },
      { since: "7.3", rows: { 5: "established ESTABLISHED 300 assured" } },
    ],
  },
  {
    name: "a RST that acknowledges its own side's ignored SYN is INVALID",
    talk: `${OPEN}
client  SYN 90000           established  ESTABLISHED 432000 assured
client  RST+ACK 1:90001     invalid      ESTABLISHED 432000 assured`,
  },
  {
    name: "in a closing state a RST is believed, whatever its number",
    talk: `${OPEN}
client  FIN+ACK 1001:5001   established  FIN_WAIT 120 assured
server  RST 999999          established  CLOSE 10 assured`,
    otherwise: [{ until: "5.10", rows: { 4: "invalid FIN_WAIT 120 assured" } }],
  },
  {
    name: "a RST of the client ends a flow without reply",
    talk: `${HEAD}
client  SYN 1000            new          SYN_SENT 120
client  RST 1001            new          -`,
  },
  {
    name: "a RST of the server ends a flow without reply",
    talk: `${HEAD}
client  SYN 1000            new          SYN_SENT 120
server  RST 123456          established  -`,
  },
  {
    name: "a RST with ACK ends a flow without reply only when it acknowledges the SYN, or one more",
    talk: `${HEAD}
client  SYN 1000            new          SYN_SENT 120
server  RST+ACK 0:1003      invalid      SYN_SENT 120
server  RST+ACK 0:1001      established  -
client  SYN 1000            new          SYN_SENT 120
server  RST+ACK 0:1002      established  -`,
  },
  {
    name: "a broken RST with ACK that acknowledges 0 counts as one without",
    talk: `${HEAD}
client  SYN 1000            new          SYN_SENT 120
server  RST+ACK 0:0         established  -`,
  },
  {
    name: "a FIN and a RST out of window, one of each side, shorten the timeout",
    talk: `${OPEN}
server  FIN+ACK 900000:1001  invalid     ESTABLISHED 432000 assured
wait    5                   -            -
client  RST 900000          invalid      ESTABLISHED 300 assured`,
    otherwise: [{ until: "5.10", rows: { 4: "invalid ESTABLISHED 431995 assured" } }],
  },
  {
    name: "FINs out of window of both sides shorten the timeout to that of unacknowledged data",
    talk: `${OPEN}
server  FIN+ACK 900000:1001  invalid     ESTABLISHED 432000 assured
server  FIN+ACK 900000:1001  invalid     ESTABLISHED 432000 assured
wait    5                    -           -
client  FIN+ACK 900000:5001  invalid     ESTABLISHED 300 assured`,
    otherwise: [{ until: "5.10", rows: { 5: "invalid ESTABLISHED 431995 assured" } }],
  },
  {
    name: "FINs out of window never lengthen a timeout",
    settings: { tcp_timeout_unacknowledged: 600 },
    talk: `${OPEN}
server  FIN+ACK 900000:1001  invalid     ESTABLISHED 432000 assured
wait    431600               -           -
client  FIN+ACK 900000:5001  invalid     ESTABLISHED 400 assured`,
  },
  {
    name: "FINs out of window leave a timeout of less than 120 s alone",
    settings: { tcp_timeout_unacknowledged: 60 },
    talk: `${HEAD}
client  SYN 1000           new          SYN_SENT 120
server  SYN+ACK 5000:1001  established  SYN_RECV 60
client  ACK 1001:5001      established  ESTABLISHED 432000 assured
server  FIN+ACK 900000:1001  invalid     ESTABLISHED 432000 assured
wait    431890               -           -
client  FIN+ACK 900000:5001  invalid     ESTABLISHED 110 assured
client  ACK 1001:5001        established  ESTABLISHED 432000 assured
server  FIN+ACK 900000:1001  invalid     ESTABLISHED 432000 assured
wait    431870               -           -
client  FIN+ACK 900000:5001  invalid     ESTABLISHED 60 assured`,
    otherwise: [{ until: "5.10", rows: { 7: "invalid ESTABLISHED 130 assured" } }],
  },
  {
    name: "FINs out of window of a flow that is not assured change nothing",
    talk: `${HEAD}
client  SYN 1000             new          SYN_SENT 120
server  SYN+ACK 5000:1001    established  SYN_RECV 60
server  FIN+ACK 900000:1001  invalid      SYN_RECV 60
client  FIN+ACK 900000:5001  invalid      SYN_RECV 60`,
    otherwise: [{ until: "5.10", rows: { 2: "established FIN_WAIT 120", 3: "invalid FIN_WAIT 120" } }],
  },
];

/** Windows: what lies within them, at their edges, and what moves them. */
export const TCP_WINDOWS: readonly TcpScenario[] = [
  {
    name: "I: data may begin where the receiver's window ends, and not behind it",
    talk: `${OPEN}
client  ACK 2002:5001 1400B  invalid      ESTABLISHED 432000 assured
client  ACK 2001:5001        established  ESTABLISHED 300 assured`,
  },
  {
    name: "I: a small overshoot is let by, and its acknowledgment fits",
    talk: `${OPEN}
server  ACK 5001:1001 win=100   established  ESTABLISHED 432000 assured
client  ACK 1001:5001 1000B     established  ESTABLISHED 300 assured
client  ACK 2001:5001 2B        established  ESTABLISHED 300 assured
wait    9                       -            -
client  ACK 2003:5001 2B        established  ESTABLISHED 291 assured
server  ACK 5001:2005           established  ESTABLISHED 432000 assured`,
    otherwise: [
      {
        until: "5.10",
        rows: {
          6: "invalid ESTABLISHED 291 assured",
          7: "invalid ESTABLISHED 291 assured",
        },
      },
    ],
  },
  {
    name: "I: an overshoot may be as large as the receiver's largest window",
    talk: `${OPEN}
wait    9                     -            -
client  ACK 2002:5001 999B    invalid      ESTABLISHED 431991 assured
client  ACK 2002:5001 998B    established  ESTABLISHED 431991 assured`,
    otherwise: [{ until: "5.10", rows: { 4: "invalid ESTABLISHED 431991 assured" } }],
  },
  {
    name: "a shut window lets one byte through",
    talk: `${OPEN}
client  ACK 1001:5001 1000B   established  ESTABLISHED 300 assured
server  ACK 5001:2001 win=0   established  ESTABLISHED 300 assured
wait    9                     -            -
client  ACK 2003:5001         established  ESTABLISHED 291 assured
client  ACK 2002:5001         established  ESTABLISHED 300 assured`,
    otherwise: [{ until: "5.10", rows: { 5: "invalid ESTABLISHED 291 assured" } }],
  },
  {
    name: "II: data below the window is let by without effect",
    talk: `${OPEN}
server  ACK 5001:1001        established  ESTABLISHED 432000 assured
wait    7                    -            -
client  ACK 0:5001           established  ESTABLISHED 431993 assured
client  ACK 1:5001           established  ESTABLISHED 432000 assured`,
    otherwise: [{ until: "5.10", rows: { 4: "invalid ESTABLISHED 431993 assured" } }],
  },
  {
    name: "III: what was not sent cannot be acknowledged",
    talk: `${OPEN}
server  ACK 5001:1002        invalid      ESTABLISHED 432000 assured
server  ACK 5001:1001        established  ESTABLISHED 432000 assured
client  ACK 1001:5002        invalid      ESTABLISHED 432000 assured`,
  },
  {
    name: "III outweighs II: both at once are INVALID",
    talk: `${OPEN}
server  ACK 5001:1001        established  ESTABLISHED 432000 assured
client  ACK 0:5002           invalid      ESTABLISHED 432000 assured`,
  },
  {
    name: "IV: an acknowledgment older than 66000 is let by without effect",
    talk: `${OPEN}
wait    7                     -            -
client  ACK 1001:4294906297   established  ESTABLISHED 432000 assured
wait    7                     -            -
client  ACK 1001:4294906296   established  ESTABLISHED 431993 assured`,
    otherwise: [{ until: "5.10", rows: { 4: "invalid ESTABLISHED 431993 assured" } }],
  },
  {
    name: "SACK counts as an acknowledgment only where the receiver permitted it",
    talk: `${HEAD}
client  SYN 1000 sack-ok           new          SYN_SENT 120
server  SYN+ACK 5000:1001 options  established  SYN_RECV 60
client  ACK 1001:5001              established  ESTABLISHED 432000 assured
client  ACK 1001:5001 sack=5002    established  ESTABLISHED 432000 assured
server  ACK 5001:1001 sack=1002    invalid      ESTABLISHED 432000 assured
server  ACK 5001:1001 sack=1001    established  ESTABLISHED 432000 assured`,
  },
  {
    name: "with tcp_be_liberal whatever is out of window is accepted",
    settings: { tcp_be_liberal: 1 },
    talk: `${OPEN}
client  ACK 900000:5001       established  ESTABLISHED 432000 assured
client  ACK 1001:900000       established  ESTABLISHED 432000 assured
client  ACK 1:1               established  ESTABLISHED 432000 assured
server  FIN+ACK 900000:1001   established  FIN_WAIT 120 assured`,
  },
  {
    name: "windows are scaled when both offered it",
    talk: `${HEAD}
client  SYN 1000 scale=7           new          SYN_SENT 120
server  SYN+ACK 5000:1001 scale=3  established  SYN_RECV 60
client  ACK 1001:5001              established  ESTABLISHED 432000 assured
server  ACK 300000:1001            invalid      ESTABLISHED 432000 assured
server  ACK 133001:1001            established  ESTABLISHED 300 assured
client  ACK 9001:133001            established  ESTABLISHED 300 assured`,
  },
  {
    name: "a scale that only one side offered counts for none",
    talk: `${HEAD}
client  SYN 1000 scale=7             new          SYN_SENT 120
server  SYN+ACK 5000:1001 options    established  SYN_RECV 60
client  ACK 1001:5001                established  ESTABLISHED 432000 assured
server  ACK 8000:1001                invalid      ESTABLISHED 432000 assured`,
  },
  {
    name: "a scale above 14 counts as 14",
    talk: `${HEAD}
client  SYN 1000 scale=255           new          SYN_SENT 120
server  SYN+ACK 5000:1001 scale=0    established  SYN_RECV 60
client  ACK 1001:5001                established  ESTABLISHED 432000 assured
server  ACK 40000000:1001            invalid      ESTABLISHED 432000 assured
server  ACK 16389001:1001            established  ESTABLISHED 300 assured`,
  },
  {
    name: "a SYN/ACK sent again with another number replaces the first",
    talk: `${HEAD}
client  SYN 1000             new          SYN_SENT 120
server  SYN+ACK 5000:1002    invalid      SYN_SENT 120
server  SYN+ACK 9000:1001    established  SYN_RECV 60
client  ACK 1001:9001        established  ESTABLISHED 432000 assured`,
    otherwise: [{ until: "5.10", rows: { 2: "invalid SYN_SENT 120", 3: "invalid SYN_SENT 120" } }],
  },
  {
    name: "a keepalive and its answer are in window",
    talk: `${HEAD}
client  SYN 1000             new          SYN_SENT 120
server  SYN+ACK 5000:1001    established  SYN_RECV 60
client  ACK 1001:5001        established  ESTABLISHED 432000 assured
server  ACK 5001:1001        established  ESTABLISHED 432000 assured
client  ACK 1000:5001        established  ESTABLISHED 432000 assured
server  ACK 5001:1001        established  ESTABLISHED 432000 assured
client  ACK 1000:5001 1B     established  ESTABLISHED 432000 assured`,
  },
  {
    name: "the answer to a keepalive of a flow picked up in mid-stream is one too high, and fits",
    talk: `${HEAD}
client  ACK 1000:5001        new          ESTABLISHED 300
server  ACK 5001:1001        established  ESTABLISHED 300
client  ACK 1001:5001        established  ESTABLISHED 432000 assured`,
  },
  {
    name: "numbers run over 2^32",
    talk: `${HEAD}
client  SYN 4294967290              new          SYN_SENT 120
server  SYN+ACK 4294967295:4294967291  established  SYN_RECV 60
client  ACK 4294967291:0            established  ESTABLISHED 432000 assured
client  ACK 4294967291:0 20B        established  ESTABLISHED 300 assured
server  ACK 0:15                    established  ESTABLISHED 432000 assured
server  ACK 0:16                    invalid      ESTABLISHED 432000 assured
server  FIN+ACK 0:15                established  FIN_WAIT 120 assured
client  FIN+ACK 15:1                established  LAST_ACK 30 assured
server  ACK 1:16                    established  TIME_WAIT 120 assured`,
  },
];

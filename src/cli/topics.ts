/**
 * What help and the manual page say besides options: examples, sources, the filter's words, exit codes.
 */
import { exitCodeTexts } from "./exit-code.ts";

export interface Topic {
  title: string;
  lines: readonly string[];
}

const exitCodes: Topic = {
  title: "Exit status",
  lines: exitCodeTexts.map(({ code, check, other }) => {
    const texts = check === other || check === "" ? other : `check: ${check}; other commands: ${other}`;
    return `${String(code).padEnd(4)}${texts}`;
  }),
};

const sources: Topic = {
  title: "Sources (--source)",
  lines: [
    "kernel    the running kernel (the default): ctnetlink, else procfs",
    "netlink   ctnetlink alone",
    "procfs    /proc/net/nf_conntrack or ip_conntrack alone",
    "FILE, -   a saved listing or standard input, recognised by its content:",
    "          /proc/net/(nf|ip)_conntrack, conntrack -L in any form; gzip, zstd",
    "DIR       a sosreport or another saved host; the same as --root DIR",
  ],
};

/** For `headroom --help`. */
export const generalTopics: readonly Topic[] = [
  {
    title: "Examples",
    lines: [
      "headroom                             how is this host?",
      "headroom explain                     what fills the table?",
      "headroom list state established      which flows? see list --help for filters",
      "headroom explain --source saved.txt  the same of a file somebody sent",
      "headroom whatif --set tcp_timeout_established=12h",
      "headroom plan                        which settings, at what cost?",
      "headroom apply --plan plan.json      make the change, so that it lasts",
      "headroom reclaim --idle 1d           free what has been silent for a day",
      "headroom check --root sosreport-web1 a saved host",
    ],
  },
  sources,
  exitCodes,
];

const examples = (...lines: readonly string[]): Topic => ({ title: "Examples", lines });

/** For `headroom COMMAND --help`. */
export const commandTopics: Readonly<Record<string, readonly Topic[]>> = {
  check: [
    examples(
      "headroom check                       the verdict, and what to do first",
      "headroom check --interval 5s         with the rates of the next five seconds",
      "headroom check --format nagios -w 75 -c 90",
      "headroom check --root sosreport-web1 a saved host",
    ),
    {
      title: "Exit status",
      lines: ["0 ok, 1 warning, 2 critical, 3 unknown: as monitoring plugins have it"],
    },
  ],
  verify: [
    examples(
      "headroom verify                      will what runs now be there after a reboot?",
      "headroom verify --all                who sets what, in the order of reading",
      "headroom verify nf_conntrack_max     one setting, by any of its names",
      "headroom verify --netns blue         another network namespace",
      "headroom verify --root sosreport-web1 a saved host",
    ),
    {
      title: "Exit status",
      lines: [
        "0 all of it holds; 1 something in force is lost, or cannot be told, or a file",
        "that should set something is read too early; 2 wrong use of the command line",
      ],
    },
  ],
  explain: [
    examples(
      "headroom explain                     of this host",
      "headroom explain --sample 20000      of a table of millions, in a moment",
      "headroom explain --owners            with processes, units and containers",
      "headroom explain --all-netns         of all network namespaces together",
      "headroom explain --source saved.txt  of a saved listing; - is standard input",
    ),
  ],
  whatif: [
    examples(
      "headroom whatif --set nf_conntrack_tcp_timeout_established=12h",
      "headroom whatif --sweep nf_conntrack_tcp_timeout_established=1h,12h,1d,2d,3d,5d",
      "headroom whatif --set nf_conntrack_max=1210856 --set nf_conntrack_buckets=1210856",
      "headroom whatif --observe 5m --set udp_timeout_stream=60s    more exact",
      "headroom whatif --source saved.txt --set tcp_timeout_time_wait=30s",
    ),
    {
      title: "How it is known",
      lines: [
        "A flow takes a new timeout with its next packet: at once nothing goes.",
        "The long run follows from two readings, --observe apart: who came in",
        "between, and who stayed silent. With one reading (--observe 0, or a saved",
        "listing) it is right if as many flows come now as before.",
      ],
    },
  ],
  list: [
    examples(
      "headroom list state established      what kernel text says, unchanged",
      "headroom list 'tcp and idle>1h'      silent for an hour (quotes: the shell)",
      "headroom list src 10.0.0.0/8 not port 443",
      "headroom list unreplied --limit 20 --format wide",
      "headroom list --sort bytes --limit 10",
      "headroom list --json | jq .original.source",
    ),
    {
      title: "Filter",
      lines: [
        "Conditions side by side are all wanted; and, or, not and ( ) combine them.",
        "A condition is a field with a value (= may be left out), or a name alone:",
        "tcp  established  unreplied  ipv6",
        "",
        "Fields",
        "  protocol family state status nat helper zone mark id use",
        "  source destination address, as 10.0.0.0/8 or 2001:db8::1",
        "  source-port destination-port port, as 443 or 8000-8999",
        "  idle remaining age, as 90s, 12h or 1d12h",
        "  bytes packets, as 900, 10k or 5M; of one direction: original-bytes",
        "  reply-source reply-destination and their ports: after translation",
        "  icmp-type icmp-code icmp-id source-key destination-key",
        "src dst sport dport proto and other common short forms do as well.",
        "",
        "Comparisons",
        "  = != < <= > >= in, and not in; lists as 80,443",
        "A flow whose figure is not known fits neither a condition nor its opposite.",
      ],
    },
    {
      title: "Sorting (--sort)",
      lines: ["keeps at most 100,000 flows in memory and prints the greatest of them"],
    },
  ],
  apply: [
    examples(
      "headroom apply --set nf_conntrack_tcp_timeout_established=12h",
      "headroom apply --set nf_conntrack_max=512k --dry-run     what would be done",
      "headroom plan --json > plan.json && headroom apply --plan plan.json",
      "headroom apply --set udp_timeout=20s --no-persist --yes",
      "headroom apply --set nf_conntrack_max=512k --confirm-within 2m",
      "headroom apply --root image --set nf_conntrack_max=512k --yes",
    ),
    {
      title: "What it does",
      lines: [
        "shows what will be written, as commands, and asks; writes a receipt first;",
        "keeps a copy of every file it edits (sysctl.conf.org); reads every value back;",
        "and takes all of it back when a step fails. `headroom rollback` undoes it.",
      ],
    },
  ],
  confirm: [examples("headroom confirm                     keep what `apply --confirm-within` did")],
  rollback: [
    examples(
      "headroom rollback                    take the last change back",
      "headroom rollback 20261122-1815      one change, by how its name begins",
      "headroom rollback --yes --json",
    ),
  ],
  history: [examples("headroom history", "headroom history --json | jq '.changes[0]'")],
  replay: [
    examples(
      "headroom replay web.pcap             what would have happened by default",
      "headroom replay web.pcap --set nf_conntrack_max=65536 --set udp_timeout=10s",
      "headroom replay web.pcap --compare max=65536 --compare 'max=1M buckets=1M'",
      "headroom replay web.pcap --table - | headroom explain --source -",
      "tcpdump -w - | headroom replay -     until ^C",
      "headroom replay --live eth0 --for 1m how large would the table be?",
    ),
    {
      title: "Settings (--set, --compare)",
      lines: [
        "By any of its sysctl names; nf_conntrack_ may be left out:",
        "  nf_conntrack_max=262144  tcp_timeout_established=12h  buckets=65536",
        "KEY=VALUE@+30s is from 30 s after the first packet on, @1700000000 from then on.",
        "What is not given is the kernel's default on a host of more than 4 GiB.",
        "A --compare is a list with blanks or commas, and adds to --set.",
      ],
    },
    {
      title: "Verdicts (--verdicts)",
      lines: [
        "A line for each record of the capture, numbered from 1:",
        "  <number> <new|established|related|invalid|untracked> [drop]",
        "  <number> none    for what is not IP, or has a header no router forwards",
        "A fragment has the verdict of its datagram.",
      ],
    },
  ],
  plan: [
    examples(
      "headroom plan                        of this host, after watching it for 10s",
      "headroom plan --peak 3               the peak is three times what is now",
      "headroom plan --json > plan.json     for headroom apply --plan plan.json",
      "headroom plan --format sysctl.d > 90-headroom.conf",
      "headroom plan --memory 1G --kernel 6.1 \\",
      "  --from-traffic pageviews=100000/h,connections-per-page=10,hold=120s",
    ),
    {
      title: "Traffic (--from-traffic)",
      lines: [
        "pageviews=N/h and connections-per-page=N, or connections=N/s; per s, m, h, d",
        "hold=120s       how long a flow stays when its connection is over",
        "                (default: the timeout of the state it ends in)",
        "keepalive=15s   how long a connection is kept open before (default: 0)",
        "protocol=tcp    or udp",
      ],
    },
  ],
  reclaim: [
    examples(
      "headroom reclaim --idle 1d           what has been silent for a day, after asking",
      "headroom reclaim state=TIME_WAIT --yes",
      "headroom reclaim src 10.0.0.7 unreplied --dry-run",
      "headroom reclaim --idle 6h --shorten-to 60s",
      "                                     a living connection renews itself by its next packet",
      "headroom reclaim --emergency         the table is full now: three cuts to choose from",
      "headroom reclaim --emergency --cut closed --yes",
    ),
    {
      title: "What stays, whatever is asked for",
      lines: [
        "Login sessions of this host (ssh, and what this command was typed in).",
        "Connections that spoke within the floor (2h4m, RFC 5382): --floor.",
        "Two-way UDP that spoke within 2m; handshakes of 5s, half-closed ones of 30s.",
        "Translated flows (NAT): deleting one breaks its connection. --include-nat",
        "Networks of --protect; flows of helpers (FTP) and of flow tables.",
        "Flows whose silence is unknown are never chosen by --idle.",
      ],
    },
    {
      title: "What went",
      lines: [
        "Lines as /proc/net/nf_conntrack prints them, written before each flow goes:",
        "  headroom list --source /var/lib/headroom/reclaimed/<time>.txt",
      ],
    },
    {
      title: "Cuts (--emergency --cut)",
      lines: [
        "closed             TCP connections that both sides have closed",
        "unanswered-source  what the greatest source left unanswered",
        "unanswered-tcp     TCP connections that were never answered",
        "unanswered-other   one-way UDP and others",
        "answered-udp       UDP questions that have their answer",
        "half-closed        TCP that one side has closed",
        "silent             established connections silent for the floor and more",
      ],
    },
  ],
  defaults: [
    examples(
      "headroom defaults                    of this host",
      "headroom defaults --memory 1G --kernel 2.6.18",
      "headroom defaults --memory 8G --kernel 5.14 --json",
    ),
  ],
  completion: [
    examples(
      "headroom completion bash > /etc/bash_completion.d/headroom",
      "headroom completion zsh > /usr/share/zsh/site-functions/_headroom",
      "headroom completion fish > /etc/fish/completions/headroom.fish",
    ),
  ],
};

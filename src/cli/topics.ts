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
  explain: [
    examples(
      "headroom explain                     of this host",
      "headroom explain --sample 20000      of a table of millions, in a moment",
      "headroom explain --owners            with processes, units and containers",
      "headroom explain --all-netns         of all network namespaces together",
      "headroom explain --source saved.txt  of a saved listing; - is standard input",
    ),
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

/**
 * One service that makes most flows needs no place in the table, or a short one: as rules of nftables and of
 * iptables, ready to load. They are proposals beside the plan; the sizes do not count on them.
 *
 * Not tracking (raw priority, before the tracker looks) must name both directions, where packets arrive and
 * where this host sends: a reply that is tracked on its own would make a flow again. These packets cannot be
 * translated then, so where flows are translated a shorter timeout for this service takes its place: a `ct
 * timeout` policy.
 *
 * Sources: nft(8) (notrack, ct timeout), iptables-extensions(8) (CT: --notrack, --timeout), nfct(8).
 */

export interface ServiceLoad {
  protocol: string;
  port: number;
  /** Flows it holds now. */
  flows: number;
  shareOfFlows: number;
  arrivalsPerSecond?: number;
  shareOfArrivals?: number;
}

export interface ServiceRelief {
  kind: "untracked" | "short-timeout";
  protocol: "udp";
  port: number;
  /** A sentence with its figures. */
  why: string;
  /** Flows it would save, at the present load. */
  savesFlows: number;
  /** For `nft -f`; undone by its first line's counterpart, `nft delete table ...`. */
  nftables: string;
  /** For `iptables-restore --noflush`, and for `ip6tables-restore --noflush`. */
  iptables: string;
  ip6tables: string;
  /** What must be done before those are loaded. */
  iptablesBefore?: readonly string[];
  /** What else must hold, in sentences. */
  caution: string;
}

/** A service below this share of flows or arrivals is not worth a rule of its own. */
export const LEAST_SERVICE_SHARE = 0.3;
/** Seconds a question and its answer are kept under the policy. */
const SHORT_SECONDS = 5;

/** What can be done about the greatest services; `translated` says that flows are rewritten by NAT. */
export function reliefFor(
  services: readonly ServiceLoad[],
  translated: boolean,
  udpTimeoutSeconds: number,
): ServiceRelief[] {
  const most = services.filter(
    ({ protocol, shareOfFlows, shareOfArrivals = 0 }) =>
      protocol === "udp" && Math.max(shareOfFlows, shareOfArrivals) >= LEAST_SERVICE_SHARE,
  );
  return most.map((service) => (translated ? shortTimeout(service, udpTimeoutSeconds) : untracked(service)));
}

function untracked(service: ServiceLoad): ServiceRelief {
  const { port, flows } = service;
  const nft = (direction: "dport" | "sport"): string => `    udp ${direction} ${port} notrack`;
  const chain = (hook: string): string[] => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority raw; policy accept;`,
    nft("dport"),
    nft("sport"),
    "  }",
  ];
  const table = `headroom_untracked_udp_${port}`;
  const rule = (hook: string, option: string): string =>
    `-A ${hook} -p udp ${option} ${port} -j CT --notrack`;
  const raw = lines(
    "*raw",
    ...["PREROUTING", "OUTPUT"].flatMap((hook) => [rule(hook, "--dport"), rule(hook, "--sport")]),
    "COMMIT",
  );
  return {
    kind: "untracked",
    protocol: "udp",
    port,
    why: `${serviceText(service)}; a question and an answer need no place in the table.`,
    savesFlows: flows,
    nftables: lines(`table inet ${table} {`, ...chain("prerouting"), ...chain("output"), "}"),
    iptables: raw,
    ip6tables: raw,
    caution:
      "Untracked packets match no rule for established connections: where the filter drops the rest, " +
      `accept \`ct state untracked udp dport ${port}\` and \`udp sport ${port}\` first. ` +
      "Not for packets that are translated.",
  };
}

function shortTimeout(service: ServiceLoad, udpTimeoutSeconds: number): ServiceRelief {
  const { port, flows } = service;
  const policy = `headroom_udp_${port}`;
  const object = (family: "ip" | "ip6"): string[] => [
    `  ct timeout ${policy}_${family} {`,
    "    protocol udp",
    `    l3proto ${family}`,
    `    policy = { unreplied : ${SHORT_SECONDS}, replied : ${SHORT_SECONDS} }`,
    "  }",
  ];
  const chain = (hook: string): string[] => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority filter; policy accept;`,
    `    meta nfproto ipv4 udp dport ${port} ct timeout set "${policy}_ip"`,
    `    meta nfproto ipv6 udp dport ${port} ct timeout set "${policy}_ip6"`,
    "  }",
  ];
  const raw = (family: "ip" | "ip6"): string => {
    const target = `-p udp --dport ${port} -j CT --timeout ${policy}_${family}`;
    return lines("*raw", `-A PREROUTING ${target}`, `-A OUTPUT ${target}`, "COMMIT");
  };
  const add = (family: "ip" | "ip6"): string =>
    `nfct add timeout ${policy}_${family} ${family === "ip" ? "inet" : "inet6"} udp ` +
    `unreplied ${SHORT_SECONDS} replied ${SHORT_SECONDS}`;
  const kept = Math.min(1, SHORT_SECONDS / Math.max(1, udpTimeoutSeconds));
  return {
    kind: "short-timeout",
    protocol: "udp",
    port,
    why: `${serviceText(service)}; ${SHORT_SECONDS}s are enough for a question and its answer.`,
    savesFlows: Math.round(flows * (1 - kept)),
    nftables: lines(
      `table inet ${policy} {`,
      ...object("ip"),
      ...object("ip6"),
      ...chain("prerouting"),
      ...chain("output"),
      "}",
    ),
    iptables: raw("ip"),
    ip6tables: raw("ip6"),
    iptablesBefore: [add("ip"), add("ip6")],
    caution:
      "It holds for flows that are made from then on. Flows are translated here, and what is not tracked " +
      "cannot be: therefore a shorter time, and not no tracking.",
  };
}

function serviceText({ port, shareOfFlows, arrivalsPerSecond, shareOfArrivals }: ServiceLoad): string {
  const holds = `${Math.round(shareOfFlows * 100)} % of the flows`;
  if (arrivalsPerSecond === undefined || shareOfArrivals === undefined)
    return `udp port ${port} holds ${holds}`;
  const share = `${Math.round(shareOfArrivals * 100)} % of all`;
  const rate = Math.round(arrivalsPerSecond);
  return `udp port ${port} makes ${rate} flows a second, ${share}, and holds ${holds}`;
}

function lines(...parts: readonly string[]): string {
  return `${parts.join("\n")}\n`;
}

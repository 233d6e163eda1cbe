/** One flow as `headroom list --json` prints it, as a row. Pure. */

export interface FlowRow {
  id: number | undefined;
  protocol: string;
  state: string | undefined;
  source: string;
  sourcePort: number | undefined;
  destination: string;
  destinationPort: number | undefined;
  /** Where the reply comes from or goes to, when that is another than one would expect. */
  translated: string | undefined;
  idleSeconds: number | undefined;
  timeoutSeconds: number | undefined;
  packets: number | undefined;
  bytes: number | undefined;
  status: readonly string[];
  mark: number | undefined;
  zone: number | undefined;
}

interface Direction {
  source?: string;
  destination?: string;
  sourcePort?: number;
  destinationPort?: number;
  packets?: number;
  bytes?: number;
}

interface Listed {
  id?: number;
  protocol?: string;
  state?: string;
  original?: Direction;
  reply?: Direction;
  idleSeconds?: number;
  timeoutSeconds?: number;
  status?: string[];
  mark?: number;
  zone?: number;
}

export function rowOf(flow: Readonly<Record<string, unknown>>): FlowRow {
  const { original = {}, reply = {}, ...listed } = flow as Listed;
  return {
    id: listed.id,
    protocol: listed.protocol ?? "?",
    state: listed.state,
    source: original.source ?? "?",
    sourcePort: original.sourcePort,
    destination: original.destination ?? "?",
    destinationPort: original.destinationPort,
    translated: translatedOf(original, reply),
    idleSeconds: listed.idleSeconds,
    timeoutSeconds: listed.timeoutSeconds,
    packets: sum(original.packets, reply.packets),
    bytes: sum(original.bytes, reply.bytes),
    status: listed.status ?? [],
    mark: listed.mark,
    zone: listed.zone,
  };
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);
}

function translatedOf(original: Direction, reply: Direction): string | undefined {
  const parts = [
    [reply.source, original.destination, reply.sourcePort],
    [reply.destination, original.source, reply.destinationPort],
  ] as const;
  const changed = parts.filter(([found, expected]) => found !== undefined && found !== expected);
  if (changed.length === 0) return undefined;
  return changed.map(([found, , port]) => (port === undefined ? found : `${found}:${port}`)).join(" ");
}

/** The status in words, what is unusual only: answered and assured is what most are. */
export function wordsOf({ status, mark, zone }: FlowRow): string {
  const words = status.filter((name) => name !== "seen-reply" && name !== "confirmed");
  if (mark !== undefined && mark !== 0) words.push(`mark ${mark}`);
  if (zone !== undefined && zone !== 0) words.push(`zone ${zone}`);
  return words.join(", ");
}

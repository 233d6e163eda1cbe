/**
 * How long flows have been silent, to the second: the fold of columns to counts of flows by whole second of
 * idle age, one array per regime, for whoever asks what another timeout would do.
 *
 * A regime is a protocol, a state and the setting that governs: flows in it were given the same timeout by
 * their last packet. Place `a` of its arrays counts flows that are silent for `a` up to, not including, `a+1`
 * seconds: the kernel rounds what remains down, so an idle age of `a+1` stands for that (table/idle.ts).
 *
 * Where several timeouts are possible, the idle age is certain only as long as more remains than the second
 * longest gives: below `knownSeconds`. Flows that a cap governs although they are in a state with a longer
 * timeout are a regime of their own, `capped`.
 *
 * Arrays are as long as the timeout, which is 1.7 MB for five days; a row costs a few additions.
 */
import type { FlowColumns } from "../table/columns.ts";
import {
  type Conversation,
  fillRegimes,
  IDLE_REGIMES,
  IDLE_UNKNOWN,
  type IdleContext,
  IdleLookup,
  type IdleUnknown,
  regimeFacts,
  timeoutCandidates,
} from "../table/idle.ts";
import { fillNat, Nat } from "../table/nat.ts";
import { protocolName } from "../table/protocol.ts";
import { SETTING_KEYS, type SettingKey, settingOf } from "../table/settings.ts";
import { hasStates, stateName } from "../table/state.ts";
import { addCounts } from "./spans.ts";

/** Rows that are looked at together. */
const CHUNK_ROWS = 512;
/** Longest array, 48 days: what is silent for longer counts as that. */
export const LONGEST_AGE_SECONDS = 4_194_304;
const REASONS = IDLE_UNKNOWN.length;
/** Settings that cap the timeouts of TCP states. */
const CAPS = [
  "nf_conntrack_tcp_timeout_unacknowledged",
  "nf_conntrack_tcp_timeout_max_retrans",
  "nf_conntrack_tcp_timeout_close",
] as const satisfies readonly SettingKey[];

/** Flows of one regime by idle age. */
export interface RegimeAges {
  /** `tcp`, or `other` for all protocols without a tracker of their own. */
  protocol: string;
  state?: string;
  /** The setting that governs; absent where the timeout is a constant of the kernel, or unknown. */
  key?: SettingKey;
  /** A cap governs these flows, not the timeout of their state. */
  capped: boolean;
  /** The timeout in force; absent where none can be told: then all idle ages are unknown. */
  timeoutSeconds?: number;
  /** Below it every idle age of the regime is known. */
  knownSeconds: number;
  /** All flows of the regime, those of unknown idle age included. */
  flows: number;
  /** Flows by whole second of idle age, and those of them that are translated. */
  ages: Uint32Array;
  translatedAges: Uint32Array;
  unknown: readonly { why: IdleUnknown; flows: number }[];
  /** The number of the protocol (-1: `other`) and what is known of the conversation. */
  protocolNumber: number;
  conversation: Conversation;
}

interface Counted extends Omit<RegimeAges, "flows" | "unknown"> {
  unknownFlows: Uint32Array;
}

/** What an idle-age fold needs to know; `nowMs` as for IdleLookup. */
export type IdleAgesOptions = IdleContext;

export class IdleAges {
  readonly #context: IdleContext;
  readonly #lookup: IdleLookup;
  readonly #counted = new Map<string, Counted>();
  /** By number of the regime in table/idle.ts. */
  readonly #byRegime: (Counted | undefined)[] = Array.from({ length: IDLE_REGIMES }, () => undefined);
  readonly #idle = new Int32Array(CHUNK_ROWS);
  readonly #regimes = new Uint16Array(CHUNK_ROWS);
  readonly #nat = new Uint8Array(CHUNK_ROWS);
  #flows = 0;

  constructor(context: IdleAgesOptions) {
    this.#context = context;
    this.#lookup = new IdleLookup(context);
  }

  /** Flows counted so far. */
  get flows(): number {
    return this.#flows;
  }

  /** Counts every row of a batch. The batch may be overwritten afterwards. */
  add(columns: FlowColumns): void {
    this.#flows += columns.count;
    for (let from = 0; from < columns.count; from += CHUNK_ROWS) {
      this.#addChunk(columns, from, Math.min(from + CHUNK_ROWS, columns.count));
    }
  }

  #addChunk(columns: FlowColumns, from: number, to: number): void {
    const [idle, regimes, nat] = [this.#idle, this.#regimes, this.#nat];
    this.#lookup.fill(columns, from, to, idle);
    fillRegimes(columns, from, to, regimes);
    fillNat(columns, from, to, nat);
    const { timeoutSeconds } = columns;
    for (let index = 0; index < to - from; index++) {
      const regime = regimes[index] as number;
      const counted = this.#byRegime[regime] ?? this.#learn(regime);
      const seconds = idle[index] as number;
      if (seconds < 0) {
        const reason = -1 - seconds;
        counted.unknownFlows[reason] = (counted.unknownFlows[reason] as number) + 1;
        continue;
      }
      const given = seconds + (timeoutSeconds[from + index] as number);
      const into = given === counted.timeoutSeconds ? counted : this.#capped(counted, given);
      const translated = nat[index] !== Nat.NONE && nat[index] !== Nat.UNKNOWN;
      countAge(into, seconds, translated);
    }
  }

  /** A regime's first flow has come. Those that are governed alike are counted together. */
  #learn(regime: number): Counted {
    const { protocol, flow } = regimeFacts(regime);
    const candidates = timeoutCandidates(this.#context, protocol, flow);
    const [timeoutSeconds, second] = typeof candidates === "string" ? [] : candidates;
    const key = timeoutSeconds === undefined ? undefined : governingSetting(this.#context, protocol, flow);
    const longest = Math.min(timeoutSeconds ?? 0, LONGEST_AGE_SECONDS);
    const counted = this.#countedOf({
      ...namesOf(protocol, flow),
      ...(key === undefined ? {} : { key }),
      ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      capped: false,
      knownSeconds: knownSecondsOf(longest, second),
      protocolNumber: protocol,
      conversation: flow,
    });
    this.#byRegime[regime] = counted;
    return counted;
  }

  /** Flows of the regime that were given less than its own timeout. */
  #capped(of: Counted, givenSeconds: number): Counted {
    const key = CAPS.find((cap) => this.#context.settings[cap] === givenSeconds);
    const { key: _own, ...rest } = of;
    return this.#countedOf({
      ...rest,
      ...(key === undefined ? {} : { key }),
      capped: true,
      timeoutSeconds: givenSeconds,
      knownSeconds: Math.min(givenSeconds, LONGEST_AGE_SECONDS),
    });
  }

  #countedOf(facts: Omit<Counted, "ages" | "translatedAges" | "unknownFlows">): Counted {
    const { protocol, state = "", key = "", capped, timeoutSeconds = "" } = facts;
    const name = `${protocol} ${state} ${key} ${timeoutSeconds} ${capped}`;
    let counted = this.#counted.get(name);
    if (counted === undefined) {
      const places = Math.max(0, Math.min(facts.timeoutSeconds ?? 0, LONGEST_AGE_SECONDS));
      counted = {
        ...facts,
        ages: new Uint32Array(places),
        translatedAges: new Uint32Array(places),
        unknownFlows: new Uint32Array(REASONS),
      };
      this.#counted.set(name, counted);
    }
    return counted;
  }

  /** Adds what another fold counted under the same settings: the result is that of one fed with both. */
  merge(other: IdleAges): this {
    this.#flows += other.#flows;
    for (const theirs of other.#counted.values()) {
      const { ages, translatedAges, unknownFlows, ...facts } = theirs;
      const ours = this.#countedOf(facts);
      addCounts(ours.ages, ages);
      addCounts(ours.translatedAges, translatedAges);
      addCounts(ours.unknownFlows, unknownFlows);
    }
    return this;
  }

  /** What was counted, regimes without flows left out. The arrays are the fold's own: only to be read. */
  regimes(): RegimeAges[] {
    return [...this.#counted.values()]
      .map(({ unknownFlows, ...facts }) => ({
        ...facts,
        flows: sumOf(facts.ages) + sumOf(unknownFlows),
        unknown: IDLE_UNKNOWN.map((why, index) => ({ why, flows: unknownFlows[index] as number })).filter(
          ({ flows }) => flows > 0,
        ),
      }))
      .filter(({ flows }) => flows > 0)
      .toSorted((left, right) => right.flows - left.flows);
  }
}

/**
 * An age is certain when more remains than the second longest timeout gives, in whole seconds as the kernel
 * rounds them down.
 */
function knownSecondsOf(longestSeconds: number, secondSeconds: number | undefined): number {
  return secondSeconds === undefined ? longestSeconds : Math.max(0, longestSeconds - secondSeconds - 1);
}

function countAge({ ages, translatedAges }: Counted, idleSeconds: number, translated: boolean): void {
  const place = Math.min(Math.max(0, idleSeconds - 1), ages.length - 1);
  ages[place] = (ages[place] as number) + 1;
  if (translated) translatedAges[place] = (translatedAges[place] as number) + 1;
}

function namesOf(protocol: number, flow: Conversation): Pick<RegimeAges, "protocol" | "state"> {
  if (protocol < 0) return { protocol: "other" };
  const named = flow.state !== undefined && hasStates(protocol);
  return {
    protocol: protocolName(protocol),
    ...(named ? { state: stateName(protocol, flow.state as number) } : {}),
  };
}

/**
 * The setting that decides how long such a flow may be silent: the one whose change changes it. Undefined
 * where it is a constant.
 */
export function governingSetting(
  context: IdleContext,
  protocol: number,
  flow: Conversation,
): SettingKey | undefined {
  const longest = (settings: IdleContext["settings"]): number | undefined => {
    const candidates = timeoutCandidates({ ...context, settings }, protocol, flow);
    return typeof candidates === "string" ? undefined : candidates[0];
  };
  const inForce = longest(context.settings);
  return SETTING_KEYS.find((key) => {
    const value = context.settings[key];
    if (value === undefined || value !== inForce || settingOf(key).unit !== "seconds") return false;
    return [value + 1, value - 1].some((other) => longest({ ...context.settings, [key]: other }) !== inForce);
  });
}

function sumOf(counts: Uint32Array): number {
  let sum = 0;
  // By index: the arrays are long, and an iterator takes ten times as long.
  for (let index = 0; index < counts.length; index++) sum += counts[index] as number;
  return sum;
}

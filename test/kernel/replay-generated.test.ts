/**
 * Random packet sequences through the running kernel and through the model, a thousand side by side, under
 * several settings: the word on every packet, and after each of them every flow. A difference is made as
 * short and plain as it gets, kept in test/fixtures/sequences, and replayed from then on by
 * test/sequences.test.ts.
 *
 * For long runs by hand: HEADROOM_SEQUENCES=100000 (of each kind of settings) and HEADROOM_SEED=7.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";

import { seededRandom } from "../../src/base/random.ts";
import type { Settings } from "../../src/table/settings.ts";
import { firstDifference } from "../support/wire/compare.ts";
import { anySequence } from "../support/wire/generate-others.ts";
import { testedGeneration } from "../support/wire/model-side.ts";
import { type Outcome, type Rounds, runOnKernel, runOnModel, type Script } from "../support/wire/rounds.ts";
import { printSequence, sequenceOf } from "../support/wire/sequence.ts";
import { shrink } from "../support/wire/shrink.ts";
import { openWire } from "../support/wire/wire.ts";

const FOLDER = new URL("../fixtures/sequences/", import.meta.url).pathname;
const SEQUENCES = Number(process.env["HEADROOM_SEQUENCES"] ?? 2000);
const SEED = Number(process.env["HEADROOM_SEED"] ?? 1);
/** So many go side by side, or fewer where the machine is slow. */
const BATCH = 1000;
const TRIAL = 100;
/**
 * In so long a sequence should be through but for its wait: less than the shortest timeout, and than the two
 * seconds of UDP, so that no flow comes to such an age just when a packet does.
 */
const QUICK_MS = 900;
const ROUNDS = 14;
/** Differences that are made short; the others of a test are likely the same. */
const SHRUNK = 3;

const wire = openWire({ prefix: "hr-generated" });
after(() => wire.close());

/** Longer than the two seconds of UDP and than the short timeouts, shorter than the long ones. */
const WAIT = [0, 0, 0, 0, 0, 2200];
const SHORT: Settings = {
  nf_conntrack_tcp_timeout_syn_sent: 1,
  nf_conntrack_tcp_timeout_syn_recv: 4,
  nf_conntrack_tcp_timeout_established: 4,
  nf_conntrack_tcp_timeout_unacknowledged: 1,
  nf_conntrack_tcp_timeout_max_retrans: 1,
  nf_conntrack_tcp_timeout_fin_wait: 1,
  nf_conntrack_tcp_timeout_close_wait: 4,
  nf_conntrack_tcp_timeout_last_ack: 1,
  nf_conntrack_tcp_timeout_time_wait: 4,
  nf_conntrack_tcp_timeout_close: 1,
  nf_conntrack_udp_timeout: 1,
  nf_conntrack_udp_timeout_stream: 4,
  nf_conntrack_icmp_timeout: 1,
  nf_conntrack_icmpv6_timeout: 4,
  nf_conntrack_generic_timeout: 1,
  nf_conntrack_gre_timeout: 1,
  nf_conntrack_gre_timeout_stream: 4,
  nf_conntrack_sctp_timeout_closed: 1,
  nf_conntrack_sctp_timeout_cookie_wait: 4,
  nf_conntrack_sctp_timeout_established: 4,
  nf_conntrack_sctp_timeout_heartbeat_sent: 1,
};

const rows: readonly { name: string; settings: Settings; gapsMs?: readonly number[] }[] = [
  { name: "as the kernel begins", settings: {} },
  { name: "with a wait", settings: {}, gapsMs: WAIT },
  { name: "timeouts that run out", settings: SHORT, gapsMs: WAIT },
  { name: "liberal", settings: { nf_conntrack_tcp_be_liberal: 1 } },
  {
    name: "not loose, one retransmission, any RST",
    settings: {
      nf_conntrack_tcp_loose: 0,
      nf_conntrack_tcp_max_retrans: 1,
      nf_conntrack_tcp_ignore_invalid_rst: 1,
    },
  },
  {
    name: "checksums not looked at, packets counted",
    settings: { nf_conntrack_checksum: 0, nf_conntrack_acct: 1 },
  },
];
for (const [place, row] of rows.entries()) {
  const seed = SEED * 100 + place;
  test(`generated: ${SEQUENCES} sequences, ${row.name}, seed ${seed}`, () => {
    // Older kernels lack some.
    const settings: Settings = Object.fromEntries(
      Object.entries(row.settings).filter(([name]) => wire.has(name)),
    );
    const before = Object.keys(settings).map((name) => [name, wire.get(name)] as const);
    try {
      for (const [name, value] of Object.entries(settings)) wire.set(name, value);
      const found = differencesOf(seed, settings, row.gapsMs ?? []);
      assert.equal(found.lines.join("\n"), "", `${found.sequences} of ${SEQUENCES} sequences differ`);
    } finally {
      for (const [name, value] of before) wire.set(name, value);
    }
  });
}

function differencesOf(
  seed: number,
  settings: Settings,
  gapsMs: readonly number[],
): { sequences: number; lines: string[] } {
  const random = seededRandom(seed);
  const found = { sequences: 0, lines: [] as string[] };
  const batch = quickBatch();
  for (let from = 0; from < SEQUENCES; from += batch) {
    const scripts = Array.from({ length: Math.min(batch, SEQUENCES - from) }, () =>
      anySequence(random, ROUNDS),
    );
    const both = bothSides({ scripts, gapsMs }, settings);
    for (const [index, script] of scripts.entries()) {
      if (both.differs[index] !== true) continue;
      found.sequences += 1;
      if (found.sequences > SHRUNK) continue;
      const [one, other] = [both.kernel[index], both.model[index]];
      assert.ok(one !== undefined && other !== undefined);
      const short = keepShort(script, gapsMs, settings, `${seed}-${from + index}`);
      found.lines.push(...(short ?? ["it came once only:", ...firstDifference(script, one, other)]));
    }
  }
  return found;
}

/** How many sequences side by side are quick, by how long some of them take. */
function quickBatch(): number {
  const random = seededRandom(1);
  const scripts = Array.from({ length: TRIAL }, () => anySequence(random, ROUNDS));
  const outcomes = runOnKernel(wire, { scripts });
  const startMs = Math.min(...outcomes.map(({ sentAtMs }) => sentAtMs[0] ?? Infinity));
  const tookMs = (outcomes[0]?.readAtMs.at(-1) ?? Infinity) - startMs;
  return Math.max(1, Math.min(BATCH, Math.floor((TRIAL * QUICK_MS) / tookMs)));
}

interface Both {
  kernel: Outcome[];
  model: Outcome[];
  differs: boolean[];
}

function bothSides(rounds: Rounds, settings: Settings): Both {
  const kernel = runOnKernel(wire, rounds);
  const model = runOnModel(rounds, kernel, settings);
  const differs = rounds.scripts.map((script, place) => {
    const [one, other] = [kernel[place], model[place]];
    return one === undefined || other === undefined || firstDifference(script, one, other).length > 0;
  });
  return { kernel, model, differs };
}

/** Makes a difference short, keeps it as a fixture, and says what it is; undefined when it went away. */
function keepShort(
  script: Script,
  gapsMs: readonly number[],
  settings: Settings,
  name: string,
): string[] | undefined {
  const short = shrink({ script, gapsMs }, (rounds) => bothSides(rounds, settings).differs);
  const { kernel, model } = bothSides({ scripts: [short.script], gapsMs: short.gapsMs }, settings);
  const [one, other] = [kernel[0], model[0]];
  assert.ok(one !== undefined && other !== undefined);
  const difference = firstDifference(short.script, one, other);
  if (difference.length === 0) return undefined;
  const generation = testedGeneration();
  const sequence = sequenceOf(`found ${name}`, short.script, one, settings, generation);
  const file = generation === "6.18" ? `found-${name}.txt` : `found-${generation}-${name}.txt`;
  writeFileSync(`${FOLDER}${file}`, printSequence(sequence));
  return [`${file}, IPv${script.family}`, ...difference];
}

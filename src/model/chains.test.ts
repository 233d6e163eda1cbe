import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hashTuple } from "../packet/tuple-hash.ts";
import { Status } from "../table/status.ts";
import { UDP } from "../table/protocol.ts";
import { Chains } from "./chains.ts";
import { Flow, FLOW_WORDS, FlowRows } from "./flow-rows.ts";

const SERVER = 0x0a00_0001;

/** A table of UDP flows between one server and clients told apart by number. */
class Table {
  readonly rows = new FlowRows(2);
  readonly chains: Chains;
  readonly flowByClient = new Map<number, number>();
  now = 0x7fff_fff0;

  constructor(buckets: number) {
    this.chains = new Chains(this.rows, buckets);
  }

  find(client: number, direction: number): number {
    const [source, destination] = ends(client, direction);
    const [from, to] = direction === 0 ? [1000, 53] : [53, 1000];
    const hash = hashOf(client, direction);
    const kind = kindOf(client);
    return this.chains.find(this.now, hash, kind, from | (to << 16), source, 0, destination, 0);
  }

  add(client: number, jiffies: number, status: number): void {
    if (this.find(client, 0) !== 0) return;
    const flow = this.rows.take();
    this.chains.occupancyFlows += 1;
    const { words } = this.rows;
    const at = flow * FLOW_WORDS;
    const [source, destination] = ends(client, 0);
    words[at + Flow.HASH_ORIGINAL] = hashOf(client, 0);
    words[at + Flow.HASH_REPLY] = hashOf(client, 1);
    words[at + Flow.KIND] = kindOf(client);
    words[at + Flow.DISCRIMINATORS_ORIGINAL] = 1000 | (53 << 16);
    words[at + Flow.DISCRIMINATORS_REPLY] = 53 | (1000 << 16);
    words[at + Flow.SOURCE] = source[0] as number;
    words[at + Flow.DESTINATION] = destination[0] as number;
    words.set(source.subarray(1), at + Flow.SOURCE_REST);
    words.set(destination.subarray(1), at + Flow.DESTINATION_REST);
    words[at + Flow.EXPIRES] = (this.now + jiffies) | 0;
    words[at + Flow.STATUS] = Status.CONFIRMED | status;
    this.chains.link(flow);
    this.flowByClient.set(client, flow);
  }

  /** Clients whose flows are linked, by walking every chain; both nodes must be there. */
  linked(): number[] {
    const nodes = new Map<number, number>();
    const { words } = this.rows;
    const { groups } = this.chains;
    const inGroups = new Uint32Array(groups.length);
    this.chains.heads.forEach((head, bucket) => {
      let length = 0;
      for (let node = head; node !== 0; node = words[(node >>> 1) * FLOW_WORDS + (node & 1)] as number) {
        const at = (node >>> 1) * FLOW_WORDS;
        assert.equal(this.chains.bucketOf(words[at + Flow.HASH_ORIGINAL + (node & 1)] as number), bucket);
        nodes.set(node >>> 1, (nodes.get(node >>> 1) ?? 0) + 1);
        length += 1;
      }
      assert.equal(this.chains.lengths[bucket], Math.min(length, 255));
      inGroups[bucket >>> 9] = (inGroups[bucket >>> 9] ?? 0) + length;
    });
    assert.deepEqual(groups, inGroups);
    for (const count of nodes.values()) assert.equal(count, 2);
    const clients = [...this.flowByClient].filter(
      ([client, flow]) =>
        nodes.has(flow) && words[flow * FLOW_WORDS + Flow.SOURCE] === (ends(client, 0)[0][0] ?? 0),
    );
    assert.equal(nodes.size, this.chains.occupancyFlows);
    return clients.map(([client]) => client);
  }

  isLive(client: number): boolean {
    const flow = this.flowByClient.get(client) ?? 0;
    return (((this.rows.words[flow * FLOW_WORDS + Flow.EXPIRES] as number) - this.now) | 0) > 0;
  }
}

/** Clients with odd numbers are IPv6; addresses fit 31 bits. */
function ends(client: number, direction: number): [Uint32Array, Uint32Array] {
  const isSix = client % 2 === 1;
  const own = Uint32Array.of(0x0b00_0000 + client, 0, 0, isSix ? client : 0);
  const other = Uint32Array.of(SERVER, 0, 0, isSix ? 9 : 0);
  return direction === 0 ? [own, other] : [other, own];
}

function kindOf(client: number): number {
  return (client % 2 === 1 ? 6 : 4) | (UDP << 8);
}

function hashOf(client: number, direction: number): number {
  const [source, destination] = ends(client, direction);
  const [from, to] = direction === 0 ? [1000, 53] : [53, 1000];
  return hashTuple(0, kindOf(client), source, destination, 0, from | (to << 16));
}

const client = fc.nat(60);
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("add"),
      client,
      jiffies: fc.nat(50),
      status: fc.constantFrom(0, Status.ASSURED),
    }),
  },
  fc.record({ do: fc.constant("find"), client, direction: fc.nat(1) }),
  fc.record({ do: fc.constant("remove"), client }),
  fc.record({ do: fc.constant("rehash"), buckets: fc.integer({ min: 1, max: 16 }) }),
  fc.record({ do: fc.constant("early"), client }),
  fc.record({ do: fc.constant("wait"), jiffies: fc.nat(20) }),
);
type Operation = {
  do: string;
  client?: number;
  jiffies?: number;
  status?: number;
  direction?: number;
  buckets?: number;
};

function apply(table: Table, step: Operation): void {
  const { client: number = 0 } = step;
  switch (step.do) {
    case "add":
      table.add(number, step.jiffies ?? 0, step.status ?? 0);
      break;
    case "find":
      table.find(number, step.direction ?? 0);
      break;
    case "remove": {
      const node = table.find(number, 0);
      if (node !== 0) table.chains.remove(node >>> 1);
      break;
    }
    case "rehash":
      table.chains.rehash(step.buckets ?? 1);
      break;
    case "early":
      table.chains.earlyDrop(hashOf(number, 0), table.now, false);
      break;
    default:
      table.now = (table.now + (step.jiffies ?? 0)) | 0;
  }
}

test("after any sequence every live flow is found by both its tuples, and the counts are right", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 16 }), fc.array(operation, { maxLength: 80 }), (buckets, steps) => {
      const table = new Table(buckets);
      for (const step of steps) apply(table, step);
      const linked = table.linked();
      for (const number of linked) {
        const flow = table.flowByClient.get(number) ?? 0;
        if (!table.isLive(number)) continue;
        assert.equal(table.find(number, 0), 2 * flow);
        assert.equal(table.find(number, 1), 2 * flow + 1);
      }
    }),
    { numRuns: 300 },
  );
});

test("a rehash keeps every flow", () => {
  const table = new Table(8);
  for (let number = 0; number < 50; number += 1) table.add(number, 100, 0);
  for (const buckets of [1, 64, 3, 512]) {
    table.chains.rehash(buckets);
    assert.equal(table.linked().length, 50);
  }
});

test("a new flow is at the head of its chain, its reply node before its original one", () => {
  const table = new Table(1);
  table.add(2, 100, 0);
  table.add(4, 100, 0);
  const flow = table.flowByClient.get(4) ?? 0;
  assert.equal(table.chains.heads[0], 2 * flow + 1);
  assert.equal(table.rows.words[flow * FLOW_WORDS + Flow.NEXT_REPLY], 2 * flow);
});

test("early drop takes all that may go from the first bucket that has any, and leaves ASSURED flows", () => {
  const table = new Table(1);
  for (let number = 0; number < 10; number += 1) table.add(number, 100, number < 4 ? Status.ASSURED : 0);
  assert.equal(table.chains.earlyDrop(hashOf(99, 0), table.now, false), 6);
  assert.deepEqual(table.linked(), [0, 1, 2, 3]);
  assert.equal(table.chains.earlyDrop(hashOf(99, 0), table.now, false), 0);
});

test("expired flows met by early drop go and are not counted", () => {
  const table = new Table(1);
  table.add(1, 5, 0);
  table.now = (table.now + 10) | 0;
  assert.equal(table.chains.earlyDrop(hashOf(99, 0), table.now, false), 0);
  assert.equal(table.chains.occupancyFlows, 0);
});

test("early drop looks at eight buckets from that of the hash on, around the end", () => {
  const table = new Table(64);
  const bucket = (number: number): number => table.chains.bucketOf(hashOf(number, 0));
  table.add(2, 100, 0);
  const taken = [bucket(2), table.chains.bucketOf(hashOf(2, 1))];
  for (let number = 100; number < 300; number += 1) {
    const reaches = taken.some((at) => (at - bucket(number) + 64) % 64 < 8);
    const fresh = new Table(64);
    fresh.add(2, 100, 0);
    assert.equal(fresh.chains.earlyDrop(hashOf(number, 0), fresh.now, false), reaches ? 1 : 0);
    const isSame = taken.includes(bucket(number));
    const old = new Table(64);
    old.add(2, 100, 0);
    assert.equal(old.chains.earlyDrop(hashOf(number, 0), old.now, true), isSame ? 1 : 0);
  }
});

test("chains of more nodes than a byte counts are counted again when they shrink", () => {
  const table = new Table(2);
  for (let number = 0; number < 600; number += 1) table.add(number, 1 + (number % 3) * 10, 0);
  assert.equal(table.linked().length, 600);
  for (const left of [400, 200, 0]) {
    table.now = (table.now + 10) | 0;
    for (let number = 0; number < 600; number += 1) table.find(number, 0);
    assert.equal(table.linked().length, left);
  }
});

test("a walk passes over groups of buckets without nodes, and over nothing else", () => {
  const table = new Table(5 * 512);
  assert.equal(table.chains.nextInUse(0), 5 * 512);
  table.add(7, 100, 0);
  const used = [hashOf(7, 0), hashOf(7, 1)].map((hash) => table.chains.bucketOf(hash));
  const walked = new Set<number>();
  const { heads } = table.chains;
  for (let bucket = table.chains.nextInUse(0); bucket < heads.length;) {
    walked.add(bucket);
    bucket = table.chains.nextInUse(bucket + 1);
  }
  assert.ok(used.every((bucket) => walked.has(bucket)));
  assert.equal(walked.size, new Set(used.map((bucket) => bucket >>> 9)).size * 512);
});

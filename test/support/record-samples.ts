/** Records of flow events as bytes, written piece by piece. */
import { RecordBlocks } from "../../src/kernel/record-blocks.ts";
import type { DumpReason } from "../../src/kernel/record-notes.ts";
import { attribute, datagramOf, replyMessage } from "./netlink.ts";
import { plainTuples } from "./netlink-flows.ts";

/** When a record begins. */
export const START_MS = 1_700_000_000_000;
const NEW_OR_UPDATE = 0x100;
const DESTROY = 0x102;
const CREATE = 0x600;
const MULTI = 2;
const CTA_STATUS = 3;
const CTA_TIMEOUT = 7;
const CTA_ID = 12;
const ASSURED = 0x0e;

export type Piece =
  | { kind: "new" | "update" | "destroy"; id: number }
  | { kind: "table"; reason: DumpReason; ids: readonly number[] }
  | { kind: "loss"; flows: number }
  | { kind: "count"; flows: number };

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function flow(type: number, flags: number, id: number): Uint8Array {
  const own = [
    attribute(CTA_ID, u32(id)),
    attribute(CTA_STATUS, u32(ASSURED)),
    attribute(CTA_TIMEOUT, u32(30)),
  ];
  return replyMessage({ type, flags }, datagramOf(Uint8Array.of(2, 0, 0, 0), ...plainTuples(), ...own));
}

/** The bytes of a record, of one flow in `oneOf`: each piece is a tenth of a second behind the one before. */
export function recordOf(pieces: readonly Piece[], oneOf = 1): Uint8Array {
  const blocks = new RecordBlocks();
  let atMs = START_MS;
  blocks.begin({ comment: "a record", program: "headroom", interfaceName: "ctnetlink" });
  const settings = { nf_conntrack_max: 1000 };
  const beginning = { oneOf, coverage: "all", clockMs: START_MS, version: "1", settings };
  blocks.note(atMs, { kind: "beginning", ...beginning });
  for (const piece of pieces) {
    atMs += 100;
    if (piece.kind === "table") {
      blocks.note(atMs, { kind: "dump", reason: piece.reason });
      blocks.datagram(atMs, datagramOf(...piece.ids.map((id) => flow(NEW_OR_UPDATE, MULTI, id))));
      blocks.note(atMs, { kind: "dump-end", complete: true, flows: piece.ids.length });
    } else if (piece.kind === "loss") {
      blocks.overrun(atMs);
      blocks.note(atMs, { kind: "loss", losses: 1, lostEvents: piece.flows });
    } else if (piece.kind === "count") {
      blocks.note(atMs, { kind: "count", occupancyFlows: piece.flows });
    } else {
      const type = piece.kind === "destroy" ? DESTROY : NEW_OR_UPDATE;
      blocks.datagram(atMs, flow(type, piece.kind === "new" ? CREATE : 0, piece.id));
    }
  }
  blocks.note(atMs, { kind: "end", events: 0, losses: 0 });
  return blocks.take().slice();
}

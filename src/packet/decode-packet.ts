/** One packet alone, for tests and for looking at it: the reader's way is batches. */
import { PacketColumns } from "./columns.ts";
import { PacketDecoder } from "./decoder.ts";
import { RecordFacts } from "../table/record-sink.ts";

/** The most rows a datagram of this size can need is one; a batch has room for a few. */
const ROWS = 4;

/**
 * Decodes one record of a capture: row 0 of what is returned. All protocols are tracked by their ports; the
 * hash is that of seed 0. `originalBytes` is the length on the wire, when less than that was captured.
 */
export function decodePacket(bytes: Uint8Array, linkType: number, originalBytes?: number): PacketColumns {
  const decoder = new PacketDecoder({ seed: 0, ports: { udplite: true, dccp: true } });
  const columns = new PacketColumns(ROWS);
  decoder.begin(columns);
  const facts = new RecordFacts();
  facts.linkType = linkType;
  facts.originalBytes = Math.max(bytes.length, originalBytes ?? 0);
  decoder.record(bytes, 0, bytes.length, facts);
  return columns;
}

/**
 * The packet folder: untrusted capture bytes in, rows of PacketColumns out, one per capture record.
 *
 * It refuses what is no capture (CaptureError), and nothing else: a broken capture is read up to the break, a
 * broken packet is a row that says what is wrong with it. It does no I/O, unpacks nothing, and never goes
 * back in a capture. What the tracker would say of a packet is not known here; what the IP layer and the
 * tracker's own checks find wrong with it is.
 *
 * Read first: columns.ts (what a row is), then decoder.ts (how one is made), then fragments.ts.
 */
export { CaptureError, type CaptureErrorCode, CaptureParser } from "./capture.ts";
export type { CaptureBreak, CaptureInterface, CaptureSummary, OtherBlocks } from "./capture-summary.ts";
export {
  BATCH_ROWS,
  DccpExtra,
  Fault,
  InnerTuple,
  packetColumnBytes,
  PacketColumns,
  PacketKind,
  SCTP_CHUNKS,
  SctpExtra,
  TcpFlag,
  TcpOption,
} from "./columns.ts";
export type { DecodeCounts, RefusedCounts } from "./decode-counts.ts";
export { type DecoderOptions, PacketDecoder } from "./decoder.ts";
export { decodePacket } from "./decode-packet.ts";
export { EventHistory, type EventCounts, isRenewable, timeoutMsOf } from "./event-history.ts";
export { EventPackets, talking } from "./event-packets.ts";
export type { Words } from "./event-flows.ts";
export type { PortProtocols } from "./ip-protocol.ts";
export { LinkType } from "./link-layer.ts";
export { hashTuple } from "./tuple-hash.ts";
export { CaptureWriter, type RecordToWrite, writeCapture, type WriteOptions } from "./write-capture.ts";
export type { ZoneRules } from "./zone-table.ts";

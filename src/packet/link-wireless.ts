/** IEEE 802.11 data frames: as much as is needed to find the 802.2 header in those that are not encrypted. */
import { i32, u16 } from "./big-endian.ts";

const Frame = {
  /** First byte of frame control. */
  TYPE: 0x0c,
  DATA: 0x08,
  WITHOUT_DATA: 0x40,
  QOS: 0x80,
  /** Second byte. */
  BOTH_WAYS: 0x03,
  PROTECTED: 0x40,
  ORDER: 0x80,
  /** First byte of QoS control: several packets in one frame. */
  AGGREGATE: 0x80,
} as const;

/** A Prism header, and the mark by which an AVS header in its place is told. */
const PRISM_BYTES = 144;
const AVS_MAGIC = 0x8021_1000;

/** Where the 802.2 header of a record begins; -1 when it has none that can be read. */
export function wirelessPayload(bytes: Uint8Array, start: number, end: number, linkType: number): number {
  const at = start + radioBytes(bytes, start, end, linkType);
  if (end - at < 24) return -1;
  const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
  if ((first & Frame.TYPE) !== Frame.DATA || (first & Frame.WITHOUT_DATA) !== 0) return -1;
  if ((second & Frame.PROTECTED) !== 0) return -1;
  let headerBytes = (second & Frame.BOTH_WAYS) === Frame.BOTH_WAYS ? 30 : 24;
  if ((first & Frame.QOS) !== 0) {
    if (at + headerBytes >= end) return -1;
    if (((bytes[at + headerBytes] as number) & Frame.AGGREGATE) !== 0) return -1;
    headerBytes += (second & Frame.ORDER) === 0 ? 2 : 6;
  }
  return at + headerBytes;
}

/** Bytes that the radio layer put before the frame, up to all of them when they make no sense. */
function radioBytes(bytes: Uint8Array, at: number, end: number, linkType: number): number {
  if (linkType === 105) return 0;
  if (end - at < 8) return end - at;
  if (linkType === 127) return (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  if (((i32(bytes, at) ^ AVS_MAGIC) & 0xffff_f000) === 0) return u16(bytes, at + 6);
  return linkType === 119 ? PRISM_BYTES : end - at;
}
